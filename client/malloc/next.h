/*
 * The allocator under ours: what sa_next_function() finds (objects.h).
 *
 * What lives here: its functions, callable from the very first allocation of the process on, and what is known about
 * them.  What does not: counting (malloc.c), and the memory that serves while dlsym itself allocates (bootstrap.h).
 *
 * There is no "is it resolved yet" on any call: until it is, the pointers lead to functions that resolve, and then do
 * what they stand for.  Every pointer is good at any time, in any thread, whichever of its two values is read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sa_next {
        void *(*_Atomic malloc)(size_t size);
        void (*_Atomic free)(void *block);
        size_t (*_Atomic usable)(void *block);
        void *(*_Atomic calloc)(size_t count, size_t size);
        void *(*_Atomic realloc)(void *block, size_t size);
        void *(*_Atomic aligned_alloc)(size_t alignment, size_t size);
        int (*_Atomic posix_memalign)(void **block, size_t alignment, size_t size);
        void *(*_Atomic memalign)(size_t alignment, size_t size);
        void *(*_Atomic valloc)(size_t size);
        void *(*_Atomic pvalloc)(size_t size);
};
extern struct sa_next sa_next __attribute__((visibility("hidden")));

/* Relaxed: each value that it ever has is good by itself, and both are code, which was there before any thread. */
#define sa_call_next(function) atomic_load_explicit(&sa_next.function, memory_order_relaxed)

/* What sa_next_resolve() learns beside the functions. */
struct sa_next_facts {
        bool foreign_valloc;  /* valloc is not of the object that malloc is of: its blocks are none of our business */
        bool foreign_pvalloc; /* likewise */
        bool sizes;           /* malloc and malloc_usable_size belong together; else all sizes count as 0 */
        void *(*outer_realloc)(void *block, size_t size); /* what the process calls by that name; NULL: ours */
        char object[64]; /* file name of the object that malloc is of, cut at its end */
};
extern struct sa_next_facts sa_next_facts __attribute__((visibility("hidden")));

/* Makes the pointers lead straight to the next allocator.  False: somebody is at it, this thread further down its
 * stack or another one, so use the bootstrap memory.  Keeps errno. */
bool sa_next_resolve(void);
