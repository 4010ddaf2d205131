#!/bin/bash
# SPDX-License-Identifier: MIT
# A dlsym that allocates: what it gets before the next allocator is known holds its bytes, can be resized and freed
# later, never reaches the next allocator, and is counted on both sides.  In front of the counters, the same dlsym would
# look for what is next from its own place, and so find the counters themselves: they do not ask it.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/allocators.sh"
need jq

printf '#!/bin/sh\nexit 42\n' >"$WORK/target"
chmod +x "$WORK/target"
HELPER=$PROGRAMS/liballocating_dlsym.so
FIELDS='"\(.alloc_count) \(.alloc_bytes) \(.dealloc_count) \(.dealloc_bytes)"'

# counters PRELOAD: of a program that allocates nothing by itself but what libc does.
counters() {
        local pid
        LD_PRELOAD=$1 "$PROGRAMS/malloc_ledger" >/dev/null &
        pid=$!
        wait "$pid" || fail "the program ended with $? under $1"
        json ".processes[] | select(.pid == $pid) | $FIELDS" ps
}

start_collector
for name in glibc $ALLOCATORS; do
        library=$(allocator_library "$name")
        read -r allocs bytes frees freed <<<"$(counters "$PRELOAD:$library")"
        read -r more_allocs more_bytes more_frees more_freed <<<"$(counters "$PRELOAD:$HELPER:$library")"
        note "$name: $((more_allocs - allocs)) allocations within dlsym"
        expect_at_least "$name: allocations within dlsym" $((more_allocs - allocs)) 40
        expect "$name: all of them were freed" $((more_allocs - allocs)) $((more_frees - frees))
        expect "$name: with as many bytes" $((more_bytes - bytes)) $((more_freed - freed))
done
expect_status 0 env LD_PRELOAD="$PRELOAD:$HELPER" sh -c 'ls / | wc -l'

for name in glibc $ALLOCATORS; do
        read -r allocs _ <<<"$(counters "$PRELOAD:$(allocator_library "$name")")"
        read -r more_allocs _ <<<"$(counters "$HELPER:$PRELOAD:$(allocator_library "$name")")"
        expect "$name, a dlsym in front: allocations" "$more_allocs" "$allocs"
        expect_status 42 env LD_PRELOAD="$HELPER:$PRELOAD:$(allocator_library "$name")" \
                "$PROGRAMS/malloc_exec" execv "$WORK/target"
done
expect_balanced
pass
