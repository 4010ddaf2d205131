#!/bin/bash
# SPDX-License-Identifier: MIT
# What hosts do to themselves: fork in every way, close all descriptors, unload the library, change user and root, get
# the pid of one that is gone, take signals in the middle of a record.  Each process's books are what its own ledger
# says (programs/span_hosts.c), to the byte.
# Optional: only root changes user and root, and chooses a pid; all else is shown without.
. "$(dirname "$0")/../support/lib.sh"
need jq

HOSTS=$PROGRAMS/span_hosts
start_collector
export SPANALLOC_ON_FULL=wait SPANALLOC_RING_KIB=16 # small, so that it is full now and then
mkdir "$WORK/files" "$WORK/root"

pids() {
        awk '{ print $2 }' "$LEDGER" | sort -nu | jq -sc .
}

all_ended() {
        local alive
        alive=$(json "$(pids) as \$pids | [.processes[] | select(.pid | IN(\$pids[])) | select(.alive)] | length" ps) &&
                [ "$alive" = 0 ] && [ "$(rows)" = "$(grep -c '^process' "$LEDGER")" ]
}

rows() {
        json "$(pids) as \$pids | [.processes[] | select(.pid | IN(\$pids[]))] | length" ps
}

# All rows of the processes that the ledger names, also of those that must have none.
books() {
        json "$(pids) as \$pids | .spans[] | select((.pid | IN(\$pids[])) and .thread == \"\") |
                \"span \(.pid) \(.path) \(.opened) \(.closed) \(.self_alloc_bytes)\",
                if .opened != .closed + .aborted or .refused != 0 then \"wrong: \(.)\" else empty end" spans
        json "$(pids) as \$pids | .processes[] | select(.pid | IN(\$pids[])) |
                \"process \(.pid) \(.alloc_bytes) \(.self_alloc_bytes) \(.before_alloc_bytes) \(.outside_alloc_bytes)\",
                if .lost_alloc_bytes != 0 or .alloc_count != .alloc_bytes or (.balanced | not) then \"wrong: \(.)\"
                else empty end" ps
}

all_wrote() {
        [ "$(grep -c '^process' "$LEDGER")" = "$1" ]
}

# expect_ledger WHAT ROWS: that many processes, and all of their rows.
expect_ledger() {
        expect "$1: processes in the ledger" "$(grep -c '^process' "$LEDGER")" "$2"
        wait_for "$1: the end of all" all_ended
        diff <(grep -v '^none' "$LEDGER" | sort) <(books | sort) >"$WORK/diff" ||
                fail "$1: the ledger (<) and the books (>) differ: $(sort -k3 -n "$WORK/diff" | head -n 8)"
}

# host WAY ROWS OUT [DIRECTORY]: OUT: children that must have no row.  (A daemon writes its ledger after we return.)
host() {
        note "$1"
        LEDGER=$WORK/ledger.$1
        : >"$LEDGER"
        chmod 666 "$LEDGER"
        "$HOSTS" "$1" "$LEDGER" "${4:-$WORK/files}" || fail "$1: ended with $?"
        wait_for "$1: all ledgers" all_wrote "$2"
        expect_ledger "$1" "$2"
        expect "$1: children without a row" "$(grep -c '^none' "$LEDGER" || true)" "$3"
}

host fork 21 0
host threaded 21 0
host clone 1 20
host vfork 21 0
host spawn 21 0

# Each of 64 files has what the host wrote into it and nothing else; the host has looked itself, before it ended.
expect_files() {
        local file fd
        expect "$1: files" "$(find "$WORK/files" -type f | wc -l)" 64
        for file in "$WORK/files"/*; do
                fd=${file##*.}
                cmp "$file" <(for i in {0..19}; do echo "$i of $fd"; done) || fail "$1: another writer wrote into $file"
        done
        rm "$WORK/files"/*
}
host close 1 0
expect_files close
host daemon 2 0
expect_files daemon

if [ "$(id -u)" = 0 ]; then
        host setuid 1 1
        host chroot 1 1 "$WORK/root"
else
        note "Optional: setuid and chroot after the attachment, which only root can show"
fi

note "a library that is loaded and unloaded"
LEDGER=$WORK/ledger.late
"$PROGRAMS/late_host" "$LIBSPANALLOC" "$LEDGER" || fail "late_host ended with $?"
expect_ledger late 1

note "a pid again"
LEDGER=$WORK/ledger.again
for _ in 1 2 3 4 5; do
        rm -f "$LEDGER"
        "$HOSTS" work "$LEDGER" 30 || fail "the first one ended with $?"
        pid=$(pids | jq '.[0]')
        status=0
        "$HOSTS" as "$pid" "$HOSTS" work "$LEDGER" 50 || status=$?
        [ "$status" = 78 ] || break # another program had it
done
if [ "$status" = 77 ]; then
        note "Optional: a pid again, which the kernel lets only a privileged program choose"
else
        expect "the second one's end" "$status" 0
        expect "pids" "$(pids)" "[$pid]"
        expect_ledger "a pid again" 2
        json_true "each process with its span" \
                "[.spans[] | select(.pid == $pid and .thread == \"\") | .process] | length == 2 and (unique | length) == 2" spans
fi

# signals HOW COMMAND…: what was handled is recorded or counted; sums have all of it.
signals() {
        local how=$1 pid steady recorded handled nested bytes
        shift
        note "signals: $how"
        LEDGER=$WORK/ledger.signals
        rm -f "$LEDGER"
        "$@" "$HOSTS" signals "$LEDGER" - || fail "signals, $how: ended with $?"
        read -r pid steady recorded handled nested bytes <"$LEDGER"
        note "$handled handled, $recorded of them recorded, $nested nested, in $steady spans"
        expect "recorded and nested" "$((recorded + nested))" "$handled"
        has_ended() {
                [ "$(ps_field "$pid" alive)" = false ]
        }
        wait_for "its end" has_ended
        json_true "spans between the signals" "[.spans[] | select(.pid == $pid and .span == \"steady\")] |
                length == 1 and (.[0] | .opened == $steady and .closed == $steady and .cycles == $steady)" spans
        json_true "spans of the handler" "[.spans[] | select(.pid == $pid and .span == \"tick\")] |
                ([.[].opened] | add) == $recorded and ([.[].cycles] | add) == $recorded and
                all(.opened == .closed and (.path | IN(\"tick\", \"steady/tick\")))" spans
        json_true "books" ".processes[] | select(.pid == $pid) | .balanced and .lost_alloc_bytes == 0" ps
        [ "$how" != snapshot ] || {
                expect "all that was spent" "$(ps_field "$pid" alloc_bytes)" "$bytes"
                expect "all that is booked" "$(ps_field "$pid" "self_alloc_bytes + .outside_alloc_bytes")" "$bytes"
                json_true "the spans' sum" "[.spans[] | select(.pid == $pid and .thread == \"\") | .self_alloc_bytes] | add ==
                        $(ps_field "$pid" self_alloc_bytes)" spans
                json_true "the sum of all rows" "[.spans[] | select(.pid == $pid) | .self_alloc_bytes] | add == $bytes" spans
        }
}
unset SPANALLOC_RING_KIB
signals snapshot
signals "counters of the library" env SPAN_HOSTS_LIBRARY_COUNTS=1 LD_PRELOAD="$PRELOAD"

stop_collector
pass
