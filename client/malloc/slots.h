/* SPDX-License-Identifier: MIT */
/*
 * Calls that are bound to the next allocator's functions, past ours: they are led to ours.
 *
 * Two kinds are: what an allocator has beside malloc, as jemalloc's mallocx (extensions.c), which this library must not
 * export, since programs ask by such a name whether that allocator is there; and what an object calls that was loaded
 * with RTLD_DEEPBIND, which finds libc's malloc before ours.  The address that an object's calls go through lies in a
 * slot of its table (GOT); a slot that holds the address of a function of the next allocator gets ours.  No slot that
 * leads elsewhere is touched, so a block never meets another allocator than without this library.
 *
 * See docs/decisions/slots.md.
 */
#pragma once

#include <stddef.h>

struct sa_slot_function {
        const char *name;
        void *next; /* NULL: the next allocator has none */
        void *ours;
};

/* From now on: of the objects that are there, and of those that are loaded later, when dlsym is called next.  Once, before
 * the program's own constructors. */
void sa_slots_start(void);

/* The functions of malloc.c that slots may be bound to, and what is under them; how many. */
#define SA_SLOTS_MAX 192
size_t sa_slots_of_malloc(struct sa_slot_function *ret) __attribute__((visibility("hidden")));
/* Those of operators.c. */
size_t sa_slots_of_operators(struct sa_slot_function *ret) __attribute__((visibility("hidden")));
/* Those of extensions.c, as the next allocator has them; 0: it has none. */
size_t sa_slots_of_extensions(struct sa_slot_function *ret) __attribute__((visibility("hidden")));
