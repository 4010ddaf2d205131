/*
 * A process among many: threads that open spans, at a given rate or hardly at all.
 *
 *     crowd THREADS SPANS RATE SECONDS     RATE records a second over all threads, of so many names; 0: each span once, and
 *                                          then the threads sleep
 *
 * Prints "records refused" at the end.
 */
#include <pthread.h>
#include <spanalloc/spanalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/measure.h"

static long n_threads, n_spans, rate, seconds;
static spanalloc_site **sites;

static void one(long i) {
        spanalloc_span span = spanalloc_scope_begin(sites[i % n_spans]);
        void *block = malloc(64);

        __asm__ volatile("" : "+r"(block)::"memory");
        free(block);
        spanalloc_scope_end(span);
}

static void *run(void *userdata) {
        double begun = measure_now(CLOCK_MONOTONIC), now = begun, end = begun + (double)seconds * 1e9;
        double per_ns = (double)rate / 2 / (double)n_threads / 1e9;
        long done = 0;

        if (!rate)
                for (; done < n_spans; done++)
                        one(done);
        while (now < end) {
                long due = rate ? (long)((now - begun) * per_ns) : done;

                for (; done < due; done++)
                        one(done);
                nanosleep(&(struct timespec){rate ? 0 : 1, 1000000}, NULL);
                now = measure_now(CLOCK_MONOTONIC);
        }
        *(long *)userdata = done;
        return NULL;
}

int main(int argc, char **argv) {
        struct spanalloc_stats stats = {.size = sizeof stats};
        pthread_t threads[64];
        long done[64], sum = 0;
        char name[32];

        if (argc != 5 || (n_threads = atol(argv[1])) < 1 || n_threads > 64 || (n_spans = atol(argv[2])) < 1) {
                fprintf(stderr, "usage: crowd THREADS SPANS RATE SECONDS\n");
                return 2;
        }
        rate = atol(argv[3]);
        seconds = atol(argv[4]);
        sites = calloc((size_t)n_spans, sizeof *sites);
        if (!sites)
                return 1;
        for (long i = 0; i < n_spans; i++) {
                snprintf(name, sizeof name, "work %ld", i);
                sites[i] = spanalloc_site_intern(name);
        }
        spanalloc_attach(NULL);
        for (long i = 0; i < n_threads; i++)
                if (pthread_create(&threads[i], NULL, run, &done[i]) != 0)
                        return 1;
        for (long i = 0; i < n_threads; i++) {
                pthread_join(threads[i], NULL);
                sum += done[i];
        }
        spanalloc_stats(&stats);
        printf("%ld %llu\n", 2 * sum, (unsigned long long)(stats.refused_enters + stats.refused_opens));
        return 0;
}
