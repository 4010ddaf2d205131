/* SPDX-License-Identifier: MIT */
/*
 * See segment_map.h.
 *
 * mremap(2) with an old size of 0 makes a second mapping of what a shared mapping maps, of any size, at another address.
 * The last pages of a part that is mapped are thus the way to the next part.  Where mremap() refuses that, as under
 * valgrind, the whole segment is mapped at the handshake.
 *
 * A child that is forked while a call of ours is interrupted returns into that call, and the segment is not mapped there
 * (MADV_DONTFORK).  So each mapping has a page behind it that grows downwards (MAP_GROWSDOWN): in the child, where the
 * mapping is missing, the first access to a page of it makes the kernel extend that page to there, as it extends a
 * stack.  The child gets zeroed memory of its own, with no call of ours in it, however it was made.  The page before
 * each mapping cannot be accessed: below another mapping the kernel would keep a gap free.
 *
 * What is mapped begins as PROT_NONE and is unlocked before it may be accessed: under mlockall(MCL_FUTURE) the kernel
 * would otherwise allocate all of it.
 */
#include "client/segment/segment_map.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "client/gate/quiet_process.h"
#include "shm/segment.h"

#define GRANULE  UINT64_C(65536) /* regions begin and end at multiples of it; no page is larger */
#define FILL_FAR (UINT64_C(1) << 20)

bool (*sa_may_map)(struct sa_thread *) = sa_calls_begin;

static const uint32_t first_shift = 16; /* of each region but the rings' */

