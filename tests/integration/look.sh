#!/bin/bash
# SPDX-License-Identifier: MIT
# The check before a call, in the header: it skips no call that a collector could record, however a program is compiled
# and linked; and without a collector almost no call reaches the library.
# Timeout: 900
. "$(dirname "$0")/../support/lib.sh"
need gcc g++ clang clang++ musl-gcc jq

LIBDIR=$(dirname "$LIBSPANALLOC")
flags=("-I$SOURCE/client/include" -pthread -w)
shared=("$LIBSPANALLOC" "-Wl,-rpath,$LIBDIR")
program=$SOURCE/tests/integration/programs/span_look.c
mkfifo "$WORK/line"

# told WHAT COMMAND…: it begins alone, and then there is a collector.
told() {
        local what=$1
        shift
        note "$what"
        : >"$WORK/out"
        # A program's input ends when 9 is closed: no other process may have it.
        "$@" <"$WORK/line" >"$WORK/out" 9<&- &
        SPAWNED=$!
        exec 9>"$WORK/line"
        wait_for -t 60 "$what: alone" grep -qx alone "$WORK/out"
        start_collector 9>&-
        echo >&9
        wait_for -t 60 "$what: done, or its end" has_ended
        grep -qx done "$WORK/out" || fail "$what: a span went by"
        expect "$what: spans of the first thread" "$(closed own)" 2
        expect "$what: spans of the other" "$(closed other)" 2
        expect "$what: spans of its child" "$(closed child)" 1
        expect "$what: scopes" "$(closed scoped)" 5
        exec 9>&-
        wait_status "$SPAWNED"
        expect "$what: status" "$STATUS" 0
        stop_collector
}
has_ended() {
        grep -qx done "$WORK/out" || ! kill -0 "$SPAWNED"
}
closed() {
        json "[.spans[] | select(.span == \"$1\") | .closed] | add" spans
}

# What is relocated how: a copy of the word in the program, or the library's own; through the loader's table, or at once.
gcc "${flags[@]}" -O2 -fno-pie -no-pie "$program" -o "$WORK/fixed" "${shared[@]}"
gcc "${flags[@]}" -O2 -fPIE -pie "$program" -o "$WORK/pie" "${shared[@]}"
gcc "${flags[@]}" -O0 -fPIC -pie "$program" -o "$WORK/pic" "${shared[@]}"
clang "${flags[@]}" -O2 -fno-pie -no-pie "$program" -o "$WORK/clang" "${shared[@]}"
g++ "${flags[@]}" -O2 -x c++ "$program" -x none -o "$WORK/c++" "${shared[@]}"
clang++ "${flags[@]}" -O0 -x c++ "$program" -x none -o "$WORK/clang++" "${shared[@]}"
gcc "${flags[@]}" -O2 "$program" -o "$WORK/static" "$CLIENT_BUILD/client/libspanalloc.a"
gcc "${flags[@]}" -O2 -static "$program" -o "$WORK/wholly-static" "$CLIENT_BUILD/client/libspanalloc.a"
musl-gcc "${flags[@]}" -O2 -static "$program" -o "$WORK/musl" "$CLIENT_BUILD/client/libspanalloc.a"
gcc "${flags[@]}" -O2 -rdynamic "$program" -o "$WORK/exported" "$CLIENT_BUILD/client/libspanalloc.a"
gcc "${flags[@]}" -O2 -fPIC -shared -DLOOK_IS_PLUGIN "$program" -o "$WORK/plugin.so" "${shared[@]}"
readelf -rW "$WORK/fixed" | grep -q 'R_.*COPY.*spanalloc_listening_' || fail "no copy of the word is in the program"

for kind in fixed pie pic clang c++ clang++ static wholly-static exported; do
        told "$kind" "$WORK/$kind" tell
done
told "its child" "$WORK/pie" child
note "with musl, whose threads the kernel does not report, no process attaches"
expect_status 0 "$WORK/musl" loop 1000

note "two copies of the library"
for kind in fixed pie static exported; do
        told "$kind, counted" env "LD_PRELOAD=$PRELOAD" "$WORK/$kind" tell
done
told "static, beside a shared one" env "LD_PRELOAD=$LIBSPANALLOC" "$WORK/static" tell

# A plugin that is bound to the library alone does not see a program's copy of the word.
cat >"$WORK/host.c" <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#ifdef WITH_COPY
#include <spanalloc/spanalloc.h>
#endif
int main(int argc, char **argv) {
        int (*look)(int, char **);
        void *plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL | (argv[2][0] == 'd' ? RTLD_DEEPBIND : 0));
        if (!plugin) {
                fprintf(stderr, "host: %s\n", dlerror());
                return 2;
        }
#ifdef WITH_COPY
        spanalloc_exit(spanalloc_current());
#endif
        *(void **)&look = dlsym(plugin, "look_main");
        return look(argc - 2, argv + 2);
}
END
gcc "${flags[@]}" -O2 "$WORK/host.c" -o "$WORK/host" -ldl
gcc "${flags[@]}" -O2 -no-pie -DWITH_COPY "$WORK/host.c" -o "$WORK/copy-host" "${shared[@]}" -ldl
told "a plugin brings the library" "$WORK/host" "$WORK/plugin.so" plain tell
told "a plugin, and a program with a copy of the word" "$WORK/copy-host" "$WORK/plugin.so" plain tell
told "… to which the plugin is not bound" "$WORK/copy-host" "$WORK/plugin.so" deep tell

# How many calls there are, by a library that is asked in the other's place.
cat >"$WORK/count.c" <<'END'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <spanalloc/spanalloc.h>
#include <stdio.h>
#include <stdlib.h>
static long count;
spanalloc_span spanalloc_do_scope_begin_(spanalloc_site *site) {
        static spanalloc_span (*next)(spanalloc_site *);
        count++;
        if (!next)
                *(void **)&next = dlsym(RTLD_NEXT, "spanalloc_do_scope_begin_");
        return next(site);
}
void spanalloc_do_scope_end_(spanalloc_span span) {
        (void)span;
        abort(); /* nothing has begun */
}
spanalloc_span spanalloc_do_current_(void) {
        spanalloc_span none = SPANALLOC_SPAN_INIT;
        count++;
        return none;
}
__attribute__((destructor)) static void tell(void) {
        fprintf(stderr, "%ld\n", count);
}
END
gcc "${flags[@]}" -DSPANALLOC_INSIDE_ -O2 -fPIC -shared "$WORK/count.c" -o "$WORK/count.so" -ldl
calls() {
        LD_PRELOAD=$WORK/count.so "$@" 2>&1 >/dev/null
}
for kind in fixed pie clang c++; do
        # The first of them, since a thread begins without patience; and its current span.
        expect "$kind: calls for 16 scopes" "$(calls "$WORK/$kind" loop 16)" 1
        off=$(SPANALLOC=0 calls "$WORK/$kind" loop 100000)
        expect "$kind: calls for 100,000 when switched off" "$off" 1
        many=$(calls "$WORK/$kind" loop 100000)
        expect_at_least "$kind: calls for 100,000 without a collector" "$many" 1000
        expect_at_least "$kind: scopes of 100,000 that go by" $((100000 - many)) 94000
done

note "a collector that comes later"
: >"$WORK/out"
"$WORK/pie" wait <"$WORK/line" >"$WORK/out" &
exec 9>"$WORK/line"
sleep 0.3
start_collector 9>&-
wait_for -t 60 "a span of who was there first" grep -qx done "$WORK/out"
expect_at_least "its scopes" "$(closed scoped)" 1
exec 9>&-
stop_collector
pass
