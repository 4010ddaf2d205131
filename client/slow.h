/* SPDX-License-Identifier: MIT */
/*
 * The calls when anything is out of the ordinary: a full ring, a refused frame, another thread's exit, a span exited
 * out of order, timestamps, a program's own counters.  They do all that the short versions in spans.c do, and more.
 *
 * Each is called with the thread's lane, marked busy by the caller.
 */
#pragma once

#include "client/lane.h"

/* Attends first; what opens a span (a scope's enter, an OPEN) must have done so before. */
void sa_slow_enter(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t flags);
void sa_slow_exit(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t flags);
/* OPEN or CLOSE.  Whether it found room; a CLOSE may then still have gone to the overflow list. */
bool sa_slow_mark(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t kind);

/* What other threads and the collector asked of this one. */
void sa_slow_attend(struct sa_thread *self, struct shm_lane *lane);

/* Looks anew how far the collector has come.  Whether `need` records fit, with what is owed; false before BASE. */
bool sa_slow_finds_room(struct sa_thread *self, struct shm_lane *lane, uint32_t need);

/* When so many of a ring's records wait, a thread wakes the collector, if it sleeps.  By default what is left then is
 * 20 ms at 250,000 records a second; and who writes two million is met before, by a collector that sleeps 1 ms. */
static inline uint64_t sa_slow_doorbell_distance(uint32_t records) {
        return records / 8 * 3;
}
void sa_slow_doorbell(struct sa_thread *self, struct shm_lane *lane);

/* The attention bits that a new lane begins with. */
uint32_t sa_slow_attention(void);
/* What the calling thread has counted before it had a lane. */
void sa_slow_own(const struct sa_thread *self, uint64_t ret_own[SHM_COUNTERS]);
/* Carries the stack of a lane in an old segment over to one in a new. */
void sa_slow_resync(struct sa_thread *self, struct shm_lane *from, struct shm_lane *to);
