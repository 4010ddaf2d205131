/* SPDX-License-Identifier: MIT */
/*
 * Allocations that this library causes in others at start-up, before there is a collector: they are subtracted from the
 * counters.
 */
#pragma once

#include "client/process/counting.h"

struct sa_quiet {
        _Atomic uint64_t *counters;
        uint64_t before[SHM_COUNTERS];
};

/* Relaxed, all of it: the counters are this thread's own. */
static inline void sa_quiet_begin(struct sa_quiet *quiet) {
        quiet->counters = sa_counters();
        for (int i = 0; i < SHM_COUNTERS; i++)
                quiet->before[i] = atomic_load_explicit(&quiet->counters[i], memory_order_relaxed);
}

/* The allocations since then, which count no more. */
static inline uint64_t sa_quiet_end(const struct sa_quiet *quiet) {
        uint64_t now = atomic_load_explicit(&quiet->counters[SHM_ALLOC_COUNT], memory_order_relaxed);

        for (int i = 0; i < SHM_COUNTERS; i++)
                atomic_store_explicit(&quiet->counters[i], quiet->before[i], memory_order_relaxed);
        return now - quiet->before[SHM_ALLOC_COUNT];
}
