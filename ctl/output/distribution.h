/* SPDX-License-Identifier: MIT */
/*
 * The distributions of bytes and of net bytes per call, and their drawings.
 */
#pragma once

#include <stdint.h>

#include "query/table.h"

struct distribution {
        /* Of bytes: [n]: from 2^n on; [0]: 0 and 1.  Of net bytes, in powers of four: [DISTRIBUTION_NET_ZERO]: 0; before it
         * are nets below zero. */
        uint64_t counts[64];
        uint64_t total, most;
        unsigned first, last; /* the first and last that are not empty, if total > 0 */
};

/* Adds a cell of `per_call_histogram`; NULL adds nothing. */
void distribution_add(struct distribution *distribution, const struct table_map *map);

/* Adds a cell of `net_per_call_histogram`, to a distribution of net bytes; NULL adds nothing. */
enum { DISTRIBUTION_NET_SIDE = 16, DISTRIBUTION_NET_ZERO = DISTRIBUTION_NET_SIDE };
void distribution_net_add(struct distribution *distribution, const struct table_map *map);

/* One line: from how many bytes on, a bar of at most `width` columns, how many, and which share.  Returns `buf`. */
enum { DISTRIBUTION_LINE_MAX = 1024 };
char *distribution_line(const struct distribution *distribution, unsigned n, size_t width,
                        char buf[DISTRIBUTION_LINE_MAX]);
char *distribution_net_line(const struct distribution *distribution, unsigned n, size_t width,
                            char buf[DISTRIBUTION_LINE_MAX]);
