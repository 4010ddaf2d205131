/*
 * What a span costs its program.
 *
 *     pair time      ns for a pair of enter and exit, and for a whole scope: the median over many short batches.
 *                    paced: with pauses, so that the collector keeps up, as in a service; saturated: without, so
 *                    that rings fill and enters are refused as well
 *     pair memory    KiB for each thread that opens spans, of the segment that it shares with the collector
 */
#include <pthread.h>
#include <spanalloc/spanalloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
        BATCH = 200,
        BATCHES = 4000,
        PAUSE_NS = 1000000,
        THREADS = 64,
        PAIRS_EACH = 20000,
};

SPANALLOC_SITE(pair_site, "pair");

static uint64_t now_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int by_value(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

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

static void measure(const char *name, void (*body)(spanalloc_span), int paced, int batches) {
        static double costs[BATCHES];
        struct spanalloc_stats before = {.size = sizeof before}, after = {.size = sizeof after};
        spanalloc_span span = spanalloc_open(&pair_site);
        uint64_t begun;

        body(span);
        spanalloc_stats(&before);
        for (int i = 0; i < batches; i++) {
                if (paced)
                        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
                begun = now_ns();
                body(span);
                costs[i] = (double)(now_ns() - begun) / BATCH;
        }
        spanalloc_stats(&after);
        spanalloc_close(span);
        qsort(costs, (size_t)batches, sizeof *costs, by_value);
        printf("%-5s %-9s %-12s %6.1f ns median, %6.1f ns at 99 %%; %.1f %% refused\n", name,
               paced ? "paced" : "saturated", after.attached ? "collector" : "no collector", costs[batches / 2],
               costs[batches * 99 / 100],
               100. * (double)(after.refused_enters - before.refused_enters) / (double)batches / BATCH);
}

/* -------------------------------------------------------------------------------------------------- memory -- */

static pthread_barrier_t filled, looked_at;

static void *fill(void *userdata) {
        spanalloc_span span = spanalloc_open(&pair_site);

        (void)userdata;
        for (int i = 0; i < PAIRS_EACH; i += BATCH) {
                pairs(span);
                nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
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

static int measure_memory(void) {
        pthread_t threads[THREADS];
        unsigned long before, after;

        {
                spanalloc_span span = spanalloc_open(&pair_site);

                pairs(span);
                spanalloc_close(span);
        }
        before = segment_kib();
        pthread_barrier_init(&filled, NULL, THREADS + 1);
        pthread_barrier_init(&looked_at, NULL, THREADS + 1);
        for (int i = 0; i < THREADS; i++)
                if (pthread_create(&threads[i], NULL, fill, NULL) != 0)
                        return 1;
        pthread_barrier_wait(&filled);
        after = segment_kib();
        pthread_barrier_wait(&looked_at);
        for (int i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        printf("memory of the segment: %lu KiB with 1 thread, %.1f KiB for each one more that has filled its ring\n",
               before, (double)(after - before) / THREADS);
        return 0;
}

int main(int argc, char **argv) {
        /* Once, so that no batch pays for it; an error means that there is no collector, and the output says so. */
        spanalloc_attach(NULL);
        if (argc == 2 && strcmp(argv[1], "memory") == 0)
                return measure_memory();
        if (argc != 2 || strcmp(argv[1], "time") != 0) {
                fprintf(stderr, "usage: pair time|memory\n");
                return 2;
        }
        measure("pair", pairs, 1, BATCHES);
        measure("scope", scopes, 1, BATCHES);
        measure("pair", pairs, 0, BATCHES);
        measure("scope", scopes, 0, BATCHES);
        return 0;
}
