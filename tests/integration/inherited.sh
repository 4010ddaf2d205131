#!/bin/bash
# SPDX-License-Identifier: MIT
# What a forked child inherited is in its net, and no net is below zero.
. "$(dirname "$0")/../support/lib.sh"
need jq

MIB=$((1 << 20))

# begin MODE: the program waits at its first step; its child is $CHILD, itself $PARENT.
begin() {
        rm -f "$WORK/in" "$WORK/out"
        mkfifo "$WORK/in" "$WORK/out"
        LD_PRELOAD=$PRELOAD "$PROGRAMS/fork_inherits" "$1" <"$WORK/in" >"$WORK/out" &
        PARENT=$!
        exec 7>"$WORK/in" 8<"$WORK/out"
        at child
        CHILD=$AT
}

# at NAME: the program has come to that step; $AT is the process.
at() {
        local name
        read -r name AT <&8
        expect "step" "$name" "$1"
}

go_on() {
        echo -n x >&7
}

finish() {
        go_on
        wait_status "$PARENT"
        expect "status of the program" "$STATUS" 0
        exec 7>&- 8<&-
}

# row PID: into $ROW.
row() {
        ROW=$(ctl --json=short ps --pid "$1" | jq -c '.processes[0]')
        [ "$ROW" != null ] || fail "process $1 has no row"
}

of() {
        jq -r ".$1" <<<"$ROW"
}

adds_up() {
        expect "net of $1 is what was inherited, and allocated less freed" \
                "$(of net_bytes)" "$(of '| .inherited_bytes + .alloc_bytes - .dealloc_bytes')"
}

start_collector

note "a parent with one thread: exact"
begin one
row "$PARENT"
has=$(of net_bytes)
expect "a process that was not forked inherited" "$(of inherited_bytes)" 0
expect "its quality" "$(of net_quality)" exact
expect_at_least "net of the parent" "$has" $((50 * MIB))
row "$CHILD"
expect "inherited" "$(of inherited_bytes)" "$has"
expect "quality" "$(of net_quality)" exact
adds_up child
go_on
at freed
row "$CHILD"
adds_up child
low=$(of net_bytes)
[ "$low" -lt $MIB ] || fail "the child has $low bytes after it freed what it inherited"
expect "peak" "$(of peak_net_bytes)" "$has"
note "a reset touches neither"
ctl reset >/dev/null
row "$CHILD"
expect "bytes allocated since the reset" "$(of alloc_bytes)" 0
expect "net after a reset" "$(of net_bytes)" "$low"
expect "peak after a reset" "$(of peak_net_bytes)" "$has"
go_on
at grown
row "$CHILD"
expect_at_least "net of the child that grew" "$(of net_bytes)" $((low + 20 * MIB))
go_on
at shrunk
row "$CHILD"
expect "net of the child that shrank" "$(of net_bytes)" "$low"
go_on
at grandchild
row "$CHILD"
has=$(of net_bytes)
row "$AT"
expect "inherited by the grandchild" "$(of inherited_bytes)" "$has"
expect "its quality" "$(of net_quality)" exact
finish

note "a parent with five threads: within what the others have, and an estimate"
begin threads
row "$CHILD"
expect "quality" "$(of net_quality)" estimated
expect_at_least "inherited" "$(of inherited_bytes)" $((50 * MIB))
expect_at_least "at most what it was, and a block of each thread" $((50 * MIB + 4 * 100200 + 100000)) "$(of inherited_bytes)"
adds_up child
go_on; at freed; go_on; at grown; go_on; at shrunk; go_on; at grandchild
row "$AT"
expect "quality of the grandchild" "$(of net_quality)" estimated
kill -KILL "$PARENT"
go_on
wait_status "$PARENT"
exec 7>&- 8<&-

note "a fork without handlers: the parent's row is the estimate"
begin bare
row "$PARENT"
has=$(of net_bytes)
row "$CHILD"
expect "quality" "$(of net_quality)" estimated
expect "inherited" "$(of inherited_bytes)" "$has"
go_on; at freed; go_on; at grown; go_on; at shrunk; go_on; at grandchild
row "$AT"
expect "quality of the grandchild" "$(of net_quality)" estimated
expect_at_least "net of the grandchild" "$(of net_bytes)" 0
finish

note "a new collector: what ended threads counted is not lost, and the inheritance is told again"
begin ended
row "$CHILD"
has=$(of inherited_bytes)
before=$(of net_bytes)
expect_at_least "net with what the ended thread allocated" "$before" $((57 * MIB))
stop_collector
start_collector
go_on
at freed
go_on
at grown
row "$CHILD"
expect "inherited" "$(of inherited_bytes)" "$has"
# It freed 50 MiB and allocated 20 MiB, each with a header of its allocator.
expect_at_least "net" "$(of net_bytes)" $((before - 30 * MIB - 8192))
expect_at_least "most" $((before - 30 * MIB + 8192)) "$(of net_bytes)"
go_on; at shrunk; go_on; at grandchild
row "$AT"
expect_at_least "inherited by the grandchild" "$(of inherited_bytes)" $((10 * MIB))
finish

note "run: the report's rows and sums"
printf xxxxxxxxx | "$CTL" --json=short run -o "$WORK/report" -- "$PROGRAMS/fork_inherits" one >/dev/null
expect "rows" "$(jq '.processes | length' "$WORK/report")" 3
expect "every net adds up" "$(jq '[.processes[] | .net_bytes == .inherited_bytes + .alloc_bytes - .dealloc_bytes] | all' "$WORK/report")" true
expect "no net is below zero" "$(jq '[.processes[] | .net_bytes >= 0] | all' "$WORK/report")" true
printf x | "$CTL" --json=short run -o "$WORK/report" -- "$PROGRAMS/fork_inherits" idle >/dev/null
expect "rows with a child that does not allocate" "$(jq '.processes | length' "$WORK/report")" 2
expect_at_least "what it has" "$(jq '.processes[1].net_bytes' "$WORK/report")" $((50 * MIB))
pass
