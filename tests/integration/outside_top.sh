#!/bin/bash
# SPDX-License-Identifier: MIT
# A program without spans that leaks is the first row of top by net within a minute, beside one with spans that does not;
# processes and units have their own sums.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/terminal.sh"
need cc jq

export LC_ALL=C.UTF-8
cat >"$WORK/leaky.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(void) {
        for (int i = 0; i < 320; i++) {
                volatile char *block = malloc(256 << 10);
                block[0] = 1;
                usleep(20000);
        }
        if (write(1, "leaked\n", 7) < 0)
                return 1;
        pause();
        return 0;
}
END
cc -O1 -o "$WORK/leaky" "$WORK/leaky.c"

terminal new-session -d -s hold 'exec sleep 1000'
start_collector
mkfifo "$WORK/in"
exec 9<>"$WORK/in"
LD_PRELOAD=$PRELOAD "$PROGRAMS/span_outside" <&9 >"$WORK/said" &
for _ in {1..20}; do echo; done >&9
wait_for "its rounds" eval '[ "$(grep -c done "$WORK/said")" = 20 ]'
LD_PRELOAD=$PRELOAD "$WORK/leaky" >"$WORK/leaked" &
leaky=$!
terminal new-session -d -s v -x 132 -y 30 \
        "export TERM=screen; '$CTL' --socket '$QUERY' top --sort=-net_bytes; exec sleep 1000"

# The rows begin below the heading.
first_row() {
        screen | sed -n '/ SPAN /,$p' | sed -n 2p
}
leads() {
        first_row | grep -Eq "leaky\[$leaky\] +\(outside\) "
}
(wait_for "the leak in the first row" leads) || fail "the screen is:"$'\n'"$(screen)"
shows ' read '
! screen | grep -q 'No spans' || fail "no spans, it says: $(screen)"

note "its page"
keys Enter
shows "^\(outside\) leaky in leaky\[$leaky\]"
shows '^   Alloc  [0-9.]+M in [0-9]+ allocations$'
keys Escape
shows '^by NET '

note "the tree"
wait_for "the end of the leak" grep -q leaked "$WORK/leaked"
keys t
shows "leaky\[$leaky\] "
# What a process has, a unit has, and ps says: of this one, and of all in no unit.
cell() { # REGEX: the cell NET of the row
        screen | grep -E -- "$1" | head -n 1 | grep -oE '[+-][0-9.]+[BKMG]' | tail -n 1
}
settled() {
        net=$(ctl ps --no-legend --columns=net_bytes --pid "$leaky" | xargs)
        [ "$(cell "leaky\[$leaky\] ")" = "$net" ] && [[ $net == +80.*M || $net == +8[1-9].*M ]]
}
(wait_for "the net of the process" settled) || fail "ps says $net, the screen is:"$'\n'"$(screen)"
unit=$(ctl ps --json=short | jq '[.processes[] | select(.unit == "") | .net_bytes] | add')
expect_at_least "the net of its unit" "$unit" $((80 << 20))
outside=$(json ".spans[] | select(.pid == $leaky and .thread == \"leaky\") | .net_bytes" spans)
expect_at_least "the net outside of spans" "$outside" $((80 << 20))
stop_collector
pass
