/* SPDX-License-Identifier: MIT */
/*
 * The names of spans, and the paths on which they are, as the client numbers them.
 *
 * What lives here: the table of names, and how a name or a path is inserted.  What does not: where they are read and
 * checked (drain/segment_reader.c), how many a user may have (quota.h), what is summed for a path (tally.h).
 */
#pragma once

#include "daemon/books/tally.h"

/* A name that a client used, cleaned. */
struct book_name {
        uint32_t line;
        uint16_t name_length, file_length;
        char name[SHM_NAME_BYTES];
        char file[SHM_FILE_BYTES];
        uint32_t first_path; /* of those with this name; 0: none */
};
_Static_assert(sizeof(struct book_name) == 256, "");

static inline bool names_have(const struct books *books, uint32_t name) {
        return books->names[name].name_length;
}

static inline bool names_have_path(const struct books *books, uint32_t path) {
        return path < books->limits.paths && books->tallies[path].name;
}

/* All below in a batch.  A name that is not there yet, of an id below the limit; `name` is clean, and on no path. */
void names_add(struct books *books, uint32_t id, const struct book_name *name);
/* A path that is not there yet, below one that is, or a root (0). */
void names_add_path(struct books *books, uint32_t path, uint32_t parent, uint32_t name);
/* The reserved path (other), and its name if need be. */
void names_add_other(struct books *books);
