#!/bin/bash
# SPDX-License-Identifier: MIT
# From spans in real programs to every verb, human and JSON; then what is asked wrongly.
. "$(dirname "$0")/../support/lib.sh"
need jq python3 timeout

note "without a collector"
expect_status 3 ctl status
expect_match "the sentence" "$(cat "$WORK/err")" '^spanallocctl: .*(spanallocd|collector)'
expect "lines on stderr" "$(wc -l <"$WORK/err")" 1
for verb in ps spans tree top follow reset "show job"; do
        # shellcheck disable=SC2086
        expect_status 3 ctl $verb
        expect "lines on stderr of $verb" "$(wc -l <"$WORK/err")" 1
        expect "what $verb says on stdout" "$(cat "$WORK/out")" ""
done
expect_status 0 ctl version
expect_status 0 ctl help
expect_status 0 counted "$EXAMPLES/hello"
expect "hello without a collector" "$(cat "$WORK/out")" "hello, heap"

start_collector
note "an empty collector"
for verb in status ps spans tree "top -1"; do
        # shellcheck disable=SC2086
        expect_status 0 ctl $verb
        # shellcheck disable=SC2086
        expect_status 0 ctl --json=short $verb
        jq -e . "$WORK/out" >/dev/null || fail "$verb: no JSON"
done
json_true "no rows" '.spans == [] and .schema == 1 and .complete' spans
expect_status 4 ctl show nothing
expect "lines on stderr" "$(wc -l <"$WORK/err")" 1
expect_status 4 ctl ps --pid 4194304

note "examples"
expect_status 0 counted "$EXAMPLES/hello"
if [ -x "$EXAMPLES/hello-cpp" ]; then
        expect_status 0 counted "$EXAMPLES/hello-cpp"
        json_true "a scope left by an exception is closed" \
                '.spans[] | select(.span == "join") | .closed == 2 and .open == 0 and .path == "hello/join"' spans
fi
PYTHONMALLOC=malloc expect_status 0 counted python3 "$EXAMPLES/python/spanalloc.py"
expect_match "python's line" "$(cat "$WORK/out")" 'libspanalloc is here'
json_true "python's spans" '[.spans[] | select(.span == "numbers" and .alloc_count > 100000)] | length == 1' spans
json_true "hello, exactly" '.spans[] | select(.span == "hello" and .closed == 1 and .path == "hello") |
        .alloc_count >= 1 and .alloc_bytes >= 64 and .quality == "exact"' spans

# On a busy machine the collector may be late for its rings: nothing is to be refused here.
SPANALLOC_ON_FULL=wait TMPDIR=$WORK spawn counted "$EXAMPLES/pkgindex" --made --seconds 1000 >"$WORK/pkgindex"
workload=$SPAWNED
ready() {
        [ "$(span_field "$workload" merge closed)" -ge 3 ]
}
wait_for -t 60 "the workload's spans" ready
wait_true "hello's ends" '[.processes[] | select(.comm == "hello") | (.alive | not) and .ended != ""] == [true]' ps
spawn ctl --json=short follow --pid "$workload" >"$WORK/follow"
follower=$SPAWNED

note "fields"
# fields WHAT FILTER FIELD…: each thing that the filter yields has all of them.
fields() {
        local what=$1 filter=$2 wanted
        shift 2
        wanted=$(printf '"%s",' "$@")
        jq -e "[$filter] | length > 0 and all(([${wanted%,}] - keys) == [])" "$WORK/out" >/dev/null ||
                fail "$what lacks $(jq -c "[$filter][0] | [${wanted%,}] - keys" "$WORK/out")"
}
sums=(alloc_count alloc_bytes dealloc_count dealloc_bytes)
sides() {
        printf "$1_%s\n" "${sums[@]}"
}
document() {
        ctl --json=short "$@" >"$WORK/out" || fail "$* failed"
        expect "lines of $*" "$(wc -l <"$WORK/out")" 1
        jq -e '.schema == 1 and (.time_ns | type == "number") and (.complete | type == "boolean")' "$WORK/out" \
                >/dev/null || fail "$* has no proper head"
}
document status
fields status .status version pid uptime_ns backend processes records records_rate refused
document ps
mapfile -t columns < <(sides self; sides outside; sides lost; sides before)
fields ps '.processes[]' process pid start_ns comm exe uid unit alive ended threads spans records refused \
        "${sums[@]}" "${columns[@]}" coverage_ppm rss_bytes counting
