/* SPDX-License-Identifier: MIT */
/*
 * What one thread does to another's lane, or to the process: exits of frames that are not its own, closes that found no
 * room, the doorbell.
 */
#pragma once

#include <stdbool.h>

#include "client/attach.h"

/* Finds the frame of `instance` on another thread and marks it as exited; that thread ends the cycle at its next call.
 * False when it is entered nowhere. */
bool sa_foreign_exit(const struct shm_lane *own, uint64_t instance);

/* The thread goes from one lane to another, with its frames: so do the exits that others have asked for, or ask for while
 * it goes.  Its frames are on the new lane already. */
void sa_foreign_move(struct shm_lane *from, struct shm_lane *to);

/* Puts a close into the process's overflow list.  False when that is full. */
bool sa_foreign_close(spanalloc_span span);

/* Wakes the collector.  Enters the kernel. */
void sa_ring_bell(void);
