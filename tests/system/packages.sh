#!/bin/bash
# SPDX-License-Identifier: MIT
# The Debian packages: built from the tree as it is, judged by lintian, used to build a program; installed in a booted
# system, where they serve at once, replaced by newer ones under a program, removed and purged, with nothing left.
# Labels: slow
# Timeout: 1800
. "$(dirname "$0")/../support/booted.sh"
need dpkg-buildpackage lintian pkg-config cc

PACKAGES=(libspanalloc0 libspanalloc-dev libspanalloc-malloc spanallocd spanalloc-tools)
TREE=$WORK/tree/spanalloc
VERSION=$(dpkg-parsechangelog -l "$SOURCE/debian/changelog" -S Version)
NEWER=$VERSION+1

# build [OPTION…]: what goes wrong quietly is in the log, too.
build() {
        (cd "$TREE" && dpkg-buildpackage -us -uc "$@") >"$WORK/build.log" 2>&1 || fail "$(tail -n 40 "$WORK/build.log")"
        # Debian 13's libc6 diverts the loader, of which dpkg-shlibdeps warns in every build.
        ! grep -E '^(dpkg|dh)[a-z_-]*: warning' "$WORK/build.log" | grep -v 'diversions involved' || fail "the build warns"
}

# deb PACKAGE VERSION
deb() {
        echo "$WORK/tree/$1_$2_$(dpkg --print-architecture).deb"
}

# ----------------------------------------------------------------------------------------------------- building --
note "build $VERSION"
expect "the version" "$VERSION" "$("$CTL" version | cut -d ' ' -f 2)"
mkdir -p "$TREE"
tar -C "$SOURCE" --exclude=./.git --exclude='./build*' --exclude=./.cache -cf - . | tar -C "$TREE" -xf -
build
for package in "${PACKAGES[@]}"; do
        [ -e "$(deb "$package" "$VERSION")" ] || fail "there is no $(deb "$package" "$VERSION")"
done

note "what README installs is the packages, and no symbols for debuggers"
patterns=$(sed -n 's/^    apt install //p' "$SOURCE/README.md")
[ -n "$patterns" ] || fail "README does not say what to install"
expect "README's packages" "$(cd "$TREE" && eval "ls $patterns" | sed 's|^\.\./||; s|_.*||' | sort | xargs)" \
        "$(printf '%s\n' "${PACKAGES[@]}" | sort | xargs)"

note "lintian"
[ -z "$(find "$SOURCE/debian" -name '*lintian-overrides*')" ] || fail "there are overrides"
lintian --allow-root --fail-on error,warning "$WORK"/tree/spanalloc_"$VERSION"_*.changes >"$WORK/lintian" 2>&1 ||
        fail "lintian: $(cat "$WORK/lintian")"
! grep -E '^[EW]: ' "$WORK/lintian" || fail "lintian has something to say"

note "fields and contents"
for package in "${PACKAGES[@]}"; do
        case $package in
        lib*) wanted=same ;;
        *) wanted=foreign ;;
        esac
        expect "Multi-Arch of $package" "$(dpkg-deb -f "$(deb "$package" "$VERSION")" Multi-Arch)" "$wanted"
        dpkg-deb -x "$(deb "$package" "$VERSION")" "$WORK/unpacked"
done
# No byte of two packages of one architecture may differ from those of another, but below a directory of the latter.
expect "files of libraries that other architectures have as well" \
        "$(for package in libspanalloc0 libspanalloc-malloc; do
                dpkg-deb -c "$(deb "$package" "$VERSION")" | awk '$1 ~ /^-/ { print $6 }'
        done | grep -vE "^\./usr/(lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)|share/doc)/" || true)" ""

note "a program that is built with what libspanalloc-dev has"
export PKG_CONFIG_LIBDIR=$WORK/unpacked/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)/pkgconfig
expect "what it takes in /usr" "$(pkg-config --cflags --libs spanalloc | tr -d ' ')" -lspanalloc
read -ra flags < <(PKG_CONFIG_SYSROOT_DIR=$WORK/unpacked PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 \
        pkg-config --cflags --libs spanalloc)
cc -o "$WORK/hello" "$WORK/unpacked/usr/share/doc/libspanalloc-dev/examples/hello.c" "${flags[@]}"
mkdir -p "$WORK"/dependent/debian/libspanalloc{0,-malloc}
printf 'Source: hello\n\nPackage: hello\nArchitecture: any\n' >"$WORK/dependent/debian/control"
for package in libspanalloc0 libspanalloc-malloc; do
        dpkg-deb -e "$(deb "$package" "$VERSION")" "$WORK/dependent/debian/$package/DEBIAN"
        dpkg-deb -x "$(deb "$package" "$VERSION")" "$WORK/dependent/debian/$package"
done
(cd "$WORK/dependent" && dpkg-shlibdeps -O -Sdebian/libspanalloc0 "$WORK/hello" >"$WORK/depends" 2>"$WORK/err") ||
        fail "dpkg-shlibdeps: $(cat "$WORK/err")"
expect_match "what it depends on" "$(cat "$WORK/depends")" 'libspanalloc0 \(>= 0\.1\.0\)'

note "build $NEWER"
sed -i "1i spanalloc ($NEWER) unstable; urgency=medium\n\n  * Newer.\n\n -- $(dpkg-parsechangelog -l \
        "$SOURCE/debian/changelog" -S Maintainer)  $(date -R)\n" "$TREE/debian/changelog"
build -b -nc

# -------------------------------------------------------------------------------------------------- installing --
boot_up

