/* SPDX-License-Identifier: MIT */
/*
 * Users: what the processes of each one take, and what happens when it is too much.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/books/quota.h"

struct process;
struct processes;

/* All users that have a row.  For user_limits.c only. */
struct user_limits {
        struct quota *first;
        uint64_t forgotten_hits[QUOTA_KINDS]; /* of users whose last row was freed */
};

/* What one process takes of its user's quota.  For user_limits.c only. */
struct user_share {
        struct quota *quota;  /* its user's */
        bool in_quota;        /* It is among its user's attached processes. */
        int segment_fd;       /* to measure the segment by; -1: none */
        uint64_t memory;      /* of segment and books, at the last measurement */
        uint64_t measured_ns; /* when its memory was measured last */
};

/* One more row is its user's.  0 or -ENOMEM. */
int limits_join(struct process *process);
/* Gives back everything, and the row. */
void limits_leave(struct process *process);
/* Counts it among its user's attached processes, or -EDQUOT. */
int limits_admit(struct process *process);
/* The same for a process, with books, that an earlier collector admitted: nothing is refused.  attached: it goes on. */
void limits_inherit(struct process *process, bool attached);
/* Another process takes its place among the user's attached ones. */
void limits_release(struct process *process);
/* It is attached no longer. */
void limits_detach(struct process *process);
/* `fd`: the segment's; borrowed. */
void limits_set_segment(struct process *process, int fd);
struct quota *limits_quota(const struct process *process);

/* Applies the options to all users. */
void limits_set(struct processes *processes);

/* Every user has the whole share of a pass again. */
void limits_begin_pass(struct processes *processes);
/* True if some of the user's share of this pass is left. */
bool limits_may_work(const struct processes *processes, uid_t uid);
/* Charges work other than draining, in records that would have taken as long. */
void limits_charge(struct process *process, uint64_t records);
/* Records that were charged to its user in this pass. */
uint64_t limits_charged(const struct process *process);
void limits_measure(struct process *process);
/* Where a user's share is used up, the next pass begins with the processes that this one did not reach: true for those
 * that come after them. */
bool limits_waits(const struct process *process);
/* Measures it where its user was charged much since `before`.  `outcome`: a drain_outcome, or -errno. */
void limits_after_drain(struct process *process, uint64_t before, int outcome);
void limits_end_pass(struct processes *processes);
/* Once a second: measures one process. */
void limits_tend_process(struct process *process, uint64_t now_ns);
/* Once a second, when all are measured: brings users below the limit of memory, in one slice, and logs which ones are at
 * a limit.  False: it goes on at the next call. */
bool limits_tend(struct processes *processes, uint64_t now_ns);
void limits_sum(const struct processes *processes, uint64_t ret_hits[QUOTA_KINDS]);
