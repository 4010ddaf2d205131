/* SPDX-License-Identifier: MIT */
/*
 * Names and paths: from text and parent to a small id that never changes in a process.
 *
 * What lives here: the process's own tables, which outlive every segment, and their copy into the current one.
 * Lock-free throughout: a signal handler, or a thread killed in the middle, blocks no other thread.
 */
#pragma once

#include "client/gate/api.h"
#include "client/gate/thread.h"

#define SA_NAMES 16384u  /* ids 1 to SA_NAMES - 1 */
#define SA_PATHS 131072u /* likewise */

/* Makes the reserved ids.  Once, before any other thread can be here. */
void sa_intern_init(void);

/* The path of a span of this site under `parent` (0: a root).  Any thread; never 0. */
uint32_t sa_path_intern(spanalloc_site *site, uint32_t parent);

/* The site for a run-time name. */
spanalloc_site *sa_site_intern(const char *name);

/* Maps, in a segment that is not current yet, the entries of all names and paths.  -ENOMEM. */
struct sa_attachment;
int sa_intern_map(struct sa_attachment *attachment);

/* Copies all names and paths into a segment that threads already see as the current one.  -E2BIG: it is too small. */
int sa_intern_copy(struct sa_attachment *attachment);

/* The path of a site's span under `parent`, if the site has it from its last use; else 0. */
static sa_inline uint32_t sa_path_at_hand(const spanalloc_site *site, uint32_t parent) {
        /* [N3] acquire of the site's cache, pairs with the release in sa_path_intern(). */
        uint64_t cache = __atomic_load_n(&site->cache, __ATOMIC_ACQUIRE);

        return sa_likely(cache >> 32 == parent) ? (uint32_t)cache : 0;
}

static inline uint32_t sa_path_of(spanalloc_site *site, uint32_t parent) {
        uint32_t path = sa_path_at_hand(site, parent);

        return path ? path : sa_path_intern(site, parent);
}
