#!/bin/bash
# SPDX-License-Identifier: MIT
# `run` on a terminal: a report that fits 80 columns, and a shell that gets its terminal back when it stops the job.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/terminal.sh"

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
pass
