/* SPDX-License-Identifier: MIT */
/*
 * Rows of `spans` and `tree` summed over processes: one for each name, or for each path.
 *
 * What does not live here: the groups of top (ctl/model/top_list.c), whose rows have rates and a history.
 */
#pragma once

#include "query/table.h"

/* Merges rows with the same text in column `key`, and in `thread` where there is one.  Sums are added, of percentiles and
 * maxima the largest is taken, of qualities the worst, of texts that differ none; a path is that of the row with most
 * bytes.  A cell that is hidden adds nothing.  Rows are in the order of `key`, a path before those below it.  Columns that
 * say which process a row is of are removed.  0 or -ENOMEM. */
int by_name(struct table *table, const char *key);

/* The columns that by_name() needs beside those that are shown, with a comma before each; of "spans" or "tree". */
const char *by_name_columns(const char *table);

/* Sorts by a column, with - before it from large to small; rows that are equal keep their order.  0 or -ENOMEM. */
int by_name_sort(struct table *table, const char *sort);
