#!/bin/bash
# SPDX-License-Identifier: MIT
# A program, a process and a cgroup whose names turn the direction of writing: the collector's answer, the log and what
# the verbs print hold none of it.  The answer is read as it comes from the socket: the query client cleans text too.
. "$(dirname "$0")/../support/lib.sh"
need jq python3

turn=$'\xe2\x80\xae'
isolate=$'\xe2\x81\xa6'
hierarchy=$(findmnt -n -t cgroup2 -o TARGET | head -n 1) || true
group=$hierarchy/evil${turn}$$.service
names_cleanup() {
        local status=$?
        if [ -n "${pid:-}" ]; then
                kill -KILL "$pid" 2>/dev/null || true
                wait "$pid" 2>/dev/null || true
        fi
        ! [ -d "$group" ] || rmdir "$group" || true
        (exit "$status")
        lib_cleanup
}
trap names_cleanup EXIT

start_collector
program=$WORK/ab${turn}cd${isolate}e
cp "$(command -v sleep)" "$program"
in_group=
if [ -n "$hierarchy" ] && mkdir "$group" 2>/dev/null; then
        in_group=1
else
        note "no cgroup can be made here: without that one"
fi
# shellcheck disable=SC2016
spawn bash -c '[ -z "$1" ] || echo $$ >"$1/cgroup.procs"; LD_PRELOAD=$2 exec "$3" 1000' - \
        "${in_group:+$group}" "$PRELOAD" "$program"
pid=$SPAWNED
has_row() {
        [ "$(ps_field "$pid" alive)" = true ]
}
wait_for "a row" has_row

# raw: the answer to `ps`, frame and all.
raw() {
        python3 - "$QUERY" <<'EOF'
import socket, struct, sys

peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
stream = peer.makefile('rwb')
for request in (b'\x94\x00\x01\xa5hello\x82\xa8protocol\x01\xa6client\xa1t', b'\x94\x00\x02\xa2ps\x80'):
    stream.write(struct.pack('<I', len(request)) + request)
    stream.flush()
    answer = stream.read(struct.unpack('<I', stream.read(4))[0])
sys.stdout.buffer.write(answer)
EOF
}
raw >"$WORK/answer"
LC_ALL=C grep -qaF 'ab?cd?e' "$WORK/answer" || fail "the answer does not name the program"
[ -z "$in_group" ] || LC_ALL=C grep -qaF "evil?$$.service" "$WORK/answer" || fail "the answer does not name the unit"
expect "comm" "$(ps_field "$pid" comm)" "ab?cd?e"
expect "exe" "$(ps_field "$pid" exe)" "$WORK/ab?cd?e"
for verb in ps spans tree "top -1"; do
        # shellcheck disable=SC2086
        ctl $verb >>"$WORK/shown"
done
kill -KILL "$pid"
wait "$pid" 2>/dev/null || true
stop_collector
for file in answer shown collector.log; do
        ! LC_ALL=C grep -qaE $'\xe2\x80[\xaa-\xae]|\xe2\x81[\xa6-\xa9]' "$WORK/$file" || fail "$file turns the direction of writing"
done
pass
