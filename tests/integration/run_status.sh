#!/bin/bash
# SPDX-License-Identifier: MIT
# `run` gives the command's status, and has its own for what is not the command's fault.
. "$(dirname "$0")/../support/lib.sh"

run() {
        "$CTL" run "$@"
}

expect_status 0 run -- true
expect_status 0 run true
expect_status 1 run -- false
expect_status 3 run -- sh -c 'exit 3'
expect_status 255 run -- sh -c 'exit 255'
expect_status 137 run -- sh -c 'kill -KILL $$'
expect_status 143 run -- sh -c 'kill -TERM $$'
expect_status 138 run -- "$PROGRAMS/run_family" kill 10

note "126, 127, 125"
expect_status 127 run -- no-such-command-anywhere
expect_match "the sentence" "$(cat "$WORK/err")" 'no-such-command-anywhere'
expect "lines on stderr" "$(wc -l <"$WORK/err")" 1
expect_status 127 run -- "$WORK/no/such/file"
echo 'exit 5' >"$WORK/script"
expect_status 126 run -- "$WORK/script"
expect_status 126 run -- "$WORK"
chmod +x "$WORK/script"
expect_status 5 run -- "$WORK/script"
printf '#!%s\n' "$WORK/no-interpreter" >"$WORK/script"
expect_status 126 run -- "$WORK/script"
printf '\177ELF and no more' >"$WORK/script"
status=0
run -- "$WORK/script" >"$WORK/out" 2>"$WORK/err" </dev/null || status=$?
[ "$status" = 126 ] || [ "$status" = 127 ] || [ "$status" = 2 ] || fail "junk that is executable gives $status"

expect_status 125 run -o "$WORK/no/such/directory" -- true
expect_status 125 run --preload "$WORK/no-such-library" -- true
expect_match "the sentence" "$(cat "$WORK/err")" 'no-such-library'
mkdir "$WORK/with space"
cp -L "$PRELOAD" "$WORK/with space/libspanalloc-malloc.so.0"
expect_status 125 run --preload "$WORK/with space/libspanalloc-malloc.so.0" -- true
expect_match "the sentence" "$(cat "$WORK/err")" 'spaces and colons'

note "usage"
expect_status 2 run
expect_status 2 run --
expect_status 2 run --on-full sometimes -- true
expect_status 2 run --ring-kib none -- true
expect_status 2 run --no-such-option -- true

note "without a library beside the program, it says where it looked"
mkdir -p "$WORK/alone/bin"
cp "$CTL" "$WORK/alone/bin/spanallocctl"
status=0
"$WORK/alone/bin/spanallocctl" run -- true >"$WORK/out" 2>"$WORK/err" || status=$?
if [ "$status" = 0 ]; then
        note "an installed library was found"
else
        expect "status without a library" "$status" 125
        expect_match "the sentence" "$(cat "$WORK/err")" 'searched: .*client/malloc/libspanalloc-malloc.so.0'
fi

note "what the command inherits of signals"
expect_status 0 run -- sh -c 'grep -q "SigBlk:	0000000000000000" /proc/self/status'

note "signals sent to run reach the command, and run lives to report"
# passed_on SIGNAL STATUS
passed_on() {
        local pid status=0
        rm -f "$WORK/ready"
        spawn "$CTL" run -o "$WORK/report" -- \
                bash -c "trap 'exit $2' $1; : >'$WORK/ready'; for i in {1..2000}; do sleep 0.05; done"
        pid=$SPAWNED
        wait_for "the command" test -e "$WORK/ready"
        kill "-$1" "$pid"
        wait "$pid" || status=$?
        expect "status after SIG$1" "$status" "$2"
        grep -q bash "$WORK/report" || fail "no report after SIG$1"
}
passed_on TERM 41
passed_on HUP 42
passed_on USR1 43

note "a signal of the terminal goes to the group: run survives it"
if command -v setsid >/dev/null && command -v script >/dev/null; then
        rm -f "$WORK/ready" "$WORK/report"
        # script(1) gives a terminal; \003 on it is SIGINT for the whole foreground group.  Its input ends with the report.
        (
                for _ in $(seq 1200); do
                        [ -e "$WORK/ready" ] && break
                        sleep 0.05
                done
                printf '\003'
                for _ in $(seq 1200); do
                        [ -s "$WORK/report" ] && break
                        sleep 0.05
                done
        ) | script -qec "'$CTL' run -o '$WORK/report' -- bash -c 'trap \"exit 44\" INT; : >$WORK/ready; \
                for i in {1..2000}; do sleep 0.05; done'" /dev/null >"$WORK/out" 2>&1 && status=0 || status=$?
        expect "status after an interrupt from the terminal" "$status" 44
        grep -q bash "$WORK/report" || fail "no report after an interrupt"
fi

note "nothing is left behind"
expect "directories of run" "$(find "$XDG_RUNTIME_DIR" -maxdepth 1 -name 'spanalloc-run.*' | wc -l)" 0
pass