# dpkg_inside OPTION…: without a word of complaint.
dpkg_inside() {
        inside env DEBIAN_FRONTEND=noninteractive dpkg "$@" >"$WORK/dpkg" 2>&1 || fail "dpkg $*: $(cat "$WORK/dpkg")"
        ! grep -iE 'warning|error|fail|cannot' "$WORK/dpkg" || fail "dpkg $* complains"
        expect "failed units after dpkg $1" "$(inside systemctl --failed --no-legend --plain)" ""
}

install_version() {
        local package files=()
        mkdir "$(boot_file /opt/debs)"
        for package in "${PACKAGES[@]}"; do
                cp "$(deb "$package" "$1")" "$(boot_file /opt/debs)"
                files+=("/opt/debs/$(basename "$(deb "$package" "$1")")")
        done
        dpkg_inside -i "${files[@]}"
        rm -r "$(boot_file /opt/debs)"
        for package in "${PACKAGES[@]}"; do
                expect "$package" "$(inside dpkg-query -W -f '${db:Status-Abbrev}${Version}' "$package")" "ii $1"
        done
}

# files: all paths, but for what is the kernel's, logs, caches, dpkg's own, and what a reboot clears.
files() {
        inside find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /var/tmp -o -path /var/log \
                -o -path /var/cache -o -path /var/lib/dpkg -o -path /opt \) -prune -o -print | sort
}

units() {
        echo "$(boot_property spanallocd-ingest.socket ActiveState)" "$(boot_property spanallocd-query.socket ActiveState)" \
                "$(boot_property spanallocd.service ActiveState)"
}

is_counted() {
        [ "$(json ".processes[] | select(.pid == $1 and .alive) | .counting" ps)" = libspanalloc-malloc ]
}

note "install $VERSION"
files >"$WORK/before"
install_version "$VERSION"
expect "ingest, query, daemon" "$(units)" "active active inactive"
expect "what is enabled" "$(inside systemctl is-enabled spanallocd-ingest.socket spanallocd-query.socket)" \
        $'enabled\nenabled'
expect "user units that are enabled" "$(inside systemctl --global is-enabled spanallocd-ingest.socket || true)" disabled

note "programs are counted, by the name of the library alone, and by run"
boot_start ticker User=bob Environment=LD_PRELOAD=libspanalloc-malloc.so.0 -- \
        perl -e 'while (1) { my @list = map { "x$$_" } 1 .. 100; select(undef, undef, undef, 0.05) }'
wait_for "the service" boot_is_active
ticker=$(boot_main_pid ticker)
wait_for "its row" is_counted "$ticker"
inside spanallocctl --json=short run -o /tmp/report -- perl -e 1 || fail "run: $?"
expect "what run counted" "$(jq -r '.processes[0] | "\(.exe) \(.counting)"' "$(boot_file /tmp/report)")" \
        "/usr/bin/perl libspanalloc-malloc"
mkdir -p "$(boot_file /opt/tests)"
cp "$WORK/hello" "$(boot_file /opt/tests)"
inside env SPANALLOC_ATTACH_MS=60000 /opt/tests/hello >"$WORK/out"
expect "the program that was built outside" "$(cat "$WORK/out")" "hello, heap"
has_hello() {
        [ "$(json '[.spans[] | select(.span == "hello" and .closed == 1)] | length' spans)" = 1 ]
}
wait_for "its span" has_hello

note "the demo"
inside spanallocctl demo >"$WORK/out" 2>&1 </dev/null || fail "the demo ended with $?: $(cat "$WORK/out")"
expect_match "what the demo shows" "$(cat "$WORK/out")" '^pkgindex\[[0-9]+\] +query '

note "upgrade to $NEWER, under a program"
daemon=$(boot_main_pid spanallocd)
counted_before=$(ps_field "$ticker" alloc_count)
before_alloc=$(ps_field "$ticker" before_alloc_count)
install_version "$NEWER"
expect "ingest, query, daemon" "$(units)" "active active active"
[ "$(boot_main_pid spanallocd)" != "$daemon" ] || fail "the old daemon still runs"
wait_for "the program in the new daemon's books" is_counted "$ticker"
expect_balanced
# What the old one knew, the new one knows.
expect_at_least "allocations of the program" "$(ps_field "$ticker" alloc_count)" "$counted_before"
expect "allocations before its books began" "$(ps_field "$ticker" before_alloc_count)" "$before_alloc"
has_hello || fail "the span of a program that ended before the upgrade is gone"
expect "the program" "$(boot_property ticker ActiveState) $(boot_main_pid ticker)" "active $ticker"

note "remove and purge"
dpkg_inside -r "${PACKAGES[@]}"
expect "what still listens" "$(inside find /run/spanalloc -name '*.sock')" ""
expect "what still runs" "$(inside sh -c 'grep -lx spanallocd /proc/[0-9]*/comm' || true)" ""
expect "the program" "$(boot_property ticker ActiveState) $(boot_main_pid ticker)" "active $ticker"
dpkg_inside -P spanallocd # the others have nothing that outlives removal
expect "packages" "$(inside dpkg-query -W -f '${Package} ' '*spanalloc*' 2>/dev/null || true)" ""
files >"$WORK/after"
# A removed user's uid could be given to another user, so Debian keeps users.  Backups of the tables of users are of that.
expect "what is left" "$(comm -13 "$WORK/before" "$WORK/after" | grep -vE '^/etc/(passwd|group|g?shadow|subuid|subgid)-$')" ""
expect "what is missing" "$(comm -23 "$WORK/before" "$WORK/after")" ""

note "install it again"
install_version "$NEWER"
wait_for "the program in the books" is_counted "$ticker"
expect "ingest, query, daemon" "$(units)" "active active active"
pass
