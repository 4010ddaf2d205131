/* SPDX-License-Identifier: MIT */
/* See decayed.h. */
#include "daemon/books/decayed.h"

#include <math.h>

#include "base/nanoseconds.h"
#include "daemon/books/books_layout.h"

static const double rate_seconds[3] = {10, 60, 600};

static double tick_seconds(uint64_t ticks) {
        return (double)ticks * (double)(UINT64_C(1) << DECAYED_TICK_SHIFT) / (double)NS_PER_S;
}

/* At most once a tick for each entry, so the cost of exp() does not count. */
void decayed_advance(double sums[3], uint64_t *this_tick, uint64_t *tick, uint64_t now_tick) {
        double seconds = tick_seconds(now_tick - *tick);

        for (int i = 0; i < 3; i++)
                sums[i] = (sums[i] + (double)*this_tick) * exp(-seconds / rate_seconds[i]);
        *this_tick = 0;
        *tick = now_tick;
}

/* e^-(seconds/T) for the three T, of which each is a multiple of the next. */
static void decays(double seconds, double ret[3]) {
        double x = exp(-seconds / 600), x5, x3;

        ret[2] = x;
        x5 = x * x * x * x * x;
        ret[1] = x5 * x5;
        x3 = ret[1] * ret[1] * ret[1];
        ret[0] = x3 * x3;
}

/* Six times exp() for each row of a table were a twelfth of what all its columns cost. */
static const struct rate_factors *factors(struct rate_factors *last, uint64_t since_ticks, uint64_t age_ns) {
        if (!last->weight[0] || last->since_ticks != since_ticks) {
                last->since_ticks = since_ticks;
                decays(tick_seconds(since_ticks), last->decay);
        }
        if (!last->weight[0] || last->age_ns != age_ns) {
                last->age_ns = age_ns;
                decays((double)age_ns / (double)NS_PER_S, last->weight);
                for (int i = 0; i < 3; i++)
                        last->weight[i] = 1 / (rate_seconds[i] * (1 - last->weight[i]));
        }
        return last;
}

void decayed_rates(const struct books *books, const struct decayed *decayed, uint64_t now_ns, double ret[3]) {
        uint64_t tick = now_ns >> DECAYED_TICK_SHIFT, since = tick > decayed->tick ? tick - decayed->tick : 0;
        uint64_t age_ns = now_ns > decayed->born_ns ? now_ns - decayed->born_ns : 0;
        const struct rate_factors *f;

        /* Below a second there is no rate to speak of; above, the window is at most as long as the entry is old. */
        f = factors(&books->cache->rate_factors, since, age_ns > NS_PER_S ? age_ns : NS_PER_S);
        for (int i = 0; i < 3; i++)
                ret[i] = (decayed->sums[i] + (double)decayed->this_tick) * f->decay[i] * f->weight[i];
}
