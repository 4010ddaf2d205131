/*
 * Writing one record; shared by the short and the long calls.
 */
#pragma once

#include "client/thread.h"
#include "shm/ring.h"

static inline void sa_live(const struct shm_lane *lane, uint64_t ret[SHM_COUNTERS]) {
        /* Relaxed: this thread alone writes them. */
        for (int i = 0; i < SHM_COUNTERS; i++)
                ret[i] = atomic_load_explicit(&lane->live[i], memory_order_relaxed);
}

/* Fills the slot at `head`; the caller has made sure that it is free, and publishes. */
static inline void sa_put(struct sa_thread *self, uint64_t head, uint64_t instance, uint32_t path, uint16_t kind,
                          uint16_t flags, uint64_t timestamp, const uint64_t counters[SHM_COUNTERS]) {
        struct shm_record *record = ring_slot(self->ring, head, self->mask);

        record->sequence = head;
        record->instance = instance;
        record->path = path;
        record->kind = kind;
        record->flags = flags;
        record->timestamp = timestamp;
        for (int i = 0; i < SHM_COUNTERS; i++)
                record->counters[i] = counters[i];
}

/* The state of a frame with which these flags of an ENTER go. */
static inline uint32_t sa_frame_state(enum shm_frame_state state, uint16_t flags) {
        return (uint32_t)state | (uint32_t)(flags & (SHM_FLAG_SCOPE | SHM_FLAG_SHARED | SHM_FLAG_LATE))
                                         << SHM_FRAME_FLAGS_SHIFT;
}

/* Puts a frame on the shadow stack. */
static inline void sa_push(struct shm_lane *lane, uint32_t depth, uint64_t instance, uint32_t path, uint32_t state,
                           const uint64_t counters[SHM_COUNTERS]) {
        struct shm_frame *frame = &lane->stack[depth];

        frame->path = path;
        shm_store(frame->state, state);
        for (int i = 0; i < SHM_COUNTERS; i++)
                frame->counters[i] = counters[i];
        /* [F1] release of the instance, pairs with the acquire in count_unmarked().  Publishes: the lower copy of a frame
         * that was moved down from here before.  Without it: a search that read the old depth meets this one in its
         * place, and not the other below. */
        atomic_store_explicit(&frame->instance, instance, memory_order_release);
        /* [F1] release of `depth`, pairs with the acquire in count_unmarked().  Publishes: the frame's instance, and what
         * take_out() moved.  Without it: another thread's exit does not find a frame that was entered before it. */
        atomic_store_explicit(&lane->depth, depth + 1, memory_order_release);
}
