#!/bin/bash
# SPDX-License-Identifier: MIT
# What the hot calls cost in instructions, against the numbers below: no more than a tenth above them.  They hold for the
# release build with Debian 12's gcc on x86-64; where one is meant to change, it changes here.  Later compilers have numbers
# of their own where they need more.
#
# Timeout: 900
. "$(dirname "$0")/../support/lib.sh"

# In hundredths, for one iteration: a pair of calls with their arguments and the header's look before each, less an
# empty loop.
declare -A stored=(
        [alone_pair]=200   # no collector: enter and exit of no span
        [alone_scope]=1023 # a scope without a collector, and the search for one now and then
        [pair]=8900        # enter and exit: 81 in the two functions
        [scope]=11000      # the whole of a span in one block
        [nested]=10949     # one of four nested scopes
        [turns]=39650      # two scopes, the inner one under another parent than the last time
        [life]=18700       # open, enter, exit, close
)
# What counting adds to malloc(64) and free, with a collector: the difference of two counts, as libc has its own.
stored_malloc=2920

[ "$(uname -m)" = x86_64 ] || skip "the numbers are of x86-64"
[ -x "$BUILD/bench/calls" ] || skip "this build has no benchmarks"
command -v valgrind >/dev/null || skip "valgrind is not there"
grep -q '^CMAKE_BUILD_TYPE:STRING=RelWithDebInfo$' "$BUILD/CMakeCache.txt" || skip "the numbers are of the release build"
grep -q '^CMAKE_C_FLAGS:STRING=$' "$BUILD/CMakeCache.txt" || skip "the numbers are of the release build"
grep -q '^CMAKE_C_COMPILER:[A-Z]*=.*gcc\|^CMAKE_C_COMPILER:[A-Z]*=.*/cc$' "$BUILD/CMakeCache.txt" ||
        skip "the numbers are gcc's"

# gcc 13 and later keep a handle's second word in two halves, in the caller, and put them together at each call; and need
# 90 instructions more for a look.
compiler=$(sed -n 's/^CMAKE_C_COMPILER:[A-Z]*=//p' "$BUILD/CMakeCache.txt")
if [ "$("$compiler" -dumpversion | cut -d . -f 1)" -ge 13 ]; then
        stored[alone_scope]=1170
        stored[scope]=12260
        stored[nested]=13175
        stored[life]=21249
fi

declare -A counted
while read -r kind count; do
        counted[$kind]=$count
        note "$kind: $count"
done < <("$SOURCE/bench/instructions.sh" "$BUILD" "$DAEMON")
[ -n "${counted[malloc_counted]:-}" ] || fail "nothing was counted"

# check NAME COUNT STORED
check() {
        [ "$2" -le $(($3 * 11 / 10)) ] || fail "$1 takes $2 hundredths of an instruction, and took $3"
}
for kind in "${!stored[@]}"; do
        check "$kind" "${counted[$kind]}" "${stored[$kind]}"
done
check "counting malloc and free" $((counted[malloc_counted] - counted[malloc_plain])) "$stored_malloc"
