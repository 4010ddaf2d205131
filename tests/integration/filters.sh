#!/bin/bash
# SPDX-License-Identifier: MIT
# Filters of system calls with which a program begins, as libseccomp makes them: what a container engine installs, and a list
# of refused calls for each single call of the library.  The program does what it does without spanalloc, and the list in
# ctl/unit/syscall_filter.c, by which `enable` judges units, is what the library calls.
# Timeout: 900
. "$(dirname "$0")/../support/lib.sh"
need jq strace

IN=$PROGRAMS/in_filter
PROFILE=$SOURCE/tests/integration/documents/engine-calls.txt
LIST=$SOURCE/ctl/unit/syscall_filter.c

mapfile -t NEEDED < <(sed -n '/^} needed/,/^};/s/{"/\n"/gp' "$LIST" | sed -n 's/^"\([a-z0-9_]*\)".*/\1/p')
[ "${#NEEDED[@]}" -gt 20 ] || fail "no list of calls in $LIST"
is_optional() {
        grep -q "{\"$1\", true}" "$LIST"
}

note "the calls in the sources"
while read -r call; do
        # The library compares with these, and does not call them.
        [[ $call =~ ^(execveat|seccomp)$ ]] || [[ " ${NEEDED[*]} " == *" $call "* ]] || fail "$LIST does not have $call"
done < <(grep -rhoE '\bSYS_[a-z0-9_]+' "$SOURCE/client" | sed 's/^SYS_//' | sort -u)

start_collector
# rows: how often the program's span was closed, of each process in the books.
rows() {
        json '[.spans[] | select(.span == "work") | .closed] | join(" ")' spans
}
# confined FILTER… -- [VARIABLE…]: the program in a filter; $STATUS, $WORK/out, $LEDGER, and in $CLOSED what the books have.
confined() {
        local filter=() before
        while [ "$1" != -- ]; do
                filter+=("$1")
                shift
        done
        shift
        before=$(rows)
        STATUS=0
        "$IN" "${filter[@]}" -- env "$@" "$PROGRAMS/span_confined" none 0 >"$WORK/out" 2>"$WORK/err" </dev/null || STATUS=$?
        LEDGER=$(sed -n 's/^work \([0-9]*\) .*/\1/p' "$WORK/out")
        [ "$STATUS" != 0 ] || wait_for "the end of the program" eval '[ "$(json "[.processes[] | select(.alive)] | length" ps)" = 0 ]'
        CLOSED=$(rows)
        CLOSED=${CLOSED#"$before"}
        CLOSED=${CLOSED# }
}
counted_exactly() {
        expect "$1: its end ($(cat "$WORK/err"))" "$STATUS" 0
        expect "$1: its books" "$CLOSED" "$LEDGER"
}

note "each call is answered with an errno"
for call in "${NEEDED[@]}"; do
        confined allow "$call=1" -- SPANALLOC_SECCOMP=allow LD_PRELOAD="$PRELOAD"
        if [ "$STATUS" != 0 ]; then
                with=$STATUS
                confined allow "$call=1" -- SPANALLOC=0
                expect "the end without spanalloc, without $call" "$STATUS" "$with"
        elif [ -n "$CLOSED" ]; then
                counted_exactly "without $call"
        elif is_optional "$call"; then
                fail "it does not attach without $call, and $LIST says that it does"
        fi
done

note "a filter that kills for all but the calls of the program and of the library"
SPANALLOC=0 strace -f -qq -o "$WORK/trace" -e signal=none env "$PROGRAMS/span_confined" none 0 >/dev/null
mapfile -t own < <(grep -oE '^[0-9]+ +[a-z0-9_]+\(' "$WORK/trace" | sed 's/.* //; s/($//' | sort -u)
rules=()
for call in "${own[@]}" "${NEEDED[@]}"; do
        rules+=("$call=allow")
done
confined kill "${rules[@]}" -- SPANALLOC_SECCOMP=allow LD_PRELOAD="$PRELOAD"
counted_exactly "in the narrow filter"
confined kill "${rules[@]}" -- -u SPANALLOC_SECCOMP LD_PRELOAD="$PRELOAD"
expect "in the narrow filter, which nothing vouches for" "$STATUS $CLOSED $(tail -n 1 "$WORK/out")" "0  work $LEDGER quiet 2"

note "a container engine's default"
engine=(1 clone3=38 "$PROFILE")
if [ "$(id -u)" = 0 ] && grep -q 'Seccomp_filters:.0$' /proc/self/status && unshare --pid --fork --mount-proc true 2>/dev/null; then
        # The filter of the namespace's first process, in which the program is a child.
        before=$(rows)
        unshare --pid --fork --mount-proc "$IN" "${engine[@]}" -- env container=docker LD_PRELOAD="$PRELOAD" bash -c '
                "$@" && "$@"; exit' - "$PROGRAMS/span_confined" none 0 >"$WORK/out" 2>"$WORK/err" || fail "$(cat "$WORK/err")"
        wait_for "their ends" eval '[ "$(json "[.processes[] | select(.alive)] | length" ps)" = 0 ]'
        after=$(rows)
        expect "two programs in a container" "$(echo ${after#"$before"})" "$(sed -n 's/^work \([0-9]*\) .*/\1/p' "$WORK/out" | tr '\n' ' ' | sed 's/ $//')"
fi
confined "${engine[@]}" -- SPANALLOC_SECCOMP=allow LD_PRELOAD="$PRELOAD"
counted_exactly "in the engine's filter"
"$IN" "${engine[@]}" -- env SPANALLOC_ON_FULL=wait SPANALLOC_SECCOMP=allow LD_PRELOAD="$PRELOAD" "$PROGRAMS/span_crowd" 4 5000 \
        >"$WORK/crowd" || fail "the crowd in the engine's filter"
expect "refused" "$(grep refused "$WORK/crowd")" "refused 0"
wait_for "its end" eval '[ "$(json "[.processes[] | select(.alive)] | length" ps)" = 0 ]'
expect "the crowd's books" "$(json '.spans[] | select(.span == "local") | "local \(.closed) \(.cycles) \(.alloc_count) \(.alloc_bytes) \(.dealloc_count) \(.dealloc_bytes) \(.migrated)"' spans)" \
        "$(grep '^local ' "$WORK/crowd")"
expect_balanced
pass "${#NEEDED[@]} calls"
