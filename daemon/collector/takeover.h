/* SPDX-License-Identifier: MIT */
/*
 * One process that another collector left: writing the label of its books, and taking it over.
 */
#pragma once

#include <stdint.h>

struct collector;
struct process;

/* Writes the label that a successor reads.  The process has books. */
void takeover_relabel(struct process *process);
/* All descriptors are consumed, also on failure; segment and pid may be -1.  If the segment is missing, or belongs to
 * other books, the row is taken over as it was, and ends.  *ret_why: one phrase where an errno says too little, or
 * NULL. */
int takeover_process(struct collector *collector, uint64_t number, int books_fd, int segment_fd, int pid_fd,
                     struct process **ret, const char **ret_why);
