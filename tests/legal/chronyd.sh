#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian's chronyd with its seccomp filter (-F 1), preloaded: it ends as cleanly as it does without, with a collector, with
# none, and with one that ends or is followed by another while chronyd is in its filter.
# Optional: only root can run chronyd.
# Labels: slow
. "$(dirname "$0")/../support/lib.sh"
[ "$(id -u)" = 0 ] || skip "not root"
need jq
[ -x /usr/sbin/chronyd ] || need chronyd

cat >"$WORK/chrony.conf" <<END
port 0
cmdport 0
bindcmdaddress $WORK/chronyd.sock
pidfile $WORK/chronyd.pid
local
END

in_filter() {
        [ "$(awk '/^Seccomp:/ { print $2 }' "/proc/$CHRONYD/status")" = 2 ]
}
# It clears nothing of its environment and makes no other process.
start_chronyd() {
        rm -f "$WORK/chronyd.pid"
        spawn "$@" /usr/sbin/chronyd -F 1 -x -d -u root -f "$WORK/chrony.conf" >"$WORK/chrony.log" 2>&1
        CHRONYD=$SPAWNED
        wait_for "the filter" in_filter
        # It looks for a collector each second.
        sleep 1.2
}
# ends WHAT
ends() {
        kill -TERM "$CHRONYD" || true
        wait_status "$CHRONYD"
        if [ "$STATUS" != "${PLAIN:-0}" ]; then
                echo "FAILED $1: chronyd ended with $STATUS: $(tail -n 1 "$WORK/chrony.log")"
                FAILED=$((FAILED + 1))
        else
                echo "ok $1"
        fi
}

FAILED=0
start_chronyd env
ends "without spanalloc"
PLAIN=$STATUS
[ "$FAILED" = 0 ] || fail "this machine's chronyd does not end well: $(cat "$WORK/chrony.log")"

start_chronyd counted
ends "no collector"
start_chronyd counted
start_collector
sleep 1.2
ends "a collector that came later"
start_chronyd counted
ends "attached"
start_chronyd counted
stop_collector
sleep 1.2
ends "the collector stops"
start_collector
start_chronyd counted
stop_collector
start_collector
sleep 1.2
ends "the collector is restarted"
start_chronyd counted
kill_collector
start_collector
sleep 1.2
ends "the collector is replaced"
stop_collector
[ "$FAILED" = 0 ] || fail "$FAILED of 6"
pass "6 clean ends"
