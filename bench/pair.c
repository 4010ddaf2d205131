/* SPDX-License-Identifier: MIT */
/*
 * What a span costs its program.
 *
 *     pair cost [PREFIX]    one line "NAME VALUE" each: ns for a pair of enter and exit and for a whole scope, paced (200,
 *                           then 200 us of other work, as at a million a second: nothing is refused) and saturated
 *                           (nothing else: rings fill, and what was refused is told in percent)
 *     pair timed COMMAND    the same with timestamps: COMMAND, to which " --pid PID" is added, has the collector ask for them
 *     pair tail             one pair after the other, each a microsecond after the last: median and 99.9 %
 *     pair threads          ns of processor time a pair: 1 thread; 8 with spans of their own; 8 in one shared span
 *     pair alone [PREFIX]   ns for a scope where no collector is (or with SPANALLOC=0), as a user of the header has it; and for
 *                           a call of another library's empty function, through the PLT and back
 *     pair malloc           ns for malloc(64) and free
 *     pair memory           KiB for each thread that opens spans, of the segment that it shares with the collector
 *     pair beside           KiB that one thread of 200 spans takes beside its ring: in the segment, and private ones of the
 *                           library
 */
#include <pthread.h>
#include <spanalloc/spanalloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/measure.h"

enum { BATCH = 200, BATCHES = 1500, PAUSE_NS = 200000, SINGLES = 1000000, THREADS = 64, PAIRS_EACH = 20000 };

SPANALLOC_SITE(pair_site, "pair");

static const char *prefix = "";
static double costs[SINGLES];

static void pairs(spanalloc_span span) {
        for (int i = 0; i < BATCH; i++) {
                spanalloc_enter(span);
                spanalloc_exit(span);
        }
}

static void scopes(spanalloc_span span) {
        (void)span;
        for (int i = 0; i < BATCH; i++) {
                SPANALLOC_SCOPE("scope");
        }
}

spanalloc_span bench_empty_begin(spanalloc_site *site);

/* The same with a scope that does nothing. */
static void calls(spanalloc_span span) {
        (void)span;
        for (int i = 0; i < BATCH; i++) {
                spanalloc_span none = bench_empty_begin(&pair_site);

                if (none.instance)
                        spanalloc_scope_end(none);
        }
}

static void heap(spanalloc_span span) {
        (void)span;
        for (int i = 0; i < BATCH; i++) {
                void *block = malloc(64);

                __asm__ volatile("" : "+r"(block)::"memory");
                free(block);
        }
}

static void nothing(spanalloc_span span) {
        (void)span;
        for (int i = 0; i < BATCH; i++)
                __asm__ volatile("" ::: "memory");
}

static double refused_now(void) {
        struct spanalloc_stats stats = {.size = sizeof stats};

        spanalloc_stats(&stats);
        return (double)stats.refused_enters;
}

static double measure(void (*body)(spanalloc_span), spanalloc_span span, double pause_ns) {
        body(span);
        for (int i = 0; i < BATCHES; i++) {
                double begun;

                if (pause_ns > 0)
                        measure_work(pause_ns);
                begun = measure_now(CLOCK_MONOTONIC);
                body(span);
                costs[i] = (measure_now(CLOCK_MONOTONIC) - begun) / BATCH;
        }
        return measure_percentile(costs, BATCHES, .5);
}

static void say(const char *name, double value) {
        printf("%s%s %.2f\n", prefix, name, value);
}

static int cost(void) {
        spanalloc_span span = spanalloc_open(&pair_site);
        double refused;

        say("pair_paced", measure(pairs, span, PAUSE_NS));
        say("scope_paced", measure(scopes, span, PAUSE_NS));
        refused = refused_now();
        say("pair_saturated", measure(pairs, span, 0));
        say("pair_saturated_refused_percent", 100 * (refused_now() - refused) / BATCH / BATCHES);
        refused = refused_now();
        say("scope_saturated", measure(scopes, span, 0));
        say("scope_saturated_refused_percent", 100 * (refused_now() - refused) / BATCH / BATCHES);
        spanalloc_close(span);
        return 0;
}

