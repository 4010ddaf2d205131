/* SPDX-License-Identifier: MIT */
/*
 * Lanes: how a thread gets its place in the current segment, and how it moves to the next.
 */
#pragma once

#include "client/attach.h"

/* The calling thread's lane in the current attachment: claims one, or moves there from the last.  NULL when the process
 * is not attached, or has more threads than lanes.  Keeps errno. */
struct shm_lane *sa_lane_slow(struct sa_thread *self);

/* To be called first wherever the gate is about to be used: in a forked child, which finds it wiped, forgets all that
 * was the parent's.  A load and a branch otherwise. */
void sa_notice_fork_slow(void);
static inline void sa_notice_fork(void) {
        if (__builtin_expect(!atomic_load_explicit(&sa_gate.alive, memory_order_relaxed), 0))
                sa_notice_fork_slow(); /* Relaxed: the child has one thread. */
}

/* What the books were not told of a span goes with its handle, where a record has its flags: SHARED and LATE. */
static inline uint16_t sa_handle_flags(spanalloc_span span) {
        return (uint16_t)(span.reserved >> 16) & (SHM_FLAG_SHARED | SHM_FLAG_LATE);
}
static inline uint32_t sa_handle_word(uint32_t flags) {
        return flags << 16;
}

/* A new instance number for a span opened on this lane: unique in the process and its forebears, and it names the
 * lane in its low 12 bits. */
uint64_t sa_instance_block(struct shm_lane *lane, uint32_t lane_index);
#define SA_INSTANCE_LANE_BITS 12
#define SA_INSTANCE_STEP      (UINT64_C(1) << SA_INSTANCE_LANE_BITS)
#define SA_INSTANCE_COUNTER   (UINT64_C(0xfffff) << SA_INSTANCE_LANE_BITS)
_Static_assert(SHM_LANES_MAX <= 1 << SA_INSTANCE_LANE_BITS, "a lane's index fits an instance");

/* Whether the next one is at hand. */
static inline bool sa_has_instance(const struct shm_lane *lane) {
        return __builtin_expect(lane->next_instance & SA_INSTANCE_COUNTER, 1);
}

static inline uint64_t sa_instance(struct sa_thread *self, struct shm_lane *lane) {
        uint64_t instance = lane->next_instance;

        if (!sa_has_instance(lane))
                instance = sa_instance_block(lane, self->lane_index);
        lane->next_instance = instance + SA_INSTANCE_STEP;
        return instance;
}
