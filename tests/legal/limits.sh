#!/bin/bash
# SPDX-License-Identifier: MIT
# Address space that is short: a program that works under `ulimit -v` works there with spanalloc, too.  Where the segment
# cannot be mapped, the program runs on without; it has one row at most, which is true; and it does not ask each second.
# Labels: slow
. "$(dirname "$0")/../support/lib.sh"
need jq python3

BIN=$CLIENT_BUILD/tests/legal
# The interpreter itself: what is found by PATH may be a script that executes others first.
PYTHON=$(python3 -c 'import os, sys; print(os.path.realpath(sys.executable))')
FAILED=0
wrong() {
        echo "FAILED $*"
        FAILED=$((FAILED + 1))
}

# under KIB PROGRAM ARG…: in that much address space; its output is $WORK/out, its status $STATUS
under() {
        local kib=$1
        shift
        STATUS=0
        (
                ulimit -v "$kib"
                exec "$@"
        ) >"$WORK/out" 2>"$WORK/err" </dev/null || STATUS=$?
}
work() {
        head -c 131072 /dev/zero >"$WORK/ledger"
        under "$2" env ${3:+"LD_PRELOAD=$3"} "$BIN/$1" handler between 0 10 - "$WORK/ledger"
}
# blocks KIB MIB [PRELOAD]
blocks() {
        under "$1" env ${3:+"LD_PRELOAD=$3"} "$PYTHON" -c "
import sys
block = bytearray($2 << 20)
print(len([bytes(100) for i in range(10000)]), len(block))"
}

start_collector
for kib in 40000 60000 100000 160000 200000 320000; do
        work legal_plain "$kib"
        expect "the plain program under ulimit -v $kib" "$STATUS" 0
        cp "$WORK/out" "$WORK/plain"
        work legal "$kib" "$PRELOAD"
        [ "$STATUS" = 0 ] && cmp -s "$WORK/out" "$WORK/plain" ||
                wrong "ulimit -v $kib: ended with $STATUS: $(head -c 200 "$WORK/out" "$WORK/err" | tr '\n' ' ')"
done
for mib in 10 100 150 250; do
        blocks 320000 "$mib"
        [ "$STATUS" = 0 ] || fail "$mib MiB do not fit into 320000 KiB without spanalloc either"
        blocks 320000 "$mib" "$PRELOAD"
        [ "$STATUS" = 0 ] || wrong "ulimit -v 320000 and $mib MiB: ended with $STATUS: $(tail -n 1 "$WORK/err")"
done

note "where the segment cannot be mapped"
# The program leaves itself no address space, and the collector comes after that.
stop_collector
cat >"$WORK/busy.py" <<'END'
import os, resource, sys, time
def work():
    blocks = [bytes(1000) for i in range(1000)]
for i in range(20):
    work()
with open("/proc/self/statm") as statm:
    size = int(statm.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size, size))
print("short", flush=True)
while not os.path.exists(sys.argv[1]):
    work()
    time.sleep(0.05)
END
LD_PRELOAD=$PRELOAD MALLOC_TOP_PAD_=16777216 MALLOC_TRIM_THRESHOLD_=1073741824 "$PYTHON" "$WORK/busy.py" "$WORK/enough" >"$WORK/busy.out" &
pid=$!
wait_for "the limit" grep -q short "$WORK/busy.out"
start_collector
wait_true "its row" "[.processes[] | select(.pid == $pid)] | length > 0" ps
sleep 7
rows=$(json "[.processes[] | select(.pid == $pid)] | length" ps)
[ "$rows" = 1 ] || wrong "$rows rows for one process"
json "[.processes[] | select(.pid == $pid)]" ps >"$WORK/rows"
if jq -e '[.[] | .ended] | any(. == "exec")' "$WORK/rows" >/dev/null; then
        wrong "its row says that it has executed another program: $(jq -c '[.[] | .ended] | unique' "$WORK/rows")"
fi
if jq -e '[.[] | .counting | tostring | select(test("not loaded"))] | length > 0' "$WORK/rows" >/dev/null; then
        wrong "its row says: $(jq -c '[.[] | .counting] | unique' "$WORK/rows")"
fi
asked=$(grep -c "process $pid .*attached" "$WORK/collector.log" || true)
[ "$asked" -le 4 ] || wrong "it was given a segment $asked times in 7 s"
jq -e '.[0] | .alive and (.counting | test("could not map its segment: Cannot allocate memory"))' "$WORK/rows" >/dev/null ||
        wrong "its row says: $(jq -c '[.[] | [.alive, .counting]]' "$WORK/rows")"
# It counts, or a user reads that and why it does not.
jq -e 'length > 0' "$WORK/rows" >/dev/null || ctl doctor | grep -qw "$pid" || wrong "neither ps nor doctor knows of it"
: >"$WORK/enough"
wait_status "$pid"
expect "its end" "$STATUS" 0
stop_collector
rm -f "$WORK/collector.log"
[ "$FAILED" = 0 ] || fail "$FAILED findings"
pass
