/* SPDX-License-Identifier: MIT */
/*
 * Attachments: the segments that are mapped in this process, from the handshake to the unmapping.
 *
 * They lie in a fixed pool in ordinary memory.  What fills one is handshake.h's, what makes it current attach.h's.
 */
#pragma once

#include "client/gate.h"

enum sa_use { SA_UNUSED, SA_MAPPED, SA_UNMAPPING };

struct sa_attachment {
        _Atomic uint32_t users;  /* calls that use the segment: it must not be unmapped */
        _Atomic uint32_t in_use; /* enum sa_use */
        uint32_t epoch;
        void *map;
        struct shm_header *header;
        struct shm_geometry geometry; /* a checked copy */
        const struct shm_beacon *beacon;
        uint32_t generation;
};

/* The current attachment, protected from unmapping until sa_attachment_put(); NULL without one. */
struct sa_attachment *sa_attachment_get(uint32_t *ret_epoch);
/* The i-th of the pool, protected likewise: threads may still have lanes there.  NULL if that place has no mapped
 * segment. i below SA_ATTACHMENTS. */
#define SA_ATTACHMENTS 64u /* one for each collector under which a thread of the process was last active */
struct sa_attachment *sa_attachment_nth(uint32_t i);
void sa_attachment_put(struct sa_attachment *attachment);

/* Unmaps the segments that no thread uses any more.  Only under gate.attaching. */
void sa_attachments_reap(void);
/* An unused place, or NULL.  Only under gate.attaching. */
struct sa_attachment *sa_attachments_vacant(void);
/* In a forked child: the parent's segments are not mapped there. */
void sa_attachments_forget(void);
