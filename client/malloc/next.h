/* SPDX-License-Identifier: MIT */
/*
 * The next allocator: the functions that sa_next_allocator_function() finds (objects.h).
 *
 * What lives here: its functions, callable from the first allocation of the process on, and facts about them.  What
 * does not: counting (malloc.c), and the memory that serves while dlsym itself allocates (bootstrap.h).
 *
 * No call checks whether the allocator has been resolved.  Until then each pointer leads to a function that resolves it
 * and then does its work.  Every pointer is valid at any time, in any thread, whichever of its two values is read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sa_next {
        void *(*malloc)(size_t size);
        void (*free)(void *block);
        size_t (*usable)(void *block);
        void *(*calloc)(size_t count, size_t size);
        void *(*realloc)(void *block, size_t size);
        void *(*aligned_alloc)(size_t alignment, size_t size);
        int (*posix_memalign)(void **block, size_t alignment, size_t size);
        void *(*memalign)(size_t alignment, size_t size);
        void *(*valloc)(size_t size);
        void *(*pvalloc)(size_t size);
};
extern struct sa_next sa_next __attribute__((visibility("hidden")));

/* A plain read, of which the compiler makes one instruction with the call: an aligned pointer is read in one piece, and
 * each value that it ever has is good by itself, and code, which was there before any thread. */
#define sa_call_next(function) (sa_next.function)

/* The next allocator's own functions, after sa_next_resolve(). */
const struct sa_next *sa_next_found(void);

/* What sa_next_resolve() learns beside the functions. */
struct sa_next_facts {
        bool foreign_valloc;  /* valloc is not of the object that malloc is of: its blocks are none of our business */
        bool foreign_pvalloc; /* likewise */
        bool sizes;           /* malloc and malloc_usable_size belong together; else all sizes count as 0 */
        void *(*outer_realloc)(void *block, size_t size); /* what the process calls by that name; NULL: ours */
        char object[64]; /* file name of the object that malloc is of, cut at its end */
};
extern struct sa_next_facts sa_next_facts __attribute__((visibility("hidden")));

/* Makes the pointers lead straight to the next allocator.  False: another thread resolves them, or this one further
 * down its stack; the caller uses the bootstrap memory.  Keeps errno. */
bool sa_next_resolve(void);
