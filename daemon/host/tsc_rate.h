/* SPDX-License-Identifier: MIT */
/*
 * How fast the clock of the timestamps is (shm/clock.h).  Only the kernel knows, and it does not tell: so it is measured
 * against CLOCK_MONOTONIC_RAW, which the kernel makes of the same counter.
 *
 * Two readings lie at least 20 ms apart and are each taken within about 100 ns: an error of at most 10 millionths, less
 * with each second that goes by.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct rate {
        uint64_t ticks, ns; /* at the beginning */
};

void rate_begin(struct rate *rate);
/* Ticks a second.  Waits, where the beginning is less than 20 ms ago. */
uint64_t rate_measure(const struct rate *rate);
/* 0, or -EOPNOTSUPP where the kernel itself does not trust the counter, or there is none: `why` says what. */
int rate_check(char *why, size_t size);
