#!/bin/bash
# SPDX-License-Identifier: MIT
# Pid 1 of the machine of arm64.sh: mounts what tests need, runs them, and switches the machine off.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/shm /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd
exec >/dev/console 2>&1 </dev/null
echo root:x:0:0::/root:/bin/bash >/etc/passwd
echo root:x:0: >/etc/group
BUILD=/src/build/arm64
cd "$BUILD" || exit

# try NAME SECONDS COMMAND…
try() {
        local name=$1 seconds=$2 status=0
        shift 2
        timeout "$seconds" "$@" >/tmp/log 2>&1 || status=$?
        case $status in
        0) echo "GUEST ok $name" ;;
        77) echo "GUEST skipped $name: $(tail -n 1 /tmp/log)" ;;
        *)
                tail -n 15 /tmp/log
                echo "GUEST not ok $name: status $status"
                ;;
        esac
}

echo
echo "GUEST note $(uname -rm)"
for test in tests/unit/test_*; do
        try "${test##*/}" 600 "$test"
done
for name in pipeline scripted deaths comeback handover daemon_kills; do
        try "$name" 900 env SPANALLOC_BUILD=$BUILD bash "/src/tests/integration/$name.sh"
done
echo "GUEST end"
sync
echo o >/proc/sysrq-trigger
sleep 60
