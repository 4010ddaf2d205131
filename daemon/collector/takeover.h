/* SPDX-License-Identifier: MIT */
/*
 * One process, from what another collector left of it: the label, and the way back from it.
 */
#pragma once

#include <stdint.h>

struct collector;
struct process;

/* Writes the label that a successor reads.  The process has books. */
void takeover_relabel(struct process *process);
/* All descriptors are consumed, also on failure; segment and pid may be -1.  Where the segment is not there, or is not
 * the one of these books, the row is taken over as it was, and ends.  *ret_why: one phrase where an errno says too
 * little, or NULL. */
int takeover_process(struct collector *collector, uint64_t number, int books_fd, int segment_fd, int pid_fd,
                     struct process **ret, const char **ret_why);
