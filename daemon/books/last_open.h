/* SPDX-License-Identifier: MIT */
/*
 * What a process was doing when it died: the largest of the spans that were open then.  Pure; in a batch.
 */
#pragma once

#include "daemon/books/batch.h"

/* A span that is cut off, by its thread's end or the process's: the threads of a process that dies may be seen dead
 * before it is.  Told twice, it counts once. */
void last_open_note(struct books *books, uint64_t instance, uint32_t path, const uint64_t sums[SHM_COUNTERS]);
/* Forgets what was cut off long before the first call, and notes all that is still among the open spans, `portion` of
 * them at a time.  *next: 0 at first.  True: that was all. */
bool last_open_note_some(struct books *books, uint32_t *next, uint32_t portion);
