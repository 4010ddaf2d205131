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
/* OPEN (its caller has attended) or CLOSE.  False if it found no room; a CLOSE may then be in the overflow list. */
bool sa_slow_mark(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t kind);

/* Does what other threads and the collector asked of this one by lane->attention: bells and exits. */
void sa_slow_attend(struct sa_thread *self, struct shm_lane *lane);
