/* SPDX-License-Identifier: MIT */
/* Rings the segment's futex, and decides when; see doorbell.h. */
#include "client/lanes/doorbell.h"

#include <limits.h>
#include <linux/futex.h>

#include "client/segment/attachments.h"
#include "client/segment/lease.h"

/* False once the collector has stopped, or another one serves: no collector waits for this bell. */
static bool is_served(void) {
        const struct shm_beacon *beacon = atomic_load_explicit(&sa_beacon.now, memory_order_relaxed);

        return beacon && atomic_load_explicit(&beacon->generation, memory_order_relaxed) ==
                                 atomic_load_explicit(&sa_gate.generation, memory_order_relaxed);
}

bool sa_ring_bell(void) {
        struct sa_thread *self = &sa_self;
        struct sa_attachment *a;
        uint32_t epoch;

        if (!is_served() || !sa_may_call(self))
                return false;
        a = sa_attachment_get(&epoch);
        if (a) {
                atomic_fetch_add(&a->header->bell, 1);
                sa_call(SYS_futex, (long)&a->header->bell, FUTEX_WAKE, INT_MAX, 0, 0, 0);
                sa_attachment_put(a);
        }
        sa_calls_end(self);
        return a != NULL;
}

void sa_doorbell(struct sa_thread *self, struct shm_lane *lane) {
        const struct shm_beacon *beacon = atomic_load_explicit(&sa_beacon.now, memory_order_relaxed);
        uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);
        uint64_t distance = sa_doorbell_distance(self->mask + 1);
        /* Relaxed: only an estimate of how much is waiting. */
        uint64_t tail = atomic_load_explicit(&lane->tail, memory_order_relaxed);

        if (head - tail < distance) { /* the collector keeps up */
                lane->doorbell_at = tail + distance;
                return;
        }
        /* Sooner than by `distance`: a collector that is awake now may go to sleep before it has read all of this. */
        lane->doorbell_at = head + (self->mask + 1) / 8;
        /* [W1] seq_cst fence, pairs with the one in beacon_set_asleep().
         * Without it: the collector reads an old head while this thread reads an old `asleep`. */
        atomic_thread_fence(memory_order_seq_cst);
        /* Once for each sleep: while the tail is unchanged, the collector has not drained. */
        if (!atomic_load_explicit(&beacon->asleep, memory_order_relaxed) || lane->bell_tail == tail + 1)
                return;
        lane->bell_tail = tail + 1;
        if (sa_ring_bell())
                shm_add(lane->refused.doorbells, 1);
}
