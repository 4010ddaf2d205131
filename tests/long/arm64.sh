#!/bin/bash
# SPDX-License-Identifier: MIT
# arm64: cross-built with Debian's toolchain, then unit tests, steps and some scripts in an emulated machine whose root is
# all in its initramfs (qemu-user has no robust lists, and so no lanes).  The host's memory model is the stronger one: what
# an arm64 would reorder is not found here, that is the models' part.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

DEVELOPMENT=(libc6-dev libmsgpack-dev liburing-dev libsystemd-dev libncurses-dev libsmartcols-dev libjson-c-dev libinih-dev
        zlib1g-dev libsqlite3-dev libcmocka-dev libseccomp-dev)
MSGPACK=libmsgpack-c2
[ "$HOST_SUITE" != bookworm ] || MSGPACK=libmsgpackc2
BUILD=/src/build/arm64

toolchain() {
        debian_run "$ROOT" bash -euc '
                export DEBIAN_FRONTEND=noninteractive
                dpkg --add-architecture arm64
                apt-get -q update
                apt-get -q -y install --no-install-recommends gcc-aarch64-linux-gnu g++-aarch64-linux-gnu gcc cmake ninja-build \
                        pkgconf "${@/%/:arm64}"
                cd /root
                kernel=$(apt-cache depends linux-image-cloud-arm64:arm64 | sed -n "s/.*Depends: \(linux-image-[^ ]*\).*/\1/p" | head -n 1)
                apt-get -q download "${kernel%:arm64}:arm64"' - "${DEVELOPMENT[@]}"
}

cross_build() {
        debian_run "$ROOT" env PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig bash -euc '
                cd /src
                cmake -G Ninja -B "$1" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_SYSTEM_NAME=Linux \
                        -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc \
                        -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ -DSPANALLOC_WERROR=ON -DSPANALLOC_BENCH=OFF
                cmake --build "$1"
                find "$1" -type f \( -perm -u+x -o -name "*.so*" \) ! -name "*.sh" -exec aarch64-linux-gnu-strip --strip-debug {} + 2>/dev/null || true' \
                - "$BUILD"
}

# foreign: what debootstrap would put into a root of this list for arm64, unpacked and not set up: no program of it runs here.
foreign() {
        local deb packages
        packages="jq,python3,procps,liburing2,$MSGPACK,libncursesw6,libsmartcols1,libjson-c5,libinih1,libsystemd0,libsqlite3-0,zlib1g,libcmocka0"
        FOREIGN=$CACHE/foreign-$HOST_SUITE-$(cksum <<<"$packages" | cut -d ' ' -f 1)
        [ ! -d "$FOREIGN" ] || return 0
        rm -rf --one-file-system "$FOREIGN.new"
        debootstrap --foreign --arch=arm64 --variant=minbase \
                --include="$packages" \
                "$HOST_SUITE" "$FOREIGN.new" "$MIRROR" || return
        for deb in "$FOREIGN.new"/var/cache/apt/archives/*.deb; do
                dpkg-deb -x "$deb" "$FOREIGN.new" || return
        done
        rm -rf "$FOREIGN.new"/var/cache/apt/archives "$FOREIGN.new"/var/lib/apt "$FOREIGN.new"/usr/share/{doc,man,locale} \
                "$FOREIGN.new/debootstrap"
        mv "$FOREIGN.new" "$FOREIGN"
}

make_initramfs() {
        local root=$WORK/guest
        cp -a "$FOREIGN" "$root" || return
        mkdir -p "$root/src" "$WORK/deb"
        tar -C "$ROOT/src" --exclude=./build --exclude=./.git -c . | tar -C "$root/src" -x
        (cd "$ROOT" && find ".$BUILD" \( -name CMakeFiles -o -name '*_mutant_*' \) -prune -o -type f \( -perm -u+x -o -name '*.so*' \) -print0 -o -type l -print0 |
                tar -c --null -T -) | tar -x -C "$root"
        cp "$ROOT$BUILD/CMakeCache.txt" "$root$BUILD"
        cp "$SOURCE/tests/long/arm64_guest.sh" "$root/init"
        chmod +x "$root/init"
        dpkg-deb -x "$(find "$ROOT" -maxdepth 2 -name 'linux-image-*.deb' -print -quit)" "$WORK/deb" && cp "$WORK"/deb/boot/vmlinuz-* "$WORK/kernel" &&
                (cd "$root" && find . -print0 | cpio -0 -o -H newc --quiet) >"$WORK/initramfs" && rm -rf "$root"
}
run_guest() {
        timeout 5400 qemu-system-aarch64 -machine virt -cpu max,pauth-impdef=on -smp 2 -m 3072 -display none -no-reboot \
                -nic none -serial "file:$WORK/serial" -kernel "$WORK/kernel" -initrd "$WORK/initramfs" \
                -append "console=ttyAMA0 quiet panic=-1 rdinit=/init" </dev/null &&
                grep -q '^GUEST end' "$WORK/serial" || { tail -n 40 "$WORK/serial"; return 1; }
}

must "a root to build in" debian_root "$HOST_SUITE"
must "Debian's toolchain for arm64, and its libraries" toolchain
must "the tree" debian_source "$ROOT"
check "cross-build, without a warning" cross_build
must "a root for the machine" foreign
must "its initramfs" make_initramfs
check "the machine" run_guest
# What a test printed stands before its line.
said=()
while IFS= read -r line; do
        case $line in
        "GUEST "*) line=${line#GUEST } ;;
        *)
                said+=("$line")
                continue
                ;;
        esac
        echo "$SUITE: $line"
        case $line in
        "ok "*) passed=$((passed + 1)) ;;
        "skipped "*) skipped=$((skipped + 1)) ;;
        "not ok "*)
                failed=$((failed + 1))
                printf '    %s\n' "${said[@]:${#said[@]} > 15 ? ${#said[@]} - 15 : 0}"
                echo "FAILED: $line"
                ;;
        esac
        said=()
done < <(tr -d '\r' <"$WORK/serial")
finish
