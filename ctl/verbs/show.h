/* SPDX-License-Identifier: MIT */
/*
 * One span over all processes: the answers for `show`.
 */
#pragma once

#include <stdio.h>

#include "ctl/session/ask.h"

/* The percentile of several processes is the largest of theirs: that of all calls is not above it. */
enum { SHOW_COUNT, SHOW_P50, SHOW_P90, SHOW_P99, SHOW_MAX, SHOW_PER_CALL };

struct show {
        struct ctl *ctl;
        const char *name;
        struct table *spans; /* rows of exactly that name */
        struct table *tree;  /* rows with the name anywhere in their path */
        struct table *ps;    /* how processes ended */
        uint64_t per_call[SHOW_PER_CALL];
};

uint64_t show_sum(const struct show *show, const char *column);
int64_t show_net(const struct show *show);
int64_t show_calls_net(const struct show *show); /* of whole calls only */
/* Net bytes of the processes in the same time. */
int64_t show_growth(const struct show *show);
/* The heap of no process with the name is counted. */
bool show_is_uncounted(const struct show *show);
/* A line on the interval that was asked for, if one was. */
void show_print_interval(const struct show *show, FILE *stream);
bool show_is_named(const struct show *show, size_t tree_row);
/* The row of ps of that row of spans.  False: there is none. */
bool show_process(const struct show *show, size_t row, size_t *ret_row);
/* Whether the process of that row of spans has ended; its row of ps. */
bool show_end(const struct show *show, size_t row, size_t *ret_row);
