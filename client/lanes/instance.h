/* SPDX-License-Identifier: MIT */
/*
 * New span numbers (shm/span.h): each lane has a block of 2^20 - 1 of them and fetches the next from the process.
 */
#pragma once

#include "client/gate/thread.h"
#include "shm/span.h"

/* The first number of a new block for this lane. */
uint64_t sa_instance_block(uint32_t lane_index);

/* True if the lane's block is not used up. */
static inline bool sa_has_instance(const struct shm_lane *lane) {
        return sa_likely(shm_span_is_number(lane->next_instance));
}

static inline uint64_t sa_instance(struct shm_lane *lane) {
        uint64_t instance = lane->next_instance;

        if (!sa_has_instance(lane))
                instance = sa_instance_block(shm_span_lane(instance));
        lane->next_instance = instance + SHM_SPAN_STEP;
        return instance;
}
