/* SPDX-License-Identifier: MIT */
/*
 * Within query_spans*.c: a row of the method `spans`, and how far it is read.
 */
#pragma once

#include "daemon/books/rows/books_name_walk.h"
#include "daemon/query/query_private.h"

/* What is kept of a row. */
struct span_row {
        const struct process *process;
        uint64_t key; /* what it is sorted by */
        uint32_t name,
                rank; /* rank: of the name among those of its process; name: as `key`, see query_spans_outside() */
        uint32_t path;
        enum books_quality quality;
};

/* What is written of it. */
struct span_numbers {
        const struct process *process;
        uint64_t number, pid, uid, name, paths, processes;
        int64_t net_bytes, net_per_call, process_net_bytes;
        uint64_t rate[3];
        uint64_t timed_calls_per_1000s;
        uint32_t path;
        struct books_row books;
        const struct books_name_walk *walk; /* that read it last; NULL: a row of what is outside of spans */
};
_Static_assert(sizeof(struct span_numbers) <= QUERY_ROW_BYTES, "");

/* What is read in portions: a row of one name, first its sums, then the rest of it, last the threads. */
struct span_reader {
        struct books_name_walk walk;
        enum { READ_NOTHING, READ_SUMS, READ_REST, READ_THREADS } stage;
};

/* How far the method is. */
struct spans_reading {
        const struct process *process; /* NULL: none is in hand */
        const uint32_t *names;         /* in order */
        uint32_t count, rank;          /* names, and the one in hand */
        uint32_t end; /* of ranks: names of threads follow those of spans; 0: the names are not in order yet */
        struct span_reader reader;
        struct span_numbers full; /* of that one */
};

/* Whether the row of that key is of what is outside of spans; *ret_index: of which thread's name. */
static inline bool query_spans_outside(uint64_t key, uint32_t *ret_index) {
        *ret_index = (uint32_t)key & ~WIRE_OUTSIDE_KEY;
        return key & WIRE_OUTSIDE_KEY;
}

/* Begins with the names of a process.  0 or -ENOMEM. */
int query_spans_begin_process(struct spans_reading *reading, const struct process *process);
/* Adds the rows of the process in hand.  0, QUERY_AGAIN or -ENOMEM. */
int query_spans_add_process(struct query_rows *rows, struct spans_reading *reading);
/* query_rows_class.expand */
bool query_spans_expand(struct query_rows *rows, const void *data, void *ret_full);
