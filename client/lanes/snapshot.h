/* SPDX-License-Identifier: MIT */
/*
 * A thread's counters at a moment: libspanalloc-malloc's, from the lane, or those of the program's own function.
 */
#pragma once

#include "client/gate/thread.h"

/* The thread's counters now, in the lane's terms. */
void sa_counters_now(struct shm_lane *lane, uint64_t ret[SHM_COUNTERS]);

/* The counts of the calling thread from before it had a lane. */
void sa_own_counters(const struct sa_thread *self, uint64_t ret_own[SHM_COUNTERS]);
