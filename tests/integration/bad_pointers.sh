#!/bin/bash
# SPDX-License-Identifier: MIT
# A bad pointer that a program gives to a function before which the library stands ends as it does without the library: by
# EFAULT where the kernel says so, by a signal where libc itself reads it.
. "$(dirname "$0")/../support/lib.sh"

"$PROGRAMS/bad_pointers" >"$WORK/plain"
[ "$(grep -c 'Bad address' "$WORK/plain")" -gt 50 ] || fail "the kernel finds few bad addresses: $(cat "$WORK/plain")"

# same NAME: what the program printed is what it prints without the library
same() {
        diff "$WORK/plain" "$WORK/$1" >"$WORK/diff" || fail "$1: $(head -5 "$WORK/diff")"
        note "$1"
}
LD_PRELOAD=$PRELOAD "$PROGRAMS/bad_pointers" >"$WORK/alone" 2>&1
same alone
start_collector
LD_PRELOAD=$PRELOAD "$PROGRAMS/bad_pointers" >"$WORK/attached" 2>&1
same attached
stop_collector
"$CTL" run -o "$WORK/report" -- "$PROGRAMS/bad_pointers" >"$WORK/run" 2>&1
same run
pass
