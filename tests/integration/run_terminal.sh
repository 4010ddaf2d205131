#!/bin/bash
# SPDX-License-Identifier: MIT
# `run` on a terminal: a report that fits 80 columns, and a shell that gets its terminal back when it stops the job.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/terminal.sh"
need python3

export LC_ALL=C.UTF-8
# hides REGEX: no line of the screen matches now.
hides() {
        ! grep_screen "$1" || fail "'$1' is on the screen:"$'\n'"$(screen)"
}
# The server ends with its last session.
terminal new-session -d -s hold 'exec sleep 1000'

note "80 columns"
long=a-program-with-a-name-that-is-as-long-as-that
cp "$(command -v ls)" "$WORK/$long"
terminal new-session -d -s v -x 80 -y 50 \
        "export TERM=screen; cd '$WORK'; '$CTL' run --no-pager -- sh -c './$long / >/dev/null; env -i ./$long / >/dev/null'; echo ended; exec sleep 1000"
shows '^ended$'
expect "lines that the terminal broke" "$(terminal capture-pane -p -J -t v | grep -c .)" "$(screen | grep -c .)"
shows '^PROGRAM .* NOTE$'
shows '^ +process attached$'
terminal kill-session -t v

note "Ctrl-Z, and fg"
terminal new-session -d -s v -x 80 -y 30 "TERM=screen PS1='prompt> ' exec bash --norc --noprofile"
shows '^prompt>'
mkfifo "$WORK/go"
keys "'$CTL' run -- sh -c 'echo begun; read line <$WORK/go; echo over'" Enter
shows '^begun$'
shows 'processes? running, '
keys C-z
shows '^\[1\]\+ +Stopped'
hides 'processes? running, '
# A region that scrolls above the last line would leave that empty.
keys 'seq 60' Enter
shows '^60$'
last_line() {
        [[ $(screen | sed -n 30p) == prompt\>* ]]
}
wait_for "the prompt in the last line" last_line
keys 'fg' Enter
shows 'processes? running, '
echo >"$WORK/go"
shows '^over$'
shows 'exited 0'
hides 'processes? running, '

note "a line that is not finished, and a program that takes the terminal"
progress() {
        screen | sed -n 's/^spanalloc: .* processes\? running, .*/&/p'
}
has_moved_on() {
        [ "$(progress)" != "$line" ]
}
keys "clear; '$CTL' run -- sh -c 'printf \"name? \"; read a <$WORK/go; echo here; stty raw; printf \"\\033[r\"; sleep 5
stty sane; seq 60; printf sixty; read b <$WORK/go'" Enter
shows 'processes? running, '
echo >"$WORK/go"
shows '^name\? here'
shows '^sixty$'
for _ in 1 2; do
        line=$(progress)
        wait_for "another line of progress" has_moved_on
done
# The line is below the last line of the command, not in its place.
expect_match "above the line" "$(screen | sed -n 29p)" '^sixty$'
expect_match "the line" "$(screen | sed -n 30p)" 'processes? running, '
echo >"$WORK/go"
shows 'exited 0'

note "a SIGCONT while run is about to stop"
# flow TCOOFF|TCOON: holds what is written to the terminal, or lets it go on.
flow() {
        python3 -c 'import os, sys, termios
fd = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY)
termios.tcflow(fd, getattr(termios, sys.argv[2]))' "$(terminal display-message -p -t v '#{pane_tty}')" "$1"
}
is_writing() {
        [[ $(cat "/proc/$run/syscall") =~ ^(1|64)\ 0x2\  ]]
}
keys "clear; '$CTL' run -- sh -c 'echo \$PPID >$WORK/pid; read line <$WORK/go; echo through'" Enter
shows 'processes? running, '
wait_for "its pid" test -s "$WORK/pid"
run=$(cat "$WORK/pid")
flow TCOOFF
kill -TSTP "$run"
wait_for "run to take the line away" is_writing
kill -CONT "$run"
flow TCOON
shows 'processes? running, '
expect_match "state of run" "$(sed -n 's/^State:\t//p' "/proc/$run/status")" '^[SR]'
echo >"$WORK/go"
shows '^through$'
shows 'exited 0'
hides 'processes? running, '

pass
