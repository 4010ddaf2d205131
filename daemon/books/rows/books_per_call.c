/* SPDX-License-Identifier: MIT */
/*
 * What a query reads of the histograms: percentiles of the bytes that a call allocated.
 */
#include <string.h>

#include "daemon/books/books_layout.h"
#include "daemon/books/rows/books_name_walk.h"

void books_fill_per_call(const struct hist_sum *sum, struct books_per_call *ret) {
        ret->count = sum->count;
        ret->max = sum->max;
        ret->p50 = hist_percentile(sum, 500);
        ret->p90 = hist_percentile(sum, 900);
        ret->p99 = hist_percentile(sum, 990);
}

/* Of one path by itself, as most names have: from the bucket of the largest down to the median's, without a copy.  For
 * a path that is exact: each of its calls is in a bucket. */
static void fill_from_one(const struct books *books, const struct hist *hist, struct books_per_call *ret) {
        static const unsigned permille[3] = {500, 900, 990};
        uint64_t *const values[3] = {&ret->p50, &ret->p90, &ret->p99};
        uint64_t count = hist->count, above = 0;
        int next = 2;

        *ret = (struct books_per_call){0};
        if (!count || hist->epoch != books->book->hist_epoch)
                return;
        ret->count = count;
        ret->max = hist->max;
        for (unsigned b = hist_bucket(hist->max) + 1; b-- > 0;) {
                uint32_t chunk = hist->octave[b / HIST_SUB];
                uint64_t found = books->chunks[chunk].count[b % HIST_SUB];

                if (!chunk) {
                        b -= b % HIST_SUB;
                        continue;
                }
                above += found;
                while (found && above > count - (count * permille[next] + 999) / 1000) {
                        uint64_t middle = hist_bucket_middle(b);

                        *values[next] = middle < hist->max ? middle : hist->max;
                        if (next-- == 0)
                                return;
                }
        }
}

void books_path_per_call(const struct books *books, uint32_t path, struct books_per_call *ret) {
        const struct tally *t = &books->tallies[path];
        struct hist_sum sum;

        if (!t->estimated) {
                fill_from_one(books, &t->hist, ret);
                return;
        }
        hist_sum_init(&sum);
        hist_merge(books, &sum, &t->hist);
        books_fill_per_call(&sum, ret);
}

static void merge_name(const struct books *books, uint32_t name, struct hist_sum *sum) {
        hist_sum_init(sum);
        for (uint32_t path = books->names[name].first_path; path; path = books->tallies[path].next_path)
                hist_merge(books, sum, &books->tallies[path].hist);
}

void books_name_per_call(const struct books *books, uint32_t name, struct books_per_call *ret) {
        uint32_t first = books->names[name].first_path;
        struct hist_sum sum;

        if (first && !books->tallies[first].next_path) {
                books_path_per_call(books, first, ret);
                return;
        }
        merge_name(books, name, &sum);
        books_fill_per_call(&sum, ret);
}

static void fill_histogram(const struct hist_sum *sum, uint64_t ret[64]) {
        memset(ret, 0, 64 * sizeof *ret);
        for (unsigned b = 0; b < HIST_OCTAVES * HIST_SUB; b++)
                if (sum->octaves & UINT64_C(1) << b / HIST_SUB)
                        ret[63 - __builtin_clzll(hist_bucket_middle(b) | 1)] += sum->buckets[b];
}

void books_name_histogram(const struct books *books, uint32_t name, uint64_t ret[64]) {
        struct hist_sum sum;

        merge_name(books, name, &sum);
        fill_histogram(&sum, ret);
}

void books_name_walk_histogram(const struct books_name_walk *walk, uint64_t ret[64]) {
        fill_histogram(&walk->hist, ret);
}
