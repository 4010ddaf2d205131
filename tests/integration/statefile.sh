#!/bin/bash
# SPDX-License-Identifier: MIT
# Books on disk, without a store of descriptors: after a kill the rows are there as they were saved last, a program that
# runs on has another one, and its books hold what lies between as before; damaged files, a full disk, files of another boot.
. "$(dirname "$0")/../support/lib.sh"

export SPANALLOC_ON_FULL=wait
state=$WORK/state
start() {
        start_collector --state-dir "$state" --state-interval 1 "$@"
}

start
"$PROGRAMS/span_crowd" 2 2000 >"$WORK/sums.ended" </dev/null
"$PROGRAMS/span_crowd" 2 0 "$WORK/live" >"$WORK/sums" </dev/null &
pid=$!
both() {
        [ "$(json '[.processes[] | .alive] | tojson' ps)" = '[false,true]' ]
}
wait_for "two rows" both
sums_of_ended() {
        json '[.spans[] | select(.process == 1) | with_entries(select(.key | test("rate") | not))] | tojson' spans
}
before=$(sums_of_ended)
saved_after() {
        [ "$(stat -c %Y "$state/books.2" 2>/dev/null || echo 0)" -gt "$1" ]
}
wait_for "both to be saved" test -s "$state/books.1" -a -s "$state/books.2"
now=$(date +%s)
known=$(ps_field "$pid" alloc_bytes)
wait_for -t 60 "it to be saved again" saved_after $((now + 1))

note "a kill"
kill_collector
start
expect "the ended one" "$(sums_of_ended)" "$before"
json_true "the one that runs, as it was saved" "[.processes[] | select(.process == 2)][0] |
        .alive == false and .ended == \"detached\" and .alloc_bytes >= $known and .open == 0" ps
saved=$(json '[.processes[] | select(.process == 2)][0].alloc_bytes' ps)
again() {
        [ "$(json '[.processes[] | select(.process > 2 and .alive)] | length' ps)" = 1 ]
}
wait_for "its other row" again
expect "its number" "$(json '[.processes[] | select(.alive)][0].process' ps)" 3
expect_balanced
json_true "nothing is lost" '[.processes[] | select(.alive)][0] | .lost_alloc_bytes == 0 and .lost_dealloc_bytes == 0' ps
note "saved: $saved bytes; then $(json '[.processes[] | select(.alive)][0] | "before \(.before_alloc_bytes)"' ps)"

note "a clean end saves all"
stop_collector
printf '\1' | dd of="$WORK/live" conv=notrunc status=none
records=$(wc -c <"$state/books.3")
expect_at_least "bytes of the file" "$records" 1000
start
expect "rows" "$(json '[.processes[] | select(.process <= 3)] | length' ps)" 3
wait_for -t 60 "the program's sums" grep -q done "$WORK/sums"
wait "$pid" || fail "the program ended with $?"
wait_for "no program" eval '[ "$(json "[.processes[] | select(.alive)] | length" ps)" = 0 ]'
stop_collector

if command -v python3 >/dev/null; then
        note "the service manager is to wait for the start and the end"
        cat >"$WORK/manager.py" <<'END'
import socket, sys
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.bind(sys.argv[1])
while True:
    print(manager.recv(4096).decode(), flush=True)
END
        python3 "$WORK/manager.py" "$WORK/notify" >>"$WORK/told" &
        manager=$!
        wait_for "the manager" test -S "$WORK/notify"
        NOTIFY_SOCKET=$WORK/notify start
        wait_for "its start" grep -q READY=1 "$WORK/told"
        grep -q EXTEND_TIMEOUT_USEC= "$WORK/told" || fail "it asks for no time to take over"
        : >"$WORK/told"
        stop_collector
        wait_for "its end" grep -q STOPPING=1 "$WORK/told"
        grep -q EXTEND_TIMEOUT_USEC= "$WORK/told" || fail "it asks for no time to save"
        kill "$manager"
        wait "$manager" || true
fi

note "damaged files"
rows=$(find "$state" -name 'books.*' | wc -l)
head -c 3000 "$state/books.1" >"$WORK/short" && cp "$WORK/short" "$state/books.1" # cut off
printf 'X' | dd of="$state/books.2" bs=1 seek=5000 conv=notrunc status=none        # a byte of it
head -c 20000 /dev/urandom >"$state/books.77"
: >"$state/books.78"
ln -s /etc/passwd "$state/books.79"
mkdir "$state/books.80"
start
for n in 1 2 77 78 79 80; do
        grep -q "cannot use .*/books.$n: " "$WORK/collector.log" || fail "no line about books.$n"
done
expect "rows" "$(json '.processes | length' ps)" $((rows - 2))
stop_collector

note "files of another boot"
for file in "$state"/books.*; do
        [ ! -f "$file" ] || printf 'another' | dd of="$file" bs=1 seek=40 conv=notrunc status=none
done
start
expect "rows" "$(json '.processes | length' ps)" 0
stop_collector

note "a full disk"
if [ "$(id -u)" = 0 ] && mkdir "$WORK/small" && mount -t tmpfs -o size=24k none "$WORK/small" 2>/dev/null; then
        COLLECTOR_PID=
        rm -rf "$state"
        start --state-dir "$WORK/small"
        "$PROGRAMS/span_crowd" 2 2000 >"$WORK/sums.full" </dev/null
        wait_for "the line about it" grep -q "cannot save the books in $WORK/small: No space left" "$WORK/collector.log"
        json_true "it goes on" '.processes | length == 1' ps
        # It tries again each second; meanwhile there may be one.
        none_left() {
                [ "$(find "$WORK/small" -name '*.new' | wc -l)" = 0 ]
        }
        wait_for "no half of a file to be left behind" none_left
        mount -o remount,size=64m "$WORK/small"
        wait_for "the file" test -s "$WORK/small/books.1"
        stop_collector
        umount "$WORK/small"
else
        note "no small disk can be had here: left out"
fi
pass
