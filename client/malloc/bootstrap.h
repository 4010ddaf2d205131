/* SPDX-License-Identifier: MIT */
/*
 * Memory for allocations during the search for the next allocator, since dlsym may allocate.
 *
 * Bounded, static, never reused, and never passed to the next allocator.  With glibc 2.34 and later it is not used.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* A zeroed block; `alignment` is a power of two.  NULL with ENOMEM: the bootstrap memory is used up.  NULL with *ret_closed
 * set to true: it gives no more blocks, since the next allocator's functions have been found; call those.  Else
 * *ret_closed is set to false. */
void *sa_bootstrap_alloc(size_t alignment, size_t size, bool *ret_closed);

bool sa_bootstrap_owns(const void *block);

/* The usable size of a bootstrap block. */
size_t sa_bootstrap_usable(const void *block);

/* Closes the memory if no block was ever allocated.  True: no bootstrap block exists or ever will. */
bool sa_bootstrap_close(void);
