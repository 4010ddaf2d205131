#!/bin/bash
# SPDX-License-Identifier: MIT
# 32 processes of 8 threads at once, each thread with 100,000 pairs and more, a tenth of the spans going on or ending on
# another thread, through rings so small that each wraps a hundred times and more: all sums are exact, and with `wait`
# nothing is refused.
# Timeout: 1800
# Labels: slow
. "$(dirname "$0")/../support/lib.sh"

processes=${CROWD_PROCESSES:-32}
threads=8
pairs=${CROWD_PAIRS:-100000}
export SPANALLOC_RING_KIB=64 SPANALLOC_ON_FULL=wait # 1,024 records

start_collector --keep 3600
for i in $(seq "$processes"); do
        "$PROGRAMS/span_crowd" "$threads" "$pairs" >"$WORK/ledger.$i" 2>"$WORK/error.$i" </dev/null &
        pids[i]=$!
done
for i in $(seq "$processes"); do
        wait_status "${pids[i]}"
        expect "exit status of process $i" "$STATUS" 0
done

all_ended() {
        [ "$(json '[.processes[] | select(.alive)] | length' ps)" = 0 ]
}
wait_for -t 60 "the last records" all_ended
ctl --json=short spans >"$WORK/spans"
ctl --json=short ps >"$WORK/ps"
expect "processes" "$(jq '.processes | length' "$WORK/ps")" "$processes"

for i in $(seq "$processes"); do
        pid=${pids[i]}
        expect "refused by process $i" "$(grep refused "$WORK/ledger.$i")" "refused 0"
        for name in local inner handed; do
                expect "$name of process $i" "$(jq -r ".spans[] | select(.pid == $pid and .span == \"$name\") |
                        [.span, .closed, .cycles, .alloc_count, .alloc_bytes, .dealloc_count, .dealloc_bytes, .migrated] |
                        map(tostring) | join(\" \")" "$WORK/spans")" "$(grep "^$name " "$WORK/ledger.$i")"
        done
        records=$(jq ".processes[] | select(.pid == $pid) | .records" "$WORK/ps")
        # The fullest ring has at least the average.
        expect_at_least "times that the rings of process $i wrapped" $((records / threads / 1024)) 100
done
expect "refused, lost, aborted" "$(jq -c '[.processes[] | .refused, .lost_alloc_count, .lost_alloc_bytes, .aborted] | add' "$WORK/ps")" 0
expect_balanced
note "$(jq '[.processes[].records] | add' "$WORK/ps") records of $processes processes"
stop_collector
pass
