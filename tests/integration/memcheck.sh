#!/bin/bash
# SPDX-License-Identifier: MIT
# The collector and the command under valgrind's memcheck, from start to stop: a counted client comes, works and goes, every
# verb is asked, some of them wrongly; no error, no definite leak.  (The client is not under it: valgrind takes malloc away
# from the counting allocator.)
# Timeout: 1800
# Labels: slow
. "$(dirname "$0")/../support/lib.sh"
need jq valgrind

if nm "$DAEMON" 2>/dev/null | grep -q '__asan_init'; then
        skip "valgrind and the address sanitizer exclude each other"
fi

# checked PROGRAM…: its errors end it with 99, and are told in $WORK/memcheck.PID
CHECK=(valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite
        "--log-file=$WORK/memcheck.%p")
# What valgrind says of itself (system calls that it does not know: io_uring's and futex_waitv) is no error.
errors() {
        cat "$WORK"/memcheck.* | grep -- '^==' || true
}

"${CHECK[@]}" "$DAEMON" --user --runtime-dir "$RUNTIME" --state-dir "$WORK/state" </dev/null >"$WORK/collector.log" 2>&1 &
COLLECTOR_PID=$!
is_up() {
        ctl status
}
wait_for -t 200 "the collector" is_up

TMPDIR=$WORK spawn counted "$EXAMPLES/pkgindex" --made --seconds 1700 >/dev/null
workload=$SPAWNED
ready() {
        [ "$(span_field "$workload" merge closed)" -ge 1 ]
}
wait_for -t 200 "the workload's spans" ready

asked=0
# ask WANTED VERB…: through a command that is checked, too
ask() {
        expect_status "$1" "${CHECK[@]}" "$CTL" --socket "$QUERY" "${@:2}"
        asked=$((asked + 1))
}
for verb in status ps spans tree "show job" "top -1" "spans --since 30s --sort -alloc_bytes --limit 3" version help; do
        # shellcheck disable=SC2086
        ask 0 $verb
done
for verb in status ps spans tree "show job" "top -1"; do
        # shellcheck disable=SC2086
        ask 0 --json=short $verb
done
ask 4 show nothing
ask 2 spans --columns nonsense
ask 2 nonsense

"${CHECK[@]}" "$CTL" --socket "$QUERY" --json=short follow >"$WORK/follow" &
follower=$!
heard() {
        [ "$(wc -l <"$WORK/follow")" -ge 5 ]
}
wait_for -t 300 "events" heard
kill -TERM "$follower"
wait_status "$follower"
[ "$STATUS" != 99 ] || fail "follow: $(errors)"

kill -TERM "$workload"
wait_status "$workload"
ended() {
        [ "$(ps_field "$workload" alive)" = false ]
}
wait_for -t 200 "the workload's end" ended
ask 0 reset
# One that dies without a word, with spans open.
TMPDIR=$WORK spawn counted "$EXAMPLES/pkgindex" --made --seconds 1700 >/dev/null
workload=$SPAWNED
wait_for -t 200 "the workload's spans" ready
kill -KILL "$workload"
wait "$workload" 2>/dev/null || true
wait_for -t 200 "its end" ended
expect_balanced

kill -TERM "$COLLECTOR_PID"
wait_for -t 200 "the collector's end" lib_is_gone "$COLLECTOR_PID"
wait_status "$COLLECTOR_PID"
COLLECTOR_PID=
expect "errors" "$(errors)" ""
expect "the collector's exit status" "$STATUS" 0
note "$asked questions; $(ls "$WORK"/memcheck.* | wc -l) programs checked"
pass
