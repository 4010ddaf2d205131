# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A small Debian with systemd as its pid 1, in namespaces of its own, for the scripts of tests/system/.  A script begins
#
#     #!/bin/bash
#     . "$(dirname "$0")/../support/booted.sh"
#     boot_up
#
# and has all of lib.sh besides.  It must be root.  Each script boots a system of its own, in some seconds; nothing that
# it does there stays.  To add checks, add a script, or a section to one that is there.
#
#     boot_up                  boots; skips, or fails in CI, where this machine cannot
#     inside COMMAND…          runs it in there, as root, with a clean environment; stdin, stdout and stderr are ours
#     inside_as USER COMMAND…  the same as root, alice (who is in the group spanalloc, once there is one), or bob
#     boot_install             cmake --install of the build tree, what a package would do after it, and the programs of
#                              tests/integration/programs/ in /opt/tests
#     boot_file FILE           a file in there, as a path out here: to copy from and to
#     boot_unit NAME           writes stdin to /etc/systemd/system/NAME and reloads systemd
#     ctl, json, …             those of lib.sh, but of spanallocctl in there
#
# $BOOT_ROOT: the root directory as a path out here.
#
# How: debootstrap makes a root once, in $SPANALLOC_TEST_CACHE or a cache directory of this user, from the mirror that apt
# has here.  boot_init.sh lays a tmpfs over it (overlayfs), so that it stays as it is, and gives way to systemd.  The
# system has its own pids, mounts, network without interfaces, host name, IPC and cgroups, a /dev of its own, and sees
# the kernel's settings read-only; it cannot load modules or set clocks.  It ends with the script, whatever way that
# ends: when the process that made its namespaces dies, the kernel ends its init and with that all in it.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# What is in the root: systemd, and the libraries that our programs need; msgpack's as it is called here.
BOOT_MSGPACK=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' libmsgpackc2 libmsgpack-c2 2>/dev/null |
        sed -n 's/^installed //p') || true
BOOT_PACKAGES=(systemd systemd-sysv dbus libpam-systemd liburing2 "${BOOT_MSGPACK:-libmsgpackc2}" libncursesw6 libsmartcols1 libjson-c5
        libinih1 libsystemd0 libsqlite3-0 zlib1g)
BOOT_CACHE=${SPANALLOC_TEST_CACHE:-${XDG_CACHE_HOME:-/var/cache}/spanalloc-tests}
BOOT_PID=
BOOT_INIT=
BOOT_ROOT=
BOOT_CGROUP=

boot_cannot() {
        [ "${CI:-}" != true ] || fail "cannot boot a system here: $*"
        skip "cannot boot a system here: $*"
}

# boot_discard ROOT: removes what a debootstrap that was stopped has left, but for what it had mounted in there: the
# machine's own /proc and /sys.
boot_discard() {
        local mount
        awk '{ print $2 }' /proc/self/mounts | grep -F "$1/" | sort -r | while read -r mount; do
                umount -l "$mount"
        done || true
        rm -rf --one-file-system "$1"
}

