/* SPDX-License-Identifier: MIT */
/*
 * A thread's four counters at once: what the books subtract and add for every record.
 *
 * Two vectors of two words, which every target has (SSE2, NEON): a difference and a sum of all four take two
 * instructions each instead of four.  Only the comparison is missing there, for a counter that went back; so whether
 * any did is asked once for all four, and those few are worked out one by one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "shm/layout.h"

typedef uint64_t counters_pair __attribute__((vector_size(16)));
_Static_assert(SHM_COUNTERS == 4, "two pairs");

struct counters {
        counters_pair allocs, deallocs; /* a count and its bytes each, in the order of enum shm_counter */
};

/* The same in arrays of words, which lie at any of them. */
typedef counters_pair counters_words __attribute__((aligned(8), may_alias));

static inline struct counters counters_load(const uint64_t from[SHM_COUNTERS]) {
        const counters_words *pairs = (const counters_words *)from;

        return (struct counters){pairs[0], pairs[1]};
}

static inline void counters_store(uint64_t to[SHM_COUNTERS], struct counters c) {
        counters_words *pairs = (counters_words *)to;

        pairs[0] = c.allocs;
        pairs[1] = c.deallocs;
}

static inline struct counters counters_plus(struct counters a, struct counters b) {
        return (struct counters){a.allocs + b.allocs, a.deallocs + b.deallocs};
}

static inline void counters_add(uint64_t to[SHM_COUNTERS], struct counters c) {
        counters_store(to, counters_plus(counters_load(to), c));
}

static inline bool counters_are_zero(struct counters c) {
        counters_pair any = c.allocs | c.deallocs;
#ifdef __SSE2__
        return _mm_movemask_epi8(_mm_cmpeq_epi32((__m128i)any, _mm_setzero_si128())) == 0xffff;
#else
        return !(any[0] | any[1]);
#endif
}

/* Whether the highest bit of any word is set. */
static inline bool counters_have_sign(counters_pair pair) {
#ifdef __SSE2__
        return _mm_movemask_pd((__m128d)pair);
#else
        return (pair[0] | pair[1]) >> 63;
#endif
}

static inline uint64_t counters_alloc_bytes(struct counters c) {
        return c.allocs[SHM_ALLOC_BYTES];
}
_Static_assert(SHM_ALLOC_BYTES == 1, "in the first pair");

/* As an int64_t. */
static inline uint64_t counters_net_bytes(struct counters c) {
        return c.allocs[1] - c.deallocs[1];
}
_Static_assert(SHM_DEALLOC_BYTES == 3, "in the second pair");

/* a - b, where a is the larger; else 0. */
struct counters counters_since_slow(struct counters a, struct counters b);

static inline struct counters counters_since(struct counters a, struct counters b) {
        struct counters ret = {a.allocs - b.allocs, a.deallocs - b.deallocs};

        /* Of two words without the highest bit, the difference has it where the first is the smaller, and only there.
         * */
        if (__builtin_expect(
                    counters_have_sign(ret.allocs | a.allocs | b.allocs | ret.deallocs | a.deallocs | b.deallocs), 0))
                return counters_since_slow(a, b);
        return ret;
}
