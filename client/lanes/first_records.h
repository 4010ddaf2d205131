/* SPDX-License-Identifier: MIT */
/*
 * The first records of a thread in a lane.  BEFORE: its predecessor's last interval ends there.  BASE ends its own
 * first one.  A LOST of that interval stands between the two.
 */
#pragma once

#include "client/gate/thread.h"

/* Each writes and publishes one record at `head`, and returns the head after it. */
uint64_t sa_put_before(struct sa_thread *self, struct shm_lane *lane, uint64_t head);
uint64_t sa_put_base(struct sa_thread *self, struct shm_lane *lane, uint64_t head, const uint64_t at[SHM_COUNTERS]);
