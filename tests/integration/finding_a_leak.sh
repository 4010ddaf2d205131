#!/bin/bash
# SPDX-License-Identifier: MIT
# docs/finding-a-leak.md, step by step: each command of the page runs, and says of examples/leak.c what the page says.
. "$(dirname "$0")/../support/lib.sh"
need jq

PAGE=$SOURCE/docs/finding-a-leak.md
PATH=$(dirname "$CTL"):$PATH
export SPANALLOC_SOCKET=$INGEST
start_collector
spawn counted "$EXAMPLES/leak"
leak=$SPAWNED
is_underway() {
        [ "$(span_field "$leak" request closed)" -ge 200 ]
}
wait_for "some requests" is_underway

note "what the page shows to be typed"
n=0
while read -r line; do
        n=$((n + 1))
        # follow ends with its reader, or after a while.
        timeout 10 bash -c "$line" 2>"$WORK/err" | head -n 30 >"$WORK/step.$n" || true
        [ ! -s "$WORK/err" ] || fail "$line: $(cat "$WORK/err")"
        [ -s "$WORK/step.$n" ] || fail "$line says nothing"
done < <(sed -n 's/^    \(spanallocctl .*\)/\1/p' "$PAGE")
expect "commands" "$n" 5

note "what they say"
kill -STOP "$leak" # so that two answers have the same numbers
settled() {
        local before=$heap
        heap=$(ps_field "$leak" net_bytes)
        [ "$before" = "$heap" ]
}
heap=-1
wait_for "the last records" settled
net() {
        span_field "$leak" "$1" net_bytes
}
expect "the net of a request" "$(net request)" "$(net session)"
expect "the heap" "$heap" "$(($(net request) + $(json "[.spans[] | select(.pid == $leak and .thread != \"\") | .net_bytes] | add // 0" spans)))"
expect_at_least "the net of a session" "$(net session)" 1
[ "$(net render)" -gt "$(net request)" ] || fail "render keeps no page: $(net render)"
expect "render by itself, each time" "$(($(net render) / $(span_field "$leak" render closed)))" "$(span_field "$leak" render net_per_call)"
line=$(grep -n 'SPANALLOC_SCOPE("session")' "$SOURCE/examples/leak.c" | cut -d: -f1)
expect_match "the line of code" "$(head -n 1 "$WORK/step.4")" "^session, in 1 process, from .*examples/leak\.c:$line\$"
grep -q "examples/leak\.c:$line\$" "$PAGE" || fail "the page names another line than $line"
expect_match "follow" "$(cat "$WORK/step.5")" ' [+][0-9]+B +1 request/session'
expect_match "follow" "$(cat "$WORK/step.5")" ' 0B +1 request/session'
kill -CONT "$leak"
pass
