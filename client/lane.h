/* SPDX-License-Identifier: MIT */
/*
 * Claiming a lane: how a thread becomes the owner of a place in a segment.  Which segment, and what it takes along, is
 * lane_move.h's.
 */
#pragma once

#include "client/attachments.h"

/* Claims a lane for a thread that has counted `own` so far, of which `gap` was missed by an earlier collector.  Sets
 * the thread's ring, mask and lane_index, not its lane and epoch.  NULL if all lanes have owners. */
struct shm_lane *sa_lane_claim(struct sa_thread *self, struct sa_attachment *a, const uint64_t own[SHM_COUNTERS],
                               const uint64_t gap[SHM_COUNTERS]);

/* Gives the lane up. */
void sa_lane_leave(struct shm_lane *lane);
