/* SPDX-License-Identifier: MIT */
/*
 * The distribution of bytes per call, in powers of two, and its drawing.
 */
#pragma once

#include <stdint.h>

#include "query/table.h"

struct distribution {
        uint64_t counts[64]; /* [n]: from 2^n on; [0]: 0 and 1 */
        uint64_t total, most;
        unsigned first, last; /* the first and last that are not empty, if total > 0 */
};

/* Adds a cell of `per_call_histogram`; NULL adds nothing. */
void distribution_add(struct distribution *distribution, const struct table_map *map);

/* One line: from how many bytes on, a bar of at most `width` columns, how many, and which share.  Returns `buf`. */
enum { DISTRIBUTION_LINE_MAX = 1024 };
char *distribution_line(const struct distribution *distribution, unsigned n, size_t width,
                        char buf[DISTRIBUTION_LINE_MAX]);
