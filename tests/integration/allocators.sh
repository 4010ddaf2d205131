#!/bin/bash
# SPDX-License-Identifier: MIT
# Other allocators under the counters, preloaded behind them and linked by the program: both count the same load, the
# allocator's own statistics move with it, and ps names the allocator.  One before the counters is named, too.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/allocators.sh"
need jq cc

export MALLOC_CONF=stats_print:true MIMALLOC_SHOW_STATS=1

# What each allocator prints about itself at exit; tcmalloc prints nothing.
statistics_of() {
        case $1 in
        jemalloc) echo 'Begin jemalloc statistics' ;;
        mimalloc) echo 'heap stats:' ;;
        esac
}

# loaded HOW NAME PRELOAD PROGRAM
loaded() {
        local how=$1 name=$2 pid row said moved held allocs net
        rm -f "$WORK/stdin" "$WORK/said"
        mkfifo "$WORK/stdin"
        LD_PRELOAD=$3 "$4" 1 <"$WORK/stdin" >"$WORK/said" 2>"$WORK/stats" &
        pid=$!
        exec 8>"$WORK/stdin"
        wait_for -t 60 "the load on $name" test -s "$WORK/said"
        read -r said _ moved _ held _ allocs <"$WORK/said"
        row=$(json ".processes[] | select(.pid == $pid and .alive) |
                \"\(.alloc_count) \(.alloc_bytes - .dealloc_bytes) \(.counting)\"" ps)
        note "$name, $how: says $moved B in use more, holds $held B after $allocs allocations; ps: $row"
        exec 8>&-
        wait_status "$pid"
        expect "$name, $how: its exit status" "$STATUS" 0

        expect "the allocator in use" "$said" "$name"
        expect_at_least "$name: its own statistics" "$moved" "$held"
        expect_at_least "$name: allocations counted" "${row%% *}" "$allocs"
        row=${row#* }
        net=${row%% *}
        expect_at_least "$name: bytes counted and not freed" "$net" "$held"
        expect_at_least "$name: … and not much more (1 MiB)" $((held + 1048576)) "$net"
        [ "$name" = glibc ] || expect_match "$name: what ps calls it" "${row#* }" "$name"
        if [ -n "$(statistics_of "$name")" ]; then
                expect_match "$name: the statistics that it prints" "$(cat "$WORK/stats")" "$(statistics_of "$name")"
        fi
}

start_collector
loaded alone glibc "$PRELOAD" "$PROGRAMS/malloc_load"
for name in $ALLOCATORS; do
        library=$(allocator_library "$name")
        [ -n "$library" ] || fail "Debian's $name is not installed"
        loaded preloaded "$name" "$PRELOAD:$library" "$PROGRAMS/malloc_load"
        cc -D_GNU_SOURCE -O1 -w -o "$WORK/linked" "$SOURCE/tests/integration/programs/malloc_load.c" \
                -Wl,--no-as-needed "$library" -pthread
        loaded linked "$name" "$PRELOAD" "$WORK/linked"
done
expect_balanced

# counting_of PRELOAD: what ps says of a program under it, and what it counted.
counting_of() {
        LD_PRELOAD=$1 "$PROGRAMS/malloc_ledger" >/dev/null &
        wait_status $!
        expect "the status of a program under $1" "$STATUS" 0
        SAID=$(ps_field $! counting)
        COUNTED=$(ps_field $! alloc_count)
}
export LEDGER_ROUNDS=10
for name in $ALLOCATORS; do
        counting_of "$(allocator_library "$name"):$PRELOAD"
        note "$name before the counters: $SAID"
        expect "what ps says of $name before the counters" "$SAID" "nothing: $name stands before libspanalloc-malloc"
        expect "$name before the counters: allocations" "$COUNTED" 0
done

# Under run the counters come before what is preloaded already, wherever they stood.
for name in $ALLOCATORS; do
        library=$(allocator_library "$name")
        for preload in "$library" "${library##*/}" "$library:$PRELOAD" "$PRELOAD $library"; do
                LD_PRELOAD=$preload "$CTL" --json=short run -o "$WORK/report" -- "$PROGRAMS/malloc_ledger" >/dev/null
                expect "run over $name, as $preload" \
                        "$(jq -r '.processes[0] | "\(.counting), \(.alloc_count > 1000)"' "$WORK/report")" \
                        "libspanalloc-malloc over $name, true"
        done
done

# glibc's checking allocator, whose functions dlsym does not find: under run it is what is under the counters and
# finds what it found; before them it is not passed by.
debug=libc_malloc_debug.so.0
cat >"$WORK/over.c" <<'END'
#include <stdlib.h>
int main(void) {
        volatile unsigned char *p = malloc(10);

        /* The byte behind the block is a mark; no byte is equal to it afterwards, nor in the block. */
        p[10] ^= 0x80;
        for (int i = 0; i < 10; i++)
                p[i] = p[10];
        free((void *)p);
        return 0;
}
END
printf '#include <stdlib.h>\nint main(void) { free(reallocarray(malloc(10), 1000, 10)); return 0; }\n' >"$WORK/array.c"
cc -O0 -w -fno-builtin -o "$WORK/over" "$WORK/over.c"
cc -O0 -w -fno-builtin -o "$WORK/array" "$WORK/array.c"
export GLIBC_TUNABLES=glibc.malloc.check=3
expect_status 134 env LD_PRELOAD=$debug "$WORK/over"
expect_status 134 env LD_PRELOAD=$debug "$CTL" run -o "$WORK/report" -- "$WORK/over"
expect_status 134 env LD_PRELOAD="$debug:$PRELOAD" "$WORK/over"
for program in "ls /" "$WORK/array"; do
        expect_status 0 env LD_PRELOAD="$debug:$PRELOAD" $program
        expect_status 0 env LD_PRELOAD="$PRELOAD:$debug" $program
        LD_PRELOAD=$debug "$CTL" --json=short run -o "$WORK/report" -- $program >/dev/null
        expect "$program, checked under run: counted" \
                "$(jq '.processes[0] | .alloc_count > 0 and .alloc_bytes > .alloc_count' "$WORK/report")" true
done
LD_PRELOAD=$debug:$PRELOAD "$WORK/array" &
wait_status $!
expect_match "what ps says of it before the counters" "$(ps_field $! counting)" "^nothing: "
unset GLIBC_TUNABLES

# A preload that only watches passes on to the counters.
cat >"$WORK/watch.c" <<'END'
#include <dlfcn.h>
#include <stddef.h>
static void *(*next)(size_t);
void *malloc(size_t size) {
        if (!next)
                next = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
        return next(size);
}
END
cc -D_GNU_SOURCE -O1 -fno-builtin -shared -fPIC -o "$WORK/libwatch.so" "$WORK/watch.c"
LD_PRELOAD=$WORK/libwatch.so "$CTL" --json=short run -o "$WORK/report" -- "$PROGRAMS/malloc_ledger" >/dev/null
expect "run keeps it first, and so the sizes" \
        "$(jq '.processes[0] | .alloc_bytes > .alloc_count and .alloc_count > 1000' "$WORK/report")" true
counting_of "$WORK/libwatch.so:$PRELOAD"
expect "what ps says behind a preload that watches" "$SAID" libspanalloc-malloc
expect_at_least "what is counted behind it" "$COUNTED" 1000
pass
