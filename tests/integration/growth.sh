#!/bin/bash
# SPDX-License-Identifier: MIT
# Net bytes per call, against programs whose requests keep, free, or free late; a positive net of a span is called growth
# only where its process grows.
. "$(dirname "$0")/../support/lib.sh"
need jq

start_collector
mkfifo "$WORK/in"
exec 8<>"$WORK/in"
# keeps WAY COUNT SIZE: the program, when it has done its work; its pid is in $PIDS.
declare -A PIDS
keeps() {
        LD_PRELOAD=$PRELOAD "$PROGRAMS/span_keeps" "$@" <"$WORK/in" >"$WORK/keeps.$1" &
        PIDS[$1]=$!
        wait_for "the work" grep -q ready "$WORK/keeps.$1"
}
keeps late 2000 300000
keeps leak 500 200
keeps work 100 1000

# of WAY FILTER: a cell of its row
of() {
        json ".spans[] | select(.pid == ${PIDS[$1]} and .thread == \"\") | $2" spans \
                --columns=pid,thread,closed,calls,calls_net_bytes,net_per_call,net_per_call_histogram,process_net_bytes
}
body=$(of late .net_per_call)
[ "$body" -ge 300000 ] && [ "$body" -lt 310000 ] || fail "net per call: $body"
expect "its sum by its calls" "$(of late '.calls_net_bytes / .calls | floor')" "$body"
expect "its histogram: from 4^9 on" "$(of late '.net_per_call_histogram | tojson')" '{"262144":2000}'
growth=$(of late .process_net_bytes)
[ "$growth" -lt 200000 ] || fail "the process is said to have grown by $growth"
expect "the leak's net per call" "$(of leak .net_per_call)" 200
expect "the leak's histogram" "$(of leak '.net_per_call_histogram | tojson')" '{"64":500}'
expect_at_least "the leak's process" "$(of leak .process_net_bytes)" 100000
expect "what is freed" "$(of work '[.net_per_call, .net_per_call_histogram] | tojson')" '[0,{"0":100}]'
expect "order by net per call" "$(json "[.spans[] | select(.thread == \"\") | .pid] == [${PIDS[late]}, ${PIDS[leak]}, ${PIDS[work]}]" \
        spans --sort=-net_per_call --columns=pid,thread,net_per_call)" true
# first_in_top: the pid of the first row of top by net per call, and its NET/CALL
first_in_top() {
        ctl top --once --sort=-net_per_call |
                awk '!at { for (i = 1; i <= NF; i++) { if ($i == "PROCESS") process = i; if ($i == "NET/CALL") at = i } next }
                     { sub(/.*\[/, "", $process); sub(/\].*/, "", $process); if (!n++) print $process, $at }'
}
expect_match "top by net per call" "$(first_in_top)" "^${PIDS[late]} [+]29[0-9][.][0-9]K\$|^${PIDS[late]} [+]30[0-9][.][0-9]K\$"

note "words"
text=$(ctl show request --pid "${PIDS[late]}")
expect_match "show" "$text" 'With its children it allocates [0-9.]+M more than it frees, about [23][0-9.]+K per call'
expect_match "show" "$text" 'Its process does not grow by that: net [+-]?[0-9.]+[BKM] in the same time'
expect_match "show" "$text" 'the rest of the process freed more than it allocated'
expect_match "show's histogram" "$text" 'Net bytes per call, in powers of four'
expect_match "show's histogram" "$text" '\+256\.0K .* 2000 100\.0%'
if grep -q 'whether it still grows' <<<"$text"; then
        [ "$growth" -gt 0 ] || fail "show asks whether it still grows"
fi
text=$(ctl show request --pid "${PIDS[leak]}")
expect_match "show of a leak" "$text" 'Its process grew by'
expect_match "the table" "$(ctl spans)" 'NET/CALL'

note "a reset, and an interval"
ctl reset >/dev/null
expect "nothing since the reset" "$(json '[.spans[] | select(.closed > 0)] | length' spans)" 0
: >"$WORK/keeps.leak"
keeps leak 10 5000
expect "the histogram of a new program" "$(of leak '.net_per_call_histogram | tojson')" '{"4096":10}'
expect "the leak is first in top" "$(first_in_top)" "${PIDS[leak]} +4.9K"
expect "the leak is first in documents of top" "$(ctl top --once --json --sort=-net_per_call | jq '.spans[0].pid')" "${PIDS[leak]}"
pass
