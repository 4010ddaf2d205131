/* SPDX-License-Identifier: MIT */
/*
 * What is timed for each path.  Pure: ticks are arguments, and records bring them.
 *
 * A lane is *timed* from one record with a timestamp to the last in a row; what lies between two of them is a timed
 * interval.  Where one comes without, or the thread is dead, the lane is not timed until the next.  Time is spent as
 * counters are (frames.h), on the same paths, but only while the lane is timed.  docs/semantics.md says what follows.
 *
 * Everything but the rows runs in a batch.
 */
#pragma once

#include "daemon/books/lane.h"

/* Time spent on a path, in ticks of the clock (shm/clock.h); nothing but zeros where a process was never timed. */
struct span_time {
        uint64_t self, total;
        uint64_t calls, calls_total; /* closed spans that were timed from beginning to end */
        uint64_t longest;
        uint64_t epoch;   /* of the book, when `longest` was set */
        double decayed;   /* calls, each e^-(age / 10 s) */
        uint64_t tick_ns; /* when that was decayed last */
};
_Static_assert(sizeof(struct span_time) == 64, "");

struct time_sums;

/* The interval that ends now ended at `ticks`; 0: that is not known.  To be called when `lane` differs from it, with
 * the stack as it was. */
void span_time_interval(struct books *books, struct lane *lane, uint64_t ticks);

static inline bool span_time_is_due(const struct lane *lane, uint64_t ticks) {
        return lane->timed_until != ticks;
}

/* An outermost stretch of the path's name ends, where the last interval did. */
void span_time_total(struct books *books, const struct lane *lane, const struct frame *frame);

/* Whether the cycle of `frame`, which ends where the last interval did, was timed from its beginning; *ret: how long.
 * */
static inline bool span_time_cycle(const struct lane *lane, const struct frame *frame, uint64_t *ret) {
        if (!lane->timed_until || !frame->entered)
                return false;
        *ret = lane->timed_until > frame->entered ? lane->timed_until - frame->entered : 0;
        return true;
}

/* A span of the path was closed, every cycle of which was timed. */
void span_time_call(struct books *books, uint32_t path, uint64_t ticks);

/* What was spent of an open frame's total up to the end of the last interval. */
static inline uint64_t span_time_open(const struct lane *lane, const struct frame *frame) {
        uint64_t credited = frame_credited(frame);

        return credited && lane->timed_until > credited ? lane->timed_until - credited : 0;
}

/* Adds the path's time to a row, less what `base` remembers. */
void span_time_add_row(const struct books *books, uint32_t path, const struct time_sums *base, uint64_t now_ns,
                       struct books_time *row);
uint64_t span_time_to_ns(const struct books *books, uint64_t ticks);
