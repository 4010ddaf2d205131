/* SPDX-License-Identifier: MIT */
/*
 * Rows of `spans` and `tree` of what threads allocate outside of spans: one for each process and name of its threads.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "query/table.h"

enum { OUTSIDE_LABEL_MAX = 64 };

/* False also where the answer has no column `thread`. */
bool outside_is(const struct table *table, size_t row);
/* "(outside) worker": the name of such a row on a screen. */
const char *outside_label(const char *thread, char buf[OUTSIDE_LABEL_MAX]);
/* The name of any row on a screen: that, or the name of the span. */
const char *outside_or_span(const struct table *table, size_t row, char buf[OUTSIDE_LABEL_MAX]);
/* Whether the column is of spans or of their calls, of which such a row has none. */
bool outside_lacks(const char *column);
