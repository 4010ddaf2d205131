/* See tally.h. */
#include "daemon/core/tally.h"

#include <math.h>

#include "daemon/core/hist.h"

static const double rate_seconds[3] = {10, 60, 600};

static double tick_seconds(uint64_t ticks) {
        return (double)ticks * (double)(UINT64_C(1) << TALLY_TICK_SHIFT) / 1e9;
}

/* Brings the decayed sums to the present tick.  At most once a tick for each path, so the cost of exp() does not count. */
static void decay(struct tally *t, uint64_t now_ns) {
        uint64_t tick = now_ns >> TALLY_TICK_SHIFT;
        double seconds;

        if (tick <= t->tick)
                return;
        seconds = tick_seconds(tick - t->tick);
        for (int i = 0; i < 3; i++)
                t->decayed[i] *= exp(-seconds / rate_seconds[i]);
        t->tick = tick;
}

static void add(uint64_t to[SHM_COUNTERS], const uint64_t delta[SHM_COUNTERS]) {
        for (int i = 0; i < SHM_COUNTERS; i++)
                to[i] += delta[i];
}

void tally_self(struct books *books, uint32_t path, const uint64_t delta[SHM_COUNTERS]) {
        struct tally *t = &books->tallies[path];

        state_touch(&books->state, t->self, 64);
        add(t->self, delta);
        if (!delta[SHM_ALLOC_BYTES])
                return;
        state_touch(&books->state, t->decayed, 64);
        decay(t, books->book->now_ns);
        for (int i = 0; i < 3; i++)
                t->decayed[i] += (double)delta[SHM_ALLOC_BYTES];
}

void tally_total(struct books *books, uint32_t path, const uint64_t delta[SHM_COUNTERS]) {
        struct tally *t = &books->tallies[path];

        state_touch(&books->state, t->self, 64);
        add(t->total, delta);
}

/* The line of the counts. */
static struct tally *counts(struct books *books, uint32_t path) {
        struct tally *t = &books->tallies[path];

        state_touch(&books->state, &t->cycles, 64);
        return t;
}

void tally_cycle(struct books *books, uint32_t path, bool migrated) {
        struct tally *t = counts(books, path);

        t->cycles++;
        t->migrated += migrated;
}

void tally_opened(struct books *books, uint32_t path) {
        counts(books, path)->opened++;
}

void tally_closed(struct books *books, uint32_t path, uint64_t bytes, uint32_t cycles) {
        struct tally *t = counts(books, path);

        t->closed++;
        /* A span that completed no cycle says nothing about a call. */
        if (cycles && !hist_add(books, &t->hist, bytes))
                t->estimated = 1;
}

void tally_aborted(struct books *books, uint32_t path, uint64_t spans) {
        counts(books, path)->aborted += spans;
}

void tally_lost(struct books *books, uint32_t path) {
        counts(books, path)->lost_touches++;
}

void tally_estimated(struct books *books, uint32_t path) {
        counts(books, path)->estimated = 1;
}

void tally_rates(const struct books *books, const struct tally *t, uint64_t now_ns, double ret[3]) {
        uint64_t tick = now_ns >> TALLY_TICK_SHIFT;
        double since = tick > t->tick ? tick_seconds(tick - t->tick) : 0;
        double age = now_ns > t->born_ns ? (double)(now_ns - t->born_ns) / 1e9 : 0;

        /* Below a second there is no rate to speak of; above, the window is at most as long as the path is old. */
        if (age < 1)
                age = 1;
        for (int i = 0; i < 3; i++) {
                double window = rate_seconds[i];

                ret[i] = t->decayed[i] * exp(-since / window) / (window * (1 - exp(-age / window)));
        }
}
