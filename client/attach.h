/* SPDX-License-Identifier: MIT */
/*
 * Attachments: a segment in this process, from the handshake to the unmapping.
 */
#pragma once

#include "client/api.h"
#include "client/thread.h"

enum sa_use { SA_UNUSED, SA_MAPPED, SA_UNMAPPING };

/* One segment.  There are a few in the life of a process, one for each collector that it met.  In ordinary memory,
 * from a fixed pool; a forked child forgets them all. */
struct sa_attachment {
        _Atomic uint32_t users;  /* threads that are about to claim a lane here: it must not be unmapped */
        _Atomic uint32_t in_use; /* enum sa_use */
        uint32_t epoch;
        void *map;
        struct shm_header *header;
        struct shm_geometry geometry; /* our checked copy */
        const struct shm_beacon *beacon;
        uint32_t generation;
};

/* Connects, and makes the new attachment current.  0, or -errno; -EAGAIN when another thread is at it.  Keeps errno.
 * asked: the program wants it now, and waits up to 5 s for an answer; else it is done only if it is time for it
 * (-EAGAIN), and waits at most 100 ms. */
int sa_attach(const struct spanalloc_options *options, bool asked);

/* For a thread that opens spans while nobody listens, when its patience is at an end: whether to call sa_attach().  If not,
 * it is patient again. */
bool sa_attach_is_due(struct sa_thread *self);

/* The current attachment, protected from unmapping until sa_attachment_put(); NULL without one. */
struct sa_attachment *sa_attachment_get(uint32_t *ret_epoch);
/* The `i`-th of those whose segments are mapped, protected likewise: threads may still have lanes there.  NULL where there
 * is none in that place; i below SA_ATTACHMENTS. */
#define SA_ATTACHMENTS 64u /* one for each collector that a thread of ours was last active under */
struct sa_attachment *sa_attachment_nth(uint32_t i);
void sa_attachment_put(struct sa_attachment *attachment);

/* Whether the collector that we are attached to has been replaced.  A load and a branch. */
static inline bool sa_is_stale(void) {
        const struct shm_beacon *beacon = atomic_load_explicit(&sa_gate.beacon, memory_order_relaxed);
        /* Relaxed: a new generation is acted upon by a handshake, which orders everything. */
        uint32_t generation = atomic_load_explicit(&beacon->generation, memory_order_relaxed);
        return generation != atomic_load_explicit(&sa_gate.generation, memory_order_relaxed) && generation;
}

/* After a detach: the header's look may let calls go by again, unless another thread attaches just now. */
void sa_attach_rest(void);

/* In a forked child, before it may attach: the parent's segments are not mapped here. */
void sa_attach_forget(void);
