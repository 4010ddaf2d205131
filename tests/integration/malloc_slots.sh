#!/bin/bash
# SPDX-License-Identifier: MIT
# Calls that go past malloc's name: an allocator's own interface, and what an object loaded with RTLD_DEEPBIND binds to.
# Both are counted, to the call and to the byte, whether they are bound at start or at the first call, and in tables that
# are read-only; and a program sees no symbol that is not there without the counters.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/allocators.sh"
need jq cc

FIELDS='"\(.alloc_count) \(.alloc_bytes) \(.dealloc_count) \(.dealloc_bytes)"'

# counted ROUNDS PRELOAD COMMAND…
counted() {
        local pid rounds=$1 preload=$2
        shift 2
        ROUNDS=$rounds LD_PRELOAD=$preload "$@" >"$WORK/ledger" &
        pid=$!
        wait "$pid" || fail "$* ended with $? under $preload"
        json ".processes[] | select(.pid == $pid) | $FIELDS" ps
}

# compare WHAT PRELOAD COMMAND…: rounds of the program cost what its ledger says.
compare() {
        local what=$1 field
        local -a idle busy wanted
        shift
        read -ra idle <<<"$(counted 0 "$@")"
        read -ra busy <<<"$(counted 100 "$@")"
        read -ra wanted <"$WORK/ledger"
        note "$what: ledger ${wanted[*]}, counted ${busy[*]}, of these outside the script ${idle[*]}"
        expect_at_least "$what: allocations in the script" "${wanted[0]}" 300
        for field in 0 1 2 3; do
                expect "$what: counted less what the process does anyway, $field" \
                        $((busy[field] - idle[field])) "${wanted[field]}"
        done
}

cat >"$WORK/ledger.inc" <<'END'
#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static unsigned long ledger[4];
/* What was allocated before is in the books from the first allocation on. */
__attribute__((constructor)) static void begin(void) {
        free(malloc(1));
}
static void *got(void *block) {
        if (!block)
                _exit(3);
        memset(block, 1, malloc_usable_size(block));
        ledger[0]++;
        ledger[1] += malloc_usable_size(block);
        return block;
}
static void *lost(void *block) {
        ledger[2]++;
        ledger[3] += malloc_usable_size(block);
        return block;
}
static void say(void) {
        char text[128];
        int n = snprintf(text, sizeof text, "%lu %lu %lu %lu\n", ledger[0], ledger[1], ledger[2], ledger[3]);
        (void)!write(1, text, (size_t)n);
}
END

cat >"$WORK/jemalloc.c" <<'END'
void *mallocx(size_t, int);
void *rallocx(void *, size_t, int);
size_t xallocx(void *, size_t, size_t, int), sallocx(const void *, int), nallocx(size_t, int);
void sdallocx(void *, size_t, int), dallocx(void *, int);
static void *(*const table[])(size_t, int) = {mallocx};
int main(void) {
        for (int i = 0, n = atoi(getenv("ROUNDS")); i < n; i++) {
                char *a = got(mallocx(1000, 0)), *b = got(table[0](100000, 12 /* aligned to 4096 */)), *c;
                size_t before;
                if (sallocx(a, 0) != malloc_usable_size(a) || nallocx(1000, 0) != sallocx(a, 0) || (size_t)b % 4096)
                        return 4;
                lost(a);
                a = got(rallocx(a, 50000, 0));
                before = malloc_usable_size(b);
                if (xallocx(b, 200000, 0, 0) != before) {
                        ledger[2]++;
                        ledger[3] += before;
                        got(b);
                }
                before = malloc_usable_size(b);
                if (xallocx(b, 60000, 0, 0) != before) {
                        ledger[2]++;
                        ledger[3] += before;
                        got(b);
                }
                c = got(malloc(10));
                sdallocx(lost(a), 50000, 0);
                free(lost(b));
                dallocx(lost(c), 0);
        }
        say();
        return 0;
}
END

