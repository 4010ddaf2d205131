/*
 * Sizes from glibc's own note of them: the word before each block, with three flags in its low bits.
 *
 * malloc_usable_size() reads the same word.  It is read here only after a proof at start-up that the next allocator is
 * glibc's, all of it, and that both ways give the same answer; else everybody asks malloc_usable_size().  So they do,
 * too, of a block that has a mapping of its own, whose answer is another.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "client/thread.h"

#define SA_HEADER_MMAPPED 2u
#define SA_HEADER_FLAGS   7u

/* Whether it was proven. */
extern bool sa_headers_are_known __attribute__((visibility("hidden")));

/* Tries to.  Allocates and frees, uncounted, with the next allocator; keeps errno. */
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
        return sa_headers_are_known && sa_header_tells(block);
}
