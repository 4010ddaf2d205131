/* SPDX-License-Identifier: MIT */
/*
 * The objects that are loaded, in the loader's order, and what they export, read from their own tables.
 *
 * dlsym does not serve: it allocates when it finds nothing, and a program may replace it.  Everything here takes the
 * loader's lock, allocates nothing, and keeps errno.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sa_object {
        uintptr_t begin, end;
        const char *name; /* its path, the loader's memory; "" of the program itself */
        uint32_t order;   /* how many come before it */
        bool behind;      /* it comes behind ours */
};

struct dl_phdr_info;
/* Reads the loader's data on one object, without its place in the order. */
void sa_object_read(const struct dl_phdr_info *info, struct sa_object *ret);
/* True if the object exports the function. */
bool sa_object_defines(const struct dl_phdr_info *info, const char *name);

/* The object that has `address`; false: none. */
bool sa_object_of(const void *address, struct sa_object *ret);

static inline bool sa_object_has(const struct sa_object *object, const void *address) {
        return (uintptr_t)address >= object->begin && (uintptr_t)address < object->end;
}

/* True if the function is defined in this library. */
bool sa_is_ours(const void *function);

struct sa_symbol {
        const char *name;
        void *address; /* NULL: not found yet */
};

/* Fills in the address of each function that has none yet, from the first object that exports it: of those after this
 * library, or of all others, and never the one that holds `not_in` (NULL: any). */
void sa_objects_find(struct sa_symbol symbols[], size_t n, bool behind, const void *not_in);

/* The function that dlsym(RTLD_NEXT) should find, also where a program has replaced dlsym.  Never a function of this
 * library: it would call itself without end.  NULL: no later object exports it. */
void *sa_next_function(const char *name);

/* The same of an allocator, whatever version its functions have: libc_malloc_debug's have one that dlsym does not find. */
void *sa_next_allocator_function(const char *name);

/* The function that the process calls by the name of one of this library's, if it is another one; NULL: it is this
 * library's. */
void *sa_outer_function(const char *name);
