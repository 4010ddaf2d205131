/* SPDX-License-Identifier: MIT */
/*
 * Whether the heap of a process is counted at all, from the `counting` column of `ps`.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "query/table.h"

/* The collector says why when it is not: "nothing: …" or "not counted: …". */
bool counting_is_missing(const char *counting);
/* Empties the cells of a row that say what its heap is: the heap of its process is not counted, so nothing is known. */
void counting_hide(struct table *table, size_t row);
bool counting_is_hidden(const struct table *table, size_t row);
/* It is counted, and has shut itself in: it will not attach to another collector. */
bool counting_is_in_filter(const char *counting);
