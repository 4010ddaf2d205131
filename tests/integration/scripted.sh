#!/bin/bash
# SPDX-License-Identifier: MIT
# A program with scripted counters: every number in spans, tree, ps and follow is what its script implies, through the
# real ring, collector and socket.  The sums below were worked out by hand from programs/span_scripted.c.
. "$(dirname "$0")/../support/lib.sh"

start_collector
mkfifo "$WORK/in"
exec 9<>"$WORK/in" # both ways, so that neither side's opening waits for the other
"$PROGRAMS/span_scripted" <&9 >"$WORK/program" &
program=$!
wait_for "the program" grep -q ready "$WORK/program"
follow_now "$WORK/follow"
echo >&9
wait_for "the script's end" grep -q done "$WORK/program"

# row NAME: opened closed open cycles, the four totals, the four of self, migrated aborted refused
row() {
        json ".spans[] | select(.pid == $program and .span == \"$1\") |
                [.opened, .closed, .open, .cycles, .alloc_count, .alloc_bytes, .dealloc_count, .dealloc_bytes,
                 .self_alloc_count, .self_alloc_bytes, .self_dealloc_count, .self_dealloc_bytes,
                 .migrated, .aborted, .refused, .net_bytes, .path, .quality] | map(tostring) | join(\" \")" spans
}
settled() {
        [ "$(row shared)" = "1 1 0 2 5 55 1 3 5 55 1 3 0 0 0 52 shared exact" ]
}
wait_for "the last close" settled
expect request "$(row request)" "3 3 0 3 12 103 5 45 6 43 0 0 0 0 0 58 request exact"
expect parse "$(row parse)" "2 2 0 2 6 60 5 45 6 60 5 45 0 0 0 15 request/parse exact"
expect job "$(row job)" "1 1 0 2 30 3000 3 300 30 3000 3 300 0 0 0 2700 job exact"
expect child "$(row child)" "1 1 0 1 8 80 0 0 8 80 0 0 0 0 0 80 job/child exact"
expect task "$(row task)" "1 1 0 1 7 660 0 0 7 660 0 0 1 0 0 660 task migrated"
expect shared "$(row shared)" "1 1 0 2 5 55 1 3 5 55 1 3 0 0 0 52 shared exact"
expect poke "$(row poke)" "1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 poke exact"

per_call=$(json ".spans[] | select(.span == \"request\") | .per_call | [.count, .p50, .p90, .p99, .max] | join(\" \")" spans)
expect "request per call (100, 2 and 3 bytes)" "$per_call" "3 3 100 100 100"

# tree: self and all below
node() {
        json ".tree[] | select(.path == \"$1\") |
                [.depth, .alloc_count, .alloc_bytes, .dealloc_count, .dealloc_bytes, .self_alloc_bytes] |
                map(tostring) | join(\" \")" tree
}
expect "tree request" "$(node request)" "0 12 103 5 45 43"
expect "tree request/parse" "$(node request/parse)" "1 6 60 5 45 60"
expect "tree job" "$(node job)" "0 38 3080 3 300 3000"
expect "tree job/child" "$(node job/child)" "1 8 80 0 0 80"

process() {
        json ".processes[] | select(.pid == $program) | [(\"\", \"before_\", \"self_\", \"outside_\", \"lost_\") as \$p |
                (\"alloc_count\", \"alloc_bytes\", \"dealloc_count\", \"dealloc_bytes\") as \$c | .[\$p + \$c]] |
                map(tostring) | join(\" \")" ps
}
expect "ps" "$(process)" "85 4744 20 638 16 790 11 290 62 3898 9 348 7 56 0 0 0 0 0 0"
expect "counting" "$(ps_field "$program" counting | grep -c snapshot)" 1
expect_balanced "$program"

events() {
        jq -r '[.span, .path, .alloc_count, .alloc_bytes, .dealloc_count, .dealloc_bytes, .net_bytes, .cycles] |
                map(tostring) | join(" ")' "$WORK/follow" | sort
}
all_events() {
        [ "$(events | wc -l)" -ge 9 ]
}
wait_for "nine events" all_events
expect "follow" "$(events)" "$(sort <<'EVENTS'
parse request/parse 2 20 1 5 15 1
parse request/parse 4 40 4 40 0 1
request request 10 100 5 45 55 1
request request 1 2 0 0 2 1
request request 2 3 0 0 3 1
job job 30 3000 3 300 2700 2
child job/child 8 80 0 0 80 1
task task 7 660 0 0 660 1
shared shared 5 55 1 3 52 2
EVENTS
)"

# A span that is open when the process is killed is aborted; nothing else moves.
echo >&9
wait_for "the last span" grep -q left "$WORK/program"
open_now() {
        [ "$(row left)" = "1 0 1 0 0 0 0 0 0 0 0 0 0 0 0 0 left exact" ]
}
wait_for "the open span" open_now
kill -KILL "$program"
ended() {
        [ "$(ps_field "$program" alive)" = false ]
}
wait_for "the process's end" ended
expect "left" "$(row left)" "1 0 0 0 0 0 0 0 0 0 0 0 0 1 0 0 left exact"
expect "ps after the end" "$(process)" "85 4744 20 638 16 790 11 290 62 3898 9 348 7 56 0 0 0 0 0 0"

# reset: baselines, counters included.
ctl reset >/dev/null
expect "ps after reset" "$(process)" "0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"
expect "spans after reset: nothing has happened since" "$(json '.spans | length' spans)" 0
stop_collector
pass "every number is what the script implies"
