/* SPDX-License-Identifier: MIT */
/*
 * Attachments: the segments that are mapped in this process, from the handshake to the unmapping.
 *
 * They lie in a fixed pool in ordinary memory.  What fills one is handshake.h's, what makes it current attach.h's.
 */
#pragma once

#include "client/gate/gate.h"
#include "client/segment/segment_map.h"

/* SA_LEFT: the parent's, in a forked child.  A call that the fork interrupted may still use its addresses. */
enum sa_use { SA_UNUSED, SA_MAPPED, SA_UNMAPPING, SA_LEFT };

struct sa_attachment {
        _Atomic uint32_t users;  /* calls that use the segment: it must not be unmapped */
        _Atomic uint32_t in_use; /* enum sa_use */
        uint32_t epoch;
        struct sa_segment_map map;
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

/* Unmaps the segments that no thread uses any more, each after a call of `on_unmap`.  Only under gate.attaching. */
void sa_attachments_reap(void (*on_unmap)(const struct sa_attachment *));
/* An unused place, or NULL.  Only under gate.attaching. */
struct sa_attachment *sa_attachments_vacant(void);
/* In a forked child: the parent's segments are not mapped there. */
void sa_attachments_forget(void);
/* Before that, and before any mapping is made in the child: memory for the call of this thread that the fork may have
 * interrupted, where the kernel gives none. */
void sa_attachments_fill(const struct sa_thread *self);

/* Entry `i` of the segment, below its capacity; NULL if it is not mapped. */
static inline struct shm_lane *sa_lane_at(const struct sa_attachment *a, uint32_t i) {
        return sa_mapped(&a->map, SA_REGION_LANES, (uint64_t)i * sizeof(struct shm_lane));
}

static inline struct shm_path *sa_path_at(const struct sa_attachment *a, uint32_t i) {
        return sa_mapped(&a->map, SA_REGION_PATHS, (uint64_t)i * sizeof(struct shm_path));
}

/* The same, and maps it; NULL if that fails. */
static inline struct shm_lane *sa_lane_mapped(struct sa_attachment *a, uint32_t i) {
        return sa_map_more(&a->map, SA_REGION_LANES, (uint64_t)i * sizeof(struct shm_lane));
}

static inline struct shm_name *sa_name_mapped(struct sa_attachment *a, uint32_t i) {
        return sa_map_more(&a->map, SA_REGION_NAMES, (uint64_t)i * sizeof(struct shm_name));
}

static inline struct shm_path *sa_path_mapped(struct sa_attachment *a, uint32_t i) {
        return sa_map_more(&a->map, SA_REGION_PATHS, (uint64_t)i * sizeof(struct shm_path));
}

static inline struct shm_close *sa_close_mapped(struct sa_attachment *a, uint32_t i) {
        return sa_map_more(&a->map, SA_REGION_CLOSES, (uint64_t)i * sizeof(struct shm_close));
}

static inline struct shm_record *sa_ring_mapped(struct sa_attachment *a, uint32_t lane) {
        return sa_map_more(&a->map, SA_REGION_RINGS, shm_ring_offset(&a->geometry, lane) - a->geometry.rings_offset);
}
