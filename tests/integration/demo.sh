#!/bin/bash
# SPDX-License-Identifier: MIT
# scripts/demo on a pipe: it shows what it promises, and fails when its collector is killed.
# Labels: alone
. "$(dirname "$0")/../support/lib.sh"
need jq
unset SPANALLOC_SOCKET XDG_RUNTIME_DIR
export SPANALLOC_BUILD=$BUILD SPANALLOC_NO_INSTALL=1

note "on a pipe"
status=0
bash -o pipefail -c '"$1" </dev/null 2>"$2" | cat' - "$SOURCE/scripts/demo" "$WORK/err" >"$WORK/demo" || status=$?
[ "$status" = 0 ] || fail "it ended with $status: $(tail -n 3 "$WORK/err")"
expect "what it wrote to stderr" "$(cat "$WORK/err")" ""
for name in job read inflate parse index query search merge; do
        grep -qw "$name" "$WORK/demo" || fail "no span '$name' on its screens"
done
summary=$(grep -E "^[0-9]+ spans' names, [0-9]+ threads, [0-9]+ cycles of [0-9]+ closed spans$" "$WORK/demo") ||
        fail "no summary"
read -r names _ _ threads _ cycles _ _ closed _ <<<"$summary"
note "$summary"
expect_at_least "names" "$names" 6
expect_at_least "threads" "$threads" 2
[ "$cycles" -gt "$closed" ] || fail "no more cycles than closed spans"
expect "its last line" "$(tail -n 1 "$WORK/demo")" "the books balance"
! grep -q $'\033' "$WORK/demo" || fail "escape sequences on a pipe"
pid=$(sed -n 's/^the collector is process \([0-9]*\),.*/\1/p' "$WORK/demo")
lib_is_gone "$pid" || fail "its collector still runs"

note "with the collector killed"
"$SOURCE/scripts/demo" </dev/null >"$WORK/killed" 2>"$WORK/err" &
demo=$!
wait_for -t 60 "the demo's collector" grep -q '^the collector is process' "$WORK/killed"
collector=$(sed -n 's/^the collector is process \([0-9]*\),.*/\1/p' "$WORK/killed")
workload=$(sed -n 's/^the collector is process .*, the workload \([0-9]*\)$/\1/p' "$WORK/killed")
sleep 2
kill -KILL "$collector"
wait_status "$demo"
[ "$STATUS" != 0 ] || fail "it ended with 0 without its collector"
expect "lines on stderr" "$(wc -l <"$WORK/err")" 1
expect_match "its sentence" "$(cat "$WORK/err")" '^scripts/demo: .*collector'
lib_is_gone "$workload" || fail "its workload still runs"
pass
