#!/bin/bash
# SPDX-License-Identifier: MIT
# A connection whose process is dead, and whose pid another user's process has by now: its hello does not end the row of
# that process.
#
# Labels: alone
# Optional: only root can become another user, and choose the next pid.
. "$(dirname "$0")/../support/lib.sh"
[ "$(id -u)" = 0 ] || skip "it takes root to become another user"
[ -w /proc/sys/kernel/ns_last_pid ] || skip "the next pid cannot be chosen here"
need python3

chmod 755 "$WORK" "$RUNTIME"
mkdir "$WORK/bin"
cp "$PROGRAMS/static_limits" "$WORK/bin/"
"$DAEMON" --system --runtime-dir "$RUNTIME" --config /dev/null </dev/null >>"$WORK/collector.log" 2>&1 &
COLLECTOR_PID=$!
wait_for "the collector" ctl status

cat >"$WORK/stranger.py" <<'PYTHON'
import os, socket, subprocess, sys, time
ingest, program, hello_file = sys.argv[1:4]
hello = open(hello_file, "rb").read()


def last_pid(pid):
    with open("/proc/sys/kernel/ns_last_pid", "w") as file:
        file.write(str(pid))


# The stranger connects, leaves the connection to us, and ends.
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
stranger = os.fork()
if stranger == 0:
    os.setgid(61004)
    os.setuid(61004)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    connection.connect(ingest)
    socket.send_fds(theirs, [b"x"], [connection.fileno()])
    os._exit(0)
_, fds, _, _ = socket.recv_fds(ours, 1, 1)
os.waitpid(stranger, 0)
connection = socket.socket(fileno=fds[0])

# Its pid goes to a process of another user, which attaches.
for _ in range(200):
    last_pid(stranger - 1)
    victim = subprocess.Popen([program, "1", "1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env=dict(os.environ, SPANALLOC_SOCKET=ingest, SPANALLOC_ATTACH_MS="60000"),
                              user=61005, group=61005, extra_groups=[])
    if victim.pid == stranger:
        break
    victim.stdin.close()
    victim.wait()
else:
    sys.exit(77)
if not victim.stdout.readline().startswith(b"attached"):
    sys.exit("the victim did not attach")
connection.send(hello)
connection.settimeout(20)
try:
    answer = connection.recv(4096)
except OSError:
    answer = b""
print(victim.pid, flush=True)
sys.stdin.readline()
victim.stdin.close()
PYTHON
# A hello as the library writes it: the first bytes that a program sends to a listener of ours.
python3 - "$WORK/hello.sock" "$WORK/hello" "$WORK/bin/static_limits" <<'PYTHON'
import os, socket, subprocess, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind(sys.argv[1])
listener.listen()
listener.settimeout(60)
program = subprocess.Popen([sys.argv[3], "1", "1"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           env=dict(os.environ, SPANALLOC_SOCKET=sys.argv[1]))
connection, _ = listener.accept()
open(sys.argv[2], "wb").write(connection.recv(4096))
connection.close()
listener.close()
program.wait()
PYTHON
mkfifo "$WORK/hold"
exec 7<>"$WORK/hold"
python3 "$WORK/stranger.py" "$INGEST" "$WORK/bin/static_limits" "$WORK/hello" <"$WORK/hold" >"$WORK/victim" &
script=$!
said() {
        [ -s "$WORK/victim" ] || ! kill -0 "$script" 2>/dev/null
}
wait_for -t 60 "the stranger" said
if ! [ -s "$WORK/victim" ]; then
        wait_status "$script"
        [ "$STATUS" != 77 ] || skip "the pid was not to be had"
        fail "the stranger's script ended with $STATUS"
fi
victim=$(cat "$WORK/victim")
expect "rows of the pid, and whose" "$(json "[.processes[] | select(.pid == $victim) | [.uid, .alive]]" ps | jq -c .)" "[[61005,true]]"
expect_at_least "missed" "$(json .status.missed status)" 1
echo >&7
wait_status "$script"
stop_collector
pass
