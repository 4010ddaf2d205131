#!/bin/bash
# SPDX-License-Identifier: MIT
# The verbs as a person and as a program read them, over a program whose every number is known from its script
# (programs/span_scripted.c): tables and screens against stored ones, documents against their schemas.
. "$(dirname "$0")/../support/lib.sh"
need tmux python3 jq

export LC_ALL=C.UTF-8 TZ=UTC
DOCUMENTS=$SOURCE/tests/integration/documents

start_collector
mkfifo "$WORK/in"
exec 9<>"$WORK/in"
"$PROGRAMS/span_scripted" <&9 >"$WORK/program" &
program=$!
wait_for "the program" grep -q ready "$WORK/program"
follow_now "$WORK/follow"
echo >&9
wait_for "the script's end" grep -q done "$WORK/program"
settled() {
        [ "$(span_field "$program" task cycles)" = 1 ] && [ "$(span_field "$program" shared closed)" = 1 ]
}
wait_for "the last close" settled

# same NAME COMMAND…: its output, with the pid and the widths that hang on it made equal, is the stored one.
same() {
        local name=$1
        shift
        "$@" >"$WORK/out" || fail "$name: '$*' failed"
        sed -E "s/\b$program\b/PID/g; s/ +/ /g; s/ $//; s/^ //; s/─+ /─ /; s|from .*/tests/|from tests/|; /Rate: /d" "$WORK/out" >"$WORK/$name"
        if [ -n "${STORE:-}" ]; then
                cp "$WORK/$name" "$DOCUMENTS/$name"
        fi
        diff -u "$DOCUMENTS/$name" "$WORK/$name" || fail "$name is not as stored"
}

note "stored answers"
same spans.txt ctl spans --columns=pid,span,opened,closed,open,cycles,alloc_count,alloc_bytes,dealloc_count,dealloc_bytes,net_bytes,self_alloc_bytes,migrated,aborted,refused,quality,per_call_p99
same spans-raw.txt ctl spans --raw --columns=span,alloc_bytes,net_bytes --sort=-net_bytes --limit=3
same spans-filter.txt ctl --no-legend spans --filter=ar --columns=span,path
same tree.txt ctl tree --min-percent=0
same tree-folded.txt ctl tree --min-percent=20
same tree-columns.txt ctl tree --min-percent=0 --columns=cycles,migrated,alloc_count,quality
same tree-sorted.txt ctl tree --min-percent=0 --sort=span --columns=closed,alloc_bytes
same tree-limit.txt ctl tree --min-percent=0 --sort=-net_bytes --limit=3
same tree-sorted.json bash -c "'$CTL' --socket '$QUERY' --json tree --sort=-path --limit=4 --columns=path | jq 'del(.time_ns)'"
same ps.txt ctl ps --columns=pid,comm,alive,spans,records,alloc_bytes,self_alloc_bytes,outside_alloc_bytes,lost_alloc_bytes,before_alloc_bytes,net_bytes,coverage_ppm,balanced
same show-request.txt ctl show request
same show-task.txt ctl show task
same top.txt bash -c "'$CTL' --socket '$QUERY' top -n 1 --sort=-alloc_bytes | sed 1d"
same spans.json bash -c "'$CTL' --socket '$QUERY' --json=pretty spans --columns=span,path,opened,closed,open,cycles,alloc_count,alloc_bytes,dealloc_count,dealloc_bytes,net_bytes,self_alloc_count,self_alloc_bytes,migrated,per_call,quality | jq 'del(.time_ns)'"
same tree.json bash -c "'$CTL' --socket '$QUERY' --json tree --columns=depth,path,alloc_bytes,self_alloc_bytes,quality | jq 'del(.time_ns)'"

note "tree --limit and ps --filter"
expect "tree without hints" "$(ctl --no-legend tree --min-percent=0 --limit=2 | wc -l)" 3
expect "what is folded before the last row" "$(ctl tree --min-percent=20 --limit=1 | tail -n 1)" "… 7 more; --limit=0 shows all."
! ctl tree --min-percent=0 --limit=8 | grep -q more || fail "eight of eight rows are not all"
expect "a locale without an ellipsis" "$(LC_ALL=C ctl tree --limit=1 | tail -n 1)" "... 7 more; --limit=0 shows all."
expect_match "a column that is sent only when it is named" "$(ctl tree --columns=per_call_p99 --sort=-per_call_p99)" 'job +[0-9.]+K'
for filter in scripted "$(json '.processes[0].exe' ps | cut -c 2-20)" ''; do
        expect "processes with '$filter'" "$(json '[.processes[].pid] | @csv' ps --filter "$filter")" "$program"
done
expect "processes with nonsense" "$(json '.processes | length' ps --filter Scripted)" 0
expect "what ps says then" "$(ctl ps --filter Scripted)" 'No process matches; `spanallocctl ps` lists all.'
expect "what tree says then" "$(ctl tree --filter nonsense)" 'No span matches.'
expect_status 2 "$CTL" --socket "$QUERY" tree --sort=net_byte
grep -q 'did you mean "net_bytes"' "$WORK/err" || fail "$(cat "$WORK/err")"

