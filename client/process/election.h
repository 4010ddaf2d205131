/* SPDX-License-Identifier: MIT */
/*
 * Which of several copies of the library in a process does the work.
 *
 * A copy can be static in the program, shared under a plugin, and inside libspanalloc-malloc.  Each carries an ELF note
 * that leads to its `sa_root`.
 */
#pragma once

#include "client/gate/root.h"

/* Reads the notes of all loaded objects.  The copy that leads already, if any; else the counting allocator's, since
 * allocations are more frequent than spans; else the first in the loader's order, to which calls are bound. */
struct sa_root *sa_elect(void);
