/* SPDX-License-Identifier: MIT */
/*
 * A log-linear histogram of bytes: sixteen buckets for each power of two, in chunks that are made on first use.
 *
 * Values below 16 have a bucket each.  A value v of 2^k <= v < 2^(k+1), k >= 4, falls into one of sixteen buckets of
 * width 2^(k-4); a percentile is told as the middle of its bucket, so it is wrong by at most half a width of 1/16 of
 * the value: 1/32, 3.2 %.  Two histograms are merged by adding their buckets.  Values of 2^51 and more share the last.
 */
#pragma once

#include "daemon/books/batch.h"

#define HIST_OCTAVES 48u
#define HIST_SUB     16u

/* Sixteen buckets of a histogram: one octave. */
struct hist_chunk {
        uint64_t count[HIST_SUB];
};

/* Per-call bytes of one path. */
struct hist {
        uint64_t count, max;
        uint64_t epoch; /* of the book, when something was added last; of an earlier one: empty */
        uint64_t reserved;
        /* Net bytes of a call: allocated less freed.  Of all calls ever, modulo 2^64, not cleared by an epoch: marks and
         * resets remember both. */
        uint64_t calls, calls_net;
        uint64_t net_zero;     /* calls of the epoch that freed as much as they allocated */
        uint32_t net_chunk[2]; /* of those with a net above zero, and below: a chunk by powers of four, 0: none yet */
        uint32_t octave[HIST_OCTAVES]; /* index of a chunk, 0: none yet */
};
_Static_assert(sizeof(struct hist) == 256, "");

/* A merge, in plain memory.  Most histograms have one or two octaves, and a query makes a merge for each of its rows:
 * so `buckets` of an octave without a bit are neither cleared nor looked at. */
struct hist_sum {
        uint64_t count, max;
        uint64_t total;   /* of all buckets; less than count when no chunk could be had */
        uint64_t octaves; /* bits */
        uint64_t buckets[HIST_OCTAVES * HIST_SUB];
};
_Static_assert(HIST_OCTAVES <= 64, "a bit for each");

static inline void hist_sum_init(struct hist_sum *sum) {
        sum->count = sum->max = sum->total = sum->octaves = 0;
}

/* Which bucket a value falls into. */
static inline unsigned hist_bucket(uint64_t value) {
        unsigned k;

        if (value < HIST_SUB)
                return (unsigned)value;
        k = 63 - (unsigned)__builtin_clzll(value);
        if (k - 3 >= HIST_OCTAVES)
                return HIST_OCTAVES * HIST_SUB - 1;
        return (k - 3) * HIST_SUB + (unsigned)((value >> (k - 4)) & (HIST_SUB - 1));
}

/* In a batch: empties one that is of an earlier epoch. */
void hist_clear(struct books *books, struct hist *hist);
/* In a batch: makes room for an octave.  False: there is none. */
bool hist_make_chunk(struct books *books, struct hist *hist, unsigned octave);

/* In a batch, of a tally that was logged (tally_change).  False when no chunk could be had: the value is in `count` and
 * `max` only. */
static inline bool hist_add(struct books *books, struct hist *hist, uint64_t value) {
        unsigned bucket = hist_bucket(value), octave = bucket / HIST_SUB;
        uint64_t *count;

        if (__builtin_expect(hist->epoch != books->book->hist_epoch, 0))
                hist_clear(books, hist);
        hist->count++;
        if (value > hist->max)
                hist->max = value;
        if (__builtin_expect(!hist->octave[octave], 0) && !hist_make_chunk(books, hist, octave))
                return false;
        count = &books->chunks[hist->octave[octave]].count[bucket % HIST_SUB];
        touch(books, count);
        (*count)++;
        return true;
}

/* Which bucket of a net chunk a value above zero falls into: [0]: below 16; [k]: from 4^(k+1) on; the last has no end. */
static inline unsigned hist_net_bucket(uint64_t value) {
        unsigned k = value < 16 ? 0 : (63 - (unsigned)__builtin_clzll(value)) / 2 - 1;

        return k < HIST_SUB ? k : HIST_SUB - 1;
}

/* In a batch: makes room for a side of the nets.  False: there is none. */
bool hist_make_net_chunk(struct books *books, struct hist *hist, unsigned side);

/* Right after hist_add(): the net bytes of the same call.  Without a chunk it is in the sums only. */
static inline void hist_add_net(struct books *books, struct hist *hist, uint64_t net) {
        bool is_negative = net >> 63;
        uint64_t *count;

        hist->calls++;
        hist->calls_net += net;
        if (!net) {
                hist->net_zero++;
                return;
        }
        if (__builtin_expect(!hist->net_chunk[is_negative], 0) && !hist_make_net_chunk(books, hist, is_negative))
                return;
        count = &books->chunks[hist->net_chunk[is_negative]].count[hist_net_bucket(is_negative ? -net : net)];
        touch(books, count);
        (*count)++;
}

/* The nets of a merge: calls by net bytes; [0] above zero, [1] below. */
struct hist_nets {
        uint64_t zero, sides[2][HIST_SUB];
};
void hist_merge_nets(const struct books *books, struct hist_nets *nets, const struct hist *hist);

/* In a batch: all histograms are empty from here on. */
static inline void hist_clear_all(struct books *books) {
        touch(books, &books->book->hist_epoch);
        books->book->hist_epoch++;
}

/* Into a merge that was initialised. */
void hist_merge(const struct books *books, struct hist_sum *sum, const struct hist *hist);
/* The value below which `permille` thousandths lie; 0 of nothing. */
uint64_t hist_percentile(const struct hist_sum *sum, unsigned permille);

uint64_t hist_bucket_middle(unsigned bucket);
