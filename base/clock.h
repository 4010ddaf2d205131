/* SPDX-License-Identifier: MIT */
/*
 * The kernel's clocks, in nanoseconds.
 *
 * What does not live here: the processor's counter that stamps records (shm/clock.h), and its rate
 * (daemon/host/tsc_rate.h).
 */
#pragma once

#include <time.h>

#include "base/nanoseconds.h"

static inline uint64_t clock_ns(clockid_t clock) {
        struct timespec now;

        clock_gettime(clock, &now);
        return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Does not jump; good for intervals and deadlines. */
static inline uint64_t clock_monotonic_ns(void) {
        return clock_ns(CLOCK_MONOTONIC);
}

/* Since the epoch. */
static inline uint64_t clock_realtime_ns(void) {
        return clock_ns(CLOCK_REALTIME);
}
