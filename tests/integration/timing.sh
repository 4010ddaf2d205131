#!/bin/bash
# SPDX-License-Identifier: MIT
# Timestamps on and off while a program runs: its own measurements are the bounds of what the collector says.
. "$(dirname "$0")/../support/lib.sh"

start_collector
# Clocks are compared, not the machine's speed: the rate is measured within some millionths.
within() { # within WHAT VALUE LEAST MOST
        [ "$2" -ge $(($3 - $3 / 1000)) ] && [ "$2" -le $(($4 + $4 / 1000)) ] ||
                fail "$1: $2 ns is not between $3 and $4"
}

coproc PROGRAM { exec "$PROGRAMS/span_timed"; }
pid=$PROGRAM_PID
say() {
        echo "$*" >&"${PROGRAM[1]}"
        read -r ANSWER <&"${PROGRAM[0]}"
}
read -r ANSWER <&"${PROGRAM[0]}"
field() {
        span_field "$pid" "$1" "$2"
}

say calls 10
closed() {
        [ "$(field "$1" closed)" = "$2" ]
}
wait_for "ten calls" closed outer 10
expect "whether it is timed" "$(ps_field "$pid" timed)" false
expect "the time of untimed ones" "$(field outer busy_ns) $(field outer timed_calls)" "0 0"
[[ $(ctl show outer) != *Busy:* ]] || fail "show tells of time though nothing is timed"

expect_match "the answer to on" "$(ctl timing on --pid "$pid")" '^1 process is timed from now on'
expect "whether it is timed" "$(ps_field "$pid" timed)" true
say calls 30
wait_for "thirty more" closed outer 40
read -r outer_least outer_most inner_least inner_most <<<"$ANSWER"
within "outer" "$(field outer busy_ns)" "$outer_least" "$outer_most"
within "inner" "$(field inner busy_ns)" "$inner_least" "$inner_most"
within "outer's own" "$(field outer self_busy_ns)" $((outer_least - inner_most)) $((outer_most - inner_least))
expect "inner's own" "$(field inner self_busy_ns)" "$(field inner busy_ns)"
expect "timed calls" "$(field outer timed_calls) $(field inner timed_calls)" "30 30"
expect "their time" "$(field outer timed_calls_ns)" "$(field outer busy_ns)"
expect_at_least "the longest" "$(field outer timed_call_max_ns)" $((outer_least / 30))
expect_at_least "calls a second" "$(field outer timed_calls_per_1000s)" 1
expect_match "show" "$(ctl show outer)" '    Time: .*(us|ms|s) per call, max .*(us|ms|s); 30 timed, .*/s over 10 s'
json_true "the tree" "[.tree[] | select(.span == \"inner\")][0].timed_calls == 30" tree

# Cycles on two threads are one call, and a call of its own thread is not needed to switch it on.
say futures 5
wait_for "the futures" closed future 5
expect "timed futures" "$(field future timed_calls)" 5
expect_at_least "their time" "$(field future busy_ns)" $((5 * 2 * 50000 - 500))

# A call that is under way when timing ends, or begins, is none of the timed ones.
say begin
ctl timing off --no-legend
expect "whether it is timed" "$(ps_field "$pid" timed)" false
say end
wait_for "its end" closed long 1
expect "timed calls of it" "$(field long timed_calls)" 0
say begin
busy=$(field long busy_ns)
ctl timing on --no-legend
grows() {
        [ "$(field long busy_ns)" -gt "$busy" ]
}
wait_for "the time of a span that is open, from when it is switched on" grows
say end
wait_for "its end" closed long 2
expect "timed calls of it" "$(field long timed_calls)" 0

# A pid that no process has is reported, and so is an unknown word.
expect_status 4 "$CTL" --socket "$QUERY" timing on --pid 1
expect_match "why not" "$(cat "$WORK/err")" 'no running process matches'
expect_status 2 "$CTL" --socket "$QUERY" timing perhaps
expect_match "why not" "$(cat "$WORK/err")" 'timing must be on or off, not "perhaps"'
expect_status 2 "$CTL" --socket "$QUERY" timing
expect "the document" "$(json .timing.processes timing off --pid "$pid")" 1

# What was timed stays; a reset takes it away.
expect "what stays" "$(field outer timed_calls)" 30
ctl reset >/dev/null
say calls 1
wait_for "one more" closed outer 1
expect "after the reset" "$(field outer busy_ns) $(field outer timed_calls)" "0 0"
pass
