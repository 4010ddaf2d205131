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

void radix_sort(struct radix_item *items, struct radix_item *spare, size_t count) {
        struct radix_item *from = items, *to = spare;
        uint64_t differ = 0;

        for (size_t i = 1; i < count; i++)
                differ |= items[i].key ^ items[0].key;
        for (unsigned shift = 0; shift < 64; shift += DIGIT_BITS) {
                struct radix_item *sorted = to;

                if (!digit_at(differ, shift))
                        continue;
                sort_by_digit(sorted, from, count, shift);
                to = from;
                from = sorted;
        }
        if (from != items)
                memcpy(items, from, count * sizeof *items);
}
