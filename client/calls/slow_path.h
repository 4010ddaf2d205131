/* SPDX-License-Identifier: MIT */
/*
 * The calls in every state of a lane: a full ring, a refused frame, another thread's exit, a span exited out of order,
 * timestamps, a program's own counters.  They do all that the short versions in cycles.c and spans.c do, and more.
 *
 * Each is called with the thread's lane, marked busy by the caller.
 */
#pragma once

#include "client/gate/api.h"
#include "client/gate/thread.h"

/* Attends first, except for a scope (SHM_FLAG_SCOPE): its caller has attended before it read the parent's path. */
void sa_slow_enter(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t flags);
void sa_slow_exit(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t flags);
/* Ends all cycles of the lane's stack, and saves their spans; enters the spans that were saved, and empties `take`. */
void sa_slow_save(struct sa_thread *self, struct shm_lane *lane, struct spanalloc_stack *save);
void sa_slow_take(struct sa_thread *self, struct shm_lane *lane, struct spanalloc_stack *take);
/* Writes an OPEN or a CLOSE record.  Before an OPEN the caller calls sa_slow_attend().  False if the ring had no room: an
 * OPEN is then lost; a CLOSE is lost unless the overflow list had room for it. */
bool sa_slow_mark(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t kind);

/* Does what lane->attention asks of the calling thread: rings the doorbell for the collector, applies exits that other
 * threads have made of its frames. */
void sa_slow_attend(struct sa_thread *self, struct shm_lane *lane);
