#!/bin/bash
# SPDX-License-Identifier: MIT
# Programs that shut themselves in live on, whatever becomes of the collector: their filters kill for any system call but
# their own, and so show that the library makes none.  tests/legal has the deeds at each instant; here are threads that are
# inside calls, strict mode with timestamps, and what only looks like a sandbox.
. "$(dirname "$0")/../support/lib.sh"
need jq

PROGRAM=$PROGRAMS/span_sandbox
DEEDS=(tsync first child exec timed probe privileges)

# launch_all INPUT COMMAND…: they work for six seconds, and until their input ends.
launch_all() {
        local input=$1
        shift
        PIDS=()
        for deed in "${DEEDS[@]}"; do
                spawn "$@" "$PROGRAM" "$deed" >"$WORK/$deed.out" 2>&1 <"$input" 8>&-
                PIDS+=("$SPAWNED")
        done
}
all_say() {
        local deed
        for deed in "${DEEDS[@]}"; do
                grep -qs "$1" "$WORK/$deed.out" || return 1
        done
}
end_all() {
        local i
        for i in "${!DEEDS[@]}"; do
                wait_status "${PIDS[$i]}"
                expect "the end of ${DEEDS[$i]}, $1 ($(tr '\n' ' ' <"$WORK/${DEEDS[$i]}.out"))" "$STATUS" 0
        done
}
is_attached() {
        [ "$(json "[.processes[] | select(.alive and .pid == $1)] | length" ps)" = 1 ]
}

note "linked, and no collector"
launch_all /dev/null env
end_all "linked, and no collector"

note "the collector is restarted, and then replaced"
start_collector
mkfifo "$WORK/hold"
exec 8<>"$WORK/hold" # which no other process may have
launch_all "$WORK/hold" counted
wait_for -t 60 "the beginning" all_say before
ctl timing on >/dev/null || fail "timing"
wait_for -t 60 "the sandboxes" all_say 'shut in'
# Two looks of the collector, after which it is known that no filter follows no_new_privs.
sleep 5
stop_collector
start_collector 8>&-
wait_for "a program to come back that had only asked" is_attached "${PIDS[5]}"
wait_for "a program to come back that had only given up privileges" is_attached "${PIDS[6]}"
kill_collector
start_collector 8>&-
wait_for "one that had only asked to come back to the new collector" is_attached "${PIDS[5]}"
wait_for "one that had only given up privileges to come back to it" is_attached "${PIDS[6]}"
exec 8>&-
end_all "the collector is restarted, and then replaced"
json_true "balanced" '.processes | all(.balanced)' ps
stop_collector

note "a collector serves all the time"
start_collector
launch_all /dev/null counted
end_all "a collector serves all the time"
json_true "balanced" '.processes | all(.balanced)' ps
# What was done in the sandbox is in the books, too, or was refused for want of room: no bell is rung there.
json_true "the 1400 rounds of 200 scopes" \
        "[.spans[] | select(.span == \"work\" and .pid == ${PIDS[1]}) | .closed + .refused] | add == 280000" spans
json_true "most of them" "[.spans[] | select(.span == \"work\" and .pid == ${PIDS[1]}) | .closed] | add > 40000" spans
pass
