#!/bin/bash
# SPDX-License-Identifier: MIT
# --by=name: rows of spans, tree and top summed over processes, against the rows of each process.
. "$(dirname "$0")/../support/lib.sh"
need jq

start_collector
mkfifo "$WORK/in"
exec 8<>"$WORK/in"
keeps() {
        LD_PRELOAD=$PRELOAD "$PROGRAMS/span_keeps" "$@" <"$WORK/in" >>"$WORK/keeps" &
}
keeps leak 10 1000
keeps leak 20 2000
keeps late 30 3000
keeps deep 3 100
deep=$!
all_work() {
        [ "$(wc -l <"$WORK/keeps")" = 4 ]
}
wait_for "the work of all" all_work

note "spans"
sums='[.spans[] | select(.span == "request")] | {n: length, opened: map(.opened) | add, bytes: map(.alloc_bytes) | add,
        net: map(.net_bytes) | add, calls: map(.closed) | add} | tojson'
expect "three processes" "$(json "$sums | fromjson | .n" spans)" 3
expect "their sums" "$(json "$sums | fromjson | del(.n) | tojson" spans --by=name)" "$(json "$sums | fromjson | del(.n) | tojson" spans)"
json_true "one row for each name" '[.spans[] | select(.thread == "") | .span] == ["request", "nest"]' spans --by=name
json_true "over how many" '[.spans[] | select(.thread == "") | .processes] == [3, 1]' spans --by=name
json_true "net per call" '.spans[0] | .net_per_call == (.calls_net_bytes / .calls | floor) and .calls == 60' spans --by=name
json_true "no process" '.spans[0] | has("pid") or has("process") or has("key") | not' spans --by=name
json_true "order and cut" '(.spans | map(.span)) == ["(outside)", "nest"] and (.complete | not)' spans --by=name --sort=alloc_bytes --limit=2
json_true "one column" '.spans == [{"span": "(outside)"}, {"span": "nest"}, {"span": "request"}]' spans --by=name --columns=span --sort=alloc_bytes
expect "by process" "$(json '[.spans[] | select(.thread == "")] | length' spans --by=process)" 4
expect_match "for a person" "$(ctl spans --by=name)" '^request +3 .*NET/CALL|^request +3 '
expect_match "the heading" "$(ctl spans --by=name)" '^SPAN +PROCESSES .*NET/CALL'
expect_status 2 ctl spans --by=name --columns=pid
expect_match "why not" "$(cat "$WORK/err")" 'there is no column "pid" with --by=name'
expect_status 2 ctl spans --by=unit

note "tree"
json_true "one row for each path" '[.tree[] | select(.thread == "") | [.path, .depth, .processes]] == [["request", 0, 3], ["nest", 0, 1]]' tree --by=name
expect "its sums" "$(json '[.tree[] | select(.path == "request") | .alloc_bytes] | add' tree --by=name)" \
        "$(json '[.tree[] | select(.path == "request") | .alloc_bytes] | add' tree)"
text=$(ctl tree --by=name --min-percent=0)
expect_match "the root" "$text" '^\(all processes\)'
expect_match "a row" "$text" 'request +3 +60 '

note "top"
text=$(ctl top --once --by=name)
expect_match "a row" "$text" '^3 processes +request '
expect "rows" "$(grep -c request <<<"$text")" 1
expect_status 2 ctl top --json --by=name
json_true "the scope of each number" '.top | [.chosen_processes, .processes] == [1, 4] and .chosen_threads <= .threads' \
        top --once --pid "$deep"
json_true "without a choice" '.top | .chosen_processes == .processes and .chosen_threads == .threads' top --once
pass
