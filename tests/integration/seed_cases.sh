#!/bin/bash
# SPDX-License-Identifier: MIT
# The cases that the tracing layer counts wrongly (the table at the end of docs/semantics.md), each in a real program with
# real threads under the counting allocator.  Numbers of allocations are exact; bytes are those of the program's own ledger
# of usable sizes.  In the first case thread A calls the library right after B's exit: counts of A in between would be in
# the span, too.  scripted.sh checks the same rules with scripted counters.
. "$(dirname "$0")/../support/lib.sh"
need jq

export SPANALLOC_ON_FULL=wait
start_collector
spawn ctl --json=short follow >"$WORK/follow"
follower=$SPAWNED
heard() {
        counted "$EXAMPLES/hello" && [ -s "$WORK/follow" ]
}
wait_for "the first event of follow" heard
mkfifo "$WORK/in"
exec 9<>"$WORK/in" # both ways, so that neither side's opening waits for the other
LD_PRELOAD=$PRELOAD "$PROGRAMS/span_seed_cases" <&9 >"$WORK/program" &
program=$!
wait_for "the program" grep -q ready "$WORK/program"
echo >&9
wait_for -t 60 "the cases" grep -q live "$WORK/program"

# row NAME FIELD…: fields of a span's row
row() {
        local name=$1 fields
        shift
        fields=$(printf '.%s,' "$@")
        json ".spans[] | select(.pid == $program and .span == \"$name\") | [${fields%,}] | map(tostring) | join(\" \")" spans
}
sums=(alloc_count alloc_bytes dealloc_count dealloc_bytes)
selfs=(self_alloc_count self_alloc_bytes self_dealloc_count self_dealloc_bytes)

live() {
        [ "$(row producer closed)" = 1 ]
}
wait_for "the producer's close" live
live_net=$(row producer net_bytes)
expect "a consumer before there is one" "$(row consumer closed)" ""

echo >&9
wait_for "the end of the script" grep -q '^done' "$WORK/program"
closed() {
        [ "$(row consumer closed)" = 1 ]
}
wait_for "the last close" closed

ledger() {
        grep "^$1 " "$WORK/program" | cut -d' ' -f2-
}
event_count() {
        jq -r "select(.pid == $program and .span == \"$1\") | .instance" "$WORK/follow" | sort -u | wc -l
}
# The event's sums: what the tracing layer would say.
event() {
        jq -r "select(.pid == $program and .span == \"$1\") | [.alloc_count, .alloc_bytes, .dealloc_count,
                .dealloc_bytes] | map(tostring) | join(\" \")" "$WORK/follow"
}
last_event() {
        [ "$(event_count consumer)" = 1 ]
}
wait_for "the last event" last_event
usable=$(ledger usable)

# proved CASE TEXT: one named check that holds.
proved=0
proved() {
        proved=$((proved + 1))
        note "$1: $2"
}
# same CASE NAME ALLOCATIONS FREES CYCLES: totals, self and event are the ledger's, and that is the case's truth.
same() {
        local case=$1 name=$2 wanted
        wanted=$(ledger "$name")
        expect "$case: allocations and frees of the ledger" "$(cut -d' ' -f1,3 <<<"$wanted")" "$3 $4"
        expect "$case: totals of $name" "$(row "$name" "${sums[@]}")" "$wanted"
        expect "$case: self of $name" "$(row "$name" "${selfs[@]}")" "$wanted"
        expect "$case: opened, closed, cycles of $name" "$(row "$name" opened closed cycles)" "1 1 $5"
        expect "$case: the event of $name" "$(event "$name")" "$wanted"
}

case="enter on thread A, exit on B"
same "$case" xthread 1 0 1
expect "$case: bytes" "$(row xthread alloc_bytes migrated)" "$usable 1"
proved "$case" "$(row xthread alloc_count) alloc, $(row xthread alloc_bytes) B"

case="the other way round"
same "$case" xthread_rev 500 0 1
expect "$case: bytes" "$(row xthread_rev alloc_bytes migrated)" "$((500 * usable)) 1"
proved "$case" "$(row xthread_rev alloc_count) allocs, $(row xthread_rev alloc_bytes) B"

case="one span entered on two threads"
same "$case" shared 5 0 2
proved "$case" "$(row shared alloc_count) allocs, $(row shared alloc_bytes) B"

case="re-entered on one thread"
same "$case" recursive 201 0 2
proved "$case" "$(row recursive alloc_count) allocs"

case="nested: parent 15 of its own, child 100"
same "$case" child 100 0 1
expect "$case: the parent's self" "$(row parent "${selfs[@]}")" "$(ledger parent)"
expect "$case: self and total of the parent" "$(row parent self_alloc_count alloc_count closed)" "15 115 1"
expect "$case: selfs of both" "$(($(row parent self_alloc_count) + $(row child self_alloc_count)))" 115
expect "$case: the parent's bytes" "$(row parent alloc_bytes)" "$((115 * usable))"
proved "$case" "self 15 and 100, total $(row parent alloc_count) and $(row child alloc_count)"

case="empty span, 1000 cycles"
same "$case" empty 0 0 1000
for name in empty_parent empty_child; do
        expect "$case: $name" "$(row $name "${sums[@]}" "${selfs[@]}")" "0 0 0 0 0 0 0 0"
done
expect "$case: its children" "$(row empty_child opened closed cycles)" "1000 1000 1000"
proved "$case" "$(row empty alloc_count) allocs, $(row empty alloc_bytes) B"

case="freed by another thread"
same "$case" producer 1001 0 1
same "$case" consumer 0 1001 1
bytes=$(row producer alloc_bytes)
expect "$case: the consumer's bytes" "$(row consumer dealloc_bytes)" "$bytes"
expect "$case: net while live" "$live_net" "$bytes"
expect "$case: net of both once freed" "$(row producer net_bytes) $(row consumer net_bytes)" "$bytes -$bytes"
proved "$case" "while live producer +$live_net; once freed producer +$bytes, consumer -$bytes, together 0"

case="100 spans closed elsewhere"
expect "$case: events" "$(event_count elsewhere)" 100
expect "$case: row" "$(row elsewhere opened closed cycles migrated open)" "100 100 100 100 0"
expect "$case: sums" "$(row elsewhere "${sums[@]}")" "0 0 0 0"
proved "$case" "$(event_count elsewhere) events"

case="a future of 3000 polls that migrates"
same "$case" migrating 3001 3001 3001
expect_at_least "$case: migrations" "$(ledger migrations)" 111
expect "$case: net, exits on another thread" "$(row migrating net_bytes migrated)" "0 0"
proved "$case" "$(row migrating alloc_count) allocs, net $(row migrating net_bytes), with $(ledger migrations) migrations"

case="one span in 4 concurrent tasks"
same "$case" fanout 160000 160000 "$(ledger fanout_polls)"
proved "$case" "$(row fanout alloc_count) allocs, $(row fanout dealloc_count) frees"

expect "cases" "$proved" 10
expect "refused, lost" "$(json ".processes[] | select(.pid == $program) | [.refused, .lost_alloc_count] | add" ps)" 0
expect_balanced "$program"
echo >&9
wait_status "$program"
expect "the program's exit status" "$STATUS" 0
kill -TERM "$follower"
wait_status "$follower"
stop_collector
pass
