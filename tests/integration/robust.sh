#!/bin/bash
# SPDX-License-Identifier: MIT
# A child of a raw clone(2) has its parent's list of robust mutexes, with that of the parent's lane in it, which is not mapped
# there.  It uses robust mutexes of its own as it does without spanalloc.
. "$(dirname "$0")/../support/lib.sh"

expect "alone" "$("$PROGRAMS/span_robust")" ok
start_collector
expect "attached" "$(counted "$PROGRAMS/span_robust")" ok
expect "attached, without counters" "$("$PROGRAMS/span_robust")" ok
json_true "balanced" '.processes | length == 2 and all(.balanced)' ps
json_true "the parent's spans" '[.spans[] | select(.span == "work") | .closed] == [210, 210]' spans
pass
