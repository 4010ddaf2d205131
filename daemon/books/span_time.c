/* SPDX-License-Identifier: MIT */
/* See span_time.h. */
#include "daemon/books/span_time.h"

#include <math.h>

#include "base/nanoseconds.h"
#include "daemon/books/books_layout.h"

#define RATE_NS 10e9

static struct span_time *change(struct books *books, uint32_t path) {
        struct span_time *times = &books->span_times[path];

        touch(books, times);
        return times;
}

/* From here on the lane is timed.  Frames that are open begin a stretch of their total; the length of their cycles
 * stays unknown. */
static void start(struct books *books, struct lane *lane, uint64_t ticks) {
        for (uint32_t i = 0; i < lane->depth; i++) {
                touch_line(books, &lane->frames[i]);
                frame_set_apart(books, &lane->frames[i]);
                lane->frames[i].credited = ticks;
        }
}

static void stop(struct books *books, struct lane *lane) {
        for (uint32_t i = 0; i < lane->depth; i++) {
                struct frame *frame = &lane->frames[i];

                if (frame->flags & FRAME_OUTER_NAME)
                        span_time_total(books, lane, frame);
                touch_line(books, frame);
                frame->entered = 0;
                if (frame->flags & FRAME_APART) {
                        touch(books, &frame->credited);
                        frame->credited = 0;
                }
        }
}

void span_time_interval(struct books *books, struct lane *lane, uint64_t ticks) {
        if (!lane->timed_until)
                start(books, lane, ticks);
        else if (!ticks)
                stop(books, lane);
        else if (ticks < lane->timed_until) /* of another processor, or a stranger's */
                return;
        else if (lane->depth)
                change(books, lane->frames[lane->depth - 1].path)->self += ticks - lane->timed_until;
        touch(books, &lane->timed_until);
        lane->timed_until = ticks;
}

void span_time_total(struct books *books, const struct lane *lane, const struct frame *frame) {
        uint64_t ticks = span_time_open(lane, frame);

        if (ticks)
                change(books, frame->path)->total += ticks;
}

/* Whether the decayed count is of an earlier time that the process was timed in. */
static bool is_old(const struct books *books, const struct span_time *times) {
        return times->tick_ns < books->book->timed_ns;
}

/* The batch's time is one for all its records, so the cost of exp() does not count. */
static void decay(const struct books *books, struct span_time *times) {
        uint64_t now_ns = books->book->now_ns;

        if (is_old(books, times))
                times->decayed = 0;
        else if (now_ns > times->tick_ns)
                times->decayed *= exp(-(double)(now_ns - times->tick_ns) / RATE_NS);
        else
                return;
        times->tick_ns = now_ns;
}

void span_time_call(struct books *books, uint32_t path, uint64_t ticks) {
        struct span_time *times = change(books, path);

        times->calls++;
        times->calls_total += ticks;
        if (times->epoch != books->book->hist_epoch) {
                times->epoch = books->book->hist_epoch;
                times->longest = 0;
        }
        if (ticks > times->longest)
                times->longest = ticks;
        decay(books, times);
        times->decayed++;
}

/* --------------------------------------------------------------------------------------------------------- rows -- */

uint64_t span_time_to_ns(const struct books *books, uint64_t ticks) {
        uint64_t rate = books->book->clock_rate;

        if (!ticks || !rate)
                return 0;
        return (uint64_t)((unsigned __int128)ticks * NS_PER_S / rate);
}

/* A decayed count S of an age has the rate S / (T (1 - e^(-age/T))), as in tally_rates(). */
static double calls_rate(const struct books *books, const struct span_time *times, uint64_t now_ns) {
        uint64_t timed_ns = books->book->timed_ns;
        double since = now_ns > times->tick_ns ? (double)(now_ns - times->tick_ns) : 0;
        double age = now_ns > timed_ns + NS_PER_S ? (double)(now_ns - timed_ns) : (double)NS_PER_S;

        if (is_old(books, times))
                return 0;
        return times->decayed * exp(-since / RATE_NS) / (RATE_NS / (double)NS_PER_S * (1 - exp(-age / RATE_NS)));
}

static uint64_t minus(uint64_t a, uint64_t b) {
        return a > b ? a - b : 0;
}

void span_time_add_row(const struct books *books, uint32_t path, const struct time_sums *base, uint64_t now_ns,
                       struct books_time *row) {
        const struct span_time *times = &books->span_times[path];
        uint64_t total = books_total_ticks(books, path);

        if (!(times->self | total | times->calls))
                return;
        row->self_ns += span_time_to_ns(books, minus(times->self, base->self));
        row->total_ns += span_time_to_ns(books, minus(total, base->total));
        row->calls += minus(times->calls, base->calls);
        row->calls_ns += span_time_to_ns(books, minus(times->calls_total, base->calls_total));
        row->calls_rate += times->calls ? calls_rate(books, times, now_ns) : 0;
        if (times->epoch == books->book->hist_epoch && span_time_to_ns(books, times->longest) > row->longest_ns)
                row->longest_ns = span_time_to_ns(books, times->longest);
}
