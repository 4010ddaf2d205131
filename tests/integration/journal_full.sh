#!/bin/bash
# SPDX-License-Identifier: MIT
# A journal that does not read: the collector does not wait for it, but drains, answers and ends; the lines that found no
# room are counted, and the next one that does says how many they were.  What the journal gets is its own protocol.
# The journal is a socket of ours in a mount namespace, with room for ten datagrams, as a network namespace begins.
. "$(dirname "$0")/../support/lib.sh"
need jq python3 unshare
[ "$(id -u)" = 0 ] || skip "this takes root: a mount namespace"

cat >"$WORK/journal.py" <<'EOF'
# Reads nothing until a line comes on stdin; then all that there is, and writes each entry in JSON, at last {}.
import json, socket, struct, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/run/systemd/journal/socket")
print("bound", flush=True)
def entry(data):
    fields = {}
    while data:
        name, _, rest = data.partition(b"\n")
        if b"=" in name:
            name, _, value = name.partition(b"=")
        else:
            size, = struct.unpack("<Q", rest[:8])
            value, end, rest = rest[8:8 + size], rest[8 + size:9 + size], rest[9 + size:]
            assert end == b"\n", end
        fields[name.decode()] = value.decode()
        data = rest
    return fields
for _ in sys.stdin:
    while True:
        try:
            print(json.dumps(entry(s.recv(1 << 20, socket.MSG_DONTWAIT))))
        except BlockingIOError:
            break
    print("{}", flush=True)
EOF
cat >"$WORK/inside.sh" <<EOF
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal
python3 "$WORK/journal.py" <"$WORK/go" >"$WORK/entries" &
until grep -q bound "$WORK/entries"; do sleep 0.05; done
export JOURNAL_STREAM=\$(stat -L -c %d:%i "$WORK/collector.log")
exec "$DAEMON" --user --runtime-dir "$RUNTIME" --log-level=debug
EOF
mkfifo "$WORK/go"
exec 5<>"$WORK/go"
: >"$WORK/collector.log"
unshare -m -n --propagation private bash "$WORK/inside.sh" </dev/null >/dev/null 2>>"$WORK/collector.log" 5>&- &
COLLECTOR_PID=$!
wait_for "an answer" ctl status

rounds=0
is_read() {
        [ "$(grep -c '^{}' "$WORK/entries")" = "$rounds" ]
}
# read_journal: $WORK/entries has all that was sent until now.
read_journal() {
        rounds=$((rounds + 1))
        echo >&5
        wait_for "the journal's answer" is_read
}
# of MESSAGE FILTER: what the filter makes of its entries
of() {
        local id
        id=$(sed -nE "s/^ *X\($1, [A-Z]+, \"([0-9a-f]+)\"\).*/\1/p" "$SOURCE/daemon/host/log.h")
        grep '^{' "$WORK/entries" | jq -r "select(.MESSAGE_ID == \"$id\") | $2"
}
entries() {
        grep -c '^{"' "$WORK/entries"
}
read_journal
expect "who started" "$(of STARTED .SYSLOG_IDENTIFIER)" spanallocd
expect "priority" "$(of STARTED .PRIORITY)" 5
expect "what it says" "$(of STARTED .MESSAGE)" "spanallocd $(json .status.version status) serves $RUNTIME"
expect "dropped" "$(json .status.log_dropped status)" 0

note "no reader"
before=$(entries)
for _ in $(seq 12); do
        "$PROGRAMS/span_dies" exit || true
done
ended() {
        [ "$(timeout 30 "$CTL" --socket "$QUERY" --json=short ps | jq '[.processes[] | select(.alive | not)] | length')" = 12 ]
}
wait_for "twelve that ended" ended
# Ten are said to attach, ten to end; an eleventh of a kind is too many of one user.
dropped=$(json .status.log_dropped status)
expect_at_least "dropped" "$dropped" 5
expect_match "what status says" "$(ctl status)" "Log: $dropped lines"
read_journal
expect "entries and dropped" $(($(entries) - before + dropped)) 20
expect "lines about a gap" "$(of MISSING .MESSAGE)" ""

note "the next one says what is missing"
kill -HUP "$COLLECTOR_PID"
reloaded() {
        read_journal
        [ -n "$(of RELOADED .MESSAGE)" ]
}
wait_for "the line" reloaded
expect "missing" "$(of MISSING .SPANALLOC_COUNT)" "$dropped"
expect "where it stands" "$(grep '^{"' "$WORK/entries" | tail -n 2 | jq -r .MESSAGE | head -n 1)" \
        "the log was full: $dropped lines are missing here"
"$PROGRAMS/span_dies" kill || true
killed() {
        read_journal
        [ -n "$(of KILLED .MESSAGE)" ]
}
wait_for "the line about who was killed" killed
expect "fields" "$(of KILLED '"\(.OBJECT_PID == .PEER_PID) \(.SPANALLOC_COMM)"')" "true span_dies"
expect "lines about a gap" "$(of MISSING .MESSAGE | wc -l)" 1
expect "what went to stderr" "$(cat "$WORK/collector.log")" ""

note "no reader at the end"
for _ in $(seq 12); do
        kill -HUP "$COLLECTOR_PID"
        json .status.pid status >/dev/null
done
stop_collector
exec 5>&-
pass
