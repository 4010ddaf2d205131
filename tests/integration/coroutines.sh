#!/bin/bash
# SPDX-License-Identifier: MIT
# Coroutines: with spanalloc_stack_switch() each has what it allocated, exactly; without it, the quality of what they have
# says that it is mixed.
. "$(dirname "$0")/../support/lib.sh"
need jq

start_collector

note "the example: each has its own"
expect_status 0 counted "$EXAMPLES/coroutine"
json_true "parse and write" '[.spans[] | select(.span == "parse" or .span == "write")] | length == 2 and
        all(.path == .span and .quality == "exact" and .opened == 10 and .closed == 9 and
            .alloc_count == {"parse": 1000, "write": 10}[.span])' spans

note "undeclared switches: all that was mixed says so"
for order in up down inner; do
        expect_status 0 counted "$PROGRAMS/span_coroutines" "$order"
        pid=$(cat "$WORK/out")
        json_true "$order: mixed" '[.spans[] | select(.thread == "") | .quality == "mixed"] == [true, true]' spans --pid "$pid"
        ctl doctor >"$WORK/doctor" 2>&1 || true # it may find other things
        expect_match "$order: doctor" "$(cat "$WORK/doctor")" 'spanalloc_stack_switch'
done

note "what is no switch is exact"
expect_status 0 counted "$PROGRAMS/span_coroutines" "nested"
pid=$(cat "$WORK/out")
json_true "nested calls on another stack" '[.spans[] | select(.thread == "") | .quality] | length == 2 and all(. == "exact")' spans --pid "$pid"
