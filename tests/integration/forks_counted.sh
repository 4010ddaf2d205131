#!/bin/bash
# SPDX-License-Identifier: MIT
# Under load some forked children give up before the collector has time for them.  Each has a row, or is counted as missed.
. "$(dirname "$0")/../support/lib.sh"
need jq dash
unset SPANALLOC_ATTACH_MS # so that they do give up

start_collector
for _ in $(seq $(($(nproc) * 4))); do
        spawn sh -c 'while :; do :; done'
done

# It works until it is attached itself, which may take more than one attempt.
cat >"$WORK/forks.sh" <<'E2'
while [ ! -e "$1" ]; do
        i=0
        while [ $i -lt 100 ]; do
                x=x$i
                i=$((i + 1))
        done
done
i=0
while [ $i -lt 500 ]; do
        (x=$i; y=$x$x) &
        i=$((i + 1))
        [ $((i % 20)) != 0 ] || wait
done
wait
E2
spawn counted dash "$WORK/forks.sh" "$WORK/go"
wait_true "the parent" '[.processes[] | select(.comm == "dash" and .alive)] | length == 1' ps
: >"$WORK/go"
wait_status "$SPAWNED"
expect "its end" "$STATUS" 0

all_counted() {
        local rows missed forks
        rows=$(ctl --json=short ps --columns=comm,forks | jq '[.processes[] | select(.comm == "dash")] | length')
        forks=$(ctl --json=short ps --columns=comm,forks | jq '[.processes[] | select(.comm == "dash") | .forks] | max')
        missed=$(ctl --json=short status | jq .status.missed)
        echo "$rows rows, one of them the parent's; $missed missed; $forks forks" >"$WORK/counts"
        [ "$forks" = 500 ] && [ $((rows - 1 + missed)) = 500 ]
}
(wait_for -t 120 "each child to be counted" all_counted) || fail "$(cat "$WORK/counts")"
note "$(cat "$WORK/counts")"
