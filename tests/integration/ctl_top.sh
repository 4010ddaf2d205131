#!/bin/bash
# SPDX-License-Identifier: MIT
# top in a real terminal: each key, sizes down to 1x1, plain and UTF-8, unknown terminals, and a collector that goes and
# comes back.  The workload scripts its own counters, so every cell of a sum is known from programs/span_scripted.c.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/terminal.sh"

export LC_ALL=C.UTF-8

resize() {
        terminal resize-window -t v -x "$1" -y "$2"
}
# start TERM ARGUMENT…: top in a terminal of 80x24, then its exit status.
start() {
        local term=$1
        shift
        terminal kill-session -t v 2>/dev/null || true
        terminal new-session -d -s v -x 80 -y 24 \
                "export TERM='$term' LC_ALL=$LC_ALL; '$CTL' --socket '$QUERY' top $*; echo \"ended with \$?.\"; exec sleep 1000"
}

# The server ends with its last session.
terminal new-session -d -s hold 'exec sleep 1000'
start_collector
mkfifo "$WORK/in"
exec 9<>"$WORK/in"
"$PROGRAMS/span_scripted" <&9 >"$WORK/program" &
program=$!
wait_for "the program" grep -q ready "$WORK/program"
echo >&9
wait_for "the script's end" grep -q done "$WORK/program"

note "sums on the screen are those of the script"
start screen
# The script spends 4,744 bytes, and frees 638 of them.
shows '^[0-9:]{8}  heap ~4[.]0K 0B/s  RSS [0-9.]+[KM]  alloc 0B/s  all counted  not timed'
shows '^heap .*  now      4[.]0K  max      4[.]0K$'
shows '^alloc .*  now      0B/s  max      0B/s$'
shows '^PROCESS +SPAN +ALLOC/s( +NET/s)? +NET NET/CALL CALLS/s QUALITY$'
resize 132 24
shows '^PROCESS +SPAN +ALLOC/s BLOCKS/s +NET/s +ALLOC +NET NET/CALL +OPEN CALLS/s P99/CALL QUALITY$'
# name, ALLOC, NET, OPEN, QUALITY: by hand, from the script's own spend()s
while read -r name alloc net open quality; do
        shows "^span_scripted.$program. $name +0B +0 +0B +$alloc +[+]?$net +([+-]?[0-9.]+[KB]|-) +$open +0 +[0-9.]+[KB] *$quality\$"
