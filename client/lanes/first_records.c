/* SPDX-License-Identifier: MIT */
/* Writes BEFORE and BASE; see first_records.h. */
#include "client/lanes/first_records.h"

#include "client/lanes/record.h"

uint64_t sa_put_before(struct sa_thread *self, struct shm_lane *lane, uint64_t head) {
        uint64_t occupancy = atomic_load_explicit(&lane->occupancy, memory_order_relaxed);

        sa_put(self, head, occupancy, 0, SHM_KIND_BEFORE, 0, 0, lane->before);
        ring_publish(lane, head + 1);
        return head + 1;
}

uint64_t sa_put_base(struct sa_thread *self, struct shm_lane *lane, uint64_t head, const uint64_t at[SHM_COUNTERS]) {
        uint64_t occupancy = atomic_load_explicit(&lane->occupancy, memory_order_relaxed);

        sa_put(self, head, occupancy, 0, SHM_KIND_BASE, 0, sa_timestamp(lane), at);
        ring_publish(lane, head + 1);
        lane->ring_used = 1;
        return head + 1;
}
