/* SPDX-License-Identifier: MIT */
/* Gives out the blocks of span numbers; see instance.h. */
#include "client/lanes/instance.h"

#include "client/gate/root.h"

uint64_t sa_instance_block(uint32_t lane_index) {
        /* Relaxed: only the number matters. */
        uint64_t block = atomic_fetch_add_explicit(&sa_root.next_block, 1, memory_order_relaxed) + 1;

        return shm_span_first(block, lane_index);
}