done <<'CELLS'
job 2.9K 2.6K 0
task 660B 660B 0 migrated
request 103B 58B 0
child 80B 80B 0
parse 60B 15B 0
shared 55B 52B 0
poke 0B 0B 0
CELLS
shows ' request +0B '
# What its thread does outside of spans has no calls.
shows "^span_scripted.$program. \(outside\) +0B +0 +0B? +56B +[+]56B +- +- +- +- *\$"
# Numbers stand beside their names: no column of names is wider than its longest text.
expect "where numbers begin" "$(screen | sed -n 4p | grep -bo 'ALLOC/s' | head -n 1 | cut -d: -f1)" $((${#program} + 15 + 1 + 9 + 1))
keys l
shows '^by ALLOC  row 1 of 8 '
expect "the largest" "$(screen | sed -n 5p | awk '{ print $2 }')" job
expect "the smallest" "$(screen | sed -n 12p | awk '{ print $2 }')" poke
echo >&9 # opens and enters "left", and stays in it: 11 bytes
shows "^span_scripted.$program. left +.* 1 +0 +-\$"
resize 80 24

note "keys"
keys j j Down k
shows 'row 3 of 9'
keys G
shows 'row 9 of 9'
keys PPage Home End NPage g
shows 'row 1 of 9'
keys n
shows '^by NET/s  row'
keys c I
shows '^by CALLS/s, small first'
keys a '>'
shows '^by NET '
keys '<' '<'
shows '^by SPAN '
expect "first by name" "$(screen | sed -n 5p | awk '{ print $2 }')" '(outside)'
expect "second by name" "$(screen | sed -n 6p | awk '{ print $2 }')" child
keys F6
shows '^Sort by '
shows '^>SPAN '
keys Down Down Down Down Enter
shows '^by ALLOC '
keys s Escape I
shows '^by ALLOC, small first'
keys I u
shows 'summed by unit'
keys b
shows 'summed by name'
keys b Space
shows 'PAUSED'
keys Space
hides 'PAUSED'
keys F
shows 'following'
keys F
hides 'following'
keys '\'
shows '^Filter:'
keys s h a r x BSpace
shows '^Filter: shar$'
hides ' parse '
keys Enter
shows 'filter "shar"  row 1 of 1 '
keys Escape
shows ' parse '
keys F4 z z
shows 'No span matches'
keys Escape
shows ' parse '
keys / p a r
shows '^Search: par'
keys Enter
shows 'row 5 of 9'
keys / e
shows 'row 5 of 9|Search: e'
keys Enter F3
hides '^Search'
keys w
shows '^[0-9]+ warnings?; Esc closes'
shows '^The collector, over all processes: 1 process, 2 threads, .* records/s, 0'
keys Space
shows '^[0-9]+ warnings?; Esc closes  PAUSED'
keys Space Escape h
shows 'close what is open'
resize 40 24
keys G
shows 'come last[.]$'
! grep_screen '…' || fail "help is cut: $(screen)"
keys Escape F1
shows 'select a row'
keys Escape
resize 80 24
shows '^by ALLOC '

note "processes"
keys p
shows '^Processes by heap in use; Enter'
shows '^PROCESS +HEAP +HEAP/s +PEAK +RSS +ALLOC/s STATE$'
shows "^span_scripted.$program. +4[.]0K +0B +4[.]0K +[0-9.]+[KM] +0B$"
keys Enter
shows "^span_scripted.$program.   .j k scroll"
shows '^    Heap  4[.]0K, 0B/s, at most 4[.]0K .estimated.'
shows '^   Alloc  0B/s, 4[.]6K in all$'
shows '^ Threads  2, not timed$'
shows '^   [+]2[.]6K +0B +2[.]9K +0B +0  job$'
keys Escape
shows '^Processes by heap in use; Enter'
keys p
shows '^by ALLOC '

note "the tree"
asks t 'tree +row'
shows "^\\(no unit\\) +0B +0B +4.6K +[+]4.0K"
shows "^└─span_scripted\\[$program\\] "
shows '├─job +0B +0B +3.0K +[+]2.7K'
shows '│ └─child +0B +0B +80B +[+]80B'
shows '├─request +0B +0B +103B +[+]58B'
shows '│ └─parse +0B +0B +60B +[+]15B'
keys g j j -
shows '├─[+]job '
hides 'child'
keys Right
shows 'child'
keys '*'
shows '└─[+]span_scripted'
hides 'parse'
keys '*'
asks F5 '^by ALLOC  row'

note "details"
keys g
asks Enter '^job in span_scripted'
shows '^    Path  job'
shows '^   Alloc  2.9K in 30 allocations, children included'
shows '^   Freed  300B in 3 frees; net [+]2.6K'
shows '^   Calls  1 closed, 0 open, 2 cycles'
resize 80 50
shows '^    2.0K  █+ +1 100.0%'
shows '^    2.9K +3.0K  job'
shows '^     80B +80B    child'
keys p
shows '^    Heap  4[.]0K'
keys Escape
shows '^job in span_scripted'
keys Escape G
shows '^by ALLOC  row 9'
resize 80 24

note "sizes"
resize 20 3
shows '^SPAN +ALLOC$'
expect "lines at 20x3" "$(screen | wc -l)" 3
for size in '1 1' '2 2' '7 5' '19 4' '40 10' '300 60' '132 6'; do
        # shellcheck disable=SC2086
        resize $size
        keys s Escape w Escape Enter Escape t t j k
done
resize 132 40
shows '^PROCESS +SPAN +ALLOC/s BLOCKS/s +NET/s +ALLOC +NET NET/CALL +OPEN CALLS/s P99/CALL QUALITY$'
# What does not fit 80 columns is there on 200, and no column of names is wider than on 80.
resize 200 50
shows '^[0-9:]{8}  heap ~4[.]0K 0B/s  RSS [0-9.]+[KM]  alloc 0B/s  all counted  not timed  1 process, 2 threads$'
shows '^PROCESS +SPAN +ALLOC/s BLOCKS/s +NET/s +ALLOC +NET NET/CALL +OPEN CALLS/s P99/CALL QUALITY$'
shows ' request +0B '
expect "where numbers begin" "$(screen | sed -n 4p | grep -bo 'ALLOC/s' | head -n 1 | cut -d: -f1)" $((${#program} + 15 + 1 + 9 + 1))
resize 80 24
shows '^by ALLOC '

note "the collector goes and comes back"
shows '^PROCESS +SPAN +ALLOC/s +ALLOC +NET NET/CALL QUALITY$'
shows ' job +0B +2[.]9K +[+]2[.]6K +[+]2[.]6K$'
job=$(screen | grep ' job ')
kill_collector
shows '^Trying again: .*'
# The last rows stay, with their time.
shows '^as of [0-9:]{8}  heap ~4[.]0K 0B/s'
expect "the row of job" "$(screen | grep ' job ')" "$job"
start_collector
shows 'the collector was started again: new sums$'
shows '^[0-9:]{8}  heap '
hides '^as of'
keys j
hides 'started again'
keys q
shows '^ended with 0\.'

note "other ways to end it"
for key in F10 C-c; do
        start screen
        shows '^by ALLOC/s'
        keys Escape "$key"
        shows '^ended with 0\.'
done

note "plain, and terminals that cannot be drawn on"
LC_ALL=C start screen
shows '^by ALLOC/s'
asks t '^`-span_scripted|No spans'
expect "characters beyond ASCII" "$(screen | LC_ALL=C grep -c '[^ -~]')" 0
for term in dumb unknown ''; do
        start "$term" --limit=2
        shows 'ALLOC/s'
        keys C-c
        shows 'ended with 0\.'
done

start no-such-terminal --limit=2
shows 'terminfo does not have the terminal "no-such-terminal"; set'
shows '^ended with 1\.'
hides 'ALLOC/s'
# What terminfo lacks, and is drawn on all the same.
for term in xterm-kitty xterm-ghostty alacritty foot tmux-direct-of-tomorrow; do
        start $term
        shows '^by ALLOC/s'
        keys q
        shows '^ended with 0\.'
done

note "stopped by a signal, and continued"
terminal kill-session -t v
terminal new-session -d -s v -x 80 -y 24 "export TERM=screen LC_ALL=$LC_ALL; PS1='prompt> ' exec bash --norc --noprofile"
shows '^prompt>'
shell=$(terminal display-message -p -t v '#{pane_pid}')
for signal in STOP TSTP; do
        keys "'$CTL' --socket '$QUERY' top" Enter
        shows '^by ALLOC/s'
        kill -$signal "$(cat "/proc/$shell/task/$shell/children")"
        shows 'Stopped'
        keys 'clear; stty sane' Enter
        hides 'ALLOC/s'
        keys 'fg' Enter
        shows '^by ALLOC/s'
        shows '^PROCESS '
        hides 'prompt>'
        keys q
        shows '^prompt> *$'
        hides '^by ALLOC/s'
done

note "colours"
colors() { # ARGUMENT…: how many colour codes a screen has
        terminal kill-session -t v 2>/dev/null || true
        terminal new-session -d -s v -x 80 -y 24 "export TERM=screen-256color $1; '$CTL' --socket '$QUERY' top $2"
        shows '^by ALLOC/s'
        terminal capture-pane -e -p -t v | grep -c $'\033\\[[0-9;]*3[0-7]' || true
}
expect_at_least "lines with colour" "$(colors '' '')" 1
expect "lines with colour, NO_COLOR" "$(colors NO_COLOR=1 '')" 0
expect "lines with colour, --color=never" "$(colors '' --color=never)" 0
expect_at_least "lines with colour, --color=always" "$(colors NO_COLOR=1 --color=always)" 1

note "a predecessor that was not counted"
start screen
shows '^by ALLOC/s'
resize 132 24
"$PROGRAMS/span_run" 3 2
LD_PRELOAD=$PRELOAD "$PROGRAMS/span_run" 3 2
# Three times 1,000 bytes, with six times 1,000 in the spans below.
shows '^span_run.[0-9]+. +outer .* 8[.]8K '
shows '^span_run.[0-9]+. +outer +- +- +- +- .*uncounted$'
keys u
# Both have ended: NET is of processes that run.
shows '^- +2 processes +outer +0B +0 +0B +8[.]8K +- '
hides '^- .*uncounted$'
keys u e
hides 'span_run'
shows 'ended hidden'
keys e
shows '^span_run.[0-9]+. +outer .* 8[.]8K '
keys e
hides 'span_run'

note "many rows that came after it"
mkfifo "$WORK/many"
exec 8<>"$WORK/many"
"$PROGRAMS/span_many" 10 100 200 <&8 &
many=$!
shows 'row 1 of 10[0-9][0-9] '
shows 'row [0-9]+ of 1007 |row [0-9]+ of 1008 |row [0-9]+ of 1000 '
resize 132 24
keys l
# The largest: 100 allocations of 64 bytes a call.
shows '^span_many.[0-9]+. request-099 .* 6[.]3K$'
keys '\' r e q u e s t - 0 0 0 Enter
shows 'row 1 of 10 '
shows '^span_many.[0-9]+. request-000 .* 64B$'
# All figures of the first line are of the processes that are chosen.
start screen "--pid=$(pgrep -n -P "$many")"
shows '^by ALLOC/s'
resize 200 24
shows '  all counted  not timed  1 process, 1 thread$'
shows 'row 1 of 100 '
echo >&8

note "a pipe"
"$CTL" --socket "$QUERY" top -n 2 -d 0.2 | cat >"$WORK/out"
expect "exit status" "${PIPESTATUS[0]}" 0
expect "screens" "$(grep -c '^PROCESS' "$WORK/out")" 2
! grep -q $'\033' "$WORK/out" || fail "escape codes in a pipe"
"$CTL" --socket "$QUERY" top -d 0.1 | head -n 3 >"$WORK/out"
expect "exit status when the reader leaves" "${PIPESTATUS[0]}" 0
pass
