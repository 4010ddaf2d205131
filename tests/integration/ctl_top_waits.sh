#!/bin/bash
# SPDX-License-Identifier: MIT
# A collector that hangs: top says for how long, its keys work, no request of a key is sent later, and it goes on when the
# collector does.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/terminal.sh"

export LC_ALL=C.UTF-8
terminal new-session -d -s hold 'exec sleep 1000'
start_collector
mkfifo "$WORK/in"
exec 9<>"$WORK/in"
for way in leak work; do
        LD_PRELOAD=$PRELOAD "$PROGRAMS/span_keeps" $way 10 1000 <&9 >"$WORK/$way" &
        wait_for "the work" grep -q ready "$WORK/$way"
done
start() {
        terminal kill-session -t v 2>/dev/null || true
        terminal new-session -d -s v -x 80 -y 24 \
                "export TERM=screen; '$CTL' --socket '$QUERY' top; echo \"ended with \$?.\"; exec sleep 1000"
        shows '^by ALLOC/s  row 1 of 2 '
}
untimed() {
        expect "timed processes" "$(json '[.processes[] | select(.timed)] | length' ps)" 0
}

start
kill -STOP "$COLLECTOR_PID"
shows '^No answer for [0-9]+ s: the collector is stopped or busy'
shows '^as of [0-9:]{8}  heap '
note "keys"
keys j
shows '^No answer for'
keys h
shows '^spanallocctl top: Esc closes, j k scroll  no answer for [0-9]+ s$'
keys Escape w
shows '^! No answer for [0-9]+ s: the collector is stopped or busy[.]$'
keys Escape p
shows '^Processes by heap in use; Enter .*  no answer for [0-9]+ s$'
shows '^No answer for [0-9]+ s: the'
keys Escape T
shows '^No collector answers: timing is not changed$'
keys t
shows '^No collector answers: the tree needs an answer$'
keys u
shows '^No answer for'
shows ' request .* [+]9[.]8K'
keys u

note "it goes on"
kill -CONT "$COLLECTOR_PID"
shows '^by ALLOC/s  row 1 of 2 '
hides '^as of'
untimed
asks T '^Timestamps are on for 1 process; T ends them$'
asks T '^Timestamps are off for 1 process; T begins them$'
untimed

note "paused while it hangs: the answer is read all the same"
kill -STOP "$COLLECTOR_PID"
keys j # ends what was said of timing
shows '^No answer for'
keys Space
kill -CONT "$COLLECTOR_PID"
shows 'PAUSED'
hides '^as of'
keys Space
hides 'PAUSED'

note "it is ended while it hangs"
kill -STOP "$COLLECTOR_PID"
shows '^No answer for'
keys T
shows '^No collector answers: timing is not changed$'
kill_collector
keys j
shows '^Trying again: '
keys T
shows '^No collector answers: timing is not changed$'
start_collector
keys k # ends what was said of timing
shows 'the collector was started again: new sums$|^by ALLOC/s'
untimed

note "q while it hangs"
kill -STOP "$COLLECTOR_PID"
shows '^No answer for'
keys q
shows '^ended with 0\.'
kill -CONT "$COLLECTOR_PID"
stop_collector
pass
