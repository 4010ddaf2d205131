#!/bin/bash
# SPDX-License-Identifier: MIT
# Debian's own services, let count by `spanallocctl enable`, under load, in a booted system, and its Chromium under `run`; and an upgrade of the collector
# under programs that have the library of an older version, built from its commit.  What is checked is in
# services_booted.sh and upgrade_booted.sh.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

OLD=d489281 # an earlier 0.1.0
SERVICES=(redis-server redis-tools nginx-light postgresql postgresql-contrib apache2 apache2-utils php-fpm bind9
        bind9-dnsutils openssh-server openssh-client memcached iproute2 curl chromium chromium-sandbox)
ROOT_NAME=services-$HOST_SUITE-$(printf '%s\n' "${SERVICES[@]}" | sha256sum | cut -c 1-8)
MSGPACK=libmsgpack-c2
[ "$HOST_SUITE" != bookworm ] || MSGPACK=libmsgpackc2

# make_root: in the cache, once: a system with all of them, none of which starts by itself.
make_root() {
        local root=$CACHE/$ROOT_NAME
        [ ! -d "$root" ] || return 0
        rm -rf --one-file-system "$root.new"
        debian_cached "services-$HOST_SUITE.base" --variant=minbase \
                --include="systemd,systemd-sysv,dbus,libpam-systemd,liburing2,$MSGPACK,libncursesw6,libsmartcols1,libjson-c5,libinih1,libsystemd0,libsqlite3-0,zlib1g" \
                "$HOST_SUITE" || return
        mv "$CACHED" "$root.new"
        printf '#!/bin/sh\nexit 101\n' >"$root.new/usr/sbin/policy-rc.d"
        chmod +x "$root.new/usr/sbin/policy-rc.d"
        echo force-unsafe-io >"$root.new/etc/dpkg/dpkg.cfg.d/unsafe-io"
        cp -L /etc/resolv.conf "$root.new/etc/resolv.conf"
        debian_run "$root.new" bash -euc '
                export DEBIAN_FRONTEND=noninteractive
                apt-get -q update
                apt-get -q -y install --no-install-recommends "$@"
                sed -i "s/^Listen 80$/Listen 8080/" /etc/apache2/ports.conf
                a2enmod -q proxy_fcgi
                a2enconf -q "php*-fpm"
                ls /lib/systemd/system/php*-fpm.service | sed "s|.*/||" >/etc/php-unit
                for unit in redis-server nginx postgresql apache2 named ssh memcached $(cat /etc/php-unit); do
                        systemctl disable -q "$unit"
                done
                rm -rf /usr/sbin/policy-rc.d /var/cache/apt/archives/*.deb .outside' - "${SERVICES[@]}" || return
        mv "$root.new" "$root"
}

# booted SCRIPT: each of its lines "ok …", "not ok …" and "skipped …" is a test.
booted() {
        local line ended=no
        while IFS= read -r line; do
                echo "$SUITE: $line"
                case $line in
                "ok "*) passed=$((passed + 1)) ;;
                "not ok "*)
                        failed=$((failed + 1))
                        echo "FAILED: $line"
                        ;;
                "skipped "*) skipped=$((skipped + 1)) ;;
                end) ended=yes ;;
                esac
        done < <(SPANALLOC_BUILD=$WORK/build SERVICES_ROOT=$CACHE/$ROOT_NAME DEBS=$WORK/build OLD_DEBS=$WORK/old \
                OLD_PROGRAMS=$WORK/old-programs bash "$SOURCE/tests/long/$1" 2>&1)
        [ "$ended" = yes ] || { echo "FAILED: $1 did not reach its end"; failed=$((failed + 1)); }
}

mkdir -p "$WORK/build" "$WORK/old"
debian_source "$WORK/build"
mv "$WORK/build/src" "$WORK/build/spanalloc"
must "packages" packages "$WORK/build/spanalloc" 99
must "a system with services" make_root
booted services_booted.sh

if [ "$HOST_SUITE" != bookworm ] || ! git -C "$SOURCE" cat-file -e "$OLD^{commit}" 2>/dev/null; then
        echo "$SUITE: skipped: the older version is built on Debian 12, from commit $OLD"
        skipped=$((skipped + 1))
        finish
fi
mkdir "$WORK/old/spanalloc"
git -C "$SOURCE" archive "$OLD" | tar -x -C "$WORK/old/spanalloc"
must "packages of $OLD" packages "$WORK/old/spanalloc" 1
must "programs of $OLD" programs "$WORK/old" "$WORK/old-programs" span_crowd
booted upgrade_booted.sh
finish
