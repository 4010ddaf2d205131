#!/bin/bash
# SPDX-License-Identifier: MIT
# Each screen of top at 80x24 and 200x50: every cell against the ledgers that two programs keep of themselves.  They stand
# still, so numbers are exact; the last screen is of one that works, and has bounds.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/terminal.sh"
need python3

export LC_ALL=C.UTF-8
terminal new-session -d -s hold 'exec sleep 1000'
start_collector
LEDGERS=("$WORK/ledger.1" "$WORK/ledger.2")
PIDS=()
for i in 1 2; do
        mkfifo "$WORK/in.$i"
        eval "exec $((6 + i))<>\"$WORK/in.$i\""
        LD_PRELOAD=$PRELOAD "$PROGRAMS/span_ledger" "$WORK/ledger.$i" $((3 * i)) 10 <"$WORK/in.$i" >"$WORK/said.$i" &
        PIDS+=($!)
        wait_for "the work" grep -q ready "$WORK/said.$i"
done

# pages KEY COUNT: the screen, and COUNT more after the key, each after a line that begins with "===".
pages() {
        local before
        echo "=== "
        screen
        for _ in $(seq "$2"); do
                before=$(screen)
                keys "$1"
                for _ in {1..10}; do
                        sleep 0.05
                        [ "$(screen)" = "$before" ] || break
                done
                echo "=== "
                screen
        done
}
# is VIEW [KEY COUNT]: the view as the ledgers say; the screen may still change.
agrees() {
        keys "$FIRST"
        sleep 0.1
        pages "${2:-NPage}" "${3:-0}" >"$WORK/pages"
        python3 "$SOURCE/tests/support/top_ledger.py" "$1" "${LEDGERS[@]}" <"$WORK/pages" >"$WORK/wrong" 2>&1
}
is() {
        (wait_for "$1" agrees "$@") || fail "at $SIZE, $1: $(cat "$WORK/wrong" "$WORK/pages")"
}
look() { # WIDTH HEIGHT
        SIZE=${1}x$2 FIRST=g
        terminal kill-session -t v 2>/dev/null || true
        terminal new-session -d -s v -x "$1" -y "$2" \
                "export TERM=screen LC_ALL=$LC_ALL; exec '$CTL' --socket '$QUERY' top --sort=-net_bytes"
        shows '^by NET  row 1 of 2[0-9] '

        note "$SIZE: spans, sums by unit and by name"
        is list G 1
        keys u
        shows 'summed by unit'
        is units G 1
        keys b
        shows 'summed by name'
        is names G 1

        note "$SIZE: details of a sum, of spans, of what is outside"
        keys / parse Enter
        asks Enter '^parse in all processes'
        is details:parse NPage 3
        keys Escape b
        for i in 0 1; do
                for span in request forget wait; do
                        keys '\' "$span" Enter g
                        shows 'row 1 of 2 '
                        [ "$(selected_pid)" = "${PIDS[i]}" ] || keys j
                        asks Enter "^$span in span_ledger.${PIDS[i]}."
                        is "details:$span:${PIDS[i]}" NPage 3
                        keys Escape Escape
                done
        done
        keys '\' worker Enter
        asks Enter '^.outside. worker in span_ledger'
        is "outside:worker:$(screen | sed -n '1s/.*span_ledger.\([0-9]*\).*/\1/p')"
        keys Escape Escape

        note "$SIZE: processes, and the page of each"
        keys p
        shows '^Processes by heap in use'
        is processes
        for i in 1 0; do
                keys Enter
                shows "^span_ledger.${PIDS[i]}. "
                is "process:${PIDS[i]}" NPage 1
                keys Escape
                shows '^Processes by heap in use'
                keys j
        done
        keys Escape

        note "$SIZE: the tree"
        asks t 'tree  row 1 of 25'
        is tree G 1
        asks t '^by NET  row'

        note "$SIZE: help"
        keys h
        FIRST=g
        pages NPage 3 >"$WORK/pages"
        for key in 'Up Down' Enter 'F5' Space '\\' 'q F10'; do
                grep -Fq -- "${key/\\\\/\\}" "$WORK/pages" || fail "at $SIZE, help lacks $key: $(cat "$WORK/pages")"
        done
        ! grep -q '…' "$WORK/pages" || fail "at $SIZE, help is cut: $(cat "$WORK/pages")"
        keys Escape
}
# Of the row that is selected, which is the first or the only other.
selected_pid() {
        screen | sed -n 's/^span_ledger.\([0-9]*\). .*/\1/p' | sed -n 1p
}

look 80 24
look 200 50

note "while it works"
moves() {
        screen | grep -Eq "^span_ledger.${PIDS[0]}. request +[1-9][^ ]* +[1-9].*[1-9][0-9]* +3[.]6K"
}
done_count() {
        grep -c done "$WORK/said.1" || true
}
has_done() {
        [ "$(done_count)" -gt "$1" ]
}
# One portion of work with the screen that was seen in the middle of it.  The ledger is of its end; where the machine is too busy
# for a screen of that time, another portion is done.
works_as_seen() {
        local before
        before=$(done_count)
        cp "$WORK/ledger.1" "$WORK/before"
        echo >&7
        (wait_for "rates" moves) || fail "the screen is:"$'\n'"$(screen)"
        sleep 1.5 # a rate of a whole second
        pages NPage 0 >"$WORK/pages"
        echo >&7
        wait_for "its end" has_done "$before"
        python3 "$SOURCE/tests/support/top_ledger.py" moving "$WORK/before" "${LEDGERS[@]}" <"$WORK/pages" >"$WORK/wrong" 2>&1
}
(wait_for "numbers between those before and after" works_as_seen) ||
        fail "while it works: $(cat "$WORK/wrong" "$WORK/pages")"
stop_collector
pass