cat >"$WORK/tcmalloc.c" <<'END'
void *tc_malloc(size_t), *tc_calloc(size_t, size_t), *tc_realloc(void *, size_t), *tc_memalign(size_t, size_t);
void *tc_new(size_t), *tc_malloc_skip_new_handler(size_t);
int tc_posix_memalign(void **, size_t, size_t);
void tc_free(void *), tc_free_sized(void *, size_t), tc_delete(void *);
int main(void) {
        for (int i = 0, n = atoi(getenv("ROUNDS")); i < n; i++) {
                char *a = got(tc_malloc(1000)), *b = got(tc_calloc(10, 100)), *c = got(tc_memalign(64, 100)),
                     *d = got(tc_new(5)), *e = got(tc_malloc_skip_new_handler(70));
                void *f;
                lost(a);
                a = got(tc_realloc(a, 5000));
                if (tc_posix_memalign(&f, 64, 10))
                        return 4;
                got(f);
                tc_free(lost(a));
                free(lost(b));
                tc_free_sized(lost(c), 100);
                tc_delete(lost(d));
                tc_free(lost(e));
                tc_free(lost(f));
                tc_free(NULL);
        }
        say();
        return 0;
}
END

cat >"$WORK/mimalloc.c" <<'END'
void *mi_malloc(size_t), *mi_zalloc(size_t), *mi_calloc(size_t, size_t), *mi_realloc(void *, size_t);
void *mi_malloc_aligned(size_t, size_t), *mi_recalloc(void *, size_t, size_t), *mi_heap_malloc(void *, size_t);
void *mi_heap_get_default(void), *mi_reallocf(void *, size_t), *mi_new(size_t);
char *mi_strdup(const char *);
int mi_posix_memalign(void **, size_t, size_t);
void mi_free(void *), mi_free_size(void *, size_t);
int main(void) {
        for (int i = 0, n = atoi(getenv("ROUNDS")); i < n; i++) {
                char *a = got(mi_malloc(1000)), *b = got(mi_zalloc(300)), *c = got(mi_strdup("a text")),
                     *d = got(mi_heap_malloc(mi_heap_get_default(), 40)), *e = got(mi_malloc_aligned(100, 256)),
                     *g = got(mi_new(20));
                void *f;
                lost(a);
                a = got(mi_realloc(a, 5000));
                lost(a);
                a = got(mi_recalloc(a, 100, 100));
                lost(a);
                a = got(mi_reallocf(a, 20));
                if (mi_posix_memalign(&f, 64, 10))
                        return 4;
                got(f);
                mi_free(lost(a));
                free(lost(b));
                mi_free(lost(c));
                mi_free_size(lost(d), 40);
                mi_free(lost(e));
                mi_free(lost(f));
                mi_free(lost(g));
        }
        say();
        return 0;
}
END

start_collector
for name in $ALLOCATORS; do
        library=$(allocator_library "$name")
        [ -n "$library" ] || fail "Debian's $name is not installed"
        for binding in lazy now; do
                cc -include "$WORK/ledger.inc" -D_GNU_SOURCE -O1 -fno-builtin -o "$WORK/$name" "$WORK/$name.c" -Wl,--no-as-needed "$library" \
                        "-Wl,-z,$binding,-z,relro"
                compare "$name, bound ${binding/now/at once}" "$PRELOAD" "$WORK/$name"
        done
done

# What a program asks by: neither a weak reference nor dlsym finds anything that is not there.
cat >"$WORK/weak.c" <<'END'
void *mallocx(size_t, int) __attribute__((weak));
void *tc_malloc(size_t) __attribute__((weak));
void *mi_malloc(size_t) __attribute__((weak));
void free_sized(void *, size_t) __attribute__((weak));
int main(void) {
        printf("%d%d%d%d%d%d\n", mallocx != NULL, tc_malloc != NULL, mi_malloc != NULL, free_sized != NULL,
               dlsym(RTLD_DEFAULT, "mallocx") != NULL, (void *)mallocx == dlsym(RTLD_DEFAULT, "mallocx"));
        return 0;
}
END
cc -include "$WORK/ledger.inc" -D_GNU_SOURCE -O1 -o "$WORK/weak" "$WORK/weak.c"
for preload in "" "$PRELOAD"; do
        expect "what glibc's programs see under '$preload'" "$(LD_PRELOAD=$preload "$WORK/weak")" 000001
done

