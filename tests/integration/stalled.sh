#!/bin/bash
# SPDX-License-Identifier: MIT
# A stall stops no other process: a stopped collector, one that never answers, clients that never read, a log without a
# reader.
# Programs run to their end without waiting, what was refused is counted, and the collector's memory stays bounded.
. "$(dirname "$0")/../support/lib.sh"
need jq python3

stat_of() { # FILE NAME
        awk -v name="$2" '$1 == name { print $2 }' "$1"
}
is_done() {
        grep -q '^done$' "$1"
}
memory_kib() { # FIELD
        awk -v field="$1:" '$1 == field { print $2 }' "/proc/$COLLECTOR_PID/status"
}

note "a stopped collector"
start_collector
mkfifo "$WORK/go"
"$PROGRAMS/span_stalled" pairs 4 50000 <"$WORK/go" >"$WORK/stopped" &
pid=$!
exec 5>"$WORK/go"
wait_for "it to attach" grep -q ready "$WORK/stopped"
kill -STOP "$COLLECTOR_PID"
is_stopped() {
        [ "$(awk '{ print $3 }' "/proc/$COLLECTOR_PID/stat")" = T ]
}
wait_for "the collector to stop" is_stopped
echo >&5
wait_for -t 120 "the program to go through" is_done "$WORK/stopped"
is_stopped || fail "the collector was not stopped all the while"
tried=$(stat_of "$WORK/stopped" cycles)
refused=$(stat_of "$WORK/stopped" refused_enters)
expect "what it was to do" "$tried" 200000
expect "waits" "$(stat_of "$WORK/stopped" waits)" 0
# 200,000 cycles in four rings of 8,192 records at most.
expect_at_least "refused" "$refused" 150000
kill -CONT "$COLLECTOR_PID"
cycles() {
        json "[.spans[] | select(.pid == $pid) | .cycles] | add" spans
}
accepted() {
        [ "$(cycles)" = $((tried - refused)) ]
}
wait_for "what it accepted: $((tried - refused)) cycles" accepted
expect "its bytes" "$(ps_field "$pid" alloc_bytes)" "$(stat_of "$WORK/stopped" alloc_bytes)"
expect "refused in the books" "$(ps_field "$pid" refused)" \
        $((refused + $(stat_of "$WORK/stopped" refused_opens) + $(stat_of "$WORK/stopped" refused_closes)))
