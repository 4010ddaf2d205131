/* SPDX-License-Identifier: MIT */
/*
 * Compares a process's books with its memory by the kernel: one sentence if the two disagree.
 *
 * Pure; for `ps` and `doctor`.
 */
#pragma once

#include <stddef.h>

#include "query/table.h"

/* The sentence for a row of `ps`; "": the two agree.  Returns `buf`. */
enum { MEMORY_TEXT_MAX = 512 };
char *memory_of_process(const struct table *ps, size_t row, char buf[MEMORY_TEXT_MAX]);
/* The sentence for that row's unit, only at the unit's first row. */
char *memory_of_unit(const struct table *ps, size_t row, char buf[MEMORY_TEXT_MAX]);
