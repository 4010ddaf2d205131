#!/bin/bash
# SPDX-License-Identifier: MIT
# Programs that shut themselves in with what programs use today: libseccomp, landlock, and bubblewrap around a program.  They
# do what they do without spanalloc; `ps` and doctor name those that cannot attach any more, with the reason.
#
# Optional: a kernel without landlock, and a machine that refuses the namespaces of bubblewrap, cannot show these.
. "$(dirname "$0")/../support/lib.sh"
need jq bwrap
[ "${SPANALLOC_TEST_FILTER:-}" ] && outer=2 || outer=

PROGRAM=$PROGRAMS/span_confined

has_landlock=yes
status=0
"$PROGRAM" landlock 0 >"$WORK/out" 2>&1 || status=$?
[ "$status" != 77 ] || has_landlock=no
[ "$has_landlock" = no ] || expect "landlock, no collector" "$status" 0
ways=(seccomp)
[ "$has_landlock" = no ] || ways+=(landlock)
note "ways: ${ways[*]}"

ledger() {
        sed -n 's/^work \([0-9]*\) .*/\1/p' "$1"
}
# With what was refused: a thread that begins in a sandbox may find no room in the segment.
closed() { # PID
        json "[.spans[] | select(.span == \"work\" and .pid == $1) | .closed + .refused] | add" spans
}
says() {
        grep -q "$1" "$2"
}

note "no collector, linked and preloaded"
for way in "${ways[@]}"; do
        "$PROGRAM" "$way" 0 >"$WORK/$way.out" || fail "$way: $?"
        LD_PRELOAD=$PRELOAD "$PROGRAM" "$way" 0 >"$WORK/$way.out" || fail "$way, preloaded: $?"
done

note "a collector serves all the time"
start_collector
for way in "${ways[@]}"; do
        spawn counted "$PROGRAM" "$way" 1 >"$WORK/$way.out"
        pid=$SPAWNED
        wait_status "$pid"
        expect "the end, $way" "$STATUS" 0
        wait_for "its end in the books" eval '[ "$(json "[.processes[] | select(.alive and .pid == $pid)] | length" ps)" = 0 ]'
        expect "the books, $way" "$(closed "$pid")" "$(ledger "$WORK/$way.out")"
done

note "what ps and doctor say of it"
spawn counted "$PROGRAM" seccomp 600 >"$WORK/long.out"
pid=$SPAWNED
wait_for "it to shut itself in" says "shut in" "$WORK/long.out"
wait_for "ps to say so" eval 'json ".processes[] | select(.pid == $pid) | .counting" ps | grep -q "; in a seccomp filter: "'
json ".processes[] | select(.pid == $pid)" ps >"$WORK/row"
expect "alive and in balance" "$(jq -c '[.alive, .balanced]' "$WORK/row")" '[true,true]'
"$CTL" --socket "$QUERY" --json doctor --pid "$pid" >"$WORK/doctor" || true
expect "doctor of it" "$(jq -r '.findings[] | select(.check == "process") | .state' "$WORK/doctor")" note
stop_collector
start_collector
sleep 2
expect "its rows with a collector that knows nothing of it" "$(json "[.processes[] | select(.pid == $pid)] | length" ps)" 0
for arguments in doctor "doctor --pid $pid"; do
        # shellcheck disable=SC2086
        "$CTL" --socket "$QUERY" --json $arguments >"$WORK/doctor" || true
        jq -r '.findings[] | "\(.check) \(.state) \(.text) -> \(.advice)"' "$WORK/doctor" | grep -F "[$pid]" >"$WORK/line" ||
                fail "$arguments does not name it: $(cat "$WORK/doctor")"
        expect "findings on it" "$(wc -l <"$WORK/line")" 1
        expect_match "$arguments" "$(cat "$WORK/line")" '^program (problem|note) span_confined\[[0-9]+\]: .*seccomp filter.* -> .*restart it while the collector runs'
