/* SPDX-License-Identifier: MIT */
/* See arena_copy.h. */
#include "daemon/arena/arena_copy.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/pages.h"

#define STEP        (UINT64_C(256) << 10) /* bytes between two reads of the clock */
#define ROUNDS_MAX  16u                   /* after these a round may exceed its slice: the arena is changed very fast */
#define EXTENTS_MAX 65536u

int arena_copy_init(struct arena_copy *copy, const struct arena *arena) {
        *copy = (struct arena_copy){.size = arena->size, .since = arena->batch, .untracked = arena->untracked};
        copy->base = mmap(NULL, copy->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (copy->base == MAP_FAILED) {
                *copy = (struct arena_copy){.base = NULL};
                return -errno;
        }
        return 0;
}

void arena_copy_deinit(struct arena_copy *copy) {
        if (copy->base)
                munmap(copy->base, copy->size);
        free(copy->extents);
        *copy = (struct arena_copy){.base = NULL};
}

/* The first data at or behind `at`, less what the undo log holds: between two batches that is nothing.  1, 0: there is
 * none, or -errno. */
static int find_extent(const struct arena *arena, uint64_t at, struct arena_extent *ret) {
        const struct arena_header *header = arena->header;
        off_t begin, end;
        uint64_t to;

        if (at >= header->undo_tags_offset && at < header->data_offset)
                at = header->data_offset;
        if (at >= arena->size)
                return 0;
        begin = lseek(arena->fd, (off_t)(arena->at + at), SEEK_DATA);
        if (begin < 0)
                return errno == ENXIO ? 0 : -errno;
        if ((uint64_t)begin - arena->at > at)
                return find_extent(arena, (uint64_t)begin - arena->at, ret);
        end = lseek(arena->fd, begin, SEEK_HOLE);
        if (end < 0)
                return -errno;
        to = (uint64_t)end - arena->at < arena->size ? (uint64_t)end - arena->at : arena->size;
        if (at < header->undo_tags_offset && to > header->undo_tags_offset)
                to = header->undo_tags_offset;
        *ret = (struct arena_extent){at, to - at};
        return 1;
}

static int note_extent(struct arena_copy *copy, struct arena_extent extent) {
        struct arena_extent *last = copy->extent_count ? &copy->extents[copy->extent_count - 1] : NULL, *more;
        uint32_t allocated = copy->extents_allocated ? copy->extents_allocated * 2 : 64;

        if (last && last->offset + last->length == extent.offset) {
                last->length += extent.length;
                return 0;
        }
        if (copy->extent_count == EXTENTS_MAX)
                return -EFBIG;
        if (copy->extent_count == copy->extents_allocated) {
                more = reallocarray(copy->extents, allocated, sizeof *more);
                if (!more)
                        return -ENOMEM;
                copy->extents = more;
                copy->extents_allocated = allocated;
        }
        copy->extents[copy->extent_count++] = extent;
        return 0;
}

static void begin_round(struct arena_copy *copy, const struct arena *arena) {
        copy->at = 0;
        copy->next = arena->batch;
        copy->extent_count = 0;
        copy->is_cut = false;
        copy->rounds++;
}

#define LINES 16u

static bool is_newer(uint32_t touched, uint32_t since) {
        return touched && (int32_t)(touched - since) > 0;
}

/* Most lines are not: so many are looked at in one go. */
static bool any_is_newer(const uint32_t *touched, uint32_t since) {
        uint32_t any = 0;

        for (unsigned i = 0; i < LINES; i++)
                any |= is_newer(touched[i], since);
        return any;
}

static void copy_changed(const struct arena_copy *copy, const struct arena *arena, struct arena_extent extent) {
        uint64_t first = extent.offset / ARENA_LINE, end = (extent.offset + extent.length) / ARENA_LINE;

        for (uint64_t line = first; line < end; line += LINES) {
                if (!any_is_newer(&arena->touched[line], copy->since))
                        continue;
                for (uint64_t n = line; n < line + LINES; n++)
                        if (is_newer(arena->touched[n], copy->since))
                                memcpy(copy->base + n * ARENA_LINE, arena->base + n * ARENA_LINE, ARENA_LINE);
        }
}
_Static_assert(PAGE_BYTES % (LINES * ARENA_LINE) == 0, "extents are whole pages");

static int take(struct arena_copy *copy, const struct arena *arena, struct arena_extent extent) {
        int r = note_extent(copy, extent);

        if (r < 0)
                return r;
        if (copy->is_round)
                copy_changed(copy, arena, extent);
        else
                memcpy(copy->base + extent.offset, arena->base + extent.offset, extent.length);
        copy->at = extent.offset + extent.length;
        return 0;
}

/* One walk over the data, or what is left of it.  0: it is at its end; 1: `end_ns` is over; or -errno.  To find the end of
 * an extent the kernel visits each of its pages: once is enough. */
static int walk(struct arena_copy *copy, const struct arena *arena, uint64_t end_ns) {
        struct arena_extent extent = {.length = 0};
        int r;

        while ((r = find_extent(arena, copy->at, &extent)) > 0) {
                uint64_t end = extent.offset + extent.length;

                while (extent.offset < end) {
                        extent.length = end - extent.offset < STEP ? end - extent.offset : STEP;
                        r = take(copy, arena, extent);
                        if (r < 0)
                                return r;
                        extent.offset += extent.length;
                        if (clock_monotonic_ns() >= end_ns)
                                return 1;
                }
        }
        return r;
}

/* Its memory stays: to give it back takes longer than a slice. */
static void begin_again(struct arena_copy *copy, const struct arena *arena) {
        copy->since = arena->batch;
        copy->untracked = arena->untracked;
        copy->at = copy->rounds = copy->extent_count = 0;
        copy->is_round = copy->is_cut = false;
}

int arena_copy_go_on(struct arena_copy *copy, const struct arena *arena, uint64_t end_ns) {
        int r;

        if (copy->untracked != arena->untracked || copy->since > arena->batch)
                begin_again(copy, arena);
        for (;;) {
                bool is_forced = copy->rounds >= ROUNDS_MAX;

                if (is_forced && copy->is_cut)
                        begin_round(copy, arena);
                r = walk(copy, arena, is_forced ? UINT64_MAX : end_ns);
                copy->is_cut |= r > 0;
                if (r != 0)
                        return r;
                if (copy->is_round && !copy->is_cut)
                        break;
                if (copy->is_round)
                        copy->since = copy->next;
                copy->is_round = true;
                begin_round(copy, arena);
        }
        /* Its words for the layout change outside of batches. */
        memcpy(copy->base, arena->base, sizeof *arena->header);
        return 0;
}
