#!/bin/bash
# SPDX-License-Identifier: MIT
# What changes its user, its root or its network goes on being counted under `run`; what cannot be counted has a row.
. "$(dirname "$0")/../support/lib.sh"
need jq cc setpriv
[ "$(id -u)" = 0 ] || skip "only root changes its user"

LEAVES=$PROGRAMS/run_leaves

report() {
        "$CTL" --json=short run -o "$WORK/report" -- "$@" || fail "'$*' ended with $?"
}

ask() {
        jq -r "$1" "$WORK/report"
}

note "another user, by exec and without"
chmod 755 "$WORK"

report setpriv --reuid 65534 --regid 65534 --clear-groups true
expect "rows of true" "$(ask '[.processes[] | select(.comm == "true" and .uid == 65534)] | length')" 1
expect "complete" "$(ask .complete)" true
report "$LEAVES" user
expect "rows" "$(ask '.processes | length')" 2
expect "the child of the other user" "$(ask '[.processes[] | select(.uid == 65534 and .alloc_count == 1)] | length')" 1
expect "all are counted" "$(ask .complete)" true

note "another root directory"
mkdir "$WORK/root"
report "$LEAVES" root "$WORK/root"
expect "rows" "$(ask '.processes | length')" 2
expect "the child in the other root" "$(ask '[.processes[] | select(.uid == 65534 and .alloc_count == 1)] | length')" 1
expect "complete" "$(ask .complete)" true

note "a program in the other root, where the library is not"
echo 'int main(void) { return 0; }' >"$WORK/plain.c"
cc -o "$WORK/root/plain" "$WORK/plain.c"
for library in $(ldd "$WORK/root/plain" | grep -o '/[^ ]*'); do
        mkdir -p "$WORK/root$(dirname "$library")"
        cp -L "$library" "$WORK/root$library"
done
report "$LEAVES" root "$WORK/root" /plain 2>"$WORK/err"
expect "rows of the program" "$(ask '[.processes[] | select(.comm == "plain")] | length')" 1
expect_match "why it is not counted" "$(ask '.processes[] | select(.comm == "plain") | .counting')" 'not counted: .*root directory'
expect "complete" "$(ask .complete)" false

note "a child that cannot attach is missed"
report "$LEAVES" shut
expect "rows" "$(ask '.processes | length')" 1
expect "forks" "$(ask '.processes[0].forks')" 1
expect "children without a row" "$(ask .not_seen)" 1
expect "complete" "$(ask .complete)" false
"$CTL" run -o "$WORK/human" -- "$LEAVES" shut
expect_match "the report" "$(cat "$WORK/human")" '1 forked children have no row'

note "another network namespace"
if unshare -n true 2>/dev/null; then
        report unshare -n "$LEAVES" user
        expect "complete" "$(ask .complete)" true
        expect "rows of it" "$(ask '[.processes[] | select(.uid == 65534)] | length')" 1
fi

note "a stranger at the door has no row, and takes nothing from the report"
mkfifo "$WORK/in"
"$CTL" --json=short run -o "$WORK/report" -- "$LEAVES" wait <"$WORK/in" &
run_pid=$!
exec 7>"$WORK/in"
wait_for "the command" pgrep -P "$run_pid" -x run_leaves
command_pid=$(pgrep -P "$run_pid" -x run_leaves)
socket=$(tr '\0' '\n' <"/proc/$command_pid/environ" | sed -n 's/^SPANALLOC_SOCKET=//p')
[ -S "$socket" ] || fail "'$socket' is no socket"
expect "mode of the directory" "$(stat -c %a "$(dirname "$socket")")" 711
SPANALLOC_SOCKET=$socket LD_PRELOAD=$PRELOAD setpriv --reuid 65534 --regid 65534 --clear-groups true
rm "$socket"
SPANALLOC_SOCKET=$socket LD_PRELOAD=$PRELOAD setpriv --reuid 65534 --regid 65534 --clear-groups true
echo -n x >&7
wait_status "$run_pid"
expect "status" "$STATUS" 0
expect "rows of the other user" "$(ask '[.processes[] | select(.uid == 65534)] | length')" 0
expect "complete" "$(ask .complete)" true
pass