/* For a second: what happens once, when a thread first uses the 128 pages of its ring, is so no part of what is told. */
static int tail(void) {
        spanalloc_span span = spanalloc_open(&pair_site);
        double next = measure_now(CLOCK_MONOTONIC), clock[1001];

        for (int i = 0; i < 1001; i++) {
                clock[i] = measure_now(CLOCK_MONOTONIC);
                clock[i] = measure_now(CLOCK_MONOTONIC) - clock[i];
        }
        for (int i = 0; i < SINGLES; i++) {
                double begun;

                while ((begun = measure_now(CLOCK_MONOTONIC)) < next)
                        ;
                next = begun + 1000;
                begun = measure_now(CLOCK_MONOTONIC);
                spanalloc_enter(span);
                spanalloc_exit(span);
                costs[i] = measure_now(CLOCK_MONOTONIC) - begun;
        }
        /* Both with the clock: what it costs is told beside them. */
        say("tail_clock", measure_percentile(clock, 1001, .5));
        say("tail_median", measure_percentile(costs, SINGLES, .5));
        say("tail_999", measure_percentile(costs, SINGLES, .999));
        spanalloc_close(span);
        return 0;
}

/* ------------------------------------------------------------------------------------------------------ threads -- */

static spanalloc_span shared_span;
static double thread_ns[8];

/* By processor time: the threads have fewer processors than they are. */
static void *run_thread(void *userdata) {
        int slot = (int)(intptr_t)userdata;
        spanalloc_span span = shared_span.instance ? shared_span : spanalloc_open(&pair_site);
        double sum = 0;

        for (int i = 0; i < BATCHES / 4; i++) {
                double begun;

                nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
                begun = measure_now(CLOCK_THREAD_CPUTIME_ID);
                pairs(span);
                costs[slot * (BATCHES / 4) + i] = (measure_now(CLOCK_THREAD_CPUTIME_ID) - begun) / BATCH;
        }
        sum = measure_percentile(&costs[slot * (BATCHES / 4)], BATCHES / 4, .5);
        thread_ns[slot] = sum;
        if (!shared_span.instance)
                spanalloc_close(span);
        return NULL;
}

static double run_threads(int n) {
        pthread_t threads[8];
        double sum = 0;

        for (int i = 0; i < n; i++)
                if (pthread_create(&threads[i], NULL, run_thread, (void *)(intptr_t)i) != 0)
                        exit(1);
        for (int i = 0; i < n; i++) {
                pthread_join(threads[i], NULL);
                sum += thread_ns[i];
        }
        return sum / n;
}

static int threads(void) {
        say("threads_1", run_threads(1));
        say("threads_8", run_threads(8));
        shared_span = spanalloc_open(&pair_site);
        say("threads_8_shared", run_threads(8));
        spanalloc_close(shared_span);
        return 0;
}

/* ------------------------------------------------------------------------------------------------------- memory -- */

static pthread_barrier_t filled, looked_at;

static void *fill(void *unused) {
        spanalloc_span span = spanalloc_open(&pair_site);

        (void)unused;
        for (int i = 0; i < PAIRS_EACH; i += BATCH) {
                pairs(span);
                nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
        spanalloc_close(span);
        pthread_barrier_wait(&filled);
        pthread_barrier_wait(&looked_at);
        return NULL;
}

/* Resident KiB of all mappings of memfds. */
static unsigned long segment_kib(void) {
        FILE *smaps = fopen("/proc/self/smaps", "r");
        unsigned long sum = 0, kib;
        int ours = 0;
        char line[512];

        while (smaps && fgets(line, sizeof line, smaps)) {
                if (strchr(line, '-') && strchr(line, '/'))
                        ours = strstr(line, "/memfd:") != NULL;
                else if (ours && sscanf(line, "Rss: %lu", &kib) == 1)
                        sum += kib;
        }
        if (smaps)
                fclose(smaps);
        return sum;
}

static int memory(int n) {
        pthread_t *all = calloc((size_t)n, sizeof *all);
        pthread_attr_t attr;
        unsigned long before;

        {
                spanalloc_span span = spanalloc_open(&pair_site);

                spanalloc_enter(span);
                spanalloc_exit(span);
                spanalloc_close(span);
        }
        before = segment_kib();
        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, 65536);
        pthread_barrier_init(&filled, NULL, (unsigned)n + 1);
        pthread_barrier_init(&looked_at, NULL, (unsigned)n + 1);
        for (int i = 0; i < n; i++)
                if (!all || pthread_create(&all[i], &attr, fill, NULL) != 0)
                        return 1;
        pthread_barrier_wait(&filled);
        say("memory_first_kib", (double)before);
        printf("memory_%d_threads_mib %.2f\n", n, (double)segment_kib() / 1024);
        pthread_barrier_wait(&looked_at);
        for (int i = 0; i < n; i++)
                pthread_join(all[i], NULL);
        free(all);
        return 0;
}

