/* SPDX-License-Identifier: MIT */
/*
 * How a process comes into the table: it attaches, or an earlier collector left it, or it never attaches.
 */
#pragma once

#include <sys/types.h>

struct books;
struct newcomer;
struct process;
struct processes;
struct shm_hello;

/* Makes a process of a newcomer, with books, drain and a segment.  *ret_memfd is the caller's. */
int process_attach(struct processes *processes, const struct newcomer *newcomer, const struct shm_hello *hello,
                   struct process **ret, int *ret_memfd);
/* Its client never got the segment: as if it had not come. */
void process_undo(struct process *process);
/* Puts a process of an earlier collector into the table.  `process`: made by process_new(), with the facts and the row
 * of that time.  `books` are the process's from here on, also on failure.  `segment_fd`: borrowed; where it is -1, a
 * process that lived ends here. */
int process_inherit(struct process *process, struct books *books, int segment_fd);
/* The newcomer's client could not map the segment: makes a row without books that says so (`error` as text), in place of
 * the process's row.  Takes over the newcomer's pidfd.  -ESRCH: the process has no row that lives and has no lanes yet. */
int process_set_unmapped(struct processes *processes, const struct newcomer *newcomer, int error);
/* Makes a row without books, for a program that never attached. */
int process_add_unattached(struct processes *processes, const struct newcomer *newcomer, pid_t parent, const char *path,
                           const char *why, struct process **ret);
