/* SPDX-License-Identifier: MIT */
/*
 * The rate of the timestamps' clock (shm/clock.h).  The kernel does not publish it, so it is measured against
 * CLOCK_MONOTONIC_RAW, which the kernel derives from the same counter.
 *
 * Two readings lie at least 20 ms apart and each takes about 100 ns: the error is at most 10 millionths, and falls with
 * the time between them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct rate {
        uint64_t ticks, ns; /* at the beginning */
};

void rate_begin(struct rate *rate);
/* Ticks a second.  Sleeps if the first reading is less than 20 ms old. */
uint64_t rate_measure(const struct rate *rate);
/* 0, or -EOPNOTSUPP where the kernel itself does not trust the counter, or there is none: `why` says what. */
int rate_check(char *why, size_t size);
