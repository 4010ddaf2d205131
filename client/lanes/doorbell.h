/* SPDX-License-Identifier: MIT */
/*
 * Waking the collector: it sleeps on a futex in the segment.
 */
#pragma once

#include "client/gate/thread.h"

/* Wakes the collector by a system call.  False if no collector serves, or system calls are not allowed.  Keeps
 * errno. */
bool sa_ring_bell(void);

/* So many records in the ring make its thread wake the collector, if that sleeps.  By default the rest of the ring
 * holds 20 ms at 250,000 records a second; a thread that writes two million meets a collector that sleeps 1 ms. */
static inline uint64_t sa_doorbell_distance(uint32_t records) {
        return records / 8 * 3;
}

/* At a head of lane->doorbell_at or more: wakes the collector if it sleeps and records wait, once for each of its
 * sleeps, and sets the next doorbell_at. */
void sa_doorbell(struct sa_thread *self, struct shm_lane *lane);
