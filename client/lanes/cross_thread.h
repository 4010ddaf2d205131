/* SPDX-License-Identifier: MIT */
/*
 * Writes of a thread outside its own lane: exits of frames on other stacks, and closes that found no room.
 */
#pragma once

#include "client/gate/api.h"
#include "client/gate/thread.h"

/* Finds the frame of `instance` on another thread and marks it as exited; that thread ends the cycle at its next call.
 * False if it is entered nowhere else. */
bool sa_foreign_exit(const struct shm_lane *own, uint64_t instance);

/* The thread has moved its frames from one lane to another: moves the marks, too, also those that are set meanwhile. */
void sa_foreign_move(struct shm_lane *from, struct shm_lane *to);

/* Restores the mark of an exit whose call was left before it wrote the EXIT (jumped.h). */
void sa_foreign_settle(struct shm_lane *lane);

/* Puts a close into the segment's overflow list.  False if that is full. */
bool sa_foreign_close(spanalloc_span span);
