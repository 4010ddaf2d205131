#!/bin/bash
# SPDX-License-Identifier: MIT
# A hostile program in ten ways, another user's, beside a well-behaved one: the collector expels it with a reason where it
# breaks the format, bears it where it is only rude, and the neighbour's books balance to the byte, with every event in its
# order.  How long an event takes from the close to `follow` is printed here, and held to 250 ms by bench/scribbler.
#
# Timeout: 900
. "$(dirname "$0")/../support/lib.sh"
need python3

stranger=() # another user, where we can become one
"$DAEMON" --system --runtime-dir "$RUNTIME" --config /dev/null </dev/null >>"$WORK/collector.log" 2>&1 &
COLLECTOR_PID=$!
wait_for "the collector" ctl status
mkdir "$WORK/bin"
cp "$PROGRAMS/static_scribbler" "$WORK/bin/"
chmod 755 "$WORK" "$RUNTIME" "$WORK/bin"
[ "$(id -u)" != 0 ] || stranger=(setpriv --reuid 61003 --regid 61003 --clear-groups)
: "${SCRIBBLER_SECONDS:=1.5}"

# scribble WAY: in the background; $SPAWNED.
scribble() {
        "${stranger[@]}" env SPANALLOC_SOCKET="$INGEST" SPANALLOC_ATTACH_MS=60000 "$WORK/bin/static_scribbler" "$1" \
                >/dev/null 2>"$WORK/scribbler.err" &
        SPAWNED=$!
}
ended() {
        ps_field "$1" ended
}

# follows FILE: whether the follower has heard a span, and written FILE.
follows() {
        SPANALLOC_SOCKET=$INGEST "$PROGRAMS/span_neighbour" 0.01 /dev/null neighbour-probe </dev/null
        [ -e "$1" ]
}

# beside WAY: the neighbour runs while one scribbles in this way; expects nothing of the scribbler yet.
beside() {
        local times=$WORK/times.$1 spans count bytes
        rm -f "$times"*
        rm -f "$WORK/hold" "$WORK/events" "$WORK/ledger"
        mkfifo "$WORK/hold" "$WORK/events"
        exec 8<>"$WORK/hold"
        "$CTL" --socket "$QUERY" --json=short follow --filter neighbour >"$WORK/events" 2>"$WORK/follow.err" 8>&- &
        local follower=$! reader
        python3 "$SOURCE/tests/support/follow_times.py" "$times" <"$WORK/events" >"$WORK/took.$1" 2>&1 8>&- &
        reader=$!
        wait_for -t 60 "the follower to hear something" follows "$times.ready"
        scribble "$1" 8>&-
        scribbler=$SPAWNED
        LD_PRELOAD=$PRELOAD "$PROGRAMS/span_neighbour" "$SCRIBBLER_SECONDS" "$times" <&8 >"$WORK/ledger" &
        neighbour=$!
        wait_for -t 60 "the neighbour's ledger" grep -q . "$WORK/ledger"
        touch "$times.whole"
        wait_status "$reader"
        [ "$STATUS" = 0 ] || fail "$1: $(cat "$WORK/took.$1" "$WORK/follow.err")"
        kill "$follower"
        wait "$follower" 2>/dev/null || true
        read -r spans count bytes <"$WORK/ledger"
        json_true "$1: the neighbour's spans" ".spans[] | select(.pid == $neighbour and .span == \"neighbour\") |
                .closed == $spans and .self_alloc_count == $count and .self_alloc_bytes == $bytes and
                .alloc_bytes == $bytes and .refused == 0" spans
        expect_balanced "$neighbour"
        note "$1: $(cat "$WORK/took.$1")"
        echo >&8
        wait_status "$neighbour"
        exec 8>&-
}
end_scribbler() {
        kill -KILL "$scribbler" 2>/dev/null || true
        wait "$scribbler" 2>/dev/null || true
}

# What it writes may be its own death before that is noticed; then another one does the same.
is_expelled() {
        local how
        how=$(ended "$scribbler")
        [[ $how != expelled:* ]] || return 0
        [ -z "$how" ] || {
                wait "$scribbler"
                scribble "$way"
                scribbler=$SPAWNED
        }
        return 1
}
for way in bytes back far more holes; do
        beside "$way"
        wait_for -t 60 "the one that did '$way' to be expelled" is_expelled
        note "$way: $(ended "$scribbler")"
        grep -q "process $scribbler .* is expelled: " "$WORK/collector.log" || fail "$way: the log does not say so"
        end_scribbler
done
for way in lanes names bell fork attach; do
        beside "$way"
        kill -0 "$COLLECTOR_PID" || fail "$way: the collector is gone"
        end_scribbler
        wait_for -t 60 "the end of the one that did '$way'" eval '[ -n "$(ended $scribbler)" ]'
done
expect_at_least "expelled" "$(json .status.expelled status)" 5

# One that follows and never takes what it is sent.
"$CTL" --socket "$QUERY" follow >/dev/null 2>&1 &
deaf=$!
sleep 0.3
kill -STOP "$deaf"
beside names
end_scribbler
kill -KILL "$deaf"
stop_collector
pass
