/* SPDX-License-Identifier: MIT */
/*
 * Rates: sums of bytes that decay over 10 s, 1 min and 10 min.  Pure: time is an argument.
 *
 * What lives here: the arithmetic.  What does not: the sums, which lie in the entries of paths (tally.h) and of threads'
 * names (thread_names.h).
 */
#pragma once

#include <stdint.h>

struct books;

/* A tick of the rates: 2^27 ns, about an eighth of a second. */
#define DECAYED_TICK_SHIFT 27

/* The sums of one entry: `decayed` is as of `tick`, `this_tick` came since. */
struct decayed {
        const double *sums; /* three */
        uint64_t tick, this_tick, born_ns;
};

/* Brings the sums to the present tick. */
void decayed_advance(double sums[3], uint64_t *this_tick, uint64_t *tick, uint64_t now_tick);

/* Bytes a second over 10 s, 1 min, 10 min, at `now_ns`.  A decayed sum S has the rate S / (T (1 - e^(-age/T))), so that
 * the rate of a young entry is not too low. */
void decayed_rates(const struct books *books, const struct decayed *decayed, uint64_t now_ns, double ret[3]);
