/* SPDX-License-Identifier: MIT */
/* A third-party library, instrumented without a link to libspanalloc. */
#define SPANALLOC_WEAK
#include <spanalloc/spanalloc.h>
#include <stdlib.h>

/* Whether this library's calls reach a libspanalloc with a collector. */
__attribute__((visibility("default"))) int weakspan_work(int times);

SPANALLOC_SITE(explicit_site, "weak-explicit");

int weakspan_work(int times) {
        struct spanalloc_stats stats = {.size = sizeof stats, .attached = 7};

        for (int i = 0; i < times; i++) {
                SPANALLOC_SCOPE("weak-scope");
                spanalloc_span span = spanalloc_open(&explicit_site);
                void *volatile memory;

                spanalloc_enter(span);
                memory = malloc(1000);
                spanalloc_exit(span);
                spanalloc_enter(span);
                free(memory);
                spanalloc_exit(span);
                spanalloc_close(span);
        }
        spanalloc_stats(&stats);
        return (int)stats.attached;
}
