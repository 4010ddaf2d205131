#!/bin/bash
# SPDX-License-Identifier: MIT
# The report of `run`: one document, or tables that a person can read.
. "$(dirname "$0")/../support/lib.sh"
need jq python3

FAMILY=$PROGRAMS/run_family

note "one document"
"$CTL" --json=short run -o "$WORK/report" -- "$FAMILY" work 1000
expect "lines" "$(wc -l <"$WORK/report")" 1
expect "documents" "$(jq -s length "$WORK/report")" 1
jq -e '.schema == 1 and .complete == true and .time_ns > 1500000000000000000 and .status == 0 and
        (.command | length == 3 and .[1] == "work" and .[2] == "1000") and
        (.processes | type == "array") and (.spans | type == "array")' "$WORK/report" >/dev/null ||
        fail "the document: $(head -c 1000 "$WORK/report")"
jq -e '.processes[0] | (keys | length >= 39) and has("outside_threads") and has("coverage_ppm") and has("counting") and
        has("balanced")' "$WORK/report" >/dev/null || fail "columns are missing: $(head -c 2000 "$WORK/report")"
"$CTL" --json=pretty run -o "$WORK/report" -- sh -c 'exit 3' && fail "status"
expect "status in the document" "$(jq .status "$WORK/report")" 3
expect_at_least "lines of a pretty one" "$(wc -l <"$WORK/report")" 10
"$CTL" run --json -o "$WORK/report" -- printf '%s' $'\xff' >"$WORK/out"
jq -e '.command | length == 3' "$WORK/report" >/dev/null || fail "junk in an argument spoils the document"

note "an unmodified program: threads by their names"
"$CTL" --json=short run -o "$WORK/report" -- "$FAMILY" threads 32 100
for i in 0 17 31; do
        expect "worker-$i" "$(jq -c ".processes[0].outside_threads[\"worker-$i\"][0:2]" "$WORK/report")" "[100,100000]"
done
expect "named threads" "$(jq '[.processes[0].outside_threads | keys[] | select(startswith("worker-"))] | length' "$WORK/report")" 32
expect "outside, in sum" "$(jq '[.processes[0].outside_threads[][1]] | add == .' "$WORK/report" >/dev/null; jq '.processes[0] | ([.outside_threads[][1]] | add) == .outside_alloc_bytes' "$WORK/report")" true
expect "no spans" "$(jq '[.spans[] | select(.thread == "")] | length' "$WORK/report")" 0
expect "rows of threads" "$(jq '[.spans[] | select(.span == "(outside)" and (.thread | startswith("worker-")))] | length' "$WORK/report")" 32
expect "worker-17 in them" "$(jq -c '.spans[] | select(.thread == "worker-17") | [.self_alloc_count, .self_alloc_bytes, .opened]' "$WORK/report")" "[100,100000,0]"

note "for a person"
"$CTL" run -o "$WORK/human" -- "$FAMILY" threads 32 100
human=$(cat "$WORK/human")
expect_match "the command and its end" "$human" 'run_family threads 32 100.*exited 0'
expect_match "thread names" "$human" '^ *worker-[0-9]+ '
expect "nothing too wide" "$(awk 'length > 160' "$WORK/human" | head -1)" ''
"$CTL" run -o "$WORK/human" -- sh -c 'for i in 1 2 3 4 5; do ls / >/dev/null; done; kill -USR1 $$' && fail "status"
human=$(cat "$WORK/human")
expect_match "folded" "$human" '^ls x5 '
expect_match "how it ended" "$human" 'SIGUSR1'

note "a program is named by what was executed"
mkdir "$WORK/bin"
cp "$(command -v ls)" "$WORK/bin/real-name"
ln -s real-name "$WORK/bin/short"
ln -s "$WORK/bin/real-name" "$WORK/elsewhere"
for command in "$WORK/bin/short" "$WORK/elsewhere"; do
        "$CTL" run -o "$WORK/human" -- "$command" >/dev/null
        expect_match "its row" "$(cat "$WORK/human")" "^${command##*/} +[0-9]"
done
PATH=$WORK/bin:$PATH "$CTL" run -o "$WORK/human" -- sh -c 'short; real-name; cd /' >/dev/null
for name in short real-name sh; do
        expect_match "the row of $name" "$(cat "$WORK/human")" "^$name +[0-9]"
done
"$CTL" run -o "$WORK/human" -- bash -c 'printf short >/proc/self/comm; :'
expect_match "a name that no file has" "$(cat "$WORK/human")" '^bash +[0-9]'

note "memory"
"$CTL" --json=short run -o "$WORK/report" -- python3 -c 'import time
held = bytearray(300 << 20)
time.sleep(3)
del held'
expect_at_least "the peak of the live heap" "$(jq .peak_net_bytes "$WORK/report")" $((300 << 20))
expect_at_least "the maximum of resident memory" "$(jq .max_rss_bytes "$WORK/report")" $((300 << 20))
jq -e '([.processes[] | select(.net_bytes < 100000000)] | length > 0) and .peak_net_bytes < 600000000 and .max_rss_bytes < 600000000' \
        "$WORK/report" >/dev/null || fail "the peaks: $(jq '[.peak_net_bytes, .max_rss_bytes]' "$WORK/report")"
"$CTL" run -o "$WORK/human" -- true
expect_match "for a person" "$(cat "$WORK/human")" '^  peak of live heap at least [0-9.]+B, maximum RSS [0-9.]+M$'
"$CTL" run -o "$WORK/human" -- sh -c 'ls /; ls /' >/dev/null
expect_match "of several" "$(cat "$WORK/human")" 'maximum RSS [0-9.]+M \(each of one process\)$'

note "processor time of the command, and of nothing that was before"
# Both this process and a child of it work before they become `run`; a second child ends while it runs.
bash -c 'work() { for ((i = 0; i < 400000; i++)); do :; done; }
        work
        (work)
        (work) &
        exec "$0" --json=short run -o "$1" -- "$2" threads 1 10' "$CTL" "$WORK/report" "$FAMILY"
worked=$(TIMEFORMAT='%U'; { time for ((i = 0; i < 400000; i++)); do :; done; } 2>&1)
for field in command_cpu_ns collector_cpu_ns; do
        ! ldd "$CTL" | grep -Eq 'lib(a|l|t|ub)san' || break
        jq -e --argjson worked "$worked" ".$field > 0 and .$field < \$worked * 500000000" "$WORK/report" >/dev/null ||
                fail "$field is $(jq ".$field" "$WORK/report"); what was before took $worked s"
done

if [ -e "$PROGRAMS/span_run" ]; then
        note "a program with spans"
        "$CTL" --json=short run -o "$WORK/report" -- "$PROGRAMS/span_run" 3 100
        expect "spans" "$(jq -c '[.spans[] | select(.thread == "") | [.span, .cycles, .closed, .self_alloc_count, .self_alloc_bytes, .alloc_bytes]] | sort' "$WORK/report")" \
                '[["inner",300,300,300,300000,300000],["outer",3,3,3,3000,303000]]'
        "$CTL" run -o "$WORK/human" -- "$PROGRAMS/span_run" 3 100
        expect_match "spans for a person" "$(cat "$WORK/human")" '^inner +span_run +300 '
        ! grep -q '(outside)' "$WORK/human" || fail "what is outside of spans stands in two tables: $(cat "$WORK/human")"
fi
pass
