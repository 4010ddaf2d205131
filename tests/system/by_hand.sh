#!/bin/bash
# SPDX-License-Identifier: MIT
# Installed by cmake and no package: the commands that the install ends with are all that README's line for the service
# needs, and the target uninstall leaves nothing behind.
# Timeout: 1800
. "$(dirname "$0")/../support/booted.sh"
boot_up

files() {
        inside find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /var -o -path /mnt/build \
                -o -path /etc \) -prune -o -print | sort
}

note "install"
expect "the prefix" "$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "$BUILD/CMakeCache.txt")" /usr/local
inside mkdir -p /usr/local/lib /usr/local/share/man # as a Debian has them
files >"$WORK/before"
# Out here with DESTDIR, since cmake is not in there; what it says is what it says without.
cp "$BUILD/install_manifest.txt" "$WORK/manifest" 2>/dev/null || true
boot_cmake --install "$BUILD" >"$WORK/install.log" || fail "$(cat "$WORK/install.log")"
! grep -q 'as root' "$WORK/install.log" || fail "it gives advice for a staged tree"
cmake -DCMAKE_INSTALL_PREFIX=/usr/local -P "$BUILD/after_install.cmake" 2>"$WORK/advice"
grep '^    ' "$WORK/advice" >"$WORK/commands"
expect_at_least "commands" "$(wc -l <"$WORK/commands")" 5
inside bash -eux <"$WORK/commands" >"$WORK/out" 2>&1 || fail "$(cat "$WORK/out")"
line=$(sed -n 's/^    \(systemctl enable --now spanallocd-ingest.*\)/\1/p' "$SOURCE/README.md")
inside bash -euc "$line" || fail "README's line"

note "it serves"
# shellcheck disable=SC2016
inside env LD_PRELOAD=libspanalloc-malloc.so.0 SPANALLOC_ATTACH_MS=60000 bash -c 'for i in $(seq 100); do x=$x$i; done'
expect "the counting" "$(json '.processes[0].counting' ps)" libspanalloc-malloc
expect "explained in the journal" "$(inside journalctl --list-catalog | grep -ci spanalloc)" \
        "$(grep -c '^Subject:.*' "$SOURCE/systemd/spanalloc.catalog")"

note "uninstall"
inside systemctl disable -q --now spanallocd.service spanallocd-ingest.socket spanallocd-query.socket
boot_cmake --build "$BUILD" --target uninstall >"$WORK/uninstall.log" || fail "$(cat "$WORK/uninstall.log")"
files >"$WORK/after"
expect "what is left" "$(comm -13 "$WORK/before" "$WORK/after")" ""
expect "what is missing" "$(comm -23 "$WORK/before" "$WORK/after")" ""
[ ! -e "$WORK/manifest" ] || cp "$WORK/manifest" "$BUILD/install_manifest.txt"
pass