# boot_cached: makes the root if it is not there; $BOOT_CACHED is its path.
boot_cached() {
        local suite mirror key proxy
        # shellcheck disable=SC1091
        suite=$(. /etc/os-release && [ "$ID" = debian ] && echo "$VERSION_CODENAME") || boot_cannot "this is no Debian"
        key=$(printf '%s\n' "$suite" "${BOOT_PACKAGES[@]}" | sha256sum | cut -c 1-12)
        BOOT_CACHED=$BOOT_CACHE/root-$suite-$key
        mkdir -p "$BOOT_CACHE"
        exec 8>"$BOOT_CACHE/lock"
        flock -w 1200 8 || fail "another test keeps $BOOT_CACHE/lock"
        if [ ! -d "$BOOT_CACHED" ]; then
                note "debootstrap, once"
                mirror=$(apt-get indextargets --format '$(COMPONENT) $(RELEASE) $(REPO_URI)' 2>/dev/null |
                        sed -n "s/^main $suite //p" | head -n 1)
                [ -n "$mirror" ] || boot_cannot "apt has no source for $suite"
                eval "$(apt-config shell proxy Acquire::http::Proxy)"
                boot_discard "$BOOT_CACHED.new"
                http_proxy=${proxy:-${http_proxy:-}} debootstrap --variant=minbase \
                        --include="$(IFS=,; echo "${BOOT_PACKAGES[*]}")" "$suite" "$BOOT_CACHED.new" "$mirror" \
                        >"$BOOT_CACHE/debootstrap.log" 2>&1 ||
                        fail "debootstrap failed: $(tail -n 5 "$BOOT_CACHE/debootstrap.log")"
                rm -f "$BOOT_CACHED.new"/var/cache/apt/archives/*.deb
                mv "$BOOT_CACHED.new" "$BOOT_CACHED"
                # Roots of other package lists, unused for a month.
                find "$BOOT_CACHE" -mindepth 1 -maxdepth 1 -name 'root-*' -mtime +30 ! -path "$BOOT_CACHED" \
                        -exec rm -rf {} +
        fi
        touch "$BOOT_CACHED"
        exec 8>&-
}

# boot_cgroup: a cgroup of our own, so that the system's is not the root of the machine's; $BOOT_CGROUP is its path.
boot_cgroup() {
        local mount
        mount=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
        if [ -z "$mount" ]; then
                mount=$WORK/cgroup2
                mkdir "$mount"
                mount -t cgroup2 cgroup2 "$mount" 2>/dev/null || boot_cannot "cgroup2 cannot be mounted"
        fi
        BOOT_CGROUP=$mount/spanalloc-test-$$
        mkdir "$BOOT_CGROUP" 2>/dev/null || boot_cannot "$mount cannot be written"
}

boot_is_up() {
        local state
        state=$(inside systemctl is-system-running 2>/dev/null) || true
        [ "$state" = running ] || [ "$state" = degraded ]
}

boot_has_init() {
        kill -0 "$BOOT_PID" 2>/dev/null || fail "it ended: $(tail -n 5 "$WORK/boot.log")"
        BOOT_INIT=$(tr -d ' ' <"/proc/$BOOT_PID/task/$BOOT_PID/children")
        [ -n "$BOOT_INIT" ] && [ "$(readlink "/proc/$BOOT_INIT/exe")" = /usr/lib/systemd/systemd ]
}

boot_up() {
        [ "$(id -u)" = 0 ] || boot_cannot "this takes root"
        need debootstrap unshare nsenter setpriv flock findmnt jq
        unshare --fork --pid --mount --uts --ipc --cgroup --net --mount-proc true 2>/dev/null ||
                boot_cannot "namespaces are refused"
        boot_cached
        boot_cgroup
        mkdir "$WORK/stage"
        bash -c 'echo $$ >"$1/cgroup.procs" && shift && exec "$@"' - "$BOOT_CGROUP" \
                setpriv --pdeathsig KILL unshare --fork --kill-child --pid --mount --uts --ipc --cgroup --net --mount-proc \
                bash "$SOURCE/tests/support/boot_init.sh" "$BOOT_CACHED" "$WORK/stage" \
                </dev/null >"$WORK/boot.log" 2>&1 &
        BOOT_PID=$!
        wait_for -t 200 "systemd" boot_has_init
        BOOT_ROOT=/proc/$BOOT_INIT/root
        wait_for -t 200 "the system to be up" boot_is_up
        expect "failed units" "$(inside systemctl --failed --no-legend --plain | cut -d ' ' -f 1)" ""
}

boot_down() {
        [ -z "$BOOT_PID" ] || kill -KILL "$BOOT_PID" 2>/dev/null
        [ -z "$BOOT_PID" ] || wait "$BOOT_PID" 2>/dev/null
        if [ -n "$BOOT_CGROUP" ]; then
                # Empty once the kernel has ended all of it.
                for _ in $(seq 200); do
                        find "$BOOT_CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null
                        [ -d "$BOOT_CGROUP" ] || break
                        sleep 0.05
                done
                [ -d "$BOOT_CGROUP" ] && echo "$NAME: $BOOT_CGROUP is left" >&2
        fi
        [ ! -d "$WORK/cgroup2" ] || umount "$WORK/cgroup2"
}

boot_cleanup() {
        local status=$?
        trap - EXIT
        set +e
        if [ "$status" != 0 ] && [ "$status" != 77 ] && [ -n "$BOOT_ROOT" ] && [ -d "$BOOT_ROOT" ]; then
                echo "--- the journal, warnings, and spanallocd's own" >&2
                inside journalctl -q --no-pager -n 30 -p warning -o short-monotonic >&2
                inside journalctl -q --no-pager -n 40 -t spanallocd -o short-monotonic >&2
        elif [ "$status" != 0 ] && [ "$status" != 77 ] && [ -s "$WORK/boot.log" ]; then
                tail -n 20 "$WORK/boot.log" >&2
        fi
        boot_down
        (exit "$status")
        lib_cleanup
}
trap boot_cleanup EXIT

inside() {
        nsenter -a -t "$BOOT_INIT" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin HOME=/root \
                LANG=C.UTF-8 TERM=dumb SYSTEMD_BUS_TIMEOUT=300 "$@"
}

# The user's groups as they are now; $XDG_RUNTIME_DIR is there when the user's manager runs.
inside_as() {
        local user=$1
        shift
        # shellcheck disable=SC2016
        inside runuser -u "$user" -- bash -c 'cd /
                [ ! -d "/run/user/$UID" ] || export XDG_RUNTIME_DIR=/run/user/$UID
                export HOME=$(getent passwd "$UID" | cut -d : -f 6)
                exec "$@"' - "$@"
}

boot_file() {
        echo "$BOOT_ROOT$1"
}

boot_unit() {
        mkdir -p "$(dirname "$(boot_file "/etc/systemd/system/$1")")"
        cat >"$(boot_file "/etc/systemd/system/$1")"
        inside systemctl daemon-reload
}

# boot_cmake ARGUMENT…: one at a time of all scripts, since each installation writes its manifest in the build tree.
boot_cmake() {
        (
                flock -w 600 9 || exit
                DESTDIR=$BOOT_ROOT exec cmake "$@"
        ) 9<"$BUILD/CMakeCache.txt"
}

boot_install() {
        boot_cmake --install "$BUILD" >"$WORK/install.log" || fail "$(cat "$WORK/install.log")"
        mkdir -p "$(boot_file /opt/tests)"
        cp "$PROGRAMS"/* "$(boot_file /opt/tests)"
        inside ldconfig
        inside systemd-sysusers
        inside systemd-tmpfiles --create --prefix=/run/spanalloc
        inside journalctl -q --update-catalog
        inside systemctl daemon-reload
        inside usermod -a -G spanalloc alice
}

ctl() {
        inside spanallocctl "$@"
}

# boot_property UNIT NAME
boot_property() {
        inside systemctl show -p "$2" --value "$1"
}

boot_is_active() {
        [ "$(boot_property "${1:-spanallocd.service}" ActiveState)" = active ]
}

# boot_start UNIT [PROPERTY…] -- COMMAND…: as a transient service; its output goes to /run/UNIT.out, its errors after it.
# It waits for the collector as in lib.sh.
boot_start() {
        local unit=$1 options=(-p Environment=SPANALLOC_ATTACH_MS=60000)
        shift
        while [ "$1" != -- ]; do
                options+=(-p "$1")
                shift
        done
        shift
        inside systemd-run -q --unit="$unit" -p "StandardOutput=append:/run/$unit.out" "${options[@]}" "$@" ||
                fail "$unit does not start"
}

# boot_main_pid UNIT: of its first process, as it is called in there.
boot_main_pid() {
        boot_property "$1" MainPID
}

# boot_ledger UNIT PID: the sums in the books of a span_crowd that ran as UNIT are those of its own ledger.
boot_ledger() {
        local name ledger
        ledger=$(boot_file "/run/$1.out")
        ctl --json=short spans --pid "$2" >"$WORK/spans"
        for name in local inner handed; do
                expect "$name of $1" "$(jq -r ".spans[] | select(.span == \"$name\") |
                        [.span, .closed, .cycles, .alloc_count, .alloc_bytes, .dealloc_count, .dealloc_bytes, .migrated] |
                        map(tostring) | join(\" \")" "$WORK/spans")" "$(grep "^$name " "$ledger")"
        done
        expect "refused by $1" "$(grep refused "$ledger")" "refused 0"
}
