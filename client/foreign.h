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

/* Puts a close into the process's overflow list.  False when that is full. */
bool sa_foreign_close(spanalloc_span span);

/* Wakes the collector.  Enters the kernel. */
void sa_ring_bell(void);
