/* SPDX-License-Identifier: MIT */
/*
 * For tests of the books: small books with a few names, records written by hand, and the law that they balance.
 *
 * One number stands for the four counters: a thread that has counted n has allocated n times, 100 n bytes, and freed
 * 3 n times, 70 n bytes.  cmocka.h and what it needs are to be included before.
 */
#pragma once

#include <stdlib.h>
#include <string.h>

#include "daemon/attribution/frames.h"
#include "daemon/books/books_layout.h"

enum { NAME_A = 2, NAME_B, NAME_C, NAMES = NAME_C };
enum { A = 2, B, A_B, B_A, C, PATHS = C }; /* paths: roots A, B and C; A/B and B/A */

static const uint64_t factor[SHM_COUNTERS] = {1, 100, 3, 70};

static inline void four(uint64_t ret[SHM_COUNTERS], uint64_t n) {
        for (int c = 0; c < SHM_COUNTERS; c++)
                ret[c] = n * factor[c];
}

/* The `index`-th span that lane `lane` opens, from 1. */
static inline uint64_t span_of(uint32_t lane, uint32_t index) {
        return UINT64_C(1) << 32 | (uint64_t)index << 12 | lane;
}

static inline void books_put_name(struct books *books, uint32_t id, const char *text) {
        struct book_name *name = &books->names[id];

        strcpy(name->name, text);
        name->name_length = (uint16_t)strlen(text);
        books->book->names = id;
}

static inline void books_put_path(struct books *books, uint32_t id, uint32_t parent, uint32_t name) {
        books->tallies[id].parent = parent;
        books->tallies[id].name = name;
        books->tallies[id].depth = parent ? books->tallies[parent].depth + 1 : 0;
        books->tallies[id].next_path = books->names[name].first_path;
        books->names[name].first_path = id;
        books->book->paths = id;
}

static inline struct books *books_small(uint32_t instances) {
        const struct books_limits limits = {.names = 16, .paths = 16, .lanes = 8, .instances = instances, .threads = 4};
        struct books *books;

        assert_int_equal(books_new(&books, &limits, 1), 0);
        books_put_name(books, SHM_NAME_OTHER, "(other)");
        books_put_name(books, NAME_A, "a");
        books_put_name(books, NAME_B, "b");
        books_put_name(books, NAME_C, "c");
        books_put_path(books, SHM_PATH_OTHER, 0, SHM_NAME_OTHER);
        books_put_path(books, A, 0, NAME_A);
        books_put_path(books, B, 0, NAME_B);
        books_put_path(books, A_B, A, NAME_B);
        books_put_path(books, B_A, B, NAME_A);
        books_put_path(books, C, 0, NAME_C);
        books->book->lanes = limits.lanes;
        return books;
}

/* before + self + outside + lost == last, and `outside` is the sum over the names of threads. */
static inline void books_assert_balance(const struct books *books) {
        char why[160] = "";

        if (!books_check(books, why, sizeof why))
                fail_msg("%s", why);
        for (int c = 0; c < SHM_COUNTERS; c++) {
                uint64_t booked = 0, last = 0, outside = 0, threads = 0;

                for (uint32_t i = 0; i < books->limits.lanes; i++) {
                        booked += books->lanes[i].before[c] + books->lanes[i].outside[c] + books->lanes[i].lost[c];
                        outside += books->lanes[i].outside[c];
                        last += books->lanes[i].last[c];
                }
                for (uint32_t path = 1; path <= books->book->paths; path++)
                        booked += books->tallies[path].self[c];
                for (uint32_t i = 0; i < books->book->threads; i++)
                        threads += books->threads[i].outside[c];
                assert_int_equal(booked, last);
                assert_int_equal(outside, threads);
        }
}
