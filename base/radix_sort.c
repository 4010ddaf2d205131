/* SPDX-License-Identifier: MIT */
/*
 * See radix_sort.h.  Digits are sorted from the lowest to the highest, which keeps the order of equal keys.  A digit
 * that is the same in all keys costs nothing.
 */
#include "base/radix_sort.h"

#include <string.h>

enum { DIGIT_BITS = 11, VALUES = 1 << DIGIT_BITS };

static unsigned digit_at(uint64_t key, unsigned shift) {
        return (unsigned)(key >> shift) & (VALUES - 1);
}

static void sort_by_digit(struct radix_item *to, const struct radix_item *from, size_t count, unsigned shift) {
        uint32_t starts[VALUES] = {0}, sum = 0;

        for (size_t i = 0; i < count; i++)
                starts[digit_at(from[i].key, shift)]++;
        for (size_t v = 0; v < VALUES; v++) {
                uint32_t n = starts[v];

                starts[v] = sum;
                sum += n;
        }
        for (size_t i = 0; i < count; i++)
                to[starts[digit_at(from[i].key, shift)]++] = from[i];
}

void radix_sort_begin(struct radix_sort *sort, struct radix_item *items, struct radix_item *spare, size_t count) {
        *sort = (struct radix_sort){.items = items, .spare = spare, .count = count};
        for (size_t i = 1; i < count; i++)
                sort->differ |= items[i].key ^ items[0].key;
}

bool radix_sort_some(struct radix_sort *sort) {
        while (sort->shift < 64 && !digit_at(sort->differ, sort->shift))
                sort->shift += DIGIT_BITS;
        if (sort->shift < 64) {
                sort_by_digit(sort->in_spare ? sort->items : sort->spare, sort->in_spare ? sort->spare : sort->items,
                              sort->count, sort->shift);
                sort->in_spare = !sort->in_spare;
                sort->shift += DIGIT_BITS;
                return false;
        }
        if (sort->in_spare)
                memcpy(sort->items, sort->spare, sort->count * sizeof *sort->items);
        sort->in_spare = false;
        return true;
}

void radix_sort(struct radix_item *items, struct radix_item *spare, size_t count) {
        struct radix_sort sort;

        radix_sort_begin(&sort, items, spare, count);
        while (!radix_sort_some(&sort))
                ;
}
