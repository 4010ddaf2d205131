#!/bin/bash
# SPDX-License-Identifier: MIT
# The public header: alone in every language mode that it promises, in weak mode with and without the library, and in a
# program that has two copies of the library.
. "$(dirname "$0")/../support/lib.sh"
need gcc g++ clang clang++

cat >"$WORK/use.c" <<'END'
#include <spanalloc/spanalloc.h>

SPANALLOC_SITE(work_site, "work");
void work(void);
#ifdef SPANALLOC_PLAIN
/* Inline, and not static. */
inline void inlined(spanalloc_span span);
inline void inlined(spanalloc_span span) {
        spanalloc_enter(span);
        spanalloc_exit(spanalloc_current());
}
#endif
struct calls {
        spanalloc_span (*open)(spanalloc_site *);
        void (*enter)(spanalloc_span);
};
extern const struct calls addresses;
const struct calls addresses = {spanalloc_open, spanalloc_enter};
void work(void) {
        struct spanalloc_stats stats;
        struct spanalloc_options options = {sizeof options, 0, 0, SPANALLOC_REFUSE};
        spanalloc_span span = SPANALLOC_SPAN_INIT, parent = SPANALLOC_NONE;
        SPANALLOC_SCOPE("outer");
        SPANALLOC_SCOPE("second in the same block");
        for (int i = 0; i < 2; i++) {
                SPANALLOC_SCOPE("inner");
                span = spanalloc_open(&work_site);
        }
        spanalloc_enter(span);
        parent = spanalloc_current();
        spanalloc_exit(span);
        spanalloc_close(span);
        span = spanalloc_open_under(&work_site, parent);
        spanalloc_close(span);
        span = spanalloc_open(spanalloc_site_intern("run time"));
        spanalloc_close(span);
        stats.size = sizeof stats;
        spanalloc_stats(&stats);
        if (spanalloc_attach(&options) == 0 && spanalloc_set_snapshot(0) == 0)
                spanalloc_detach();
}
END
cp "$WORK/use.c" "$WORK/use.cpp"
printf '#include <spanalloc/spanalloc.h>\n#include <spanalloc/spanalloc.h>\nextern int empty;\n' >"$WORK/empty.c"
cp "$WORK/empty.c" "$WORK/empty.cpp"

flags=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror "-I$SOURCE/client/include" -c -o "$WORK/out.o")
compiled=0
for mode in c11 c17 c++11 c++17 c++20; do
        case $mode in
        c++*) compilers="g++ clang++" suffix=cpp ;;
        *) compilers="gcc clang" suffix=c ;;
        esac
        for compiler in $compilers; do
                for define in SPANALLOC_PLAIN SPANALLOC_WEAK SPANALLOC_DISABLE; do
                        for optimise in -O0 -O2; do
                                for file in use empty; do
                                        "$compiler" "-std=$mode" "$optimise" "-D$define" "${flags[@]}" \
                                                "$WORK/$file.$suffix" ||
                                                fail "$compiler -std=$mode $optimise -D$define does not take it"
                                        compiled=$((compiled + 1))
                                done
                        done
                done
                # -Wpedantic and a strict mode must also do without the extensions that _GNU_SOURCE brings.
                "$compiler" "-std=$mode" -DSPANALLOC_DISABLE "${flags[@]}" "$WORK/use.$suffix"
                ! nm "$WORK/out.o" | grep -q 'U spanalloc' || fail "disabled, it still calls the library"
        done
done
note "compiled $compiled times"
expect_at_least "compilations" "$compiled" 120

lines=$(wc -l <"$SOURCE/client/include/spanalloc/spanalloc.h")
note "the header has $lines lines"
[ "$lines" -lt 180 ] || fail "the header has $lines lines: what is not the interface belongs into detail/"

note "an address is the library's function, in each file"
printf '#include <spanalloc/spanalloc.h>\nvoid *other(void);\nvoid *other(void) { return (void *)spanalloc_open; }\n' \
        >"$WORK/other.c"
cat >"$WORK/addresses.c" <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <spanalloc/spanalloc.h>
void *other(void);
int main(void) {
        spanalloc_span (*volatile open)(spanalloc_site *) = spanalloc_open;
        SPANALLOC_SITE(site, "site");
        if (open(&site).instance)
                return 1;
        return (void *)open != other() || (void *)open != dlsym(RTLD_DEFAULT, "spanalloc_open");
}
END
for compiler in "gcc -fno-pie -no-pie" "gcc -O2" "clang -O2"; do
        $compiler "-I$SOURCE/client/include" "$WORK/other.c" "$WORK/addresses.c" -o "$WORK/addresses" "$LIBSPANALLOC" \
                "-Wl,-rpath,$(dirname "$LIBSPANALLOC")"
        expect_status 0 "$WORK/addresses"
done

note "weak mode without the library"
expect "its answer" "$("$PROGRAMS/weak_host" "$PROGRAMS/libweakspan.so" 100)" "attached 0"

start_collector
mkfifo "$WORK/hold"

# held LIBRARY PROGRAM ARGUMENT…: runs it with the library preloaded until let_go; $SPAWNED is its pid.
held() {
        local library=$1
        shift
        : >"$WORK/program.out"
        LD_PRELOAD=$library "$@" <"$WORK/hold" >"$WORK/program.out" &
        SPAWNED=$!
        exec 9>"$WORK/hold"
        wait_for "the program's line" test -s "$WORK/program.out"
}
let_go() {
        exec 9>&-
        wait_status "$SPAWNED"
        expect "the program's exit status" "$STATUS" 0
}

for library in "$LIBSPANALLOC" "$PRELOAD"; do
        note "weak mode with $(basename "$library")"
        held "$library" "$PROGRAMS/weak_host" "$PROGRAMS/libweakspan.so" 100 hold
        expect "its answer" "$(cat "$WORK/program.out")" "attached 1"
        expect "cycles of a scope" "$(span_field "$SPAWNED" weak-scope cycles)" 100
        expect "cycles of an explicit span" "$(span_field "$SPAWNED" weak-explicit cycles)" 200
        expect "path of an explicit span" "$(span_field "$SPAWNED" weak-explicit path)" weak-scope/weak-explicit
        if [ "$library" = "$PRELOAD" ]; then
                expect "its allocations" "$(span_field "$SPAWNED" weak-explicit alloc_count)" 100
        fi
        let_go
done

note "a static copy beside a preloaded one"
held "$PRELOAD" "$PROGRAMS/static_host" "$PROGRAMS/libweakspan.so" 50
expect "rows of the process" "$(json "[.processes[] | select(.pid == $SPAWNED)] | length" ps)" 1
expect "spans through the static copy" "$(span_field "$SPAWNED" static-scope closed)" 50
expect "spans through the preloaded copy" "$(span_field "$SPAWNED" weak-scope closed)" 50
expect "the path through both" "$(span_field "$SPAWNED" weak-explicit path)" static-scope/weak-scope/weak-explicit
expect "allocations, children included" "$(span_field "$SPAWNED" static-scope alloc_count)" 100
expect_balanced "$SPAWNED"
let_go

note "a static copy alone"
held "" "$PROGRAMS/static_host" "$PROGRAMS/libweakspan.so" 50
expect "spans through the static copy" "$(span_field "$SPAWNED" static-scope closed)" 50
let_go
stop_collector
pass
