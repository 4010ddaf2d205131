#!/bin/bash
# SPDX-License-Identifier: MIT
# The query socket is fed with bombs and noise: each is answered with an error or the connection is closed, the
# collector's memory grows by less than 1 MiB, and other queries are answered meanwhile.  And a command that may not
# ask, finds no collector, or asks for nonsense, prints one sentence.
. "$(dirname "$0")/../support/lib.sh"

start_collector
"$EXAMPLES/hello" >/dev/null 2>&1 || true
memory() {
        awk '/^VmRSS/ { print $2 }' "/proc/$COLLECTOR_PID/status"
}

# Once for what grows only once: buffers, tables of connections.
"$PROGRAMS/query_bombs" "$QUERY" 2 >/dev/null
for _ in 1 2 3 4 5; do ctl status >/dev/null; done
before=$(memory)
# Until three queries were answered meanwhile, however the machine shares its processors out.
asked=0
for _ in $(seq 20); do
        "$PROGRAMS/query_bombs" "$QUERY" 200 >"$WORK/bombs" &
        bombs=$!
        while ! lib_is_gone "$bombs"; do
                ctl --json=short status >/dev/null || fail "a query failed while bombs were thrown"
                lib_is_gone "$bombs" || asked=$((asked + 1))
        done
        wait_status "$bombs"
        expect "the bombs' exit status" "$STATUS" 0
        [ "$asked" -lt 3 ] || break
done
after=$(memory)
note "$(cat "$WORK/bombs"); $asked queries answered meanwhile; ${before} KiB before, ${after} KiB after"
expect_at_least "queries answered meanwhile" "$asked" 3
[ $((after - before)) -lt 1024 ] || fail "the collector grew by $((after - before)) KiB"

# one_sentence WANTED_STATUS COMMAND…
one_sentence() {
        expect_status "$@"
        expect "lines said by '${*:2}'" "$(wc -l <"$WORK/err")" 1
}
one_sentence 4 "$CTL" --socket "$QUERY" show no-such-span
one_sentence 2 "$CTL" --socket "$QUERY" --json=long status
one_sentence 2 "$CTL" --socket "$QUERY" spans --sort nonsense
one_sentence 2 "$CTL" --socket "$QUERY" no-such-verb
one_sentence 3 "$CTL" --socket "$WORK/nobody.sock" status
touch "$WORK/file"
one_sentence 3 "$CTL" --socket "$WORK/file" status
one_sentence 3 "$CTL" --socket "$INGEST" status
if [ "$(id -u)" = 0 ]; then
        chmod 755 "$WORK" "$RUNTIME"
        one_sentence 3 setpriv --reuid 65534 --regid 65534 --clear-groups "$CTL" --socket "$QUERY" status
        grep -q -i "permi\|allow" "$WORK/err" || fail "it does not say that permission is missing: $(cat "$WORK/err")"
fi
stop_collector
pass
