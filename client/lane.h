/* SPDX-License-Identifier: MIT */
/*
 * Lanes: how a thread gets its place in the current segment, and how it moves to the next.
 */
#pragma once

#include "client/attach.h"
#include "shm/span.h"

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
uint64_t sa_instance_block(uint32_t lane_index);

/* Whether the next one is at hand. */
static inline bool sa_has_instance(const struct shm_lane *lane) {
        return sa_likely(shm_span_is_number(lane->next_instance));
}

static inline uint64_t sa_instance(struct sa_thread *self, struct shm_lane *lane) {
        uint64_t instance = lane->next_instance;

        if (!sa_has_instance(lane))
                instance = sa_instance_block(self->lane_index);
        lane->next_instance = instance + SHM_SPAN_STEP;
        return instance;
}