done
spawn env SPANALLOC=0 LD_PRELOAD="$PRELOAD" "$PROGRAM" seccomp 600 >"$WORK/off.out"
off=$SPAWNED
wait_for "the one that is off" says "shut in" "$WORK/off.out"
"$CTL" --socket "$QUERY" doctor >"$WORK/doctor" || true
grep -qF "[$off]" "$WORK/doctor" && fail "doctor names a program that is off"
kill "$pid" "$off"

note "a program in a filter that may kill it"
if [ -z "$outer" ]; then
        spawn env -u SPANALLOC_SECCOMP "$PROGRAMS/in_filter" allow reboot=kill -- env LD_PRELOAD="$PRELOAD" "$PROGRAM" none 600 >"$WORK/narrow.out"
        pid=$SPAWNED
        wait_for "the program" says "shut in" "$WORK/narrow.out"
        "$CTL" --socket "$QUERY" --json doctor >"$WORK/doctor" || true
        expect_match "doctor" "$(jq -r '.findings[] | select(.state == "problem") | "\(.text) -> \(.advice)"' "$WORK/doctor")" \
                "\[$pid\]: its seccomp filter could kill it .* -> .*SPANALLOC_SECCOMP=allow"
        expect "its rows" "$(json "[.processes[] | select(.pid == $pid)] | length" ps)" 0
        kill "$pid"
fi

note "landlock, and a collector after that"
if [ "$has_landlock" = yes ]; then
        spawn counted "$PROGRAM" landlock 600 >"$WORK/landlock.out"
        pid=$SPAWNED
        wait_for "it to shut itself in" says "shut in" "$WORK/landlock.out"
        # Two looks of the collector, after which it is known that no filter follows no_new_privs.
        sleep 5
        stop_collector
        start_collector
        wait_for "it to come to the next collector" eval '[ "$(json "[.processes[] | select(.alive and .pid == $pid)] | length" ps)" = 1 ]'
        kill -TERM "$pid"
        wait_status "$pid"
        expect "its end ($(cat "$WORK/landlock.out"))" "$STATUS" 0
        # Without a collector no process looks for the filter that no_new_privs may announce.
        stop_collector
        spawn counted "$PROGRAM" landlock 600 >"$WORK/landlock.out"
        pid=$SPAWNED
        wait_for "it to shut itself in" says "shut in" "$WORK/landlock.out"
        start_collector
        sleep 2
        expect "its rows" "$(json "[.processes[] | select(.pid == $pid)] | length" ps)" 0
        "$CTL" --socket "$QUERY" --json doctor --pid "$pid" >"$WORK/doctor" || true
        [ -n "$outer" ] || expect_match "doctor" "$(jq -r '.findings[] | select(.check == "program") | .text' "$WORK/doctor")" \
                "\[$pid\]: it has not attached yet; if it set no_new_privs"
        kill "$pid"
else
        note "Optional: this kernel has no landlock"
fi

note "bubblewrap"
bwrap=(bwrap --bind / / --dev /dev --proc /proc --unshare-pid --unshare-ipc --unshare-uts --unshare-net --die-with-parent)
if "${bwrap[@]}" true 2>"$WORK/err"; then
        before=$(json '[0, .processes[].pid] | join(",")' ps)
        LD_PRELOAD=$PRELOAD "${bwrap[@]}" "$PROGRAM" none 0 >"$WORK/out" || fail "in bubblewrap: $?"
        newcomer() {
                pid=$(json "[.processes[] | select(.comm == \"span_confined\" and .alive == false and (.pid | IN($before) | not)) |
                        .pid] | first // empty" ps)
                [ -n "$pid" ]
        }
        wait_for "the program in bubblewrap" newcomer
        expect "its books" "$(closed "$pid")" "$(ledger "$WORK/out")"
        # A filter of bubblewrap's caller, which kills.
        status=0
        "$PROGRAMS/in_filter" allow reboot=kill -- env LD_PRELOAD="$PRELOAD" "${bwrap[@]}" "$PROGRAM" seccomp 0 >"$WORK/out" || status=$?
        expect "in bubblewrap, in a filter, in a filter" "$status" 0
else
        note "Optional: bubblewrap does not work here: $(cat "$WORK/err")"
fi
json_true "all books balance" '.processes | all(.balanced)' ps
pass "${ways[*]}"
