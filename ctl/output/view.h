/* SPDX-License-Identifier: MIT */
/*
 * Chooses the columns of an answer for a person: those that the options name, else as many as fit the terminal.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "ctl/options/options.h"
#include "query/table.h"

struct view_column {
        const char *name;
        unsigned rank;    /* the highest is left out first when room is short; 0: never left out */
        bool only_if_any; /* left out when it is empty, or has the usual value, in every row */
        uint64_t usual;   /* of a number; of a yes or no 0 or 1 */
};

/* Fills `ret` (room for OPTIONS_COLUMNS_MAX) and returns how many.  `width` as of render_width. */
size_t view_choose(const struct options *options, const struct table *table, const struct view_column *view,
                   size_t n_view, size_t width, const char **ret);

/* The least width in which these columns can be shown. */
size_t view_least_width(const struct table *table, const char *const *columns, size_t count);

/* A table with the columns that view_choose picks, as render_table prints it.  0 or -errno. */
int view_print(const struct options *options, const struct table *table, const struct view_column *view, size_t n_view,
               FILE *stream);
