/* SPDX-License-Identifier: MIT */
/*
 * The distributions of bytes and of net bytes per call, and their drawings.
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

/* The same of net bytes, in powers of four: [DISTRIBUTION_NET_ZERO] is 0, before it are nets below zero. */
enum { DISTRIBUTION_NET_SIDE = 16, DISTRIBUTION_NET_ZERO = DISTRIBUTION_NET_SIDE, DISTRIBUTION_NETS = 33 };
struct distribution_net {
        uint64_t counts[DISTRIBUTION_NETS];
        uint64_t total, most;
        unsigned first, last; /* as of struct distribution */
};

/* Adds a cell of `net_per_call_histogram`; NULL adds nothing. */
void distribution_net_add(struct distribution_net *distribution, const struct table_map *map);

/* One line: from how many bytes on, a bar of at most `width` columns, how many, and which share.  Returns `buf`. */
enum { DISTRIBUTION_LINE_MAX = 1024 };
char *distribution_line(const struct distribution *distribution, unsigned n, size_t width,
                        char buf[DISTRIBUTION_LINE_MAX]);
char *distribution_net_line(const struct distribution_net *distribution, unsigned n, size_t width,
                            char buf[DISTRIBUTION_LINE_MAX]);
