/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "ctl/top/top_order.h"

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

/* A radix sort from the lowest digit on; digits in which all are alike cost only the counting. */
void top_order(struct top_ordered *rows, struct top_ordered *spare, size_t count) {
        struct top_ordered *from = rows, *to = spare;

        for (unsigned shift = 0; shift < 64 && count > 1; shift += DIGIT_BITS) {
                uint32_t starts[DIGITS] = {0}, sum = 0;

                for (size_t i = 0; i < count; i++)
                        starts[from[i].rank >> shift & (DIGITS - 1)]++;
                if (starts[from[0].rank >> shift & (DIGITS - 1)] == count)
                        continue;
                for (size_t d = 0; d < DIGITS; d++) {
                        uint32_t n = starts[d];

                        starts[d] = sum;
                        sum += n;
                }
                for (size_t i = 0; i < count; i++)
                        to[starts[from[i].rank >> shift & (DIGITS - 1)]++] = from[i];
                struct top_ordered *swap = from;
                from = to;
                to = swap;
        }
        if (from != rows)
                memcpy(rows, from, count * sizeof(*rows));
}
