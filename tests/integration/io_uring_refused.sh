#!/bin/bash
# SPDX-License-Identifier: MIT
# Where io_uring is refused, by a filter of system calls or for the whole machine, poll serves, and status says why; who
# insists on io_uring is told.
#
# The second is the sysctl kernel.io_uring_disabled, of the whole machine: it is set for a second, with CI=true or
# SPANALLOC_TEST_SYSCTL=1, where it can be.
#
# Labels: alone
. "$(dirname "$0")/../support/lib.sh"
unset SPANALLOC_TEST_BACKEND
sysctl=/proc/sys/kernel/io_uring_disabled

# refused WRAPPER…: all of it, with io_uring refused by the wrapper or by what was set before.
refused() {
        "$@" "$DAEMON" --user --runtime-dir "$RUNTIME" --config /dev/null </dev/null >>"$WORK/collector.log" 2>&1 &
        COLLECTOR_PID=$!
        wait_for "the collector" ctl status
        expect "the backend" "$(json .status.backend status)" poll
        expect_match "why not io_uring" "$(json .status.backend_why status)" '[a-z]{3}'
        expect_match "what status prints" "$(ctl status)" 'Backend: *poll \(..*\)'
        counted "$EXAMPLES/hello" >/dev/null
        wait_for "the program's end" eval '[ "$(json ".status.processes_ended" status)" -gt 0 ]'
        expect_balanced
        stop_collector
        expect_status 1 "$@" "$DAEMON" --user --runtime-dir "$RUNTIME" --config /dev/null --backend io_uring
        expect "lines about --backend io_uring" "$(grep -c -- '--backend poll' "$WORK/err")" 1
}

export SPANALLOC_SOCKET=$INGEST
refused "$BUILD/tests/no_io_uring"
how="by a filter"
if [ -w "$sysctl" ] && { [ "${CI:-}" = true ] || [ "${SPANALLOC_TEST_SYSCTL:-}" = 1 ]; }; then
        before=$(cat "$sysctl")
        if echo 2 2>/dev/null >"$sysctl"; then
                trap 'echo "$before" >"$sysctl"; lib_cleanup' EXIT
                refused env
                echo "$before" >"$sysctl"
                trap lib_cleanup EXIT
                how="$how and by the sysctl"
        fi
fi
pass "refused $how"