/* The command has been answered when it ends, and then every lane has been told. */
static int timed(const char *command) {
        char line[4096];

        spanalloc_close(spanalloc_open(&pair_site)); /* the thread has its lane */
        snprintf(line, sizeof line, "%s --pid %d >&2", command, (int)getpid());
        if (system(line) != 0)
                return 1;
        prefix = "timed_";
        return cost();
}

enum { NAMES = 200, PAGE = 4096, RECORD = 64 };

/* Of the library's own mappings, with the zeros behind its data. */
static unsigned long library_kib(void) {
        FILE *smaps = fopen("/proc/self/smaps", "r");
        unsigned long sum = 0, kib, from, to, last = 0;
        int ours = 0;
        char line[512];

        while (smaps && fgets(line, sizeof line, smaps)) {
                if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
                        ours = strstr(line, "/libspanalloc") != NULL || (ours && from == last && !strchr(line, '/'));
                        last = to;
                } else if (ours && sscanf(line, "Private_Dirty: %lu", &kib) == 1) {
                        sum += kib;
                }
        }
        if (smaps)
                fclose(smaps);
        return sum;
}

/* The ring is used from its beginning, two records for each scope and those that begin a thread. */
static int beside(void) {
        unsigned long ring_kib = ((2 * NAMES + 2) * RECORD + PAGE - 1) / PAGE * PAGE / 1024;
        char name[32];

        for (int i = 0; i < NAMES; i++) {
                snprintf(name, sizeof name, "work %d", i);
                spanalloc_scope_end(spanalloc_scope_begin(spanalloc_site_intern(name)));
        }
        say("beside_segment_kib", (double)(segment_kib() - ring_kib));
        say("beside_library_kib", (double)library_kib());
        return 0;
}

int main(int argc, char **argv) {
        const char *what = argc > 1 ? argv[1] : "";
        double empty;

        if (argc > 2)
                prefix = argv[2];
        if (strcmp(what, "threads") != 0 && strcmp(what, "memory") != 0)
                measure_pin(0);
        /* Once, so that no batch pays for it. */
        if (strcmp(what, "alone") != 0)
                spanalloc_attach(NULL);
        if (strcmp(what, "cost") == 0)
                return cost();
        if (strcmp(what, "timed") == 0 && argc > 2)
                return timed(argv[2]);
        if (strcmp(what, "tail") == 0)
                return tail();
        if (strcmp(what, "threads") == 0)
                return threads();
        if (strcmp(what, "beside") == 0)
                return beside();
        if (strcmp(what, "memory") == 0)
                return memory(argc > 2 ? atoi(argv[2]) : THREADS);
        empty = measure(nothing, (spanalloc_span)SPANALLOC_SPAN_INIT, 0);
        if (strcmp(what, "alone") == 0) {
                say("alone_scope", measure(scopes, (spanalloc_span)SPANALLOC_SPAN_INIT, 0) - empty);
                say("alone_call", measure(calls, (spanalloc_span)SPANALLOC_SPAN_INIT, 0) - empty);
                return 0;
        }
        if (strcmp(what, "malloc") == 0) {
                say("malloc", measure(heap, (spanalloc_span)SPANALLOC_SPAN_INIT, 0) - empty);
                return 0;
        }
        fprintf(stderr, "usage: pair cost|timed|tail|threads|alone|malloc|memory|beside [PREFIX, COMMAND or N]\n");
        return 2;
}
