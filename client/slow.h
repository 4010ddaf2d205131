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

/* At a quarter of the ring: wakes the collector if it sleeps. */
void sa_slow_doorbell(struct sa_thread *self, struct shm_lane *lane);

/* The attention bits that a new lane begins with. */
uint32_t sa_slow_attention(void);
/* What the calling thread has counted before it had a lane. */
void sa_slow_own(const struct sa_thread *self, uint64_t ret_own[SHM_COUNTERS]);
/* Carries the stack of a lane in an old segment over to one in a new. */
void sa_slow_resync(struct sa_thread *self, struct shm_lane *from, struct shm_lane *to);
