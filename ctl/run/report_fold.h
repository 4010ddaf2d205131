/* SPDX-License-Identifier: MIT */
/*
 * Folds rows into one row with their sums: processes of one executable, a span over all processes, threads of one name.
 *
 * What does not live here: how they are printed (report.c).  A folded row points to texts of the table that it was made
 * from: free that table later.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "query/table.h"

enum fold_value {
        FOLD_ALLOCS,
        FOLD_ALLOC_BYTES,
        FOLD_FREES,
        FOLD_FREED_BYTES,
        FOLD_SELF_BYTES,
        FOLD_OUTSIDE_BYTES,
        FOLD_LOST_BYTES,
        FOLD_BEFORE_BYTES,
        FOLD_NET,       /* signed; of a process with what it inherited, else allocated less freed */
        FOLD_INHERITED, /* of a process */
        FOLD_CYCLES,    /* of a span */
        FOLD_EXECS,     /* images that another one replaced */
        FOLD_ALIVE,
        FOLD_UNCOUNTED,
        FOLD_UNBALANCED,
        FOLD_VALUES,
};

enum fold_key {
        FOLD_NAME,    /* program, span, or thread */
        FOLD_PROGRAM, /* executable, or the program that the span or thread is in */
        FOLD_NOTE,    /* what counts it, or why nothing does; "" for the usual case */
        FOLD_KEYS,
};

struct fold_row {
        const char *keys[FOLD_KEYS]; /* borrowed from the tables */
        const char *over;            /* the allocator that the counters sit on, or "" for libc's; likewise */
        uint64_t images;             /* how many rows this one stands for */
        uint64_t values[FOLD_VALUES];
};

struct fold {
        struct fold_row *rows; /* by bytes allocated, most first */
        size_t count;
        struct fold_row total;
};
#define FOLD_INIT                                                                                                      \
        { 0 }
void fold_deinit(struct fold *fold);

/* Each 0 or -ENOMEM, into an empty fold.  `command`: as in program_name.h; it outlives the fold. */
int fold_processes(struct fold *fold, const struct table *processes, const char *command);
int fold_spans(struct fold *fold, const struct table *spans, const struct table *processes, const char *command);
int fold_threads(struct fold *fold, const struct table *processes, const char *command);
