#!/bin/bash
# SPDX-License-Identifier: MIT
# A program that is killed because the memory of its cgroup ran out: ps says so, by the cgroup's events or by the kernel's
# own message; and of the next one there, which a signal kills, it does not.
# Optional: takes root, and a cgroup that it may limit.
. "$(dirname "$0")/../support/lib.sh"

[ "$(id -u)" = 0 ] || skip "this takes root"
cgroup=
no() {
        echo "$*" >&2
        return 1
}
make_cgroup() {
        if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
                grep -qw memory /sys/fs/cgroup/cgroup.subtree_control || no "the memory controller is off" || return
                cgroup=/sys/fs/cgroup/spanalloc-oom-$$
                mkdir "$cgroup" && echo 24M >"$cgroup/memory.max" && { echo 0 >"$cgroup/memory.swap.max" || true; }
        else
                [ -r /dev/kmsg ] || no "the kernel's log may not be read" || return
                # What the log names is a pid of the first namespace, whose number is fixed.
                [ "$(readlink /proc/self/ns/pid)" = "pid:[4026531836]" ] || no "these pids are not those of its log" || return
                cgroup=/sys/fs/cgroup/memory/spanalloc-oom-$$
                mkdir "$cgroup" && echo 24M >"$cgroup/memory.limit_in_bytes"
        fi
}
make_cgroup 2>"$WORK/err" || skip "no cgroup can be limited here: $(cat "$WORK/err")"
oom_cleanup() {
        local status=$?
        set +e # the last process in there may not be gone yet
        [ ! -d "$cgroup" ] || rmdir "$cgroup"
        (exit "$status")
        lib_cleanup
}
trap oom_cleanup EXIT

# in_cgroup HOW: should the limit not hold, that of the address space does.
in_cgroup() {
        # shellcheck disable=SC2016
        spawn bash -c 'ulimit -v 1000000; echo $$ >"$1/cgroup.procs" && exec "$2" "$3"' - "$cgroup" \
                "$PROGRAMS/span_dies" "$1"
        pid=$SPAWNED
        wait "$pid" 2>/dev/null || true
        wait_for -t 60 "the line about its end" grep -q "process $pid.*open then" "$WORK/collector.log"
}

start_collector
in_cgroup oom
expect "how it ended" "$(ps_field "$pid" ended)" "killed by SIGKILL: out of memory"
expect_match "the line about it" "$(grep "process $pid.*open then" "$WORK/collector.log")" \
        'cause out of memory; open then: batch 4.9 KiB, request 1.1 KiB, request/query 1000 B, job 10 B'
in_cgroup kill
# Before Linux 6.15 the kernel does not report how.
expect_match "how the next one ended" "$(ps_field "$pid" ended)" '^(killed by SIGKILL|exited)$'
stop_collector
pass
