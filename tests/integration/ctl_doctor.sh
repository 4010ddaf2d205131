#!/bin/bash
# SPDX-License-Identifier: MIT
# doctor finds what is wrong and says what to do; demo shows a workload of its own and leaves nothing behind.
#
# doctor looks at all programs of the machine that are in filters: other tests have some.
# Labels: alone
. "$(dirname "$0")/../support/lib.sh"
need jq

findings() { # FILTER: of the document, whatever the exit status
        "$CTL" --socket "$QUERY" --json doctor >"$WORK/doctor" || true
        jq -r "$1" "$WORK/doctor"
}

note "no collector"
expect_status 3 "$CTL" --socket "$WORK/nowhere" doctor
grep -q '^\[ !! \] socket .*no collector at' "$WORK/out" || fail "$(cat "$WORK/out")"
grep -q -- '-> start one with' "$WORK/out" || fail "no advice: $(cat "$WORK/out")"

note "all is well"
start_collector
spawn counted sleep 100
wait_true "the process" '[.processes[] | select(.comm == "sleep" and .alive and .counting == "libspanalloc-malloc")] | length == 1' ps
expect_status 0 "$CTL" --socket "$QUERY" doctor
expect "problems" "$(findings .problems)" 0
expect_match "the process" "$(findings '.findings[] | select(.check == "process") | .text')" 'sleep\[.*counted by libspanalloc-malloc'

note "a program that nothing counts"
TMPDIR=$WORK "$EXAMPLES/pkgindex" --made --seconds 1700 --workers 1 >/dev/null 2>&1 </dev/null &
uncounted=$!
problem() {
        findings '.findings[] | select(.state == "problem") | .text + " -> " + .advice' |
                grep -Eq "\[$uncounted\]: nothing.* -> .*LD_PRELOAD"
}
wait_for "its finding" problem
expect_status 1 "$CTL" --socket "$QUERY" doctor
grep -q '^\[ !! \] process ' "$WORK/out" || fail "$(cat "$WORK/out")"
kill "$uncounted"

note "demo"
env -u SPANALLOC_SOCKET TMPDIR="$WORK" "$CTL" demo -n 3 -d 0.5 >"$WORK/out" 2>"$WORK/err" </dev/null || fail "demo: $(cat "$WORK/err")"
grep -Eq 'pkgindex.[0-9]+. +job +[0-9.]+[BKM] ' "$WORK/out" || fail "demo shows no job: $(cat "$WORK/out")"
expect "screens" "$(grep -cE '(^| )PROCESS +SPAN ' "$WORK/out")" 3
expect "directories left" "$(find "$WORK" -maxdepth 1 -name 'spanalloc-demo.*' | wc -l)" 0
pass
