#!/bin/bash
# SPDX-License-Identifier: MIT
# The interface of libspanalloc as programs were linked with it, against tests/abi/, which is its description by abidw.
# Programs that were built with an older header must go on working, so a difference is a mistake, unless it only adds;
# then the description is renewed, and debian/libspanalloc0.symbols gets its line:
#
#     SPANALLOC_BUILD=build/release tests/integration/abi.sh renew
#
# What can't be kept needs another SOVERSION (client/CMakeLists.txt) and another package name, and then a renewal.
# Optional: another architecture lays out types differently, and has no description until one is made there.
. "$(dirname "$0")/../support/lib.sh"
need abidw abidiff

BASELINE=$SOURCE/tests/abi/libspanalloc.$(uname -m).abi

if [ "${1:-}" = renew ]; then
        abidw --exported-interfaces-only --no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed \
                --out-file "$BASELINE" "$LIBSPANALLOC"
        pass "$BASELINE is renewed"
fi
[ -e "$BASELINE" ] || skip "there is no $BASELINE; see how it is renewed in this file"

# differs BASELINE [OPTION…]: whether the library is something else; what, goes to $WORK/difference.
differs() {
        local baseline=$1 status=0
        shift
        abidiff --exported-interfaces-only --harmless "$@" "$baseline" "$LIBSPANALLOC" \
                >"$WORK/difference" 2>&1 || status=$?
        # 1 and 2: abidiff itself failed, or was called wrongly.
        [ $((status & 3)) = 0 ] || fail "abidiff: $(cat "$WORK/difference")"
        [ "$status" != 0 ]
}

# notices WHAT SED: a baseline that was another must be told from the library.
notices() {
        sed "$2" "$BASELINE" >"$WORK/other.abi"
        ! cmp -s "$BASELINE" "$WORK/other.abi" || fail "nothing in $BASELINE matches '$2'"
        differs "$WORK/other.abi" --no-added-syms || fail "$1 is not noticed"
}

notices "a function that is there no more" 's/spanalloc_current/spanalloc_cursor/g'
notices "a struct that was smaller" "/class-decl name='spanalloc_stats'/s/size-in-bits='1152'/size-in-bits='1088'/"
notices "a field of another name" "s/name='truncated_names'/name='truncated'/"
notices "a field that was elsewhere" "/class-decl name='spanalloc_options'/,/<\/class-decl>/s/'160'/'128'/"
other=$(sed -n "s/.*class-decl name='spanalloc_options'.* id='\([^']*\)'.*/\1/p" "$BASELINE")
notices "another type of a parameter" "/name='parent'/s/type-id='[^']*'/type-id='$other'/"
notices "another SONAME" "s/soname='libspanalloc\.so\.0'/soname='libspanalloc.so.1'/"

if differs "$BASELINE" --no-added-syms; then
        cat "$WORK/difference"
        fail "libspanalloc is not what programs were linked with; $0 says what to do"
fi
if differs "$BASELINE"; then
        cat "$WORK/difference"
        fail "libspanalloc has more than $BASELINE describes; $0 says how to renew it"
fi
pass
