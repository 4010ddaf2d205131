/* SPDX-License-Identifier: MIT */
/*
 * The machine's limit: two bare 64-byte records with four counters, each published by itself, through a ring in shared
 * memory to a thread on another processor, which adds them up and reads the ring every 200 us.  No frames, no checks,
 * no names.
 *
 *     limit        one line "NAME NS" each: the cost of two records, paced and saturated, with and without timestamps;
 *                  and how long single ones take, paced
 *
 * Paced, as in bench/pair: 200 pairs, then 200 us of other work, as at a million pairs a second, through a ring of a
 * thread's default length.  Saturated uses a longer ring, so that it is never full.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <x86intrin.h>

#include "bench/measure.h"

enum {
        RECORDS = 1 << 18,
        PACED_RECORDS = 8192,
        BATCH = 200,
        BATCHES = 1500,
        PAUSE_NS = 200000,
        ENTRIES = 1024,
        SINGLES = 1000000
};

struct record {
        uint64_t sequence, instance, path, timestamp, counters[4];
};

static struct record *ring;
static _Atomic uint64_t records = PACED_RECORDS;
static struct {
        _Alignas(128) _Atomic uint64_t head;
        _Alignas(128) _Atomic uint64_t tail;
        _Alignas(128) _Atomic int stop;
} shared;
static _Thread_local volatile uint64_t counters[4];
static uint64_t sums[ENTRIES][8];

static void *collect(void *unused) {
        uint64_t at = 0;

        (void)unused;
        measure_pin(1);
        while (!atomic_load_explicit(&shared.stop, memory_order_relaxed)) {
                uint64_t head = atomic_load_explicit(&shared.head, memory_order_acquire);

                for (; at < head; at++) {
                        const struct record *r = &ring[at & (atomic_load_explicit(&records, memory_order_relaxed) - 1)];
                        uint64_t *sum = sums[r->instance % ENTRIES];

                        for (int i = 0; i < 4; i++)
                                sum[i] += r->counters[i];
                        sum[4]++;
                }
                atomic_store_explicit(&shared.tail, at, memory_order_release);
                nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
        }
        return NULL;
}

static inline __attribute__((always_inline)) uint64_t put(uint64_t head, uint64_t *limit, uint64_t instance,
                                                          uint64_t kind, int timed) {
        uint64_t mask = atomic_load_explicit(&records, memory_order_relaxed) - 1;
        struct record *r = &ring[head & mask];

        while (head + 1 > *limit)
                *limit = atomic_load_explicit(&shared.tail, memory_order_acquire) + mask + 1;
        r->sequence = head;
        r->instance = instance;
        r->path = kind;
        r->timestamp = timed ? __rdtsc() : 0;
        for (int i = 0; i < 4; i++)
                r->counters[i] = counters[i];
        atomic_store_explicit(&shared.head, head + 1, memory_order_release);
        return head + 1;
}

static inline __attribute__((always_inline)) double run(uint64_t *head, uint64_t *limit, double pause_ns, int timed) {
        static double costs[BATCHES];

        for (int i = 0; i < BATCHES; i++) {
                double begun;

                if (pause_ns > 0)
                        measure_work(pause_ns);
                begun = measure_now(CLOCK_MONOTONIC);
                for (uint64_t k = 0; k < BATCH; k++) {
                        *head = put(*head, limit, k, 2, timed);
                        *head = put(*head, limit, k, 4, timed);
                }
                costs[i] = (measure_now(CLOCK_MONOTONIC) - begun) / BATCH;
        }
        return measure_percentile(costs, BATCHES, .5);
}

/* One pair a microsecond, as in bench/pair. */
static void tail(uint64_t *head, uint64_t *limit) {
        static double costs[SINGLES];
        double next = measure_now(CLOCK_MONOTONIC);

        for (uint64_t i = 0; i < SINGLES; i++) {
                double begun;

                while ((begun = measure_now(CLOCK_MONOTONIC)) < next)
                        ;
                next = begun + 1000;
                begun = measure_now(CLOCK_MONOTONIC);
                *head = put(*head, limit, i, 2, 0);
                *head = put(*head, limit, i, 4, 0);
                costs[i] = measure_now(CLOCK_MONOTONIC) - begun;
        }
        printf("limit_tail_median %.2f\n", measure_percentile(costs, SINGLES, .5));
        printf("limit_tail_999 %.2f\n", measure_percentile(costs, SINGLES, .999));
}

int main(void) {
        uint64_t head = 0, limit = 0;
        pthread_t collector;

        ring = mmap(NULL, RECORDS * sizeof *ring, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1,
                    0);
        if (ring == MAP_FAILED || pthread_create(&collector, NULL, collect, NULL) != 0)
                return 1;
        measure_pin(0);
        run(&head, &limit, 0, 0);
        printf("limit_paced %.2f\n", run(&head, &limit, PAUSE_NS, 0));
        printf("limit_paced_timed %.2f\n", run(&head, &limit, PAUSE_NS, 1));
        tail(&head, &limit);
        /* The ring changes its length when it is empty. */
        while (atomic_load(&shared.tail) != head)
                ;
        atomic_store(&records, RECORDS);
        run(&head, &limit, 0, 0);
        printf("limit_saturated %.2f\n", run(&head, &limit, 0, 0));
        printf("limit_saturated_timed %.2f\n", run(&head, &limit, 0, 1));
        atomic_store(&shared.stop, 1);
        pthread_join(collector, NULL);
        return 0;
}
