/* SPDX-License-Identifier: MIT */
/*
 * Books on disk, for a restart without a store of descriptors: one file for each process, written periodically and at a
 * clean end, read at the start.
 *
 * What lives here: the files, the thread that writes them, and their way back into arenas.  What does not: an arena
 * that was read back (handover.h), which is a gift like one from the store, without a segment.
 *
 * A file is replaced as a whole (written, synced, renamed).  It has a version, a checksum and a boot id.  A file of an
 * earlier boot is removed, since its pids are void.
 *
 * Threads: the reactor's, and one that writes.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/collector/handover.h"
#include "daemon/processes/process.h"

struct process;
struct statefile;

/* The state of a process's file.  For state_file.c only. */
struct statefile_saved {
        uint64_t changes;     /* books_change_count() of what its file holds */
        enum process_end end; /* how it had ended by then */
};

/* Makes `dir` where it is missing.  0 or -errno. */
int statefile_new(struct statefile **ret, struct collector *collector, const char *dir, uint64_t interval_ns);
/* Saves everything, now. */
struct statefile *statefile_free(struct statefile *statefile);

/* Adds the files' arenas to the gifts, except those that the store has given already.  *gifts: from malloc, or NULL. */
void statefile_load(struct statefile *statefile, struct handover_gift **gifts, size_t *count);
/* How many files it could not read; `statefile` may be NULL. */
uint64_t statefile_unreadable(const struct statefile *statefile);
/* A process is forgotten. */
void statefile_forget(struct statefile *statefile, uint64_t number);
