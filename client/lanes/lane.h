/* SPDX-License-Identifier: MIT */
/*
 * Claiming a lane: how a thread becomes the owner of a place in a segment.  lane_move.h chooses the segment and moves
 * frames and counts.
 */
#pragma once

#include "client/segment/attachments.h"

/* Claims a lane for a thread that has counted `own` so far, of which `gap` was missed by an earlier collector.  Sets
 * the thread's mask, not its lane and epoch; it has no ring yet.  NULL if all lanes have owners, or the next one cannot
 * be mapped.  may_call: it may ask the kernel for the thread's name; else the collector reads that. */
struct shm_lane *sa_lane_claim(struct sa_thread *self, struct sa_attachment *a, const uint64_t own[SHM_COUNTERS],
                               const uint64_t gap[SHM_COUNTERS], bool may_call);

/* Maps the ring of the thread's lane if it has none, for its first record.  False if that fails. */
bool sa_lane_find_ring(struct sa_thread *self);

/* Ends the calling thread's ownership of the lane. */
void sa_lane_leave(struct shm_lane *lane);
