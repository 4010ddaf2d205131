#!/bin/bash
# SPDX-License-Identifier: MIT
# A call of which a part was refused is none: the distribution has no calls of 0 bytes, and the net of calls that free all
# that they allocate is 0.
. "$(dirname "$0")/../support/lib.sh"
need jq

start_collector
note "bursts that the ring does not hold"
SPANALLOC_RING_KIB=16 expect_status 0 counted "$PROGRAMS/span_polled"
json_true "refused, and yet" '[.spans[] | select(.span == "task")][0] | .refused > 0 and .quality == "lost" and
        .per_call.count > 10 and .per_call.count < .closed and .per_call.p50 == .per_call.max and
        .calls_net_bytes == 0 and (.per_call_histogram | length) == 1' \
        spans --columns=span,refused,quality,closed,per_call,per_call_histogram,calls_net_bytes
expect_status 0 ctl show task
expect_match "show" "$(cat "$WORK/out")" 'frees as much as it allocates'
