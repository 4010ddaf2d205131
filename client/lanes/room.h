/* SPDX-License-Identifier: MIT */
/*
 * Room in a ring, for calls that lane->limit alone does not decide.
 *
 * Each accepted frame owns two slots: for its EXIT, and for a LOST right before that.  These reserved slots are
 * sa_owed() together, so an exit never needs a check.  An ENTER needs its own record, its frame's two slots, and the
 * records that must precede it.
 */
#pragma once

#include "client/gate/thread.h"

/* True if `need` records fit at `head`, beside the reserved slots.  Reads the collector's tail, rings the bell of a
 * ring that fills up, and waits with SPANALLOC_ON_FULL=wait: until the collector has done nothing for 10 seconds, at
 * most 60.  After that no call waits until there was room again, so a dead collector costs 10 seconds once and not in
 * each call. */
bool sa_has_room(struct sa_thread *self, struct shm_lane *lane, uint64_t head, uint32_t need);

/* The same at the lane's head; false before BASE was written. */
bool sa_finds_room(struct sa_thread *self, struct shm_lane *lane, uint32_t need);

/* Sets how far the short calls may write without a check: not before BASE was written, nor past the position where
 * the bell is due, with the slots that are reserved now. */
void sa_bound_short_calls(struct shm_lane *lane);