jq -e ".processes[] | select(.pid == $workload) | .alive and .comm == \"pkgindex\" and .threads >= 4 and
        .ended == \"\" and .rss_bytes > 1000000 and .refused == 0 and .coverage_ppm == 1000000" "$WORK/out" >/dev/null ||
        fail "the workload's row is not right: $(jq -c ".processes[] | select(.pid == $workload)" "$WORK/out")"
jq -e '[.processes[] | select(.comm == "hello")] | length == 1 and (.[0].alive | not) and .[0].ended != ""' \
        "$WORK/out" >/dev/null || fail "hello is not shown as ended"
document spans
fields spans '.spans[]' process pid uid unit span path opened closed open cycles "${sums[@]}" net_bytes \
        self_alloc_count self_alloc_bytes self_dealloc_count self_dealloc_bytes alloc_bytes_rate_10s \
        alloc_bytes_rate_1m alloc_bytes_rate_10m migrated aborted refused quality per_call
fields per_call '.spans[].per_call' count p50 p90 p99 max
jq -e '.spans | all(.net_bytes == .alloc_bytes - .dealloc_bytes and .closed <= .opened and .open == .opened - .closed
        - .aborted and .alloc_bytes >= .self_alloc_bytes and .per_call.p50 <= .per_call.p99)' "$WORK/out" >/dev/null ||
        fail "a row of spans contradicts itself: $(jq -c '.spans[] | select((.net_bytes == .alloc_bytes -
        .dealloc_bytes and .closed <= .opened and .open == .opened - .closed - .aborted and
        .alloc_bytes >= .self_alloc_bytes and .per_call.p50 <= .per_call.p99) | not)' "$WORK/out" | head -n 2)"
document tree
fields tree '.tree[]' process pid span path depth "${sums[@]}" self_alloc_bytes
jq -e '[.tree[] | select(.path == "job/index" and .depth == 1)] | length == 1' "$WORK/out" >/dev/null ||
        fail "no job/index in the tree"
document show job
document top -1
ctl --json=pretty spans | jq -e .schema >/dev/null || fail "--json=pretty is no JSON"

note "names, threads, cycles, books"
json_true "names" "[.spans[] | select(.pid == $workload).span] | unique | length >= 6" spans
json_true "jobs take two cycles" \
        ".spans[] | select(.pid == "$workload" and .span == \"job\") | .cycles > .closed and .closed > 0" spans
expect_balanced

note "human output"
for verb in status ps spans tree "show job" "top -1" "top -b -n 2 -d 1"; do
        # shellcheck disable=SC2086
        expect_status 0 ctl $verb
        [ -s "$WORK/out" ] || fail "$verb prints nothing"
        expect "what $verb says on stderr" "$(cat "$WORK/err")" ""
        ! grep -q $'\033' "$WORK/out" || fail "$verb writes escape sequences into a pipe"
done
expect_match "spans" "$(ctl spans)" 'inflate'
expect_match "ps" "$(ctl ps)" 'pkgindex'
expect "ps without its legend" "$(ctl --no-legend --full ps | grep -c '[0-9]')" "$(json '.processes | length' ps)"
expect_match "the whole help" "$(ctl help)" 'follow'
for verb in status ps spans tree show top follow run enable disable reset version help; do
        expect_match "help of $verb" "$(ctl help $verb)" "$verb"
        expect_match "the list of verbs" "$(ctl help)" "$verb"
done
expect_match "version" "$(ctl version)" '[0-9]+\.[0-9]+'
expect "version in the status" "$(json .status.version status)" "$(json .version version)"
expect "the default verb" "$(ctl | grep -c .)" "$(ctl status | grep -c .)"

note "filters"
json_true "--pid" "[.spans[].pid] | unique == [$workload]" spans --pid "$workload"
json_true "--filter" '.spans | length > 0 and all(.path | contains("infl"))' spans --filter infl
json_true "--limit" '(.spans | length == 2) and (.complete | not)' spans --limit 2
json_true "--sort" '[.spans[].alloc_bytes] | . == (sort | reverse)' spans --sort -alloc_bytes
json_true "--sort, ascending" '[.spans[].span] | . == sort' spans --sort span
json_true "--columns" '.spans | all(keys == ["cycles", "span"])' spans --columns span,cycles
json_true "--since" '.spans | type == "array"' spans --since 30s
json_true "a span that starts like an option" '.spans | length == 0' spans --filter=--nothing

note "top grows"
ctl --json=short top -n 3 -d 1 >"$WORK/out"
expect "documents of top" "$(wc -l <"$WORK/out")" 3
jq -es "[.[] | [.spans[] | select(.pid == $workload).self_alloc_bytes] | add] | .[0] < .[1] and .[1] < .[2]" "$WORK/out" \
        >/dev/null || fail "the sums in top do not grow"

