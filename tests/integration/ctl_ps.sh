#!/bin/bash
# SPDX-License-Identifier: MIT
# ps for a person: no column that says nothing, no row of a program that only executed the next one, no number that is not
# known.
. "$(dirname "$0")/../support/lib.sh"

start_collector
mkfifo "$WORK/in"
exec 9<>"$WORK/in"
LD_PRELOAD=$PRELOAD nice -n 1 nice -n 1 "$PROGRAMS/span_timed" <&9 >"$WORK/counted" &
counted=$!
echo "calls 3" >&9
wait_for "the calls" grep -q "^[0-9]" "$WORK/counted"
has_calls() {
        [ "$(span_field "$counted" inner cycles)" = 3 ]
}
wait_for "the cycles" has_calls
rows() { # FILTER: how many rows of the program that is counted
        json "[.processes[] | select(.pid == $counted and ($1))] | length" ps
}
# On a busy machine nice may be gone before its attach is served; then it has no row.
preludes=$(rows '.ended == "exec" and .comm == "nice"')

note "columns"
heading=$(ctl ps | head -n 1)
expect "the first columns" "$(awk '{ print $1, $2, $3 }' <<<"$heading")" "PID COMM NET"
json_true "nothing unusual" '.processes | all(.lost_alloc_bytes == 0 and .before_alloc_bytes == 0 and .balanced)' ps
for column in LOST BEFORE COVERAGE BALANCED; do
        ! grep -qw "$column" <<<"$heading" || fail "$column says nothing: $(ctl ps)"
done
expect_match "a column that is asked for" "$(ctl ps --columns=pid,coverage_ppm | head -n 1)" 'COVERAGE'

note "programs that only executed the next one"
expect "rows of the counted" "$(ctl ps | awk -v pid="$counted" '$1 == pid { print $2 }')" span_timed
expect "rows with --full" "$(ctl ps --full | awk -v pid="$counted" '$1 == pid' | wc -l)" $((preludes + 1))
[ "$preludes" = 0 ] || expect_match "what is said of them" "$(ctl ps)" "^$preludes programs? without spans that executed another one (is|are) not shown; --full shows all\.$"
expect "rows that run" "$(ctl ps --alive --columns=comm --no-legend | xargs)" span_timed
expect "documents of what runs" "$(json '[.processes[].alive] | tostring' ps --alive)" '[true]'

note "a heap that is not counted"
mkfifo "$WORK/other"
exec 8<>"$WORK/other"
"$PROGRAMS/span_timed" <&8 >"$WORK/plain" &
plain=$!
echo "calls 2" >&8
wait_for "the calls" grep -q "^[0-9]" "$WORK/plain"
has_cycles() {
        [ "$(span_field "$plain" inner cycles)" = 2 ]
}
wait_for "the cycles" has_cycles
expect "its row" "$(ctl ps --columns=pid,net_bytes,alloc_bytes,coverage_ppm,alive | awk -v pid="$plain" '$1 == pid { $1 = ""; print }')" ' - - - yes'
! ctl ps | head -n 1 | grep -qw COVERAGE || fail "the coverage of what is not counted: $(ctl ps)"
expect "its spans" "$(ctl spans --pid "$plain" --columns=span,cycles,alloc_bytes,net_bytes,quality | awk '$1 == "inner"' | xargs)" 'inner 2 - - -'
expect_match "its tree" "$(ctl tree --pid "$plain" --columns=cycles,alloc_bytes,net_bytes)" 'inner +2 +- +-$'
expect_match "its span in full" "$(ctl show inner --pid "$plain")" '^   Alloc: -, the heap is not counted; '
expect_match "the process in it" "$(ctl tree --pid "$plain")" "^span_timed\[$plain\] +- +-$"
expect "its document" "$(json '.spans[] | select(.span == "inner") | [.cycles, .alloc_bytes, .quality] | tostring' spans --pid "$plain")" '[2,0,"exact"]'
expect_match "the spans of the other" "$(ctl spans --pid "$counted" --columns=span,cycles,alloc_bytes,quality)" '^inner +3 +[0-9.]+B exact$'
stop_collector
pass