note "show says what net means, and never more"
ctl show job >"$WORK/out"
grep -q 'With its children it allocates 2.6K more than it frees, about 2.6K per call' "$WORK/out" || fail "show job: $(cat "$WORK/out")"
grep -q 'by another span or thread' "$WORK/out" || fail "show job does not say that blocks may be freed elsewhere"
grep -q 'spanallocctl show job --since 10m' "$WORK/out" || fail "show job does not say what to run next"
! grep -rqi 'leak' "$WORK/out" || fail "show says leak"
ctl show task | grep -q '1 of 1 cycles ended on another thread than they began on' || fail "show task: $(ctl show task)"
ctl show job --since=10m | grep -q 'Alloc: 2.9K' || fail "show --since"
ctl show job --since=10m >"$WORK/out"
line_of() { # REGEX: where it is in the output
        grep -nEm 1 "$1" "$WORK/out" | cut -d : -f 1 | grep . || fail "no line like '$1' in $(cat "$WORK/out")"
}
interval=$(line_of '^Over the last 10min, or up to a minute more:$')
rest=$(line_of '^Since the processes attached, or since the last reset:$')
for line in 'Spans: 1 opened, 1 closed$' 'Cycles: ' 'Alloc: ' 'Net: '; do
        [ "$(line_of "$line")" -gt "$interval" ] && [ "$(line_of "$line")" -lt "$rest" ] || fail "'$line' is not of the interval: $(cat "$WORK/out")"
done
for line in '    Open: 0 now' 'Per call: .* 1 closed' 'Bytes per call'; do
        [ "$(line_of "$line")" -gt "$rest" ] || fail "'$line' is of the interval: $(cat "$WORK/out")"
done
line_of '^In the tree, ALLOC and NET with children, over the last 10min:$' >/dev/null
! ctl spans --since=10m | grep -q P99 || fail "P99/CALL of an interval: $(ctl spans --since=10m)"
ctl tree --since=10m --min-percent=0 | grep -q 'job' || fail "tree --since"
expect_status 4 "$CTL" --socket "$QUERY" show jub
grep -q 'did you mean "job"' "$WORK/err" || fail "$(cat "$WORK/err")"
expect_status 4 "$CTL" --socket "$QUERY" spans --pid=1

note "documents and their schemas"
valid() { # NAME [ROWS VERB]
        COLUMNS=$([ $# -lt 3 ] || "$CTL" help "$3" | sed -En '/^(Columns|Fields):/,$s/^  ([a-z_0-9]+) .*/\1/p' | tr '\n' ' ') \
                ROWS=${2:-} python3 "$SOURCE/tests/support/check_schema.py" "$1" || fail "the document of $1"
}
ctl --json status | valid status status status
ctl --json ps | valid ps processes ps
ctl --json spans | valid spans spans spans
ctl --json spans --columns=all | valid spans
ctl --json tree | valid tree tree tree
ctl --json show job | valid show
ctl --json top -n 2 -d 0.2 | valid top spans spans
ctl --json version | valid version
# Its status is 1 while a program of another test is in a filter.
{ ctl --json doctor || [ $? = 1 ]; } | valid doctor
echo >&9
wait_for "events" grep -q '"span":"task"' "$WORK/follow"
valid follow <"$WORK/follow"
"$CTL" run --json=short -o "$WORK/run.json" -- sh -c true
valid run <"$WORK/run.json"
expect "a document on one line" "$(ctl --json spans | wc -l)" 1

note "at 80 columns in a terminal"
. "$SOURCE/tests/support/terminal.sh"
terminal new-session -d -s hold 'exec sleep 1000'
# on_screen ARGUMENT…: what a person sees of it, 80x50
on_screen() {
        terminal new-session -d -s v -x 80 -y 50 "export TERM=screen PAGER=cat; '$CTL' --socket '$QUERY' $*; printf 'ended%s\n' .; exec sleep 1000"
        (wait_for "the end of $*" bash -c "tmux -S '$WORK/tmux' capture-pane -p -t v | grep -q '^ended\\.'")
        terminal capture-pane -p -t v | sed '/^ended\.$/,$d'
        terminal kill-session -t v
}
# A line that does not fit goes on in the next one, and there are more of them than rows.
expect "lines of spans" "$(on_screen spans | wc -l)" $((1 + $(json '.spans | length' spans)))
expect "lines of tree" "$(on_screen tree --min-percent=0 | wc -l)" $((2 + $(json '.tree | length' tree)))
expect "the first two lines of ps" "$(on_screen ps | sed -n '1p;2p' | awk '{ print $1 }' | xargs)" "PID $program"
# Without the pid, doctor has lines of other tests' programs.
for verb in status 'show job' "doctor --pid $program"; do
        # shellcheck disable=SC2086 # words
        ctl $verb >"$WORK/out"
        expect "the last line of $verb on the screen" "$(on_screen "$verb" | grep . | tail -n 1)" "$(tail -n 1 "$WORK/out")"
done
# What has no place to be cut is wrapped between words.
on_screen doctor | grep -Eq '^ {17}function' || fail "$(on_screen doctor)"
terminal new-session -d -s v -x 80 -y 8 "export TERM=screen PAGER='sed s/^/paged:/'; '$CTL' --socket '$QUERY' spans; exec sleep 1000"
(wait_for "the pager" bash -c "tmux -S '$WORK/tmux' capture-pane -p -t v | grep -q '^paged:'")

note "progress of run"
terminal kill-session -t v
terminal new-session -d -s v -x 80 -y 10 "export TERM=screen; '$CTL' run -- sh -c 'echo begun; read -r line; echo over'; exec sleep 1000"
(wait_for "the line of progress" bash -c "tmux -S '$WORK/tmux' capture-pane -p -t v | tail -n 1 | grep -Eq '^spanalloc: [0-9].* processes? running, .* allocated'")
expect "the command's own first line" "$(terminal capture-pane -p -t v | head -n 1)" begun
terminal send-keys -t v Enter
(wait_for "the report" bash -c "tmux -S '$WORK/tmux' capture-pane -p -S - -t v | grep -q 'measuring took .* beside the command'")
ctl --json reset | valid reset
! terminal capture-pane -p -t v | grep -q 'processes running' || fail "the line of progress is still there"
pass
