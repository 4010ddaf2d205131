/* SPDX-License-Identifier: MIT */
/*
 * A decoded answer: columns, and rows of typed cells.
 *
 * What lives here: the table, and how its cells are read.  What does not: asking (client.h), decoding (table_decode.h),
 * printing.  A table owns all its memory; it needs neither the message nor the client, and any thread may read it.
 *
 * Columns are what the collector sent: one that is newer may send some that this program does not know; they have
 * no help, and the type of their first cell.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/wire/columns.h"
#include "daemon/wire/wire.h"

/* A map's entry: `per_call` has one value each, `outside_threads` four. */
struct table_entry {
        const char *name;
        uint32_t count;
        uint64_t values[4];
};

struct table_map {
        size_t count;
        struct table_entry *entries;
};

struct table_cell {
        enum wire_column_type type;
        union {
                uint64_t u;       /* UINT */
                int64_t i;        /* INT */
                bool b;           /* BOOL */
                const char *text; /* TEXT: valid UTF-8 without control characters, never NULL */
                struct table_map map;
        };
};

struct table {
        uint64_t time_ns; /* since the epoch */
        bool complete;
        size_t column_count, row_count;
        struct wire_column *columns;
        struct table_cell *cells; /* row after row */
        char *arena;
};

/* Takes NULL; returns NULL. */
struct table *table_free(struct table *table);

/* Removes every row whose entry of `keep` is false; the others keep their order. */
void table_keep_rows(struct table *table, const bool *keep);

/* The index of a column, or -1. */
int table_column(const struct table *table, const char *name);
/* One cell; NULL when there is none (also for column -1). */
const struct table_cell *table_at(const struct table *table, size_t row, int column);
/* The order of two cells of a column: below, above or 0.  A text in a column of numbers stands for no number, and comes
 * first; maps have no order. */
int table_cell_compare(const struct table_cell *a, const struct table_cell *b);
/* By name; 0, false or "" when the column is not there or not of that type.  table_uint gives 0 for negative INT. */
uint64_t table_uint(const struct table *table, size_t row, const char *column);
int64_t table_int(const struct table *table, size_t row, const char *column);
bool table_bool(const struct table *table, size_t row, const char *column);
const char *table_text(const struct table *table, size_t row, const char *column);
const struct table_map *table_map(const struct table *table, size_t row, const char *column);
/* The entry's first value; 0 when there is none.  Takes NULL. */
uint64_t table_map_uint(const struct table_map *map, const char *name);
