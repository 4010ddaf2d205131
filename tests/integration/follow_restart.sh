#!/bin/bash
# SPDX-License-Identifier: MIT
# follow goes on with the next collector: what closes before and after a restart is shown, nothing twice, and a marker says
# that something may be missing; of a killed collector, a stopped one, and one that is succeeded under load.
. "$(dirname "$0")/../support/lib.sh"
need jq

# The last line of who was ended may be half of one.
lines() {
        jq -cR 'fromjson? // empty' "$WORK/follow"
}
markers() {
        lines | jq -s 'map(.marker.reason // empty) | tojson' -r
}
run_spans() { # closes a hundred
        echo | "$PROGRAMS/span_stalled" pairs 1 100 >"$WORK/pairs" &
        pid=$!
        wait_status "$pid"
        expect "a program's end" "$STATUS" 0
}
has_all() {
        [ "$(lines | jq -s "map(select(.pid == $pid) | .instance) | unique | length")" = 100 ]
}
none_twice() {
        expect "events shown twice" "$(lines | jq -s 'map(select(.instance) | [.process, .pid, .instance]) |
                length - (unique | length)')" 0
}
# Follows: it has once a line of its own stands there.
follow() {
        spawn ctl --json=short follow >"$WORK/follow"
        follower=$SPAWNED
        spawn ctl follow >"$WORK/human"
        human=$SPAWNED
        wait_for "the legend" grep -q SPAN "$WORK/human"
        # What closed before the follower was there will not come: then others close.
        seen_one() {
                run_spans
                (wait_for -t 2 "these" has_all)
        }
        wait_for "the first events" seen_one
}
unfollow() {
        kill "$follower" "$human"
        wait_status "$follower"
        expect "how follow ends by SIGTERM" "$STATUS" 143
        wait_status "$human"
}

note "no collector at first"
expect_status 3 ctl follow

start_collector
follow
run_spans
wait_for "all before" has_all
expect "markers" "$(markers)" '[]'

# Between the two starts it waits, and says nothing.
restarted() {
        [ "$(markers)" = "$1" ] && [ "$(grep -c '^-- the collector was restarted; what closed meanwhile' "$WORK/human")" = "$2" ]
}
note "a killed collector"
kill_collector
expect "markers" "$(markers)" '[]'
kill -0 "$follower" || fail "follow has ended with the collector"
start_collector
wait_for "a marker" restarted '["restarted"]' 1
run_spans
wait_for "all after the kill" has_all

note "a stopped collector"
stop_collector
start_collector
wait_for "another marker" restarted '["restarted","restarted"]' 2
run_spans
wait_for "all after the stop" has_all
none_twice
unfollow
stop_collector

note "one that is succeeded under load"
start_keeper -- "$DAEMON" --user --runtime-dir "$RUNTIME"
follow
mkfifo "$WORK/go"
"$PROGRAMS/span_stalled" pairs 2 200000 <"$WORK/go" >"$WORK/load" &
pid=$!
exec 5>"$WORK/go"
echo >&5
of_load() {
        [ "$(lines | jq -s "map(select(.pid == $pid)) | length")" -gt "$1" ]
}
wait_for "events of the load" of_load 100
keeper crash
succeeded() {
        [ "$(lines | jq -s 'map(select(.marker.reason == "restarted")) | length')" = 1 ]
}
wait_for "a marker" succeeded
wait_for -t 60 "the load to go through" grep -q done "$WORK/load"
run_spans
wait_for "all after it" has_all
none_twice
expect "markers of a restart" "$(markers | jq 'map(select(. == "restarted")) | length')" 1
exec 5>&-
unfollow
stop_keeper
pass
