/* SPDX-License-Identifier: MIT */
/*
 * Sorting very many rows by a number, without changing the order of equal ones.
 *
 * What lives here: the sort, and numbers whose order is that of other things.  What does not: what a row is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct radix_item {
        uint64_t key;
        uint32_t at, size; /* the owner's: where the row is, and of what size; the sort only carries them */
};

/* Sorts `items` from the smallest key to the largest.  `spare` has room for as many. */
void radix_sort(struct radix_item *items, struct radix_item *spare, size_t count);

/* The same one digit at a time, of which there are six at most.  True: `items` is sorted. */
struct radix_sort {
        struct radix_item *items, *spare;
        size_t count;
        uint64_t differ; /* bits that are not the same in all keys */
        unsigned shift;  /* of the next digit */
        bool in_spare;   /* The items are there. */
};
void radix_sort_begin(struct radix_sort *sort, struct radix_item *items, struct radix_item *spare, size_t count);
bool radix_sort_some(struct radix_sort *sort);

/* A key in the order of signed numbers. */
static inline uint64_t radix_key_of_int(int64_t value) {
        return (uint64_t)value ^ UINT64_C(1) << 63;
}
