/* SPDX-License-Identifier: MIT */
/* See interval.h. */
#include "daemon/attribution/interval.h"

/* Takes from `delta` what is pending, and books it. */
static void take(uint64_t delta[SHM_COUNTERS], const uint64_t pending[SHM_COUNTERS], uint64_t to[SHM_COUNTERS]) {
        for (int i = 0; i < SHM_COUNTERS; i++) {
                uint64_t part = pending[i] < delta[i] ? pending[i] : delta[i];

                delta[i] -= part;
                to[i] += part;
        }
}

struct counters interval_less_pending(struct books *books, struct lane *lane, struct counters of_interval) {
        uint64_t delta[SHM_COUNTERS];

        counters_store(delta, of_interval);
        touch_bytes(books, lane->before, sizeof lane->before);
        touch_bytes(books, lane->outside, 64);
        touch_bytes(books, lane->pending_lost, 64);
        take(delta, lane->pending_before, lane->before);
        take(delta, lane->pending_lost, lane->lost);
        memset(lane->pending_before, 0, sizeof lane->pending_before);
        memset(lane->pending_lost, 0, sizeof lane->pending_lost);
        touch(books, &lane->has_pending);
        lane->has_pending = 0;
        return counters_load(delta);
}

/* What a cumulative value has grown by since `seen`, which becomes it; added to what is pending. */
static bool grow(struct books *books, uint64_t seen[SHM_COUNTERS], const uint64_t is[SHM_COUNTERS],
                 uint64_t pending[SHM_COUNTERS]) {
        struct counters delta = counters_since(counters_load(is), counters_load(seen));

        if (counters_are_zero(delta))
                return false;
        touch_bytes(books, seen, sizeof(uint64_t[SHM_COUNTERS]));
        touch_bytes(books, pending, sizeof(uint64_t[SHM_COUNTERS]));
        counters_add(seen, delta);
        counters_add(pending, delta);
        return true;
}

static void set_pending(struct books *books, struct lane *lane) {
        touch(books, &lane->has_pending);
        lane->has_pending = 1;
}

void interval_before(struct books *books, struct lane *lane, const uint64_t before[SHM_COUNTERS]) {
        if (grow(books, lane->before_seen, before, lane->pending_before))
                set_pending(books, lane);
}

void interval_gap(struct books *books, struct lane *lane, const uint64_t gap[SHM_COUNTERS]) {
        if (grow(books, lane->gap_seen, gap, lane->pending_before))
                set_pending(books, lane);
}

void interval_lost(struct books *books, struct lane *lane, const uint64_t lost[SHM_COUNTERS]) {
        touch_bytes(books, lane->pending_lost, sizeof lane->pending_lost);
        counters_add(lane->pending_lost, counters_load(lost));
        set_pending(books, lane);
        if (lane->depth)
                tally_change(books, lane->frames[lane->depth - 1].path)->lost_touches++;
}
