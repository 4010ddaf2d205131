/*
 * What is summed for each path.  Pure: no system call, clock or log; time is an argument.
 *
 * Everything here runs in a batch (books_begin).  What every record needs is here to be inlined: the calls alone were a
 * tenth of the collector's instructions.
 */
#pragma once

#include "daemon/core/hist.h"
#include "daemon/core/layout.h"

/* A tick of the rates: 2^27 ns, about an eighth of a second. */
#define TALLY_TICK_SHIFT 27

/* Bytes a second over 10 s, 1 min, 10 min, at `now_ns`.  A decayed sum S has the rate S / (T (1 - e^(-age/T))), so that
 * a young path is not told too low. */
void tally_rates(const struct books *books, const struct tally *tally, uint64_t now_ns, double ret[3]);

/* Brings the decayed sums to the present tick. */
void tally_decay(struct tally *tally, uint64_t tick);

static inline void tally_add(uint64_t to[SHM_COUNTERS], const uint64_t delta[SHM_COUNTERS]) {
        for (int i = 0; i < SHM_COUNTERS; i++)
                to[i] += delta[i];
}

/* Bytes and counts spent while `path` was the top of a stack. */
static inline void tally_self(struct books *books, uint32_t path, const uint64_t delta[SHM_COUNTERS]) {
        struct tally *t = &books->tallies[path];
        uint64_t tick = books->book->now_ns >> TALLY_TICK_SHIFT;

        touch_line(books, t->self);
        tally_add(t->self, delta);
        if (!delta[SHM_ALLOC_BYTES])
                return;
        touch_line(books, t->decayed);
        if (__builtin_expect(tick > t->tick, 0))
                tally_decay(t, tick);
        t->this_tick += delta[SHM_ALLOC_BYTES];
}

/* An outermost stretch of the path's name has ended. */
static inline void tally_total(struct books *books, uint32_t path, const uint64_t delta[SHM_COUNTERS]) {
        struct tally *t = &books->tallies[path];

        touch_line(books, t->self);
        tally_add(t->total, delta);
}

/* The line of the counts. */
static inline struct tally *tally_counts(struct books *books, uint32_t path) {
        struct tally *t = &books->tallies[path];

        touch_line(books, &t->cycles);
        return t;
}

static inline void tally_cycle(struct books *books, uint32_t path, bool migrated) {
        struct tally *t = tally_counts(books, path);

        t->cycles++;
        t->migrated += migrated;
}

static inline void tally_opened(struct books *books, uint32_t path) {
        tally_counts(books, path)->opened++;
}

/* A span of the path is closed; `bytes` is what it allocated in all its `cycles`. */
static inline void tally_closed(struct books *books, uint32_t path, uint64_t bytes, uint32_t cycles) {
        struct tally *t = tally_counts(books, path);

        t->closed++;
        /* A span that completed no cycle says nothing about a call. */
        if (cycles && !hist_add(books, &t->hist, bytes))
                t->estimated = 1;
}

static inline void tally_aborted(struct books *books, uint32_t path, uint64_t spans) {
        tally_counts(books, path)->aborted += spans;
}

/* What ran on this path's account was partly lost, or guessed. */
static inline void tally_lost(struct books *books, uint32_t path) {
        tally_counts(books, path)->lost_touches++;
}

static inline void tally_estimated(struct books *books, uint32_t path) {
        tally_counts(books, path)->estimated = 1;
}
