#!/bin/bash
# SPDX-License-Identifier: MIT
# A machine of its own, emulated: Debian's kernel, systemd as pid 1, cgroup v2 with the memory
# controller.  It is booted twice; what it checks is in vm_guest.sh, which the second time finds what the first left.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

LIBRARIES=liburing2,libncursesw6,libsmartcols1,libjson-c5,libinih1,libsystemd0,libsqlite3-0,zlib1g
case $HOST_SUITE in
bookworm) LIBRARIES+=,libmsgpackc2 ;;
*) LIBRARIES+=,libmsgpack-c2 ;;
esac

make_image() {
        local root=$WORK/root
        cp -a "$CACHED" "$root"
        mkdir -p "$root/opt/debs" "$root/opt/tests"
        cp "$WORK"/build/*.deb "$root/opt/debs"
        cp "$WORK"/programs/* "$SOURCE/tests/long/vm_guest.sh" "$root/opt/tests"
        tr -d - </proc/sys/kernel/random/uuid >"$root/etc/machine-id"
        echo guest >"$root/etc/hostname"
        cat >"$root/etc/systemd/system/guest.service" <<'END'
[Unit]
After=basic.target dbus.service
[Service]
ExecStart=/bin/bash /opt/tests/vm_guest.sh
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
ExecStopPost=/bin/systemctl --no-block poweroff
[Install]
WantedBy=multi-user.target
END
        ln -s ../guest.service "$root/etc/systemd/system/multi-user.target.wants/guest.service"
        # There is no login.
        ln -sf /dev/null "$root/etc/systemd/system/serial-getty@ttyS0.service"
        cp "$root"/boot/vmlinuz-* "$WORK/kernel" && cp "$root"/boot/initrd.img-* "$WORK/initrd" &&
                mke2fs -q -t ext4 -d "$root" "$WORK/image" 3G && rm -rf --one-file-system "$root"
}

# boot NUMBER: until the machine has switched itself off.
# no_timer_check: the kernel's test of its timer counts ticks, which a busy host does not give it in time.
boot() {
        local line
        timeout 2700 qemu-system-x86_64 -machine q35,accel=tcg -cpu max -smp 2 -m 1536 -display none -no-reboot \
                -serial "file:$WORK/serial.$1" -drive "file=$WORK/image,format=raw,if=virtio,cache=unsafe" -nic none \
                -kernel "$WORK/kernel" -initrd "$WORK/initrd" \
                -append "root=/dev/vda rw console=ttyS0 psi=1 quiet panic=-1 no_timer_check systemd.show_status=no" </dev/null &&
                grep -q '^GUEST end' "$WORK/serial.$1" || { tail -n 40 "$WORK/serial.$1"; return 1; }
}

# results NUMBER: each line of the guest's is a test.
results() {
        local line
        while IFS= read -r line; do
                echo "$SUITE: $line"
                case $line in
                "not ok "*)
                        failed=$((failed + 1))
                        echo "FAILED: $line"
                        ;;
                "ok "*) passed=$((passed + 1)) ;;
                esac
        done < <(tr -d '\r' <"$WORK/serial.$1" | sed -n 's/^GUEST \(ok\|not ok\|note\) /\1 /p')
}

mkdir -p "$WORK/build"
debian_source "$WORK/build"
mv "$WORK/build/src" "$WORK/build/spanalloc"
must "packages" packages "$WORK/build/spanalloc" 99
must "programs" programs "$WORK/build" "$WORK/programs" span_dies span_crowd
must "debootstrap $HOST_SUITE with a kernel" debian_cached "vm-$HOST_SUITE" --variant=minbase \
        --include="systemd,systemd-sysv,dbus,libpam-systemd,udev,jq,zstd,initramfs-tools,linux-image-cloud-amd64,$LIBRARIES" \
        "$HOST_SUITE"
must "its image" make_image
for number in 1 2; do
        check "boot $number" boot "$number"
        results "$number"
done
finish
