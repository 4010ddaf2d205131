#!/bin/bash
# SPDX-License-Identifier: MIT
# The collector is killed again and again, at full load, under a service manager that keeps its descriptors: the next one
# goes on, and in the end the books are the workload's own ledger, to the byte.  Nothing is lost, nothing is there twice,
# and the programs do not notice.  DAEMON_KILLS=1000 for the long run.
# Timeout: 1200
. "$(dirname "$0")/../support/lib.sh"

kills=${DAEMON_KILLS:-100}
processes=2
threads=2
rate=100000 # records a second, in every interval
export SPANALLOC_ON_FULL=wait

for i in $(seq "$processes"); do
        ledgers+=(--ledger "$WORK/live.$i")
done
start_keeper "${ledgers[@]}" -- "$DAEMON" --user --runtime-dir "$RUNTIME" --keep 3600
generation=$(json .status.generation status)
mkfifo "$WORK/end"
exec {end}<>"$WORK/end"
for i in $(seq "$processes"); do
        "$PROGRAMS/span_crowd" "$threads" 0 "$WORK/live.$i" >"$WORK/ledger.$i" <"$WORK/end" {end}>&- &
        pids[i]=$!
done
attached() {
        [ "$(json '.processes | length' ps)" = "$processes" ]
}
wait_for "the programs" attached

keeper "kill $kills $rate 40000"
note "$KEEPER_ANSWER"
read -r _ killed _ _ _ slowest _ <<<"$KEEPER_ANSWER"
expect "kills" "$killed" "$kills"
expect_at_least "records a second in the slowest interval" "$slowest" "$rate"

# The same collector for the programs: they have not attached again.
expect "generation" "$(json .status.generation status)" "$generation"
expect "processes" "$(json '.processes | length' ps)" "$processes"
for i in $(seq "$processes"); do
        printf '\1' | dd of="$WORK/live.$i" conv=notrunc status=none # stop
done
done_all() {
        [ "$(cat "$WORK"/ledger.* | grep -c done)" = "$processes" ]
}
wait_for -t 60 "the programs' own sums" done_all
exec {end}>&-
for i in $(seq "$processes"); do
        wait_status "${pids[i]}"
        expect "exit status of process $i" "$STATUS" 0
done
all_ended() {
        [ "$(json '[.processes[] | select(.alive)] | length' ps)" = 0 ]
}
wait_for -t 60 "the last records" all_ended

# The ended are there after one more.
keeper crash
expect "processes" "$(json '[.processes[] | select(.alive | not)] | length' ps)" "$processes"
how_known() {
        [ "$(json '[.processes[] | select(.ended | startswith("exited"))] | length' ps)" = "$processes" ]
}
wait_for "how they ended" how_known
ctl --json=short spans >"$WORK/spans"
ctl --json=short ps >"$WORK/ps"
for i in $(seq "$processes"); do
        pid=${pids[i]}
        expect "refused by process $i" "$(grep refused "$WORK/ledger.$i")" "refused 0"
        for name in local inner handed; do
                expect "$name of process $i" "$(jq -r ".spans[] | select(.pid == $pid and .span == \"$name\") |
                        [.span, .closed, .cycles, .alloc_count, .alloc_bytes, .dealloc_count, .dealloc_bytes, .migrated] |
                        map(tostring) | join(\" \")" "$WORK/spans")" "$(grep "^$name " "$WORK/ledger.$i")"
        done
done
expect "refused, lost, aborted, before" "$(jq -c '[.processes[] | .refused, .lost_alloc_count, .lost_alloc_bytes,
        .aborted, .before_alloc_bytes] | add' "$WORK/ps")" 0
expect "records of the collector" "$(json .status.records status)" "$(jq '[.processes[].records] | add' "$WORK/ps")"
expect_balanced
note "$(jq '[.processes[].records] | add' "$WORK/ps") records of $processes processes"
pass
