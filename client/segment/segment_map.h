/* SPDX-License-Identifier: MIT */
/*
 * The mapping of a segment in this process: in parts, each of which is mapped when it is needed.
 *
 * A region is what layout.h has in one array.  Its first part is mapped at the handshake, while the descriptor is open.
 * Each further part is as large as all parts before it, and is made without a descriptor.  A part never moves and is
 * unmapped with the segment only, so an address in it stays good.  Offsets inside a segment are layout.h's; which thread
 * may use a segment is attachments.h's.
 */
#pragma once

#include <stdbool.h>

#include "shm/layout.h"

enum sa_region { SA_REGION_LANES, SA_REGION_NAMES, SA_REGION_PATHS, SA_REGION_CLOSES, SA_REGION_RINGS, SA_REGIONS };

#define SA_PARTS 24u /* 64 KiB, 22 times doubled, is more than the largest segment */

/* Called before a part is mapped later: lease.h's sa_may_call() once the library has started.  Ends by
 * sa_calls_end(). */
struct sa_thread;
extern bool (*sa_may_map)(struct sa_thread *self) __attribute__((visibility("hidden")));

struct sa_region_map {
        uint64_t offset; /* in the segment */
        uint64_t size;
        uint32_t shift; /* the first part has 1 << shift bytes */
        char *_Atomic parts[SA_PARTS];
};

struct sa_segment_map {
        struct shm_header *header;
        char *block; /* the header and the first parts, with what surrounds them */
        uint64_t block_size;
        bool is_whole; /* the block is all of the segment, and nothing surrounds it: no part can be made later */
        struct sa_region_map regions[SA_REGIONS];
};

/* Maps the header and the first parts of the segment that `fd` is.  `g` must have been checked.  0 or -errno. */
int sa_segment_map(struct sa_segment_map *ret, int fd, const struct shm_geometry *g);
/* Unmaps all parts. */
void sa_segment_unmap(struct sa_segment_map *map);

/* The part that has the byte `at` of the region, and where that part begins. */
static inline uint32_t sa_part_of(const struct sa_region_map *region, uint64_t at) {
        uint64_t firsts = at >> region->shift;

        return firsts ? 64 - (uint32_t)__builtin_clzll(firsts) : 0;
}

static inline uint64_t sa_part_begin(const struct sa_region_map *region, uint32_t part) {
        return part ? UINT64_C(1) << (region->shift + part - 1) : 0;
}

/* The address of the byte `at` of a region; NULL if that part is not mapped. */
static inline void *sa_mapped(const struct sa_segment_map *map, enum sa_region which, uint64_t at) {
        const struct sa_region_map *region = &map->regions[which];
        uint32_t part = sa_part_of(region, at);
        char *address;

        if (at >= region->size)
                return NULL;
        /* [M1] acquire of a part, pairs with the release in sa_map_more().  Publishes: the mapping.  Free on x86-64. */
        address = atomic_load_explicit(&region->parts[part], memory_order_acquire);
        return address ? address + (at - sa_part_begin(region, part)) : NULL;
}

/* The same, and maps the part if it is not mapped; NULL if that fails.  From any thread and any signal handler. */
void *sa_map_more(struct sa_segment_map *map, enum sa_region which, uint64_t at);

/* Maps all parts of the region up to the one that has the byte `at`, or up to its end.  False if that fails. */
bool sa_map_up_to(struct sa_segment_map *map, enum sa_region which, uint64_t at);

/* In a forked child, where the segment is not mapped.  A call that the fork interrupted goes on there: this makes sure
 * that it finds memory of the child's own at the header, the tables, `lane` and `ring` where the kernel does not.  Only
 * before any mapping was made in the child. */
void sa_segment_fill(const struct sa_segment_map *map, const struct shm_lane *lane, const struct shm_record *ring,
                     uint64_t ring_bytes);
/* In a forked child, in place of sa_segment_unmap(): other mappings may have come between the pages that are left. */
void sa_segment_leave(struct sa_segment_map *map);
