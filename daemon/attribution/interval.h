/* SPDX-License-Identifier: MIT */
/*
 * What a lane's thread counted between two moments, and to whom it is booked: to the top of the stack, or to `outside`;
 * less what is pending, since it was lost, or counted before the lane was the thread's.  Pure; everything runs in a
 * batch.
 *
 * What every record needs is here to be inlined, as in tally.h.
 */
#pragma once

#include "daemon/books/counters.h"
#include "daemon/books/span_time.h"
#include "daemon/books/tally.h"
#include "daemon/books/thread_names.h"

/* Logs what of the lane nearly every record changes: in each batch before all else here. */
static inline void interval_begin(struct books *books, struct lane *lane) {
        touch_line(books, lane);
        touch_line(books, lane->outside);
}

/* What is left of an interval when it has been told what is pending, which nothing is then. */
struct counters interval_less_pending(struct books *books, struct lane *lane, struct counters delta);

static inline void interval_outside(struct books *books, struct lane *lane, struct counters delta) {
        counters_add(lane->outside, delta);
        thread_names_add(books, lane->thread, delta);
}

/* Ends the interval that began at `last`.  Counters that went back count nothing, and the books go on from the
 * larger value, so that they balance; returned is from where.  ticks: as of span_time_interval(). */
static inline struct counters interval_end(struct books *books, struct lane *lane, const uint64_t at[SHM_COUNTERS],
                                           uint64_t ticks) {
        struct counters last = counters_load(lane->last), delta = counters_since(counters_load(at), last);

        if (span_time_is_due(lane, ticks))
                span_time_interval(books, lane, ticks);
        if (counters_are_zero(delta) && !lane->has_pending)
                return last;
        last = counters_plus(last, delta);
        counters_store(lane->last, last);
        if (__builtin_expect(lane->has_pending, 0))
                delta = interval_less_pending(books, lane, delta);
        if (lane->depth) {
                tally_self(books, tally_change(books, lane->frames[lane->depth - 1].path), delta);
                if (BOOKS_ARE_CHECKED) {
                        touch_bytes(books, lane->self, sizeof lane->self);
                        counters_add(lane->self, delta);
                }
        } else {
                interval_outside(books, lane, delta);
        }
        return last;
}

/* To be taken from the interval that ends next: what the lane's threads had counted before they came to it, cumulative,
 * in two parts: what an earlier collector had booked, and what none had.  Both are `before`: neither is a loss of these
 * books.  Likewise what was spent in refused frames since the last record. */
void interval_before(struct books *books, struct lane *lane, const uint64_t before[SHM_COUNTERS]);
void interval_gap(struct books *books, struct lane *lane, const uint64_t gap[SHM_COUNTERS]);
void interval_lost(struct books *books, struct lane *lane, const uint64_t lost[SHM_COUNTERS]);
