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
# On a machine that is busy besides, thousands of threads may keep the collector from a processor for longer than a client
# waits.  What counts here is the processor time of a turn.
patiently() {
        local i
        for i in 1 2 3 4 5 6 7 8 9; do
                ! "$@" 2>"$WORK/asked" || return 0
                grep -q 'does not answer' "$WORK/asked" || break
        done
        cat "$WORK/asked" >&2
        return 1
}
ask_once() {
        (as "$1" "$WORK/bin/spanallocctl" --socket "$QUERY" --json=short "${@:2}")
}
ask() {
        patiently ask_once "$@"
}
rows_of_crowd() {
        patiently ctl --json=short ps | jq -r "[.processes[] | select(.uid == $crowd and ($1))] | length"
}
# begin WHAT COUNT ARG...: static_load with these arguments is $PID, once COUNT of its processes have said that they are
# ready, and reads what is written to descriptor 8.
begin() {
        local what=$1 count=$2
        shift 2
        note "$what"
        exec 8<>"$WORK/hold"
        # In the background a function is a process of its own, which gives way to the program.
        as $crowd "$WORK/bin/static_load" "$@" <"$WORK/hold" >"$WORK/said" &
        PID=$!
        ready() { [ "$(wc -l <"$WORK/said")" -ge "$1" ]; }
        wait_for -t 200 "$count processes" ready "$count"
}
# finish COUNT: a byte for each: all of them die at once.
finish() {
        head -c "$1" /dev/zero >&8
        wait_status "$PID"
        exec 8>&-
        gone() { [ "$(rows_of_crowd .alive)" = 0 ]; }
        wait_for -t 60 "the end of all" gone
        expect_short_turns
}
# load WHAT PROCESSES MAPPINGS NAMES THREADS [BELOW [OPEN [BUSY]]]
load() {
        local count=$2 i
        begin "$1" "$2" "${@:2}"
        for i in 1 2 3; do
                ask $crowd spans --sort span >/dev/null
                ask $crowd spans --sort=-alloc_bytes >/dev/null
                ask $crowd spans --sort path >/dev/null
                ask $crowd spans --columns pid,span,threads >/dev/null
                ask $crowd tree >/dev/null
                ask $crowd ps >/dev/null
                patiently ctl --json=short spans >/dev/null
                expect "the neighbour's rows" "$(ask $neighbour ps | jq '[.processes[] | select(.alive)] | length')" 1
        done
        # Some machines have no clock for it.
        ! ask $crowd timing on >/dev/null 2>&1 || ask $crowd timing off >/dev/null
        patiently ctl --json=short reset >/dev/null
        sleep 2.5 # two rounds of housekeeping and of saving
        finish "$count"
}
# execs WHAT THREADS OPEN: a process of so many threads, with so many spans open on each, becomes another program.
execs() {
        begin "$1" 1 0 0 1 "$2" 0 "$3"
        printf x >&8
        wait_for -t 60 "the next program" ready 2
        expect "the former program" "$(rows_of_crowd "(.alive | not) and .ended == \"exec\" and .aborted == $2 * $3")" 1
        expect "the next program" "$(rows_of_crowd .alive)" 1
        finish 1
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
load "many closed spans beside them" 1 0 60 3000 0 60 1
execs "a program of many open spans is replaced" 3000 60
load "many processes" "${HELD_UP_PROCESSES:-400}" 0 3 1
expect "the neighbour still runs" "$(ask $neighbour ps | jq '[.processes[] | select(.alive)] | length')" 1
exec 7>&-
stop_collector
pass