expect_balanced "$pid"
# A cycle is 16 bytes: each is in a span, or lost.
json_true "each cycle's bytes" "
        ([.spans[] | select(.pid == $pid and .thread == \"\") | .self_alloc_bytes] | add) == 16 * ($tried - $refused)" spans
expect "lost" "$(ps_field "$pid" lost_alloc_bytes)" $((16 * refused))
exec 5>&-
wait_status "$pid"
expect "its end" "$STATUS" 0

note "askers that never read"
mkfifo "$WORK/crowd"
"$PROGRAMS/span_silent" crowded 1 1 <"$WORK/crowd" >"$WORK/crowded" &
exec 5>"$WORK/crowd"
echo >&5
wait_for -t 120 "many paths" is_done "$WORK/crowded"
"$PROGRAMS/span_stalled" pairs 2 100000 <"$WORK/go" >"$WORK/load" &
pid=$!
exec 6>"$WORK/go"
wait_for "the load to attach" grep -q ready "$WORK/load"
# Twelve ask eight times for as much as there is, two follow; they keep their sockets, and read nothing but the hello's
# answer.  Before that one reads a whole answer, so that what it takes to make one is not new.
cat >"$WORK/deaf.py" <<'EOF'
import socket, struct, sys, time
def text(t): return bytes([0xa0 | len(t)]) + t.encode()
def frame(body): return struct.pack("<I", len(body)) + body
def request(n, method, params=b"\x80"): return frame(b"\x94\x00" + bytes([n]) + text(method) + params)
hello = request(1, "hello", b"\x82" + text("protocol") + b"\x01" + text("client") + text("deaf"))
def dial():
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    s.sendall(hello)
    assert s.recv(4096)
    return s
kept = []
whole = dial().makefile("rwb")
whole.write(request(2, "tree"))
whole.flush()
size, = struct.unpack("<I", whole.read(4))
whole.read(size)
print("size", size, flush=True)
sys.stdin.readline()
for i in range(14):
    s = dial()
    s.sendall(request(2, "follow") if i < 2 else b"".join(request(n, "tree") for n in range(2, 10)))
    kept.append(s)
print("deaf", flush=True)
sys.stdin.read()
EOF
mkfifo "$WORK/hold"
python3 "$WORK/deaf.py" "$QUERY" <"$WORK/hold" >"$WORK/deaf" &
deaf=$!
exec 7>"$WORK/hold"
wait_for -t 120 "one answer" grep -q size "$WORK/deaf"
size=$(stat_of "$WORK/deaf" size)
# All of them would be more than is allowed, or this shows nothing.
expect_at_least "bytes that are asked for" $((12 * 8 * size)) $((512 << 20))
before=$(memory_kib VmRSS)
echo >&7
wait_for -t 120 "all of them to have asked" grep -q deaf "$WORK/deaf"
echo >&6
wait_for -t 120 "the load to go through" is_done "$WORK/load"
are_waiting() {
        [ "$(json .status.follow_dropped status)" -gt 0 ] && [ $(($(memory_kib VmRSS) - before)) -gt $((8 * size / 1024)) ]
}
wait_for -t 120 "answers to wait, and events to be dropped" are_waiting
kill -0 "$deaf" || fail "the askers are gone"
grown=$(($(memory_kib VmHWM) - before))
note "the collector grew by $grown KiB, for $size bytes an answer"
# docs/limits.md: 256 MiB of answers, 1 MiB more for each of 14, and one answer in the making, 64 MiB at most.
[ "$grown" -le $(((256 + 14 + 64) * 1024)) ] || fail "the collector grew by $grown KiB"
expect_balanced "$pid"
expect "waits" "$(stat_of "$WORK/load" waits)" 0
kill "$deaf"
exec 5>&- 6>&- 7>&-
wait_status "$deaf"
stop_collector

note "a collector that never answers"
cat >"$WORK/silent.py" <<'EOF'
import os, socket, sys
os.path.exists(sys.argv[1]) and os.unlink(sys.argv[1])
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(sys.argv[1])
s.listen(64)
kept = []
print("listening", flush=True)
while True:
    kept.append(s.accept())
    print("accepted", flush=True)
EOF
python3 "$WORK/silent.py" "$INGEST" >"$WORK/silent" &
silent=$!
wait_for "its socket" grep -q listening "$WORK/silent"
env -u SPANALLOC_ATTACH_MS "$PROGRAMS/span_stalled" attempts 3 <"$WORK/hold" >"$WORK/unheard" &
pid=$!
exec 5>"$WORK/hold"
wait_for -t 120 "the third attempt" is_done "$WORK/unheard"
expect "attempts" "$(stat_of "$WORK/unheard" attach_attempts)" 3
expect "attach_error, ETIMEDOUT" "$(stat_of "$WORK/unheard" attach_error)" -110
# A second after the first, two after the second.
expect_at_least "time for it" "$(stat_of "$WORK/unheard" elapsed_ms)" 2900
expect_at_least "spans meanwhile" "$(stat_of "$WORK/unheard" rounds)" 20
all_accepted() {
        [ "$(grep -c accepted "$WORK/silent")" = 3 ]
}
wait_for "the attempts to be seen" all_accepted
exec 5>&-
wait_status "$pid"
expect "its end" "$STATUS" 0
kill "$silent"
wait_status "$silent"
rm -f "$INGEST"

note "a log without a reader"
mkfifo "$WORK/log"
exec 6<>"$WORK/log"
filled=$(python3 -c '
import os
os.set_blocking(6, False)
n = 0
try:
    while True: n += os.write(6, b"x" * 4095 + b"\n")
except BlockingIOError: pass
os.set_blocking(6, True)
print(n)')
"$DAEMON" --user --runtime-dir "$RUNTIME" --log-level=debug </dev/null >/dev/null 2>&6 &
COLLECTOR_PID=$!
wait_for "an answer" timeout 30 "$CTL" --socket "$QUERY" status
for _ in $(seq 20); do
        "$PROGRAMS/span_dies" exit || true
done
ended() {
        [ "$(timeout 30 "$CTL" --socket "$QUERY" --json=short ps | jq '[.processes[] | select(.alive | not)] | length')" = 20 ]
}
wait_for "twenty that ended" ended
# Read it empty; the next line, which is the last one here, says what is missing.
cat <"$WORK/log" >"$WORK/read" &
reader=$!
is_read() {
        [ "$(wc -c <"$WORK/read")" -ge "$filled" ]
}
wait_for "what was in the pipe" is_read
stop_collector
wait_for "the last line" grep -q 'spanallocd stops' "$WORK/read"
missing=$(sed -n 's/.*the log was full: \([0-9]*\) lines.*/\1/p' "$WORK/read" | head -n 1)
expect_at_least "lines that are missing" "$missing" 20
kill "$reader"
wait_status "$reader"
exec 6>&-
pass