note "follow"
# The last line may be half of one.
has_heard() {
        [ "$(wc -l <"$WORK/follow")" -ge 10 ] && sed '$d' "$WORK/follow" | jq -es 'map(select(.span == "job" and .cycles == 2)) | length > 0'
}
wait_for "a job of two cycles, and other events" has_heard
kill -TERM "$follower"
wait "$follower" 2>/dev/null || true
expect_at_least "events" "$(wc -l <"$WORK/follow")" 10
# A follower that is ended may leave half a line.
sed '$d' "$WORK/follow" >"$WORK/out"
fields follow '.' span path process pid uid unit instance "${sums[@]}" net_bytes cycles
jq -es 'map(select(.span == "job").instance) | length == (unique | length) and length > 0' "$WORK/out" >/dev/null ||
        fail "a job closed twice"
jq -es 'map(select(.span == "job" and .cycles == 2)) | length > 0' "$WORK/out" >/dev/null || fail "no job of two cycles"
(timeout 60 "$CTL" --socket "$QUERY" follow || true) | head -n 3 >"$WORK/out"
expect "lines of follow into head" "$(wc -l <"$WORK/out")" 3

note "the end of a process"
kill -TERM "$workload"
wait_status "$workload"
expect "the workload's exit status" "$STATUS" 0
ended() {
        [ "$(ps_field "$workload" alive)" = false ]
}
wait_for "its row to say so" ended
wait_true "how it ended" ".processes[] | select(.pid == $workload) | .ended | test(\"exited\")" ps
expect "its threads" "$(ps_field "$workload" threads)" 0
json_true "nothing stays open" "[.spans[] | select(.pid == $workload) | .open + .aborted] | add == 0" spans
json_true "a search per worker and query" ".spans | map(select(.pid == $workload)) |
        (map(select(.span == \"search\")) | .[0].cycles) >= 4 * (map(select(.span == \"merge\")) | .[0].cycles)" spans
json_true "queries" ".spans[] | select(.pid == "$workload" and .span == \"query\") | .cycles >= 4 * .closed" spans
expect_balanced

note "reset"
document reset
json_true "sums begin again" \
        '[.spans[] | .alloc_bytes + .dealloc_count + .self_alloc_bytes + .cycles + .closed] | add // 0 == 0' spans
json_true "counters begin again" '[.processes[] | select(.alive | not) | .alloc_bytes + .before_alloc_bytes] | add == 0' ps
json_true "balanced" '.processes | length > 0 and all(.balanced)' ps
expect_status 0 counted "$EXAMPLES/hello"
json_true "what comes after it" '[.spans[] | select(.span == "hello" and .closed == 1)] | length == 1' spans

note "nonsense"
usage() {
        expect_status 2 ctl "$@"
        expect "lines on stderr of '$*'" "$(wc -l <"$WORK/err")" 1
        expect "stdout of '$*'" "$(cat "$WORK/out")" ""
}
usage nonsense
usage statsu
usage --nonsense
usage --json=yaml status
usage spans --limit x
usage spans --limit -1
usage spans --limit 99999999999999999999999
usage spans --pid 12x
usage spans --columns nonsense
usage spans --since yesterday
usage top -d -3
usage top -n 0
usage show
usage show one two
usage status extra
usage help nonsense
usage run
usage ''
expect_status 2 ctl spans --sort nonsense
expect_status 3 "$CTL" --socket "$WORK/nowhere/query.sock" status
expect_status 3 "$CTL" --socket "$WORK/collector.log" status
expect_status 3 "$CTL" --socket "$(printf 'x%.0s' {1..200})" status
expect_status 3 "$CTL" --socket "$INGEST" status
expect_status 4 ctl show 'no such span'
expect_status 1 bash -c '"$@" >/dev/full' - "$CTL" --socket "$QUERY" ps

note "the daemon's arguments"
expect_status 2 "$DAEMON" --nonsense
expect_status 2 "$DAEMON" extra
expect_status 0 "$DAEMON" --help
expect_status 0 "$DAEMON" --version
status=0
timeout 60 "$DAEMON" --user --runtime-dir "$RUNTIME" --state-dir "$WORK/state2" </dev/null >"$WORK/out" 2>&1 || status=$?
[ "$status" != 0 ] && [ "$status" != 124 ] || fail "a second collector takes the first one's place"
expect_status 0 ctl status

note "where ctl looks"
expect_status 0 "$CTL" status
expect_status 0 "$CTL" --user status
SPANALLOC_SOCKET=$WORK/elsewhere/ingest.sock expect_status 3 "$CTL" status

stop_collector
expect_status 3 ctl status
start_collector
pass
