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

/* A new instance number for a span opened on this lane: unique in the process and its forebears, and it names the
 * lane in its low 12 bits. */
uint64_t sa_instance_block(struct shm_lane *lane, uint32_t lane_index);
#define SA_INSTANCE_LANE_BITS 12
#define SA_INSTANCE_STEP      (UINT64_C(1) << SA_INSTANCE_LANE_BITS)
#define SA_INSTANCE_COUNTER   (UINT64_C(0xfffff) << SA_INSTANCE_LANE_BITS)
_Static_assert(SHM_LANES_MAX <= 1 << SA_INSTANCE_LANE_BITS, "a lane's index fits an instance");

static inline uint64_t sa_instance(struct sa_thread *self, struct shm_lane *lane) {
        uint64_t instance = lane->next_instance;

        if (__builtin_expect(!(instance & SA_INSTANCE_COUNTER), 0))
                instance = sa_instance_block(lane, self->lane_index);
        lane->next_instance = instance + SA_INSTANCE_STEP;
        return instance;
}