# A plugin that binds to libc first, loaded by a bare name that only its host's RUNPATH leads to.
mkdir "$WORK/plugins"
cat >"$WORK/plugin.c" <<'END'
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
static void *(*const table[])(size_t) = {malloc};
void *take(size_t n) { return malloc(n); }
void *take_too(size_t n) { return table[0](n); }
void *clear(size_t n) { return calloc(1, n); }
void *larger(void *p, size_t n) { return realloc(p, n); }
char *copy(const char *s) { return strdup(s); }
void drop(void *p) { free(p); }
void *find(const char *name) { return dlsym(RTLD_DEFAULT, name); }
END
cat >"$WORK/host.c" <<'END'
int main(int argc, char **argv) {
        void *plugin = dlopen(argv[1], (argv[2][0] == 'n' ? RTLD_NOW : RTLD_LAZY) | RTLD_LOCAL | RTLD_DEEPBIND);
        if (!plugin || dlsym(plugin, "missing") || !dlerror() || dlerror())
                return 5;
        void *(*take)(size_t) = dlsym(plugin, "take"), *(*take_too)(size_t) = dlsym(plugin, "take_too");
        void *(*clear)(size_t) = dlsym(plugin, "clear"), *(*larger)(void *, size_t) = dlsym(plugin, "larger");
        char *(*copy)(const char *) = dlsym(plugin, "copy");
        void (*drop)(void *) = dlsym(plugin, "drop"), *(*find)(const char *) = dlsym(plugin, "find");
        if (find("main_is_not_exported") || dlsym(plugin, "take") != (void *)take)
                return 6;
        for (int i = 0, n = atoi(getenv("ROUNDS")); i < n; i++) {
                char *a = got(take(1000)), *b = got(take_too(50)), *c = got(clear(300000)), *d = got(copy("hello")),
                     *e = got(malloc(20));
                lost(a);
                a = got(larger(a, 4000));
                drop(lost(a));
                free(lost(b));
                free(lost(c));
                drop(lost(d));
                drop(lost(e));
                drop(NULL);
        }
        dlclose(plugin);
        say();
        return 0;
}
END
cc -include "$WORK/ledger.inc" -D_GNU_SOURCE -O1 -fno-builtin -w -o "$WORK/host" "$WORK/host.c" "-Wl,-rpath,\$ORIGIN/plugins"
for binding in lazy now; do
        cc -include "$WORK/ledger.inc" -D_GNU_SOURCE -O1 -fno-builtin -w -shared -fPIC "-Wl,-z,$binding,-z,relro" \
                -o "$WORK/plugins/libplugin_$binding.so" "$WORK/plugin.c"
        for how in lazy now; do
                compare "DEEPBIND, linked $binding, opened $how" "$PRELOAD" "$WORK/host" "libplugin_$binding.so" "$how"
        done
done

# Its table is as read-only as it was.
cat >"$WORK/maps.c" <<'END'
int main(int argc, char **argv) {
        void *plugin = dlopen(argv[1], RTLD_NOW | RTLD_DEEPBIND);
        char line[512];
        if (!plugin || !dlsym(plugin, "take"))
                return 5;
        for (FILE *maps = fopen("/proc/self/maps", "r"); fgets(line, sizeof line, maps);)
                if (strstr(line, "libplugin_now"))
                        printf("%.4s ", strchr(line, ' ') + 1);
        return 0;
}
END
cc -include "$WORK/ledger.inc" -D_GNU_SOURCE -O1 -w -o "$WORK/maps" "$WORK/maps.c" "-Wl,-rpath,\$ORIGIN/plugins"
expect "the plugin's mappings" "$(LD_PRELOAD=$PRELOAD "$WORK/maps" libplugin_now.so)" "$("$WORK/maps" libplugin_now.so)"

# Debian's BIND allocates by mallocx, and by little else.
if [ -x /usr/sbin/named ]; then
        mkdir "$WORK/named"
        echo "options { directory \"$WORK/named\"; listen-on { none; }; listen-on-v6 { none; }; pid-file none;
                session-keyfile none; recursion no; }; controls { };" >"$WORK/named/named.conf"
        LD_PRELOAD=$PRELOAD /usr/sbin/named -g -c "$WORK/named/named.conf" >"$WORK/named/log" 2>&1 &
        pid=$!
        has_more_than() {
                [ "$(json ".processes[] | select(.pid == $pid) | .net_bytes > $1" ps)" = true ]
        }
        wait_for -t 60 "10 MB that named has" has_more_than 10000000
        kill "$pid"
        wait "$pid" || fail "named ended with $?: $(tail -n 3 "$WORK/named/log")"
        note "named: $(json ".processes[] | select(.pid == $pid) | $FIELDS" ps)"
fi
expect_balanced
pass
