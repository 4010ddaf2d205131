#!/bin/bash
# SPDX-License-Identifier: MIT
# Rows of what is outside of spans: by the names of threads, exact; the rows of a process add up to its counters.
. "$(dirname "$0")/../support/lib.sh"
need jq

start_collector
mkfifo "$WORK/in"
exec 9<>"$WORK/in"
LD_PRELOAD=$PRELOAD "$PROGRAMS/span_outside" <&9 >"$WORK/said" &
program=$!
said() { # TIMES WORD
        [ "$(grep -c "$2" "$WORK/said")" = "$1" ]
}
rounds=0
round() {
        rounds=$((rounds + 1))
        echo >&9
        wait_for "round $rounds" said "$rounds" done
}
wait_for "the program" said 1 ready
ctl ps >/dev/null # reads the names of the threads: what comes now is under them

# row THREAD: the sums of what threads of that name did outside of spans
row() {
        json "[.spans[] | select(.pid == $program and .span == \"(outside)\" and .thread == \"$1\") |
                .alloc_count, .alloc_bytes, .dealloc_count, .dealloc_bytes] | . + [0, 0, 0, 0] | .[:4] | join(\" \")" spans
}
# grew WHAT BEFORE AFTER BY: the four sums did
grew() {
        local before after
        read -ra before <<<"$2"
        read -ra after <<<"$3"
        expect "$1" "$((after[0] - before[0])) $((after[1] - before[1])) $((after[2] - before[2])) $((after[3] - before[3]))" "$4"
}
# adds_up METHOD: the self of all rows, what was lost and what came before, are the counters of the process.
dbg() { ctl --json spans >&2; }
adds_up() {
        local rows=$1 counter
        ctl --json=short "$rows" --pid "$program" >"$WORK/rows"
        ctl --json=short ps --pid "$program" >"$WORK/ps"
        for counter in alloc_count alloc_bytes dealloc_count dealloc_bytes; do
                expect "$rows: $counter" "$(jq "[.$rows[].self_$counter] | add // 0" "$WORK/rows")" \
                        "$(jq ".processes[0] | .$counter - .lost_$counter - .before_$counter" "$WORK/ps")"
        done
}

note "by the names of threads"
for turn in "since it began" "after a reset"; do
        reader=$(row reader) writer=$(row writer)
        round
        grew "$turn: readers" "$reader" "$(row reader)" "200 200000 0 0"
        grew "$turn: the writer" "$writer" "$(row writer)" "0 0 110 110000"
        expect "$turn: the span of the readers" "$(span_field "$program" read self_alloc_bytes)" 20000
        expect "$turn: the span of the writer" "$(span_field "$program" write self_dealloc_bytes)" 110000
        adds_up spans
        adds_up tree
        [ "$turn" = "after a reset" ] || json_true "what it has" ".processes[] | select(.pid == $program) |
                .net_bytes == .inherited_bytes + .alloc_bytes - .dealloc_bytes" ps
        ctl reset >/dev/null
        json_true "$turn: no row after a reset" "[.spans[] | select(.pid == $program)] == []" spans
done
round
json_true "a row of it" ".spans[] | select(.thread == \"reader\") | .path == \"(outside)\" and .opened == 0 and .cycles == 0 and
        .per_call.count == 0 and .quality == \"exact\" and .net_bytes == 200000 and .self_alloc_bytes == .alloc_bytes and
        .alloc_bytes_rate_10s > 0 and .key >= 2147483648" spans
json_true "by rate" '.spans[0].thread == "reader"' spans --sort=-alloc_bytes_rate_10s
json_true "its name as a filter" '[.spans[].thread] == ["writer"]' spans --filter=riter
json_true "since a minute" "[.spans[] | select(.thread == \"reader\") | .alloc_bytes] == [200000]" spans --since=1m
json_true "in the tree" "[.tree[] | select(.thread == \"writer\") | .depth, .parent_key, .net_bytes] == [0, 0, -110000]" tree

note "for a person"
expect_match "spans" "$(ctl spans --columns=span,closed,alloc_bytes,per_call_p99)" '^\(outside\) reader +- +195\.3K +-$'
expect_match "tree" "$(ctl tree --min-percent=0)" '─\(outside\) reader +- +- +195\.3K +195\.3K +\+195\.3K$'
net=$(ctl ps --no-legend --columns=net_bytes --pid "$program" | xargs)
expect "what the process has, in the tree" "$(ctl tree | awk '/^span_outside/ { print $NF }')" "$net"
expect "for an interval, the sum of its rows" "$(ctl tree --since=1m | awk '/^span_outside/ { print $(NF - 1), $NF }')" "214.8K 0B"
ctl show '(outside)' >"$WORK/out"
expect_match "show" "$(cat "$WORK/out")" '^   Freed: 107\.4K in 110 frees$'
expect_match "show, by thread" "$(cat "$WORK/out")" "^ *$program +reader +195\.3K +0B +\+195\.3K "
json_true "show, a name of threads" '[.processes[].thread] == ["writer"] and [.tree[].thread] == ["writer"]' show '(outside) writer'
expect_match "show, a name of threads, for a person" "$(ctl show '(outside) writer')" '^   Freed: 107\.4K in 110 frees$'
expect_status 4 "$CTL" --socket "$QUERY" show '(outside) nobody'
json_true "show as a document" '[.processes[].thread] | sort == ["reader", "writer"]' show '(outside)'
expect_match "a span in full" "$(ctl show read)" '^   Alloc: 19\.5K in 20 allocations'
expect_balanced "$program"

note "more names than there is room for"
"$CTL" --json=short run -o "$WORK/report" -- "$PROGRAMS/run_family" threads 256 10
expect "rows" "$(jq '[.spans[] | select(.span == "(outside)")] | length' "$WORK/report")" 256
expect "their sum" "$(jq '[.spans[].self_alloc_bytes] | add' "$WORK/report")" \
        "$(jq '.processes[0] | .alloc_bytes - .lost_alloc_bytes - .before_alloc_bytes' "$WORK/report")"
stop_collector
pass
