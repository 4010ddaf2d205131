#!/bin/bash
# SPDX-License-Identifier: MIT
# No memory, no descriptor, no space: each call of the collector that can meet with that fails once, one after the other,
# while it starts, while a program attaches, writes and ends, and while it is asked.  At the start the collector serves all
# the same or says in a line what is missing; later it always goes on, and once the fault is lifted it serves, with books
# that balance.
#
# Labels: slow
# Timeout: 1800
. "$(dirname "$0")/../support/lib.sh"
need python3

# Every STEPth call: 1 for all of them.  When all tests run a second time, with io_uring refused, a third is enough.
[ "${SPANALLOC_TEST_BACKEND:-}" != poll ] || : "${FAULTS_STEP:=3}"
: "${FAULTS_STEP:=1}"
export FAULTS=$WORK/faults
head -c 16 /dev/zero >"$FAULTS"
fault() {
        python3 "$SOURCE/tests/support/faults.py" "$FAULTS" "$@"
}

# launch: a collector under the shim.
launch() {
        : >"$WORK/collector.log"
        LD_PRELOAD=$PROGRAMS/libfaults.so "$DAEMON" --user --runtime-dir "$RUNTIME" --config /dev/null \
                </dev/null >"$WORK/collector.log" 2>&1 &
        COLLECTOR_PID=$!
}
serves_or_ended() {
        ctl status || ! kill -0 "$COLLECTOR_PID"
}

note "while it starts"
fault 1000000
launch
wait_for "the collector" ctl status
read -r calls _ <<<"$(fault)"
kill_collector
note "$calls calls"
expect_at_least "calls that can fail" "$calls" 20
served=0
told=0
for ((n = 1; n <= calls; n += FAULTS_STEP)); do
        fault "$n"
        launch
        wait_for "the collector to serve, or to end (call $n)" serves_or_ended
        if kill -0 "$COLLECTOR_PID" 2>/dev/null; then
                fault 0
                ctl status >/dev/null || fail "call $n: it does not answer"
                stop_collector
                served=$((served + 1))
        else
                wait_status "$COLLECTOR_PID"
                COLLECTOR_PID=
                { [ "$STATUS" = 1 ] || [ "$STATUS" = 2 ] || [ "$STATUS" = 127 ]; } ||
                        fail "call $n: it ended with $STATUS: $(cat "$WORK/collector.log")"
                # The loader's own words are not ours.
                [ "$STATUS" = 127 ] || grep -qiE 'memory|open files|space|unavailable' "$WORK/collector.log" ||
                        fail "call $n: it does not say what is missing: $(cat "$WORK/collector.log")"
                told=$((told + 1))
        fi
done
note "with one call failing it served $served times, and said what is missing $told times"

# A program comes, counts, and goes; the collector is asked.  None of these may hang, or end by a signal.
use() {
        local status
        timeout 100 env LD_PRELOAD="$PRELOAD" SPANALLOC_ATTACH_MS=500 "$PROGRAMS/static_limits" 3 2 \
                </dev/null >"$WORK/said" || fail "$1: the program ended with $?"
        for verb in ps spans; do
                status=0
                timeout 100 "$CTL" --socket "$QUERY" --json=short $verb >/dev/null 2>"$WORK/err" || status=$?
                [ "$status" -le 3 ] || fail "$1: $verb ended with $status: $(cat "$WORK/err")"
                [ "$status" = 0 ] || [ "$(wc -l <"$WORK/err")" = 1 ] || fail "$1: $verb said: $(cat "$WORK/err")"
        done
        kill -0 "$COLLECTOR_PID" 2>/dev/null || fail "$1: the collector is gone: $(tail -n 3 "$WORK/collector.log")"
}
is_well() {
        ctl status
}

note "while it is used"
fault 0
launch
wait_for "the collector" ctl status
for _ in 1 2 3; do use "no fault"; done
fault 1000000
use "no fault"
read -r calls _ <<<"$(fault)"
note "$calls calls"
expect_at_least "calls that can fail" "$calls" 50
failed=0
for ((n = 1; n <= calls; n += FAULTS_STEP)); do
        fault "$n"
        use "call $n"
        read -r _ fired <<<"$(fault)"
        failed=$((failed + fired))
        fault 0
        wait_for "the collector to answer again (call $n)" is_well
done
fault 0
note "$failed calls failed; $(json '[.status.rejected, .status.query_errors] | join(" attaches and ")' status) queries were refused"
expect_at_least "calls that failed" "$failed" $((calls / FAULTS_STEP / 2))
LD_PRELOAD=$PRELOAD "$PROGRAMS/static_limits" 3 2 </dev/null >"$WORK/said"
expect "who comes after all that" "$(cat "$WORK/said")" "attached 0"
expect_balanced

note "while nothing at all is to be had, for two seconds"
fault 1 100000000
use "all calls, and then none" &
user=$!
sleep 2
kill -0 "$COLLECTOR_PID" || fail "the collector is gone: $(tail -n 3 "$WORK/collector.log")"
fault 0
wait_status "$user"
expect "how those who waited ended" "$STATUS" 0
wait_for "the collector to answer again" is_well
LD_PRELOAD=$PRELOAD "$PROGRAMS/static_limits" 3 2 </dev/null >"$WORK/said"
expect "who comes after that" "$(cat "$WORK/said")" "attached 0"
expect_balanced
stop_collector
pass
