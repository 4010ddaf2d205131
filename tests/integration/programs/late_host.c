/* SPDX-License-Identifier: MIT */
/*
 * late_host LIBRARY LEDGER: not linked with libspanalloc; loads it, works, unloads it as often as dlclose allows, and
 * works on through the pointers that it has kept.  Writes a ledger like span_hosts'.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

#define TIMES 100

SPANALLOC_SITE(late_site, "late");

static __typeof__(spanalloc_scope_begin) *begin;
static __typeof__(spanalloc_scope_end) *end;
static __typeof__(spanalloc_set_snapshot) *set_snapshot;
static unsigned long bytes, opened;

static void snapshot(struct spanalloc_counters *out) {
        *out = (struct spanalloc_counters){bytes, bytes, 0, 0};
}

static int work(void) {
        for (int i = 0; i < TIMES; i++) {
                spanalloc_span span = begin(&late_site);

                if (!span.instance)
                        return 0;
                bytes += 10;
                opened++;
                end(span);
        }
        return 1;
}

static void *load(const char *path) {
        void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

        if (!library)
                fprintf(stderr, "late_host: %s\n", dlerror());
        return library;
}

int main(int argc, char **argv) {
        void *library = argc == 3 ? load(argv[1]) : NULL;
        FILE *ledger;

        if (!library)
                return 2;
        *(void **)&begin = dlsym(library, "spanalloc_scope_begin");
        *(void **)&end = dlsym(library, "spanalloc_scope_end");
        *(void **)&set_snapshot = dlsym(library, "spanalloc_set_snapshot");
        if (!begin || !end || !set_snapshot || set_snapshot(snapshot) || !work())
                return 3;
        if (dlclose(library) || !work())
                return 4;
        /* Another thread-local block, another copy: then the first one's pointers would be stale. */
        library = load(argv[1]);
        if (!library || dlsym(library, "spanalloc_scope_begin") != (void *)begin || !work())
                return 5;
        if (dlclose(library) || !dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD) || !work())
                return 6;
        ledger = fopen(argv[2], "a");
        if (!ledger)
                return 7;
        fprintf(ledger, "span %d late %lu %lu %lu\nprocess %d %lu %lu 0 0\n", getpid(), opened, opened, bytes, getpid(),
                bytes, bytes);
        return fclose(ledger) ? 7 : 0;
}
