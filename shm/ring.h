/* SPDX-License-Identifier: MIT */
/*
 * The ring of a lane: one producer, one consumer, 64-byte records, positions that only grow.
 *
 * What lives here: the four accesses that order a record's way, and nothing else.  Which slots are reserved
 * is the producer's (client/lanes/room.h); what a record means is the consumer's (daemon/attribution/frames.h).
 * docs/memory-model.md has the table of what may be called at the same time.
 */
#pragma once

#include <stdbool.h>

#include "shm/layout.h"

/* Producer: true if `need` more records fit.  `limit` is the last tail that the producer read, plus `records`; the
 * tail is read again only if that does not suffice, so that the consumer's line is seldom fetched. */
static inline bool ring_has_room(struct shm_lane *lane, uint64_t head, uint64_t need, uint32_t records) {
        if (__builtin_expect(head + need <= lane->limit, 1))
                return true;
        /* [R2] acquire of `tail`, pairs with the release in ring_release().
         * Publishes: that the consumer has copied the records below `tail`.  Without it: a slot is overwritten while
         * it is being copied out.
         * Checked by: tests/unit/test_ring.c */
        lane->limit = atomic_load_explicit(&lane->tail, memory_order_acquire) + records;
        return head + need <= lane->limit;
}

/* Producer: the slot at `head`. */
static inline struct shm_record *ring_slot(struct shm_record *ring, uint64_t head, uint32_t mask) {
        return &ring[head & mask];
}

/* Producer: makes everything below `head` visible. */
static inline void ring_publish(struct shm_lane *lane, uint64_t head) {
        /* [R1] release of `head`, pairs with the acquire in ring_head().
         * Publishes: the record's 64 bytes.  Without it: a torn record is read as whole.
         * Checked by: tests/unit/test_ring.c */
        atomic_store_explicit(&lane->head, head, memory_order_release);
        /* [L1] release fence, pairs with the acquire fence in the collector's settling (segment_live_counters()).
         * Publishes: `head`, before any later increment of the live counters.  Without it: counters of after a record
         * are booked to the stack of before it.  Free on x86-64. */
        atomic_thread_fence(memory_order_release);
}

/* Producer: the same for one record more. */
static inline void ring_publish_next(struct shm_lane *lane) {
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
        /* [R1] and [L1], as above.  `head` is the producer's alone, so this is a plain store for all others; the
         * compiler moves nothing over it. */
        __asm__ volatile("addq $1, %0" : "+m"(lane->head) : : "memory", "cc");
#else
        ring_publish(lane, atomic_load_explicit(&lane->head, memory_order_relaxed) + 1);
#endif
}

/* Consumer: how far the producer has come. */
static inline uint64_t ring_head(const struct shm_lane *lane) {
        /* [R1] acquire of `head`, pairs with the release in ring_publish(). */
        return atomic_load_explicit(&lane->head, memory_order_acquire);
}

/* Consumer: the records below `tail` have been copied and committed. */
static inline void ring_release(struct shm_lane *lane, uint64_t tail) {
        /* [R2] release of `tail`, pairs with the acquire in ring_has_room(). */
        atomic_store_explicit(&lane->tail, tail, memory_order_release);
}
