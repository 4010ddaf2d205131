#!/bin/bash
# SPDX-License-Identifier: MIT
# Two shells of one user fork thousands of subshells, which attach and end.  Rows, memory and descriptors stay within
# their limits, with and without state files, and no turn of the loop is long.
#
# Timeout: 1800
# Optional: only root can become another user.
. "$(dirname "$0")/../support/lib.sh"
[ "$(id -u)" = 0 ] || skip "it takes root to become another user"

forks=${HELD_UP_FORKS:-1500}
ended_max=100
chmod 755 "$WORK" "$RUNTIME"
mkdir "$WORK/bin"
cp "$PRELOAD" "$WORK/bin/preload.so"

descriptors() {
        ls "/proc/$COLLECTOR_PID/fd" | wc -l
}
# fork_storm: both shells at once; the most rows and descriptors that were seen, in $ROWS and $DESCRIPTORS.
fork_storm() {
        local n i pids=()
        for i in 1 2; do
                setpriv --reuid 61003 --regid 61003 --clear-groups env SPANALLOC_SOCKET="$INGEST" LD_PRELOAD="$WORK/bin/preload.so" \
                        bash -c 'for ((i = 0; i < $1; i++)); do (:); done' storm "$forks" </dev/null &
                pids[i]=$!
        done
        ROWS=0 DESCRIPTORS=0
        while kill -0 "${pids[1]}" 2>/dev/null || kill -0 "${pids[2]}" 2>/dev/null; do
                n=$(json .status.processes_ended status)
                [ "$n" -le "$ROWS" ] || ROWS=$n
                n=$(descriptors)
                [ "$n" -le "$DESCRIPTORS" ] || DESCRIPTORS=$n
                sleep 0.2
        done
        for i in 1 2; do
                wait_status "${pids[i]}"
                expect "exit status of shell $i" "$STATUS" 0
        done
}
few_rows() {
        [ "$(json .status.processes_ended status)" -le "$ended_max" ]
}

for state in "" "--state-dir $WORK/state"; do
        note "forks${state:+ with state files}"
        # shellcheck disable=SC2086 # two words
        (ulimit -n 3000 && exec "$DAEMON" --system --runtime-dir "$RUNTIME" --config /dev/null --max-ended $ended_max $state \
                </dev/null >>"$WORK/collector.log" 2>&1) &
        COLLECTOR_PID=$!
        wait_for "the collector" ctl status
        fork_storm
        expect_at_least "processes seen" "$(json .status.processes_seen status)" "$forks"
        # A round of housekeeping is due 100 ms after the first end; what ends until it comes is above the limit.
        [ "$ROWS" -le $((ended_max * 10)) ] || fail "$ROWS ended processes were shown, $ended_max are allowed"
        [ "$DESCRIPTORS" -le 2500 ] || fail "$DESCRIPTORS descriptors were open"
        wait_for "the limit of ended rows" few_rows
        if grep -q "cannot take connections" "$WORK/collector.log"; then
                fail "descriptors were used up"
        fi
        expect_short_turns
        stop_collector
done
pass "$ROWS rows, $DESCRIPTORS descriptors at most"
