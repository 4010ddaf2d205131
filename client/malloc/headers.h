/* SPDX-License-Identifier: MIT */
/*
 * Block sizes from glibc's header: the word before each block, with three flags in its low bits.
 *
 * malloc_usable_size() reads the same word.  The library reads it directly only if a check at start-up has shown that
 * all functions of the next allocator are glibc's and that both ways give the same size.  Otherwise, and for a block
 * with a mapping of its own, it calls malloc_usable_size().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/gate/quick.h"

#define SA_HEADER_IN_USE  1u /* the block before it is; nearly always, as those that are kept for reuse count as such */
#define SA_HEADER_MMAPPED 2u
#define SA_HEADER_ARENA   4u /* it is of a thread's own arena */
#define SA_HEADER_FLAGS   7u
_Static_assert(SA_QUICK == SA_HEADER_IN_USE + sizeof(size_t), "of the word itself a block cannot use");

/* Blocks from this address on have one: none until it was proven, then all but NULL. */
extern uintptr_t sa_headers_from __attribute__((visibility("hidden")));

/* Checks that headers can be read, and sets sa_headers_from if so.  Allocates and frees, uncounted, with the next
 * allocator; keeps errno. */
void sa_headers_prove(void);

static sa_inline size_t sa_header(const void *block) {
        return ((const size_t *)block)[-1];
}

/* Where they are known: whether the size is as below. */
static sa_inline bool sa_header_tells(const void *block) {
        return sa_likely(!(sa_header(block) & SA_HEADER_MMAPPED));
}

/* The usable size: of the word itself a block cannot use, but the next one's is its own. */
static sa_inline size_t sa_header_size(const void *block) {
        return (sa_header(block) & ~(size_t)SA_HEADER_FLAGS) - sizeof(size_t);
}

static sa_inline bool sa_has_header(const void *block) {
        return sa_likely((uintptr_t)block >= sa_headers_from);
}

/* The sum below is the block's usable size if none of these bits is set.  If only SA_HEADER_ARENA is set, it is the size plus
 * that bit.  Any other sum means a block with other flags, a large block, or a thread that must not count the quick way. */
#define SA_USUAL_BLOCKS   (SA_EPOCH_STEP - 1)
#define SA_HEADER_UNUSUAL (~(size_t)SA_USUAL_BLOCKS | SA_HEADER_FLAGS)

static sa_inline size_t sa_header_and_thread(const void *block, const struct sa_thread *self) {
        return sa_behind(self) + sa_header(block);
}
