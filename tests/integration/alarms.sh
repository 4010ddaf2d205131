#!/bin/bash
# SPDX-License-Identifier: MIT
# What a loss is said to come from: spans inside one another are refused by their depth, not by a ring; and a time without a
# collector is no loss at all, with spans and without.
. "$(dirname "$0")/../support/lib.sh"
need jq

# keeps WAY COUNT SIZE: the program, when it has done its work; its pid is $KEEPS, `again` lets it work again, `ends` lets it end.
mkfifo "$WORK/in"
exec 8<>"$WORK/in"
keeps() {
        : >"$WORK/keeps"
        LD_PRELOAD=$PRELOAD "$PROGRAMS/span_keeps" "$@" <"$WORK/in" >"$WORK/keeps" &
        KEEPS=$!
        wait_for "the work" grep -q ready "$WORK/keeps"
}
ends() {
        printf x >&8
        wait_status "$KEEPS"
        expect "the program's end" "$STATUS" 0
}
no_larger_rings() {
        if grep -Eq 'arger rings \(|ring-kib|RING_KIB' <<<"$2"; then
                fail "$1 asks for larger rings: $2"
        fi
}

start_collector
note "80 spans inside one another"
keeps deep 80 1000
json_true "16 are refused, all for their depth" ".processes[] | select(.pid == $KEEPS) |
        .refused == 16 and .refused_depth == 16 and .lost_alloc_bytes >= 16000" ps
text=$(ctl doctor || true)
expect_match "doctor" "$text" 'bytes are lost, since a thread was in 64 spans at once'
expect_match "doctor's advice" "$text" 'less than 64 deep'
text=$(ctl show nest)
expect_match "show" "$text" '16 enters or opens were refused, since a thread was in 64 spans'
no_larger_rings show "$text"
ends
ctl run -- "$PROGRAMS/span_keeps" deep 80 1000 </dev/null >"$WORK/out" 2>"$WORK/report"
text=$(cat "$WORK/report")
expect_match "run" "$text" '16 enters, opens and closes were refused, since a thread was in 64 spans at once'
no_larger_rings run "$text"

again() {
        local times
        times=$(wc -l <"$WORK/keeps")
        printf . >&8
        wait_for "more work" eval '[ "$(wc -l <"$WORK/keeps")" -gt '"$times"' ]'
}
for way in plain work; do
        note "a stop and a start, $way"
        keeps "$way" 100 1000
        json_true "the program" ".processes[] | select(.pid == $KEEPS) | .alive" ps
        stop_collector
        for _ in 1 2 3; do
                again
        done
        start_collector
        back() { # A program looks for a collector while it works.
                again
                [ "$(ps_field "$KEEPS" alive)" = true ]
        }
        wait_for "its new row" back
        again
        json_true "all of it is before" ".processes[] | select(.pid == $KEEPS) | .before_alloc_bytes >= 400000" ps
        json_true "nothing is lost" ".processes[] | select(.pid == $KEEPS) | .lost_alloc_bytes == 0 and
                .lost_dealloc_bytes == 0 and .coverage_ppm == 1000000 and .refused == 0" ps
        expect_balanced "$KEEPS"
        text=$(ctl doctor || true)
        if grep -q 'lost, since' <<<"$text"; then
                fail "doctor speaks of a loss: $text"
        fi
        ends
done
pass
