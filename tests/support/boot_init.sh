#!/bin/bash
# SPDX-License-Identifier: MIT
# The first process of a test's own system: makes its root directory and gives way to systemd.  See booted.sh.
# usage: boot_init.sh LOWER STAGE, as pid 1 of new namespaces
set -eu -o pipefail
[ $$ = 1 ] || { echo "boot_init.sh: not for this place" >&2; exit 1; }
lower=$1
stage=$2

mount --make-rprivate /
mount -t tmpfs -o size=1g,mode=0755 tmpfs "$stage"
mkdir "$stage/upper" "$stage/work" "$stage/root"
if ! mount -t overlay -o "lowerdir=$lower,upperdir=$stage/upper,workdir=$stage/work" overlay "$stage/root"; then
        echo "no overlayfs: the root is copied"
        cp -a "$lower/." "$stage/root"
        mount --bind "$stage/root" "$stage/root"
fi
cd "$stage/root"

mount -t proc -o nosuid,nodev,noexec proc proc
mount -t sysfs -o ro,nosuid,nodev,noexec sysfs sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
mount -t tmpfs -o nosuid,nodev,mode=0755 tmpfs run
mount -t tmpfs -o nosuid,nodev tmpfs tmp
# systemd would do it, of which the next lines keep it: how many messages wait for it.  It is of our network alone.
echo 512 >proc/sys/net/unix/max_dgram_qlen
# What is the machine's and not ours may be read.
for path in proc/sys proc/sysrq-trigger; do
        [ -e "$path" ] || continue
        mount --bind "$path" "$path"
        mount -o remount,bind,ro "$path"
done

mount -t tmpfs -o nosuid,noexec,mode=0755 tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5 devpts dev/pts
mount -t tmpfs -o nosuid,nodev tmpfs dev/shm
mknod -m 0666 dev/null c 1 3
mknod -m 0666 dev/zero c 1 5
mknod -m 0666 dev/full c 1 7
mknod -m 0666 dev/random c 1 8
mknod -m 0666 dev/urandom c 1 9
mknod -m 0666 dev/tty c 5 0
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for n in 0:stdin 1:stdout 2:stderr; do
        ln -s "/proc/self/fd/${n%%:*}" "dev/${n#*:}"
done

# Not a first boot, for which systemd would preset all units.
tr -d - </proc/sys/kernel/random/uuid >etc/machine-id
echo booted >etc/hostname
echo '127.0.0.1 localhost booted' >etc/hosts
chroot . useradd -m -u 1001 -s /bin/bash alice
chroot . useradd -m -u 1002 -s /bin/bash bob

mkdir -p mnt
pivot_root . mnt
cd /
umount -l /mnt
exec setpriv --bounding-set -sys_module,-sys_time,-sys_rawio,-mknod,-wake_alarm,-sys_pacct,-mac_admin,-mac_override \
        env -i container=other PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin \
        /usr/lib/systemd/systemd --log-target=journal --show-status=no --unit=multi-user.target
