# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the long suites share (scripts/test --long NAME).  A suite takes root, makes what it needs, may take two hours on two
# cores, and ends with a line "N passed, N failed, N skipped".
#
#     check NAME COMMAND…      one test; what it prints is shown
#     finish                   the last line, and the end
#     debian_root SUITE        a bare Debian in the cache; $ROOT is a fresh copy of it
#     debian_run ROOT COMMAND… runs it there as root, in namespaces of its own, with the network
#     debian_source ROOT       the tree, as it is now, in /src there
#
# $WORK is a directory for what the suite makes; it goes with it.
set -u -o pipefail

SOURCE=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
SUITE=$(basename "$0" .sh)
CACHE=${SPANALLOC_TEST_CACHE:-${XDG_CACHE_HOME:-/var/cache}/spanalloc-tests}
WORK=$(mktemp -d /var/tmp/spanalloc-long.XXXXXX)
passed=0 failed=0 skipped=0
long_tidy() {
        trap - EXIT
        local pid
        for pid in $(jobs -p); do
                kill -TERM "$pid" 2>/dev/null
        done
        wait
        rm -rf --one-file-system "$WORK"
}
trap long_tidy EXIT
trap 'exit 1' INT TERM HUP

finish() {
        echo "$passed passed, $failed failed, $skipped skipped"
        [ "$failed" = 0 ]
        exit
}

# must WHAT COMMAND…: nothing after it makes sense when it fails.
must() {
        local what=$1
        shift
        echo "$SUITE: $what"
        if ! "$@" >"$WORK/must.log" 2>&1 </dev/null; then
                tail -n 40 "$WORK/must.log"
                echo "FAILED: $what"
                failed=$((failed + 1))
                finish
        fi
}

check() {
        local name=$1 begun=$SECONDS status=0
        shift
        echo "$SUITE: $name"
        "$@" || status=$?
        case $status in
        0) passed=$((passed + 1)) ;;
        77) skipped=$((skipped + 1)) ;;
        *)
                failed=$((failed + 1))
                echo "FAILED: $name"
                ;;
        esac
        echo "$SUITE: $name: $((SECONDS - begun)) s"
}

# add_line LINE: what "N passed, N failed, N skipped" says goes to ours; without one a failure.
add_line() {
        if [[ $1 =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
                passed=$((passed + BASH_REMATCH[1]))
                failed=$((failed + BASH_REMATCH[2]))
                skipped=$((skipped + BASH_REMATCH[3]))
        else
                echo "FAILED: it ended without its line"
                failed=$((failed + 1))
        fi
}

[ "$(id -u)" = 0 ] || { echo "$SUITE: this takes root"; skipped=1; finish; }

MIRROR=$(apt-get indextargets --format '$(COMPONENT) $(REPO_URI)' 2>/dev/null | sed -n 's/^main //p' | head -n 1)

# discard ROOT: as boot_discard in tests/support/booted.sh.
discard() {
        local mount
        awk '{ print $2 }' /proc/self/mounts | grep -F "$1/" | sort -r | while read -r mount; do
                umount -l "$mount"
        done
        rm -rf --one-file-system "$1"
}

# debian_cached NAME OPTION…: debootstrap with these options, once; $CACHED is its path.
debian_cached() {
        local proxy=
        CACHED=$CACHE/$1
        shift
        mkdir -p "$CACHE"
        [ ! -d "$CACHED" ] || return 0
        eval "$(apt-config shell proxy Acquire::http::Proxy)"
        discard "$CACHED.new"
        http_proxy=${proxy:-${http_proxy:-}} debootstrap "$@" "$CACHED.new" "$MIRROR" || return
        rm -f "$CACHED.new"/var/cache/apt/archives/*.deb
        mv "$CACHED.new" "$CACHED"
}

debian_root() {
        debian_cached "bare-$1" --variant=minbase "$1" || return
        ROOT=$WORK/$1
        cp -a "$CACHED" "$ROOT"
        cp -L /etc/resolv.conf "$ROOT/etc/resolv.conf"
        # No service is started there, and what is written there is not kept.
        printf '#!/bin/sh\nexit 101\n' >"$ROOT/usr/sbin/policy-rc.d"
        chmod +x "$ROOT/usr/sbin/policy-rc.d"
        echo force-unsafe-io >"$ROOT/etc/dpkg/dpkg.cfg.d/unsafe-io"
}

debian_run() {
        local root=$1
        shift
        # shellcheck disable=SC2016
        unshare --fork --kill-child --pid --mount --uts --ipc --propagation private bash -c '
                set -e
                root=$1
                shift
                mount --bind "$root" "$root"
                cd "$root"
                mount -t proc proc proc
                mount --rbind /sys sys
                mount --rbind /dev dev
                mount -t tmpfs tmpfs run
                mkdir -p .outside
                pivot_root . .outside
                umount -l /.outside
                exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb \
                        LANG=C.UTF-8 ${CI:+CI="$CI"} "$@"' - "$root" "$@"
}

debian_source() {
        mkdir -p "$1/src"
        (cd "$SOURCE" && git ls-files -co --exclude-standard -z | while IFS= read -r -d '' file; do
                [ ! -e "$file" ] || printf '%s\0' "$file"
        done | tar -c --no-recursion --null -T - ) | tar -x -C "$1/src"
}

# host_suite: this machine's Debian, for suites whose image is of the same; $HOST_SUITE.
HOST_SUITE=$(. /etc/os-release && [ "$ID" = debian ] && echo "$VERSION_CODENAME")

# packages TREE VERSION: builds TREE's packages with that version; they lie beside TREE.
packages() (
        cd "$1" || exit
        cat - debian/changelog >debian/changelog.new <<END &&
spanalloc ($2) unstable; urgency=medium

  * For a test.

 -- spanalloc maintainers <maintainers@localhost.example>  $(date -R)

END
                mv debian/changelog.new debian/changelog && dpkg-buildpackage -b -nc -us -uc && rm -f ../*-dbgsym_*.deb
)

# programs DEBS DIRECTORY NAME…: test programs, linked with the libspanalloc of these packages.
programs() {
        local debs=$1 to=$2 name
        shift 2
        mkdir -p "$to" "$WORK/sdk"
        dpkg-deb -x "$(echo "$debs"/libspanalloc0_*.deb)" "$WORK/sdk" &&
                dpkg-deb -x "$(echo "$debs"/libspanalloc-dev_*.deb)" "$WORK/sdk" || return
        for name in "$@"; do
                cc -D_GNU_SOURCE -O2 -w -pthread -I "$WORK/sdk/usr/include" -o "$to/$name" \
                        "$SOURCE/tests/integration/programs/$name.c" "$(echo "$WORK"/sdk/usr/lib/*/libspanalloc.so.0)" || return
        done
}
