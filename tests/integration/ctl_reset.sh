#!/bin/bash
# SPDX-License-Identifier: MIT
# After a reset the sums begin again, and a process has what it has: ps and doctor do not take its heap for something else.
. "$(dirname "$0")/../support/lib.sh"
need jq cc

start_collector
mkfifo "$WORK/in"
exec 9<>"$WORK/in"
cat >"$WORK/holds.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
static void hold(size_t bytes) {
        volatile char *block = malloc(bytes);

        for (size_t i = 0; i < bytes; i += 4096)
                block[i] = 1;
        puts("held");
        fflush(stdout);
        getchar();
}
int main(void) {
        hold(200 << 20);
        hold(20 << 20);
        return 0;
}
END
cc -O1 -o "$WORK/holds" "$WORK/holds.c"
LD_PRELOAD=$PRELOAD "$WORK/holds" <&9 >"$WORK/out" &
program=$!
has() { # BYTES: at least so many
        [ "$(ps_field "$program" net_bytes)" -ge "$1" ]
}
held() { # TIMES
        [ "$(grep -c held "$WORK/out")" = "$1" ]
}
wait_for "its first block" held 1
wait_for "its heap" has $((200 << 20))
is_quiet() {
        ! ctl ps | grep -q "holds\[$program\]" || fail "$1: $(ctl ps)"
        ! ctl doctor | grep -q "not malloc" || fail "$1: $(ctl doctor)"
}
is_quiet "before"
peak=$(ps_field "$program" peak_net_bytes)
ctl reset >/dev/null
expect_at_least "what it has" "$(ps_field "$program" net_bytes)" $((200 << 20))
expect_at_least "its peak" "$(ps_field "$program" peak_net_bytes)" "$peak"
json_true "its sums" ".processes[] | select(.pid == $program) | .alloc_bytes < 100000000 and .outside_alloc_bytes < 100000000" ps
expect_match "for a person" "$(ctl ps --columns=pid,net_bytes)" "^ *$program +\+2[0-9]{2}\.[0-9]M$"
is_quiet "after a reset"
echo >&9
wait_for "its second block" held 2
wait_for "more" has $((220 << 20))
is_quiet "after a reset and more"
expect_balanced "$program"
stop_collector
pass
