#!/bin/bash
# SPDX-License-Identifier: MIT
# The installed tree, from outside: pkg-config, find_package, both kinds of library, and `spanallocctl run`, which finds
# the library to preload beside itself, wherever the tree was moved to.
. "$(dirname "$0")/../support/lib.sh"
need cc cmake pkg-config objdump jq

note "cmake --install, and a move"
cmake --install "$BUILD" --prefix "$WORK/prefix" >"$WORK/install.log" || fail "$(cat "$WORK/install.log")"
mv "$WORK/prefix" "$WORK/moved"
PREFIX=$WORK/moved
PC=$(find "$PREFIX" -name spanalloc.pc)
[ -n "$PC" ] || fail "there is no spanalloc.pc"
PKG_CONFIG_PATH=$(dirname "$PC")
LIBDIR=$(dirname "$PKG_CONFIG_PATH")
export PKG_CONFIG_PATH
for file in include/spanalloc/spanalloc.h include/spanalloc/detail/{look,weak,disable,scope}.h bin/spanallocctl \
        bin/spanallocd; do
        [ -e "$PREFIX/$file" ] || fail "$file is not installed"
done
for file in man1/spanallocctl.1 man3/spanalloc.3 man3/spanalloc_open.3 man7/spanalloc.7 man7/spanalloc-protocol.7 \
        man8/spanallocd.8; do
        [ -e "$PREFIX/share/man/$file" ] || fail "$file is not installed"
done
for file in bash-completion/completions/spanallocctl zsh/site-functions/_spanallocctl \
        fish/vendor_completions.d/spanallocctl.fish; do
        [ -e "$PREFIX/share/$file" ] || fail "$file is not installed"
done
for file in systemd/system/spanallocd.service systemd/user/spanallocd.service sysusers.d/spanalloc.conf; do
        [ -e "$PREFIX/lib/$file" ] || fail "$file is not installed"
done
for file in libspanalloc.so libspanalloc.so.0 libspanalloc.a libspanalloc-malloc.so libspanalloc-malloc.so.0; do
        [ -e "$LIBDIR/$file" ] || fail "$file is not installed"
done
expect "files that name the tree they came from" \
        "$(grep -rlF -e "$SOURCE" -e "$BUILD" -e "$WORK/prefix" "$LIBDIR/cmake" "$PC")" ""
expect_match "what the library calls itself" "$(objdump -p "$LIBDIR/libspanalloc.so")" 'SONAME +libspanalloc\.so\.0$'
"$PREFIX/bin/spanallocctl" run -o "$WORK/report" -- true || fail "run does not find its library"

expect_match "the library of the demo's workload" "$(ldd "$PREFIX/libexec/spanalloc/pkgindex")" "libspanalloc.so.0 => $PREFIX/"

mkdir "$WORK/outside"
cd "$WORK/outside"
cat >outside.c <<'END_C'
#include <spanalloc/spanalloc.h>
#include <stdlib.h>

SPANALLOC_SITE(explicit_site, "explicit");

static void *volatile block;

int main(void) {
        SPANALLOC_SCOPE("outside");
        spanalloc_span span = spanalloc_open(&explicit_site);

        spanalloc_enter(span);
        block = malloc(1000);
        free(block);
        spanalloc_exit(span);
        spanalloc_close(span);
        return 0;
}
END_C
cp outside.c outside.cpp

# shows PROGRAM [ALLOCATIONS]: its spans are in the report of the installed `run`, with what they allocated.
shows() {
        "$PREFIX/bin/spanallocctl" --json=short run -o "$WORK/report" -- "$1" || fail "$1 ended with $?"
        expect "$1: spans, cycles, allocations" \
                "$(jq -r '[.spans[] | select(.thread == "") | "\(.path) \(.cycles) \(.alloc_count)"] | sort | join(", ")' "$WORK/report")" \
                "outside 1 ${2:-1}, outside/explicit 1 ${2:-1}"
}

# links PROGRAM: shared or static.
links() {
        case $(objdump -p "$1") in
        *libspanalloc.so.0*) echo shared ;;
        *) echo static ;;
        esac
}

note "cc and pkg-config"
expect_match "the version" "$("$PREFIX/bin/spanallocctl" version)" "$(pkg-config --modversion spanalloc)"
read -ra shared < <(pkg-config --cflags --libs spanalloc)
read -ra whole < <(pkg-config --static --cflags --libs spanalloc)
expect_match "what a static program needs" "${whole[*]}" '-pthread'
cc -o pc-shared outside.c "${shared[@]}" "-Wl,-rpath,$(pkg-config --variable=libdir spanalloc)"
expect "pc-shared" "$(links pc-shared)" shared
shows ./pc-shared
cc -o pc-archive outside.c -Wl,-Bstatic "${whole[@]}" -Wl,-Bdynamic
expect "pc-archive" "$(links pc-archive)" static
shows ./pc-archive
# Nothing can be preloaded into this one, so nothing counts; its spans are there all the same.
cc -static -o pc-static outside.c "${whole[@]}"
shows ./pc-static 0

note "find_package"
cat >CMakeLists.txt <<'END_CMAKE'
cmake_minimum_required(VERSION 3.25)
project(outside LANGUAGES C)
find_package(spanalloc 0.1 REQUIRED)
add_executable(cmake-shared outside.c)
target_link_libraries(cmake-shared PRIVATE spanalloc::spanalloc)
add_executable(cmake-static outside.c)
target_link_libraries(cmake-static PRIVATE spanalloc::static)
END_CMAKE
{ cmake -G Ninja -S . -B build -DCMAKE_PREFIX_PATH="$PREFIX" && cmake --build build; } >build.log 2>&1 || fail "$(cat build.log)"
for kind in shared static; do
        expect "cmake-$kind" "$(links "build/cmake-$kind")" "$kind"
        shows "build/cmake-$kind"
done
sed 's/find_package(spanalloc 0.1/find_package(spanalloc 0.2/' CMakeLists.txt >"$WORK/CMakeLists.txt"
! cmake -S "$WORK" -B "$WORK/newer" -DCMAKE_PREFIX_PATH="$PREFIX" >build.log 2>&1 || fail "it passes for a newer version"
expect_match "why it does not" "$(cat build.log)" 'compatible with requested version "0.2"'
if command -v c++ >/dev/null; then
        note "C++"
        c++ -o cxx outside.cpp "${shared[@]}" "-Wl,-rpath,$LIBDIR"
        shows ./cxx
fi
pass
