/* SPDX-License-Identifier: MIT */
/*
 * The row of a name, read in portions: a name can have a hundred thousand paths.
 *
 * What lives here: the walk over its paths.  What does not: rows of names with few paths (books.h).
 *
 * Each path is of the moment when it is read; paths that come meanwhile are not in the row.
 */
#pragma once

#include "daemon/books/books.h"
#include "daemon/books/hist.h"

enum books_part { BOOKS_RATES = 1, BOOKS_PER_CALL = 2, BOOKS_HISTOGRAM = 4, BOOKS_NETS = 8 };

struct books_name_walk {
        uint32_t path, paths; /* as books_name_sums() returns them */
        bool reaches;

        /* For books_rows.c and books_per_call.c only. */
        struct books_row *row;
        uint64_t now_ns, most;
        uint32_t name, next;
        int mark;
        unsigned parts;
        struct hist_nets nets; /* after a walk for BOOKS_NETS */
        struct hist_sum hist;
};

/* Begins the sums of *row, which is borrowed until the walk is over; `since_ns` as of books_name_sums(). */
void books_name_walk_begin(struct books_name_walk *walk, const struct books *books, uint32_t name, uint64_t now_ns,
                           uint64_t since_ns, struct books_row *row);
/* Adds `portion` paths at most.  True: all are there. */
bool books_name_walk_sums(struct books_name_walk *walk, const struct books *books, uint32_t portion);
/* Begins anew, after the sums: these parts of the row. */
void books_name_walk_again(struct books_name_walk *walk, const struct books *books, unsigned parts);
bool books_name_walk_parts(struct books_name_walk *walk, const struct books *books, uint32_t portion);
/* After a walk for BOOKS_HISTOGRAM: as books_name_histogram(). */
void books_name_walk_histogram(const struct books_name_walk *walk, uint64_t ret[64]);
