/* SPDX-License-Identifier: MIT */
/*
 * Making and checking a segment: the sealed memfd, its geometry, and the mapping at either end.
 *
 * What lives here: the system calls around a segment.  What does not: its layout (layout.h) and the ring
 * (ring.h).  Every function returns 0 or a negative errno and leaves its outputs alone on failure.
 */
#pragma once

#include "shm/layout.h"

/* The capacities that a collector wants in a segment. */
struct shm_wish {
        uint32_t name_capacity;
        uint32_t path_capacity;
        uint32_t close_capacity;
        uint32_t lane_capacity;
        uint32_t ring_records; /* rounded up to a power of two, clamped to the format's limits */
        uint32_t ring_lanes;
};

/* The default of a collector: 20 ms of scheduling delay at 250,000 records a second is 5,000
 * records, so 8,192 of them: 512 KiB for each of the first 32 threads, 56 MiB for a thousand. */
extern const struct shm_wish shm_wish_default;

/* Lays out a segment.  Pure. */
int shm_geometry_init(struct shm_geometry *ret, const struct shm_wish *wish);

/* 0 if shm_geometry_init could have made `g`: every region inside the segment, aligned, and disjoint; else -errno.
 * Pure; a client checks the received geometry by it. */
int shm_geometry_check(const struct shm_geometry *g);

/* Makes the memfd of a segment: sized, header written, sealed against resizing and further seals.  The caller owns
 * *ret_fd. */
int shm_segment_create(int *ret_fd, const struct shm_geometry *g, uint64_t process, uint32_t options);

/* Writes into the header what counts the process's heap, as its hello says.  The client writes it again. */
int shm_segment_set_counting(int fd, enum shm_counting counting);

/* Checks that `fd` is a memfd with exactly the seals of shm_segment_create() and of the given size (0: any).  -EBADF,
 * -EPERM. */
int shm_segment_check_fd(int fd, uint64_t size, uint64_t *ret_size);

/* Maps it shared and writable, kept out of core dumps. */
int shm_segment_map(void **ret_map, int fd, uint64_t size);
