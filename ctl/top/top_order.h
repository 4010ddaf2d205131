/* SPDX-License-Identifier: MIT */
/*
 * Sorting very many rows quickly and without changing what is equal: a number for each, from small to large.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct top_ordered {
        uint64_t rank;
        uint32_t item;
};

/* `spare` has room for as many.  Equal ranks stay in the order in which they were. */
void top_order(struct top_ordered *rows, struct top_ordered *spare, size_t count);

/* Numbers whose order is that of what they are made of. */
static inline uint64_t top_rank_int(int64_t value) {
        return (uint64_t)value ^ UINT64_C(0x8000000000000000);
}
