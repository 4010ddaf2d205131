/* SPDX-License-Identifier: MIT */
/*
 * Tables for people.  The one home of libsmartcols.
 *
 * What lives here: columns, rows, tree lines, the width of the terminal, and how a cell of an answer is written.  What
 * does not: the choice of columns (view.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "ctl/options/options.h"
#include "query/table.h"

struct render;

/* Columns of the terminal on stdout, or $COLUMNS; 0: not a terminal, so nothing is shortened. */
size_t render_width(const struct options *options);

int render_new(struct render **ret, bool legend, size_t width);
struct render *render_free(struct render *render);

enum {
        RENDER_RIGHT = 1,   /* numbers */
        RENDER_SHORTEN = 2, /* may lose its end when the terminal is narrow */
        RENDER_TREE = 4,    /* carries the lines of a tree */
};
int render_column(struct render *render, const char *heading, unsigned flags);

#define RENDER_ROOT ((size_t)-1)
/* Adds a row below another (or RENDER_ROOT), with as many cells as there are columns; a NULL cell is empty.  Returns
 * its number, or RENDER_ROOT when there is no memory. */
size_t render_row(struct render *render, size_t parent, const char *const *cells);

/* 0 or -errno. */
int render_print(struct render *render, FILE *stream);

/* A cell as text for people.  May use `buf`; the result is valid as long as the table and `buf`. */
enum { RENDER_CELL_MAX = 512 };
const char *render_cell(const struct table *table, size_t row, const char *column, char buf[RENDER_CELL_MAX]);

/* Whether cells of that column may lose their ends. */
bool render_is_shortened(const struct table *table, const char *column);

/* The heading of a column: shorter than its name where that is long. */
enum { RENDER_HEADING_MAX = 64 };
const char *render_heading(const char *column, char buf[RENDER_HEADING_MAX]);

/* A whole table with these columns, under headings, in lines of at most `width` columns (render_width); 0: of any length.  0 or
 * -errno. */
int render_table(const struct options *options, const struct table *table, const char *const *columns, size_t count,
                 size_t width, FILE *stream);
