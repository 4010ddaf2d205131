#!/bin/bash
# SPDX-License-Identifier: MIT
# The counters against the ledger of a program that allocates by a script in constructors, main, threads, destructors
# of threads, atexit and destructors: equal to the byte, on each allocator, through run and through a daemon; and on
# glibc however it is set, since its sizes are read where it keeps them.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/allocators.sh"
need jq valgrind

FIELDS='"\(.alloc_count) \(.alloc_bytes) \(.dealloc_count) \(.dealloc_bytes)"'

# difference "A B C D" "a b c d": A-a B-b …
difference() {
        local -a more=($1) less=($2)
        echo "$((more[0] - less[0])) $((more[1] - less[1])) $((more[2] - less[2])) $((more[3] - less[3]))"
}

# by_run ROUNDS: the counters that `spanallocctl run` reports; the ledger goes to $WORK/ledger.
by_run() {
        LEDGER_ROUNDS=$1 "$CTL" run --json=short -o "$WORK/report" -- "$PROGRAMS/malloc_ledger" >"$WORK/ledger" ||
                fail "run ended with $?"
        jq -r ".processes[] | $FIELDS" "$WORK/report"
}

# by_daemon ROUNDS PRELOAD: the counters in ps, of a process that has ended.
by_daemon() {
        local pid
        LEDGER_ROUNDS=$1 LD_PRELOAD=$2 "$PROGRAMS/malloc_ledger" >"$WORK/ledger" &
        pid=$!
        wait "$pid" || fail "the ledger ended with $?"
        json ".processes[] | select(.pid == $pid) | $FIELDS" ps
}

# compare WHAT PRELOAD COUNTER…
compare() {
        local what=$1 plain=$2 idle busy wanted observed
        shift 2
        idle=$("$@" 0)
        busy=$("$@" 200)
        wanted=$(cut -d' ' -f1-4 "$WORK/ledger")
        note "$what: ledger $wanted, counted $busy, of these outside the script $idle"
        expect "$what: counted less what the process does anyway" "$(difference "$busy" "$idle")" "$wanted"
        observed=$(cut -d' ' -f5 "$WORK/ledger")
        expect "$what: what the calls said, without the counters" \
                "$(LEDGER_ROUNDS=200 LD_PRELOAD=$plain "$PROGRAMS/malloc_ledger" | cut -d' ' -f5)" "$observed"
}

compare "run, glibc" "" by_run

start_collector
on_glibc() { by_daemon "$1" "$PRELOAD"; }
on_other() { by_daemon "$1" "$PRELOAD:$OTHER"; }
compare "daemon, glibc" "" on_glibc
for name in $ALLOCATORS; do
        OTHER=$(allocator_library "$name")
        [ -n "$OTHER" ] || fail "Debian's $name is not installed"
        compare "daemon, $name" "$OTHER" on_other
done

# Blocks with a mapping of their own from 4 KiB on; no tcache, so that flags of neighbours change; filled blocks.
for tunable in mmap_threshold=4096 tcache_count=0 perturb=85; do
        export GLIBC_TUNABLES=glibc.malloc.$tunable
        compare "daemon, glibc with $tunable" "" on_glibc
        unset GLIBC_TUNABLES
done

# Under memcheck glibc's functions are memcheck's, and the word before a block is of no heap.  What the program asks for
# wrongly on purpose is an error from valgrind 3.21 on: as many with the counters as without, and none of memory.
memcheck() {
        LEDGER_ROUNDS=10 LD_PRELOAD=$1 SPANALLOC=0 valgrind --log-file="$WORK/memcheck" "$PROGRAMS/malloc_ledger" \
                >/dev/null || fail "under memcheck: $(tail -n 20 "$WORK/memcheck")"
        ! grep -E 'Invalid (read|write|free)|ninitialised|Mismatched' "$WORK/memcheck" || fail "errors of memory"
        sed -n 's/.*ERROR SUMMARY: \([0-9]*\) errors.*/\1/p' "$WORK/memcheck"
}
alone=$(memcheck "")
expect "errors that memcheck finds" "$(memcheck "$PRELOAD")" "$alone"
expect_balanced
pass
