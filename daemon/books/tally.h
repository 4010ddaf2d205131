/* SPDX-License-Identifier: MIT */
/*
 * What is summed for each path.  Pure: no system call, clock or log; time is an argument.
 *
 * Everything here runs in a batch (books_begin).  What every record needs is here to be inlined: the calls alone were a
 * tenth of the collector's instructions.
 */
#pragma once

#include "daemon/books/batch.h"
#include "daemon/books/counters.h"
#include "daemon/books/decayed.h"
#include "daemon/books/hist.h"

/* Entries of the arena; books_layout.h says how a later version may change them. */

/* The aggregates of one path.  Line 0 is what every interval and exit changes. */
struct tally {
        uint64_t self[SHM_COUNTERS];
        uint64_t total[SHM_COUNTERS]; /* completed outermost cycles */

        uint64_t cycles, opened, closed, migrated, aborted, lost_touches;
        uint32_t parent, name;
        uint32_t depth, estimated;

        double decayed[3]; /* bytes, each e^-(age/T) */
        uint64_t tick;     /* when they were last decayed, in ticks of the books */
        uint64_t born_ns;
        uint64_t refused;   /* as the client counts it */
        uint32_t next_path; /* of the same name */
        uint32_t mixed;     /* 1: the counts of a thread went to the wrong path (daemon/attribution/stacks.h) */
        uint64_t this_tick; /* bytes that came since they were last decayed */

        struct hist hist;
};
_Static_assert(sizeof(struct tally) == 448, "seven lines");

/* See decayed_rates(). */
void tally_rates(const struct books *books, const struct tally *tally, uint64_t now_ns, double ret[3]);

void tally_log(struct books *books, struct tally *t);

static inline const struct tally *tally_of(const struct books *books, uint32_t path) {
        return &books->tallies[path];
}

/* The tally of a path, which may be changed then: its lines are logged all at once, but for what tells of the chunks of
 * the histogram.  So its first line's mark tells of the others too, as long as that line is not logged by itself. */
static inline struct tally *tally_change(struct books *books, uint32_t path) {
        struct tally *t = &books->tallies[path];

        if (__builtin_expect(!arena_is_touched(&books->arena, t), 0))
                tally_log(books, t);
        return t;
}

/* All below take a tally that tally_change() gave in this batch. */

/* Bytes and counts spent while its path was the top of a stack. */
static inline void tally_self(struct books *books, struct tally *t, struct counters delta) {
        uint64_t tick = books->book->now_ns >> DECAYED_TICK_SHIFT, bytes = counters_alloc_bytes(delta);

        counters_add(t->self, delta);
        if (!bytes)
                return;
        if (__builtin_expect(tick > t->tick, 0))
                decayed_advance(t->decayed, &t->this_tick, &t->tick, tick);
        t->this_tick += bytes;
}

/* A span of the path is closed; `sums` is what it counted in all its `cycles`. */
static inline void tally_closed(struct books *books, struct tally *t, struct counters sums, uint32_t cycles) {
        t->closed++;
        /* A span that completed no cycle says nothing about a call. */
        if (!cycles)
                return;
        if (!hist_add(books, &t->hist, counters_alloc_bytes(sums)))
                t->estimated = 1;
        hist_add_net(books, &t->hist, counters_net_bytes(sums));
}
