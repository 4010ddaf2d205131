#!/bin/bash
# SPDX-License-Identifier: MIT
# What one unprivileged user can have much of: processes, mappings, names, threads, deaths at once, questions with large
# answers.  No turn of the loop is long, and another user's questions are answered meanwhile.
#
# Optional: only root can become another user.
# Timeout: 1800
. "$(dirname "$0")/../support/lib.sh"
[ "$(id -u)" = 0 ] || skip "it takes root to become another user"

crowd=61006
neighbour=61007
chmod 755 "$WORK" "$RUNTIME"
mkdir "$WORK/bin"
cp "$PROGRAMS/static_load" "$PROGRAMS/static_limits" "$CTL" "$WORK/bin/"
mkfifo "$WORK/hold" "$WORK/quiet"
exec 7<>"$WORK/quiet"

# Programs get no descriptor by which they would keep their own input open.
as() {
        local uid=$1
        shift
        exec 7>&- 8>&-
        exec setpriv --reuid "$uid" --regid "$uid" --clear-groups env SPANALLOC_SOCKET="$INGEST" SPANALLOC_ATTACH_MS=60000 "$@"
}
ask() {
        (as "$1" "$WORK/bin/spanallocctl" --socket "$QUERY" --json=short "${@:2}")
}
# load WHAT PROCESSES MAPPINGS NAMES THREADS [BELOW [OPEN]]
load() {
        local what=$1 count=$2 i pid
        shift
        note "$what"
        exec 8<>"$WORK/hold"
        # In the background a function is a process of its own, which gives way to the program.
        as $crowd "$WORK/bin/static_load" "$@" <"$WORK/hold" >"$WORK/said" &
        pid=$!
        ready() { [ "$(wc -l <"$WORK/said")" -ge "$count" ]; }
        wait_for -t 200 "$count processes" ready
        for i in 1 2 3; do
                ask $crowd spans --sort span >/dev/null
                ask $crowd spans --sort=-alloc_bytes >/dev/null
                ask $crowd spans --sort path >/dev/null
                ask $crowd spans --columns pid,span,threads >/dev/null
                ask $crowd tree >/dev/null
                ask $crowd ps >/dev/null
                ctl --json=short spans >/dev/null
                expect "the neighbour's rows" "$(ask $neighbour ps | jq '[.processes[] | select(.alive)] | length')" 1
        done
        ctl --json=short reset >/dev/null
        sleep 2.5 # two rounds of housekeeping and of saving
        # A byte for each: all of them die at once.
        head -c "$count" /dev/zero >&8
        wait_status "$pid"
        exec 8>&-
        gone() { [ "$(ctl --json=short ps | jq "[.processes[] | select(.uid == $crowd and .alive)] | length")" = 0 ]; }
        wait_for -t 60 "the end of all" gone
        expect_short_turns
}

"$DAEMON" --system --runtime-dir "$RUNTIME" --config /dev/null --state-dir "$WORK/state" --state-interval 1 --max-ended 40 \
        </dev/null >>"$WORK/collector.log" 2>&1 &
COLLECTOR_PID=$!
wait_for "the collector" ctl status
as $neighbour "$WORK/bin/static_limits" 2 1 <"$WORK/quiet" >"$WORK/neighbour" &
wait_for "the neighbour" grep -q attached "$WORK/neighbour"

load "many mappings" 64 2500 1 1
load "many names" 6 0 12000 2
load "many paths" 1 0 1000 1 129
load "many threads" 4 0 1 800
load "many open spans" 1 0 1 3000 0 60
load "many processes" "${HELD_UP_PROCESSES:-400}" 0 3 1
expect "the neighbour still runs" "$(ask $neighbour ps | jq '[.processes[] | select(.alive)] | length')" 1
exec 7>&-
stop_collector
pass
