/* SPDX-License-Identifier: MIT */
/*
 * A process among many: threads that open spans, at a given rate or hardly at all.
 *
 *     crowd THREADS SPANS RATE SECONDS [BURST [WARM]]
 *             RATE records a second over all threads, of so many spans, BURST pairs at a time; 0: each span once, and then
 *             the threads sleep
 *
 * Up to a thousand spans are as many names; beyond, they are a thousand names within others, a path each.  Prints
 * "records refused ns" at the end: processor time for a pair with a malloc and a free in it, once its path is known and the
 * thread has done WARM pairs.
 */
#include <pthread.h>
#include <spanalloc/spanalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench/measure.h"

enum { NAMES = 1000 };

static double clock_ns; /* what it takes to look at the clock */
static long n_threads, n_spans, rate, seconds, burst = 1, warm;
static spanalloc_site **sites, **groups;

struct tally {
        long pairs, timed_pairs;
        double timed_ns;
};

static void pair(spanalloc_site *site) {
        spanalloc_span span = spanalloc_scope_begin(site);
        void *block = malloc(64);

        __asm__ volatile("" : "+r"(block)::"memory");
        free(block);
        spanalloc_scope_end(span);
}

/* Returns how many pairs that were. */
static long one(long i) {
        spanalloc_span group;

        i %= n_spans;
        if (i < NAMES) {
                pair(sites[i]);
                return 1;
        }
        group = spanalloc_scope_begin(groups[i / NAMES]);
        pair(sites[i % NAMES]);
        spanalloc_scope_end(group);
        return 2;
}

/* Goes on from span `from` until `due` pairs are done. */
static long some(struct tally *tally, long from, long due) {
        double begun = measure_now(CLOCK_THREAD_CPUTIME_ID);
        long before = tally->pairs;

        while (tally->pairs < due)
                tally->pairs += one(from++);
        if (from - (due - before) < n_spans || before < warm) /* paths, or the ring's memory, were new to it */
                return from;
        tally->timed_ns += measure_now(CLOCK_THREAD_CPUTIME_ID) - begun - clock_ns;
        tally->timed_pairs += tally->pairs - before;
        return from;
}

static void *run(void *userdata) {
        double begun = measure_now(CLOCK_MONOTONIC), now = begun, end = begun + (double)seconds * 1e9;
        double per_ns = (double)rate / 2 / (double)n_threads / 1e9;
        struct tally *tally = userdata;
        long next = 0;

        if (!rate)
                for (; next < n_spans; next++)
                        tally->pairs += one(next);
        while (now < end) {
                long due = rate ? (long)((now - begun) * per_ns) : 0;

                if (rate && due >= tally->pairs + burst)
                        next = some(tally, next, due);
                nanosleep(&(struct timespec){rate ? 0 : 1, 1000000}, NULL);
                now = measure_now(CLOCK_MONOTONIC);
        }
        return NULL;
}

static spanalloc_site **intern(long n, const char *what) {
        spanalloc_site **all = calloc((size_t)n, sizeof *all);
        char name[32];

        for (long i = 0; all && i < n; i++) {
                snprintf(name, sizeof name, "%s %ld", what, i);
                all[i] = spanalloc_site_intern(name);
        }
        return all;
}

static double look_at_the_clock(void) {
        double took[1001];

        for (int i = 0; i < 1001; i++) {
                took[i] = measure_now(CLOCK_THREAD_CPUTIME_ID);
                took[i] = measure_now(CLOCK_THREAD_CPUTIME_ID) - took[i];
        }
        return measure_percentile(took, 1001, .5);
}

int main(int argc, char **argv) {
        struct spanalloc_stats stats = {.size = sizeof stats};
        pthread_t threads[64];
        static struct tally tallies[64];
        struct tally sum = {0};

        if (argc < 5 || argc > 7 || (n_threads = atol(argv[1])) < 1 || n_threads > 64 ||
            (n_spans = atol(argv[2])) < 1) {
                fprintf(stderr, "usage: crowd THREADS SPANS RATE SECONDS [BURST [WARM]]\n");
                return 2;
        }
        rate = atol(argv[3]);
        seconds = atol(argv[4]);
        if (argc > 5)
                burst = atol(argv[5]);
        if (argc > 6)
                warm = atol(argv[6]);
        sites = intern(n_spans < NAMES ? n_spans : NAMES, "work");
        groups = intern(n_spans / NAMES + 1, "group");
        if (!sites || !groups)
                return 1;
        clock_ns = look_at_the_clock();
        spanalloc_attach(NULL);
        for (long i = 0; i < n_threads; i++)
                if (pthread_create(&threads[i], NULL, run, &tallies[i]) != 0)
                        return 1;
        for (long i = 0; i < n_threads; i++) {
                pthread_join(threads[i], NULL);
                sum.pairs += tallies[i].pairs;
                sum.timed_pairs += tallies[i].timed_pairs;
                sum.timed_ns += tallies[i].timed_ns;
        }
        spanalloc_stats(&stats);
        printf("%ld %llu %.1f\n", 2 * sum.pairs, (unsigned long long)(stats.refused_enters + stats.refused_opens),
               sum.timed_pairs ? sum.timed_ns / (double)sum.timed_pairs : 0);
        return 0;
}
