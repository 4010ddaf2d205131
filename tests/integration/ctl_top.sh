#!/bin/bash
# top in a real terminal: each key, sizes down to 1x1, unknown terminals, and a collector that goes and comes back.
# Timeout: 180
. "$(dirname "$0")/../support/lib.sh"
need tmux

export LC_ALL=C.UTF-8
terminal() {
        tmux -S "$WORK/tmux" -f /dev/null "$@"
}
end_terminal() {
        local status=$?
        set +e
        terminal kill-server 2>/dev/null
        (exit "$status")
        lib_cleanup
}
trap end_terminal EXIT

screen() {
        terminal capture-pane -p -t top
}
grep_screen() {
        screen | grep -Eq -- "$1"
}
not_on_screen() {
        ! grep_screen "$1"
}
# shows REGEX, hides REGEX: some line of the screen matches, none does, within ten seconds.
shows() {
        (wait_for "a line like '$1'" grep_screen "$1") || fail "the screen is:"$'\n'"$(screen)"
}
hides() {
        (wait_for "no line like '$1'" not_on_screen "$1") || fail "the screen is:"$'\n'"$(screen)"
}
keys() {
        terminal send-keys -t top "$@"
}
resize() {
        terminal resize-window -t top -x "$1" -y "$2"
}
# start TERM ARGUMENT…: top in a terminal of 80x24, then its exit status.
start() {
        local term=$1
        shift
        terminal kill-session -t top 2>/dev/null || true
        terminal new-session -d -s top -x 80 -y 24 \
                "export TERM='$term'; '$CTL' --socket '$QUERY' top $*; echo \"ended with \$?.\"; exec sleep 1000"
}

# The server ends with its last session.
terminal new-session -d -s hold 'exec sleep 1000'
start_collector
counted "$EXAMPLES/pkgindex" --made --seconds 150 --workers 2 >"$WORK/pkgindex" 2>&1 </dev/null &
sums() {
        "$CTL" --socket "$QUERY" --no-legend spans | grep -q parse
}
wait_for "the workload's spans" sums

note "the first screen"
start screen
shows '^[0-9:]{8}, 1 process, [0-9]+ threads?, .* records/s, 0 refused, coverage 100%'
shows '^ +PID SPAN +ALLOC/s +NET/s +ALLOC +NET +OPEN +CALLS/s P99/CALL Q'
shows ' job +[0-9.]+[KMG] .* ='
shows '^by ALLOC/s  row 1 of [0-9]+ '

note "keys"
keys j j Down k
shows 'row 3 of '
keys G
shows 'row ([0-9]+) of \1 '
keys PPage Home End NPage g
shows 'row 1 of '
keys l
shows '^by ALLOC  row'
keys n
shows '^by NET/s  row'
keys c I
shows '^by CALLS/s, small first'
keys a '>'
shows '^by NET/s '
keys '<' '<'
shows '^by SPAN '
keys F6
shows '^by ALLOC/s '
keys u
shows 'summed by unit'
keys u Space
shows 'PAUSED'
keys Space
hides 'PAUSED'
keys /
shows '^Filter:'
keys s e a r x BSpace
shows '^Filter: sear$'
hides ' parse '
keys Enter
shows 'filter "sear"  row 1 of 1 '
keys / Escape
shows 'filter "sear"'
keys / BSpace BSpace BSpace BSpace Enter
shows ' parse '
keys h
shows 'nothing counts the heap'
keys Escape
shows '^by ALLOC/s'

note "sizes"
resize 20 3
shows '^SPAN +ALLOC/s Q$'
expect "lines at 20x3" "$(screen | wc -l)" 3
for size in '1 1' '2 2' '7 5' '19 4' '300 60' '132 6'; do
        # shellcheck disable=SC2086
        resize $size
        sleep 0.1
        keys j k
done
resize 132 40
shows '^UNIT +PID SPAN +ALLOC/s ALLOCS/s +NET/s +ALLOC +NET +OPEN CALLS/s P99/CALL Q$'
resize 80 24
shows '^by ALLOC/s'

note "the collector goes and comes back"
kill_collector
shows '^Trying again: .*'
start_collector
shows '^[0-9:]{8}, [0-9]+ process'
keys q
shows '^ended with 0\.'

note "other ways to end it"
for key in Escape F10 C-c; do
        start screen
        shows '^by ALLOC/s'
        keys "$key"
        shows '^ended with 0\.'
done

note "terminals that cannot be drawn on"
for term in dumb no-such-terminal ''; do
        start "$term" --limit=2
        shows 'ALLOC/s'
        keys C-c
        shows 'ended with 0\.'
done

note "a pipe"
"$CTL" --socket "$QUERY" top -n 2 -d 0.2 | cat >"$WORK/out"
expect "exit status" "${PIPESTATUS[0]}" 0
expect "screens" "$(grep -c '^UNIT' "$WORK/out")" 2
! grep -q $'\033' "$WORK/out" || fail "escape codes in a pipe"
"$CTL" --socket "$QUERY" top -d 0.1 | head -n 3 >"$WORK/out"
expect "exit status when the reader leaves" "${PIPESTATUS[0]}" 0
pass
