#!/bin/bash
# SPDX-License-Identifier: MIT
# Who was killed for want of memory, by the events of a cgroup of version 2: programs are in cgroups of a real hierarchy, and
# what the collector reads below /sys/fs/cgroup are files of ours, in a mount namespace, since a machine that gives memory
# to version 1 has none of them.  oom.sh runs out of memory really, where it can.
. "$(dirname "$0")/../support/lib.sh"
need jq unshare
[ "$(id -u)" = 0 ] || skip "this takes root: a mount namespace, and cgroups"

hierarchy=$(findmnt -n -t cgroup2 -o TARGET | head -n 1) || true
if [ -z "$hierarchy" ]; then
        hierarchy=$WORK/cgroup2
        mkdir "$hierarchy"
        mount -t cgroup2 cgroup2 "$hierarchy" 2>"$WORK/err" || skip "no cgroup2 can be mounted: $(cat "$WORK/err")"
fi
group=spanalloc-events-$$
events_cleanup() {
        local status=$? pid
        for pid in $(jobs -p); do
                kill -KILL "$pid" 2>/dev/null || true
        done
        # A cgroup can go when the last one in it has been waited for.
        wait || true
        ! [ -d "$hierarchy/$group" ] || rmdir "$hierarchy/$group"
        ! mountpoint -q "$WORK/cgroup2" || umount "$WORK/cgroup2"
        (exit "$status")
        lib_cleanup
}
trap events_cleanup EXIT
mkdir "$hierarchy/$group" 2>"$WORK/err" || skip "no cgroup can be made here: $(cat "$WORK/err")"

files=$WORK/files/$group
mkdir -p "$files"
# killed N: so many, says the kernel.
killed() {
        printf 'low 0\nhigh 0\nmax 7\noom %d\noom_kill %d\noom_group_kill 0\n' "$1" "$1" >"$files/memory.events.new"
        mv "$files/memory.events.new" "$files/memory.events"
}
killed 4
echo 12345678 >"$files/memory.current"
echo 87654321 >"$files/memory.max"

# shellcheck disable=SC2016
unshare -m --propagation private bash -c 'mount --bind "$1" /sys/fs/cgroup && exec "$2" --user --runtime-dir "$3"' - \
        "$WORK/files" "$DAEMON" "$RUNTIME" </dev/null >>"$WORK/collector.log" 2>&1 &
COLLECTOR_PID=$!
wait_for "an answer" ctl status

# start: one more program in the cgroup; $pid.
start() {
        # shellcheck disable=SC2016
        spawn bash -c 'echo $$ >"$1/cgroup.procs" && LD_PRELOAD=$2 exec sleep 1000' - "$hierarchy/$group" "$PRELOAD"
        pid=$SPAWNED
        wait_for "it to attach" is_alive "$pid"
}
is_alive() {
        [ "$(ps_field "$1" alive)" = true ]
}
is_told() {
        grep -Exq "$2" <<<"$(ps_field "$1" ended)"
}
# die PID WANTED: how it ended, in words, when it is killed.
die() {
        kill -KILL "$1"
        wait "$1" 2>/dev/null || true
        wait_for "how it ended: $2" is_told "$1" "$2"
}
# Before Linux 6.15 the kernel does not report how.
plain='killed by SIGKILL|exited'
oom='killed by SIGKILL: out of memory'

start
expect "memory of its unit, and the limit" \
        "$(ps_field "$pid" unit_memory_bytes) $(ps_field "$pid" unit_memory_limit_bytes)" "12345678 87654321"
note "a signal kills it"
die "$pid" "$plain"

note "the kernel does, for want of memory"
start
killed 5
die "$pid" "$oom"
wait_for "the line about it" grep -q "process $pid .*cause out of memory" "$WORK/collector.log"

note "a signal kills the next one"
start
die "$pid" "$plain"

note "one kill, two who die: one of them is taken for it"
start
one=$pid
start
two=$pid
killed 6
die "$one" "$oom"
die "$two" "$plain"

note "no limit, and no events"
echo max >"$files/memory.max"
rm "$files/memory.events"
start
expect "the limit" "$(ps_field "$pid" unit_memory_limit_bytes)" 0
die "$pid" "$plain"
stop_collector
pass
