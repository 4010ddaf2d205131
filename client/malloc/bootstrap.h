/* SPDX-License-Identifier: MIT */
/*
 * Memory for allocations that are made while the next allocator is being looked up, since dlsym may allocate.
 *
 * Bounded, static, never reused, and never handed to the next allocator.  With glibc 2.34 and later nothing comes here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A zeroed block; `alignment` is a power of two.  NULL with ENOMEM when there is no more.  *ret_closed, which may be
 * true only together with NULL: nothing is to come from here any more, the next allocator is there. */
void *sa_bootstrap_alloc(size_t alignment, size_t size, bool *ret_closed);

bool sa_bootstrap_owns(const void *block);

/* Of a block of ours. */
size_t sa_bootstrap_usable(const void *block);

/* Ends it, if no block was ever given away.  True: no block of ours exists or ever will. */
bool sa_bootstrap_close(void);
