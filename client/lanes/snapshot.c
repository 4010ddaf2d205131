/* SPDX-License-Identifier: MIT */
/* Reads a thread's counters, or calls the program's function for them; see snapshot.h. */
#include "client/lanes/snapshot.h"

#include <string.h>

#include "client/gate/root.h"
#include "client/lanes/record.h"

void sa_counters_now(struct shm_lane *lane, uint64_t ret[SHM_COUNTERS]) {
        spanalloc_snapshot_fn fn;
        struct spanalloc_counters own = {0, 0, 0, 0};

        if (!(sa_attention(lane) & SHM_ATTENTION_SNAPSHOT)) {
                sa_live(lane, ret);
                return;
        }
        fn = atomic_load(&sa_root.snapshot);
        fn(&own);
        ret[SHM_ALLOC_COUNT] = lane->offset[SHM_ALLOC_COUNT] + own.alloc_count;
        ret[SHM_ALLOC_BYTES] = lane->offset[SHM_ALLOC_BYTES] + own.alloc_bytes;
        ret[SHM_DEALLOC_COUNT] = lane->offset[SHM_DEALLOC_COUNT] + own.dealloc_count;
        ret[SHM_DEALLOC_BYTES] = lane->offset[SHM_DEALLOC_BYTES] + own.dealloc_bytes;
        /* The lane's next thread, and the collector after a death, continue from these. */
        for (int i = 0; i < SHM_COUNTERS; i++)
                atomic_store_explicit(&lane->live[i], ret[i], memory_order_relaxed);
}

void sa_own_counters(const struct sa_thread *self, uint64_t ret_own[SHM_COUNTERS]) {
        spanalloc_snapshot_fn fn = atomic_load(&sa_root.snapshot);
        struct spanalloc_counters own = {0, 0, 0, 0};

        if (!fn) {
                memcpy(ret_own, self->pending, sizeof self->pending);
                return;
        }
        fn(&own);
        ret_own[SHM_ALLOC_COUNT] = own.alloc_count;
        ret_own[SHM_ALLOC_BYTES] = own.alloc_bytes;
        ret_own[SHM_DEALLOC_COUNT] = own.dealloc_count;
        ret_own[SHM_DEALLOC_BYTES] = own.dealloc_bytes;
}
