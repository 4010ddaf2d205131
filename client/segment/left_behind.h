/* SPDX-License-Identifier: MIT */
/*
 * What a thread counts in a place that it has left: a lane of an older segment, or its own memory.
 *
 * Malloc's counting reads the thread's lane and then adds to it.  A signal handler that comes in between, and whose span moves
 * the thread to another segment, leaves the rest of that operation to the old lane.  No store says that a counting is open:
 * that would cost each malloc an instruction.  So each move is noted, with what was counted until then.  The thread's later
 * calls add what came after, until one of malloc's own proves that the counting is over.  Until then the old segment stays
 * mapped.
 */
#pragma once

#include "client/gate/thread.h"

/* Which notes are used, a bit each: 0 while no move of any thread is noted. */
extern _Atomic uint64_t sa_left_used __attribute__((visibility("hidden")));

/* The thread moves to `lane` from `old` (NULL: from its own memory), with all that was counted there.  Before self->epoch
 * changes, and before the old lane is given up. */
void sa_left_note(const struct sa_thread *self, struct shm_lane *lane, struct shm_lane *old);

/* Adds to the thread's lane what was counted behind since.  `is_over`: malloc calls, so none of its countings is open.
 * In a call that is marked as busy. */
void sa_left_settle(struct sa_thread *self, bool is_over);

/* Drops the notes of threads that have ended.  Only under gate.attaching; makes system calls. */
void sa_left_reap(void);
/* In a forked child. */
void sa_left_forget(void);
