/* SPDX-License-Identifier: MIT */
/*
 * The cost of committing the books: updates of random 64-byte entries in batches, with no log, with the undo log that
 * the books use (daemon/arena/arena.h), and with a redo log, which keeps the changed entries of a batch aside, writes
 * them to a log at its end, and then to their places.
 *
 *     undo [ROUNDS]
 *
 * The three run in turn, round by round, in one process; the medians and their ratios to `none` are printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "daemon/arena/arena.h"

#define UPDATES    8000000u
#define BATCH      4096u
#define ROUNDS_MAX 31

struct entry {
        uint64_t sums[8];
};

static uint64_t seed;

static uint64_t next_random(void) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        return seed;
}

static double now_s(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void update(struct entry *entry, uint64_t by) {
        for (int i = 0; i < 5; i++)
                entry->sums[i] += by;
}

static double run_none(struct arena *arena, uint32_t entries) {
        struct entry *table = arena_data(arena);
        double begin = now_s();

        for (uint32_t i = 0; i < UPDATES; i++)
                update(&table[next_random() % entries], i);
        return now_s() - begin;
}

static double run_undo(struct arena *arena, uint32_t entries) {
        struct entry *table = arena_data(arena);
        double begin = now_s();

        for (uint32_t i = 0; i < UPDATES;) {
                arena_begin(arena);
                for (uint32_t k = 0; k < BATCH && i < UPDATES; k++, i++) {
                        struct entry *entry = &table[next_random() % entries];

                        arena_touch(arena, entry, sizeof *entry);
                        update(entry, i);
                }
                arena_commit(arena);
        }
        return now_s() - begin;
}

/* The redo log's bookkeeping: where an entry's changed copy is in this batch. */
struct redo {
        uint32_t *tags;  /* for each entry, the batch in which it was copied */
        uint32_t *where; /* for each entry, its copy's place in the log */
        uint64_t *index;
        struct entry *copies;
        _Atomic uint64_t length, commit;
};

static double run_redo(struct arena *arena, uint32_t entries, struct redo *redo) {
        struct entry *table = arena_data(arena);
        double begin = now_s();

        for (uint32_t i = 0; i < UPDATES;) {
                uint32_t batch = (uint32_t)redo->commit + 1;
                uint64_t n = 0;

                for (uint32_t k = 0; k < BATCH && i < UPDATES; k++, i++) {
                        uint32_t e = (uint32_t)(next_random() % entries);

                        if (redo->tags[e] != batch) {
                                redo->tags[e] = batch;
                                redo->where[e] = (uint32_t)n;
                                redo->index[n] = e;
                                redo->copies[n++] = table[e];
                        }
                        update(&redo->copies[redo->where[e]], i);
                }
                /* The log is whole: from here on a successor would finish the batch, not undo it. */
                atomic_store_explicit(&redo->length, n, memory_order_release);
                for (uint64_t k = 0; k < n; k++)
                        table[redo->index[k]] = redo->copies[k];
                atomic_store_explicit(&redo->commit, batch, memory_order_release);
        }
        return now_s() - begin;
}

static void *map(size_t size) {
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (p == MAP_FAILED)
                exit(1);
        return p;
}

static int by_value(const void *a, const void *b) {
        const double *x = a, *y = b;

        return (*x > *y) - (*x < *y);
}

static double median(double *values, int n) {
        qsort(values, (size_t)n, sizeof *values, by_value);
        return values[n / 2];
}

static int measure(uint32_t entries, int rounds) {
        double none[ROUNDS_MAX], undo[ROUNDS_MAX], redo_s[ROUNDS_MAX], base;
        struct redo redo = {
                .tags = map(entries * sizeof *redo.tags),
                .where = map(entries * sizeof *redo.where),
                .index = map(BATCH * sizeof *redo.index),
                .copies = map(BATCH * sizeof *redo.copies),
        };
        struct arena arena;

        if (arena_init(&arena, (uint64_t)entries * sizeof(struct entry), 65536) < 0)
                return 1;
        seed = 88172645463325252u;
        run_none(&arena, entries); /* touches everything once */
        for (int r = 0; r < rounds; r++) {
                none[r] = run_none(&arena, entries);
                undo[r] = run_undo(&arena, entries);
                redo_s[r] = run_redo(&arena, entries, &redo);
        }
        base = median(none, rounds);
        printf("%8u entries: none %6.1f M/s   undo %6.1f M/s (%.2f of none)   redo %6.1f M/s (%.2f of none)\n", entries,
               UPDATES / base / 1e6, UPDATES / median(undo, rounds) / 1e6, base / median(undo, rounds),
               UPDATES / median(redo_s, rounds) / 1e6, base / median(redo_s, rounds));
        arena_deinit(&arena);
        return 0;
}

int main(int argc, char **argv) {
        int rounds = argc > 1 ? atoi(argv[1]) : 9;

        if (rounds < 1 || rounds > ROUNDS_MAX)
                return 2;
        return measure(1000, rounds) || measure(100000, rounds) || measure(1000000, rounds);
}
