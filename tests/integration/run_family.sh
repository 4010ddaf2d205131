#!/bin/bash
# SPDX-License-Identifier: MIT
# Every process that the command starts gets a row, however it was made, and the sums are exact.
# Timeout: 900
. "$(dirname "$0")/../support/lib.sh"
need jq

FAMILY=$PROGRAMS/run_family

report() {
        "$CTL" --json=short run -o "$WORK/report" "$@" || fail "'$*' ended with $?"
}

# ask FILTER: of the report's document.
ask() {
        jq -r "$1" "$WORK/report"
}

counted_rows() {
        ask '[.processes[] | select(.comm | startswith("run_family"))] | length'
}

sum() {
        ask "[.processes[] | .$1] | add"
}

# What one image of this program counts besides its ledger: libc's own, at start and end.
report -- "$FAMILY" work 0
BASE_COUNT=$(sum alloc_count) BASE_BYTES=$(sum alloc_bytes)
note "an image by itself: $BASE_COUNT allocations, $BASE_BYTES bytes"
expect "rows" "$(counted_rows)" 1

# ledger WORKERS ALLOCS IMAGES [OTHER_COUNT OTHER_BYTES]: WORKERS times ALLOCS allocations of 1000 bytes and half of
# them freed, beside the base of IMAGES images and what else the program's libc is known to allocate.
ledger() {
        expect "allocations" "$(sum alloc_count)" "$(($1 * $2 + BASE_COUNT * $3 + ${4:-0}))"
        expect "bytes" "$(sum alloc_bytes)" "$((1000 * $1 * $2 + BASE_BYTES * $3 + ${5:-0}))"
        expect_at_least "frees" "$(sum dealloc_count)" "$(($1 * $2 / 2))"
        expect "books in balance" "$(ask '[.processes[] | select(.counting | startswith("libspanalloc")) | .balanced] | all')" true
        expect "complete" "$(ask .complete)" true
}

note "one process, 100,000 allocations"
report -- "$FAMILY" work 100000
ledger 1 100000 1

note "fork"
report -- "$FAMILY" fork 20 1000
expect "rows" "$(counted_rows)" 21
ledger 20 1000 1
expect "children with the right sum" "$(ask '[.processes[] | select(.alloc_bytes == 1000000)] | length')" 20

note "vfork, posix_spawn"
for way in vfork spawn; do
        report -- "$FAMILY" $way 20 1000
        expect "rows of $way" "$(counted_rows)" 21
        ledger 20 1000 21
done

note "exec after fork from a thread: an image forked, and one that it became"
report -- "$FAMILY" thread 0 0
other_count=$(($(sum alloc_count) - BASE_COUNT)) other_bytes=$(($(sum alloc_bytes) - BASE_BYTES))
report -- "$FAMILY" thread 20 1000
expect "rows" "$(counted_rows)" 41
expect "images that ended by exec" "$(ask '[.processes[] | select(.ended == "exec")] | length')" 20
ledger 20 1000 21 $other_count $other_bytes

note "five generations"
report -- "$FAMILY" generations 5 1000
expect "rows" "$(counted_rows)" 6
ledger 5 1000 1

note "orphans"
report -- "$FAMILY" orphans 10 1000
expect "rows" "$(counted_rows)" 21
ledger 10 1000 1
expect "orphans with a known end" "$(ask '[.processes[] | select(.alloc_count == 1000 and .ended == "exited 0")] | length')" 10

note "sh -c"
report -- sh -c 'true; ls / >/dev/null; (ls / >/dev/null); ls / | cat >/dev/null'
expect "rows of ls" "$(ask '[.processes[] | select(.comm == "ls")] | length')" 3
expect "rows of cat" "$(ask '[.processes[] | select(.comm == "cat")] | length')" 1
expect_at_least "rows of sh" "$(ask '[.processes[] | select(.ended == "exec")] | length')" 1

note "exec in place: an image each"
report -- sh -c "exec '$FAMILY' work 1000"
expect "rows" "$(counted_rows)" 1
expect "pids" "$(ask '[.processes[].pid] | unique | length')" 1
expect "images that ended by exec" "$(ask '[.processes[] | select(.ended == "exec")] | length')" 1

note "a thousand children"
report -- "$FAMILY" fork 1000 100
expect "rows" "$(counted_rows)" 1001
ledger 1000 100 1
"$CTL" run -o "$WORK/human" -- "$FAMILY" fork 1000 1
expect_match "the folded row" "$(cat "$WORK/human")" 'run_family x1001'

note "a thousand programs"
report -- sh -c 'for i in $(seq 1000); do /bin/true; done'
expect "rows of true" "$(ask '[.processes[] | select(.comm == "true")] | length')" 1000
expect "distinct rows" "$(ask '[.processes[].process] | unique | length')" "$(ask '.processes | length')"

note "what is left behind is reported as alive, after a while"
started=$SECONDS
report --linger 300ms -- "$FAMILY" linger 300000 1000
[ $((SECONDS - started)) -lt 200 ] || fail "run waited for what was left behind"
expect "alive" "$(ask '[.processes[] | select(.alive)] | length')" 1
kill "$(ask '.processes[] | select(.alive) | .pid')"
ledger 1 1000 1
report --linger 100 -- "$FAMILY" linger 500 1000
expect "alive" "$(ask '[.processes[] | select(.alive)] | length')" 0
ledger 1 1000 1
pass
