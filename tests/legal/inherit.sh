#!/bin/bash
# SPDX-License-Identifier: MIT
# Programs that begin in a seccomp filter, as under SystemCallFilter= or in a container: they do what they do without
# spanalloc, with a collector and without.  Where the filter lets them attach, they are in the books; where it does not, the
# report of `run` has a row for them that says so, or says that it is not complete.
. "$(dirname "$0")/../support/lib.sh"
need jq

BIN=$CLIENT_BUILD/tests/legal
FAILED=0
wrong() {
        echo "FAILED $*"
        FAILED=$((FAILED + 1))
}

# program KIND PROGRAM COMMAND…: $STATUS, $WORK/out
program() {
        local kind=$1 name=$2
        shift 2
        head -c 131072 /dev/zero >"$WORK/ledger"
        STATUS=0
        "$@" "$BIN/legal_shut" "$kind" "$BIN/$name" handler between 0 1 - "$WORK/ledger" >"$WORK/out" 2>"$WORK/err" \
                </dev/null || STATUS=$?
}
# same WHAT: as the plain program
same() {
        [ "$STATUS" = 0 ] && cmp -s "$WORK/out" "$WORK/plain" ||
                wrong "$1: ended with $STATUS: $(cat "$WORK/out" "$WORK/err" | tr '\n' ' ')"
}
for kind in kill errno engine; do
        program "$kind" legal_plain
        expect "the plain program in the filter $kind" "$STATUS" 0
        cp "$WORK/out" "$WORK/plain"
        program "$kind" legal env LD_PRELOAD="$PRELOAD"
        same "$kind, no collector"
done

start_collector
for kind in kill errno engine; do
        # What says that a filter cannot kill: an engine's own, which the first process of the container has, too; or a setting.
        case $kind in
        engine) known=(unshare --pid --fork --mount-proc env container=engine) ;;
        *) known=(env) ;;
        esac
        [ "$(id -u)" = 0 ] || known=(env SPANALLOC_SECCOMP=allow)
        [ "$kind" != kill ] || known=(env)
        program "$kind" legal "${known[@]}" LD_PRELOAD="$PRELOAD"
        same "$kind, a collector"
        rows=$(json '[.spans[] | select(.span == "after" and .closed == 100)] | length' spans)
        if [ "$kind" = engine ]; then
                expect "$kind: the program is in the books" "$rows" 1
        fi
        if [ "$kind" != kill ]; then
                program "$kind" legal env SPANALLOC_SECCOMP=allow LD_PRELOAD="$PRELOAD"
                same "$kind, allowed, a collector"
        fi
done
stop_collector

for kind in kill errno engine; do
        head -c 131072 /dev/zero >"$WORK/ledger"
        STATUS=0
        "$CTL" run --json=short -o "$WORK/report" -- "$BIN/legal_shut" "$kind" "$BIN/legal" handler between 0 1 - \
                "$WORK/ledger" >"$WORK/out" 2>"$WORK/err" </dev/null || STATUS=$?
        same "$kind, run"
        rows=$(jq -c '[.processes[] | select(.exe | tostring | endswith("/legal")) | {counting, alloc_count}]' \
                "$WORK/report" 2>/dev/null || echo '[]')
        note "$kind, run: $rows"
        jq -e '.complete == false' "$WORK/report" >/dev/null 2>&1 ||
                jq -e 'length > 0 and all(.counting != "libspanalloc-malloc" or .alloc_count > 0)' <<<"$rows" >/dev/null ||
                wrong "$kind, run: no row that counts or says why not, and the report says that it is complete: $rows"
done
rm -f "$WORK/collector.log"
[ "$FAILED" = 0 ] || fail "$FAILED findings"
pass
