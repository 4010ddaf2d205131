/* SPDX-License-Identifier: MIT */
/*
 * Rows in the order of their keys.
 *
 * Numbers are sorted byte by byte from the lowest, which keeps the order of equal ones.  Of the eight bytes of a column most
 * are the same in all rows, and cost nothing but the look at them.
 */
#include <string.h>

#include "daemon/query/query_private.h"

#define DIGITS 8u
#define VALUES 256u

static unsigned digit_of(uint64_t key, unsigned digit) {
        return (unsigned)(key >> 8 * digit) & (VALUES - 1);
}

/* Where the rows of each value begin. */
static void begin_of_each(uint32_t counts[VALUES]) {
        uint32_t at = 0;

        for (unsigned v = 0; v < VALUES; v++) {
                uint32_t count = counts[v];

                counts[v] = at;
                at += count;
        }
}

struct query_written *query_sort(struct query_written *rows, struct query_written *spare, size_t count) {
        uint32_t at[VALUES];
        uint64_t differ = 0;

        for (size_t i = 1; i < count; i++)
                differ |= rows[i].key ^ rows[0].key;
        for (unsigned d = 0; d < DIGITS; d++) {
                struct query_written *sorted = spare;

                if (!digit_of(differ, d))
                        continue;
                memset(at, 0, sizeof(at));
                for (size_t i = 0; i < count; i++)
                        at[digit_of(rows[i].key, d)]++;
                begin_of_each(at);
                for (size_t i = 0; i < count; i++)
                        sorted[at[digit_of(rows[i].key, d)]++] = rows[i];
                spare = rows;
                rows = sorted;
        }
        return rows;
}
