/* SPDX-License-Identifier: MIT */
/*
 * span_neighbour SECONDS TIMES [NAME]: a well-behaved program.  Opens and closes a few hundred spans named "neighbour" a second,
 * allocates and frees in each, and keeps a ledger of its own.  At the end it writes the moment of each close (nanoseconds
 * since the epoch) to the file TIMES, and prints "spans count bytes" as a ledger of what was allocated in the spans.
 */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

enum { SPANS_MAX = 1 << 20 };

static uint64_t now_ns(clockid_t clock) {
        struct timespec now;

        clock_gettime(clock, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int main(int argc, char **argv) {
        spanalloc_site *site = spanalloc_site_intern(argc > 3 ? argv[3] : "neighbour");
        uint64_t until = now_ns(CLOCK_MONOTONIC) + (uint64_t)(atof(argv[1]) * 1e9), spans = 0, count = 0, bytes = 0;
        uint64_t *times = calloc(SPANS_MAX, sizeof *times);
        unsigned seed = 1;
        FILE *file;

        if (argc < 3 || !times || spanalloc_attach(NULL) < 0)
                return 1;
        while (now_ns(CLOCK_MONOTONIC) < until && spans < SPANS_MAX) {
                spanalloc_span span = spanalloc_open(site);
                void *blocks[4];

                spanalloc_enter(span);
                for (int i = 0; i < 4; i++) {
                        blocks[i] = malloc((size_t)(1 + rand_r(&seed) % 5000));
                        if (!blocks[i])
                                return 1;
                        count++;
                        bytes += malloc_usable_size(blocks[i]);
                }
                for (int i = 0; i < 4; i++)
                        free(blocks[i]);
                spanalloc_exit(span);
                times[spans++] = now_ns(CLOCK_REALTIME);
                spanalloc_close(span);
                usleep(1000);
        }
        file = fopen(argv[2], "w");
        if (!file)
                return 1;
        for (uint64_t i = 0; i < spans; i++)
                fprintf(file, "%llu\n", (unsigned long long)times[i]);
        fclose(file);
        printf("%llu %llu %llu\n", (unsigned long long)spans, (unsigned long long)count, (unsigned long long)bytes);
        fflush(stdout);
        /* So that it can be asked about. */
        (void)!read(0, &seed, 1);
        return 0;
}