static uint64_t page_bytes(void) {
        return (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t part_size(const struct sa_region_map *region, uint32_t part) {
        uint64_t begin = sa_part_begin(region, part), end = UINT64_C(1) << (region->shift + part);

        return (end < region->size ? end : region->size) - begin;
}

/* ------------------------------------------------------------------------------------------ one mapping -- */

/* Address space for `size` bytes of a segment, between a page on either side. */
static char *reserve(uint64_t size) {
        uint64_t page = page_bytes();
        char *block = mmap(NULL, size + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        if (block == MAP_FAILED)
                return NULL;
        munlock(block, size + 2 * page);
        return block + page;
}

/* Lets the page at `end` grow downwards.  Without it a forked child may crash; the parent is as well without. */
static void let_grow(char *end) {
        uint64_t page = page_bytes();

        if (mmap(end, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0) == MAP_FAILED)
                return;
        munlock(end, page);
        mprotect(end, page, PROT_READ | PROT_WRITE);
}

static void unmap(char *at, uint64_t size) {
        uint64_t page = page_bytes();

        munmap(at - page, size + 2 * page);
}

/* Maps again, elsewhere, the `size` bytes that are `distance` bytes behind what is mapped at `anchor`. */
static char *duplicate(char *anchor, uint64_t distance, uint64_t size) {
        char *to = reserve(size), *copy;

        if (!to)
                return NULL;
        munlock(anchor, GRANULE); /* else the copy would be locked, and all of it be allocated */
        copy = mremap(anchor, 0, distance + size, MREMAP_MAYMOVE);
        if (copy == MAP_FAILED)
                goto fail;
        munmap(copy, distance);
        if (mremap(copy + distance, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED) {
                munmap(copy + distance, size);
                goto fail;
        }
        let_grow(to + size);
        return to;

fail:
        unmap(to, size);
        return NULL;
}

static bool can_duplicate(char *header) {
        char *copy = mremap(header, 0, GRANULE, MREMAP_MAYMOVE);

        if (copy == MAP_FAILED)
                return errno == ENOMEM || errno == EAGAIN;
        munmap(copy, GRANULE);
        return true;
}

/* ----------------------------------------------------------------------------------------------- a segment -- */

static void describe(struct sa_segment_map *map, const struct shm_geometry *g) {
        uint64_t ring = (uint64_t)g->ring_records * sizeof(struct shm_record);
        const struct {
                uint64_t begin, end;
        } regions[SA_REGIONS] = {
                [SA_REGION_LANES] = {g->lanes_offset, g->rings_offset},
                [SA_REGION_NAMES] = {g->names_offset, g->paths_offset},
                [SA_REGION_PATHS] = {g->paths_offset, g->closes_offset},
                [SA_REGION_CLOSES] = {g->closes_offset, g->origins_offset},
                [SA_REGION_RINGS] = {g->rings_offset, g->segment_size},
        };

        *map = (struct sa_segment_map){0};
        for (unsigned i = 0; i < SA_REGIONS; i++) {
                map->regions[i].offset = regions[i].begin;
                map->regions[i].size = regions[i].end - regions[i].begin;
                map->regions[i].shift = first_shift;
        }
        /* Powers of two, both, so that no ring lies in two parts. */
        if (ring > UINT64_C(1) << first_shift)
                map->regions[SA_REGION_RINGS].shift = (uint32_t)__builtin_ctzll(ring);
}

/* Maps all of the segment in one piece. */
static int map_whole(struct sa_segment_map *map, int fd, uint64_t size) {
        void *whole;
        char *at;
        int r;

        r = shm_segment_map(&whole, fd, size);
        if (r < 0)
                return r;
        at = whole;
        munlock(at, size);
        /* A child must not write to the parent's lanes. */
        if (madvise(at, size, MADV_DONTFORK) < 0) {
                r = -errno;
                munmap(at, size);
                return r;
        }
        map->is_whole = true;
        map->block = at;
        map->block_size = size;
        map->header = (struct shm_header *)(void *)at;
        for (unsigned i = 0; i < SA_REGIONS; i++) {
                struct sa_region_map *region = &map->regions[i];

                for (uint32_t part = 0; part < SA_PARTS && sa_part_begin(region, part) < region->size; part++)
                        atomic_store(&region->parts[part], at + region->offset + sa_part_begin(region, part));
        }
        return 0;
}

/* Maps `size` bytes of the segment at *at, and moves *at behind them. */
static int map_next(char **at, int fd, uint64_t offset, uint64_t size) {
        if (mmap(*at, size, PROT_NONE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, (off_t)offset) == MAP_FAILED)
                return -errno;
        *at += size;
        return 0;
}

/* Maps the header and the first parts side by side.  The lanes come last, where the page that grows is nearest. */
static int map_firsts(struct sa_segment_map *map, int fd) {
        static const enum sa_region order[SA_REGIONS] = {SA_REGION_RINGS, SA_REGION_CLOSES, SA_REGION_PATHS,
                                                         SA_REGION_NAMES, SA_REGION_LANES};
        uint64_t size = GRANULE;
        char *begin, *at;
        int r;

        for (unsigned i = 0; i < SA_REGIONS; i++)
                size += part_size(&map->regions[i], 0);
        begin = at = reserve(size);
        if (!begin)
                return -ENOMEM;
        map->block = begin;
        map->block_size = size;
        r = map_next(&at, fd, 0, GRANULE);
        for (unsigned i = 0; i < SA_REGIONS && r >= 0; i++) {
                struct sa_region_map *region = &map->regions[order[i]];

                if (!region->size)
                        continue;
                atomic_store(&region->parts[0], at);
                r = map_next(&at, fd, region->offset, part_size(region, 0));
        }
        if (r < 0)
                goto fail;
        munlock(begin, size);
        if (madvise(begin, size, MADV_DONTFORK) < 0 || mprotect(begin, size, PROT_READ | PROT_WRITE) < 0) {
                r = -errno;
                goto fail;
        }
        madvise(begin, size, MADV_DONTDUMP);
        let_grow(begin + size);
        map->header = (struct shm_header *)(void *)begin;
        return 0;

fail:
        unmap(begin, size);
        return r;
}

int sa_segment_map(struct sa_segment_map *ret, int fd, const struct shm_geometry *g) {
        int r;

        describe(ret, g);
        r = map_firsts(ret, fd);
        if (r < 0 || can_duplicate((char *)ret->header))
                return r;
        unmap(ret->block, ret->block_size);
        return map_whole(ret, fd, g->segment_size);
}

void sa_segment_unmap(struct sa_segment_map *map) {
        if (map->is_whole) {
                munmap(map->block, map->block_size);
                return;
        }
        for (unsigned i = 0; i < SA_REGIONS; i++) {
                for (uint32_t part = 1; part < SA_PARTS; part++) {
                        char *at = atomic_load(&map->regions[i].parts[part]);

                        if (at)
                                unmap(at, part_size(&map->regions[i], part));
                }
        }
        unmap(map->block, map->block_size);
}

/* A file mapping of the region, before `part`: the last pages of the nearest part. */
static char *find_anchor(struct sa_region_map *region, uint32_t part, uint64_t *ret_distance) {
        char *address = NULL;
        uint32_t before = part;
        uint64_t end;

        while (before-- && !address)
                address = atomic_load_explicit(&region->parts[before], memory_order_acquire); /* [M1] */
        if (!address)
                return NULL;
        before++;
        end = sa_part_begin(region, before) + part_size(region, before);
        *ret_distance = sa_part_begin(region, part) - end + GRANULE;
        return address + part_size(region, before) - GRANULE;
}

void *sa_map_more(struct sa_segment_map *map, enum sa_region which, uint64_t at) {
        struct sa_region_map *region = &map->regions[which];
        char *there = sa_mapped(map, which, at), *anchor, *made;
        uint32_t part = sa_part_of(region, at);
        uint64_t distance = 0;
        int saved = errno;

        if (there || at >= region->size)
                return there;
        if (!sa_may_map(&sa_self))
                return NULL;
        anchor = find_anchor(region, part, &distance);
        made = anchor ? duplicate(anchor, distance, part_size(region, part)) : NULL;
        if (!made)
                goto end;
        /* [M1] release of a part, pairs with the acquire in sa_mapped().  Publishes: the mapping.  Without it: a thread
         * uses the address on a processor for which nothing is there.  Of two threads that map a part, one wins. */
        if (!atomic_compare_exchange_strong_explicit(&region->parts[part], &there, made, memory_order_release,
                                                     memory_order_acquire)) {
                unmap(made, part_size(region, part));
                made = there;
        }
end:
        sa_calls_end(&sa_self);
        errno = saved;
        return made ? made + (at - sa_part_begin(region, part)) : NULL;
}

bool sa_map_up_to(struct sa_segment_map *map, enum sa_region which, uint64_t at) {
        const struct sa_region_map *region = &map->regions[which];

        for (uint32_t part = 0; part < SA_PARTS; part++) {
                uint64_t begin = sa_part_begin(region, part);

                if (begin > at || begin >= region->size)
                        return true;
                if (!sa_map_more(map, which, begin))
                        return false;
        }
        return true;
}

/* -------------------------------------------------------------------------------------- in a forked child -- */

/* How far behind `address` the page is that grows; 0 if the address is not of this segment. */
static uint64_t distance_to_end(const struct sa_segment_map *map, const char *address) {
        if (address >= map->block && address < map->block + map->block_size)
                return (uint64_t)(map->block + map->block_size - address);
        for (unsigned i = 0; i < SA_REGIONS && !map->is_whole; i++) {
                for (uint32_t part = 1; part < SA_PARTS; part++) {
                        const char *begin = atomic_load(&map->regions[i].parts[part]);
                        uint64_t size = begin ? part_size(&map->regions[i], part) : 0;

                        if (begin && address >= begin && address < begin + size)
                                return (uint64_t)(begin + size - address);
                }
        }
        return 0;
}

static void fill(const char *address, uint64_t size) {
        uint64_t page = page_bytes(), skew = (uint64_t)(uintptr_t)address % page;

        mmap((char *)(uintptr_t)address - skew, (size + skew + page - 1) / page * page, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

void sa_segment_fill(const struct sa_segment_map *map, const struct shm_lane *lane, const struct shm_record *ring,
                     uint64_t ring_bytes) {
        /* The kernel extends no page further than RLIMIT_STACK, 8 MiB by default. */
        uint64_t far = map->is_whole ? 0 : FILL_FAR;

        if (map->is_whole) {
                munmap(map->block, map->block_size);
                fill(map->block, map->regions[SA_REGION_LANES].offset);
        }
        if (lane && distance_to_end(map, (const char *)lane) > far)
                fill((const char *)lane, sizeof *lane);
        if (ring && distance_to_end(map, (const char *)ring) > far)
                fill((const char *)ring, ring_bytes);
}

static void leave(char *at, uint64_t size) {
        uint64_t page = page_bytes();

        munmap(at - page, page);
        munmap(at + size, page);
}

void sa_segment_leave(struct sa_segment_map *map) {
        if (map->is_whole)
                return;
        for (unsigned i = 0; i < SA_REGIONS; i++) {
                for (uint32_t part = 1; part < SA_PARTS; part++) {
                        char *at = atomic_load(&map->regions[i].parts[part]);

                        if (at)
                                leave(at, part_size(&map->regions[i], part));
                }
        }
        leave(map->block, map->block_size);
}
