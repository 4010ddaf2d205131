#!/bin/bash
# SPDX-License-Identifier: MIT
# Programs come to a new collector by themselves, those that have no spans and only count, too: after the old one was
# stopped, after it was killed, and when there was none at their start.
. "$(dirname "$0")/../support/lib.sh"
need jq perl

# Counts, and has no span.
work='$| = 1; while (1) { my @list = map { "x$_" } 1 .. 50; select(undef, undef, undef, 0.02) }'
spawn counted perl -e "$work"
early=$SPAWNED
start_collector
spawn counted perl -e "$work"
late=$SPAWNED
all_here() {
        [ "$(json "[.processes[] | select(.alive and (.pid == $early or .pid == $late))] | length" ps)" = 2 ]
}
wait_for "programs, one older than the collector" all_here

note "after a stop"
stop_collector
start_collector
wait_for "both to come back" all_here
# A row is there before its threads have written their first records.
wait_true "what they had counted is before" '.processes | all(.before_alloc_count > 0)' ps
json_true "balanced" '.processes | all(.balanced)' ps

note "after a kill"
kill_collector
start_collector
wait_for "both to come back" all_here
json_true "balanced" '.processes | all(.balanced)' ps
stop_collector
pass
