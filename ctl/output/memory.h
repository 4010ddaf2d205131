/* SPDX-License-Identifier: MIT */
/*
 * What a process's books say beside what the kernel says of its memory, in one sentence where the two disagree.
 *
 * Pure; for `ps` and `doctor`.
 */
#pragma once

#include <stddef.h>

#include "query/table.h"

/* On a row of `ps`, or "": nothing to say.  Returns `buf`. */
enum { MEMORY_TEXT_MAX = 512 };
char *memory_of_process(const struct table *ps, size_t row, char buf[MEMORY_TEXT_MAX]);
/* On the unit of that row, once: at the unit's first row. */
char *memory_of_unit(const struct table *ps, size_t row, char buf[MEMORY_TEXT_MAX]);
