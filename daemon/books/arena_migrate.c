/* SPDX-License-Identifier: MIT */
/*
 * Arenas of other versions of the collector: the same records, longer or shorter than ours.
 *
 * What is ours is copied, record by record, into an arena behind the old one in the same file, and that takes its place
 * in one step (arena.h).  A field that a version before ours did not have is zero; one that only a later version has is
 * left out.  So no sum is lost in either direction, and a kill at any moment leaves the one arena or the other.
 *
 * The arena is a former collector's.  It is checked all the same: its shape is what we reach into memory by.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/pages.h"
#include "daemon/books/books_layout.h"

#define STRIDE_MAX 65536u

#define WHOLE(type)                                                                                                    \
        { sizeof(type), sizeof(type) }
#define UP_TO(type, rest)                                                                                              \
        { offsetof(type, rest), sizeof(type) }

/* Reserved words at the end of a record are not used; those in its middle stay what they are. */
const struct books_shape books_shapes[REGIONS] = {
        [REGION_BOOK] = WHOLE(struct book),
        [REGION_NAMES] = WHOLE(struct book_name),
        [REGION_TALLIES] = WHOLE(struct tally),
        [REGION_LANES] = {offsetof(struct lane, reserved1), offsetof(struct lane, frames)},
        [REGION_INSTANCES] = WHOLE(struct instance),
        [REGION_INDEX] = WHOLE(uint32_t),
        [REGION_CHUNKS] = WHOLE(struct hist_chunk),
        [REGION_THREADS] = WHOLE(struct thread_name),
        [REGION_CLOSES] = WHOLE(uint64_t),
        [REGION_SUMS] = WHOLE(struct sums),
        [REGION_FRAMES] = UP_TO(struct frame, reserved),
        [REGION_TIMES] = WHOLE(struct span_time),
        [REGION_TIME_SUMS] = WHOLE(struct time_sums),
        [REGION_THREAD_MARKS] = WHOLE(struct thread_marks),
};

/* Of the versions that did not say their shape yet.  These numbers stay as they are, whatever becomes of ours. */
#define SHAPES_OF_BOTH                                                                                                 \
        [REGION_BOOK] = {1112, 1112}, [REGION_NAMES] = {256, 256}, [REGION_TALLIES] = {448, 448},                      \
        [REGION_LANES] = {352, 384}, [REGION_INDEX] = {4, 4}, [REGION_CHUNKS] = {128, 128},                            \
        [REGION_THREADS] = {128, 128}, [REGION_CLOSES] = {8, 8}, [REGION_SUMS] = {112, 128}
static const struct books_shape shapes_of_4[REGIONS] = {
        SHAPES_OF_BOTH,
        [REGION_INSTANCES] = {56, 64},
        [REGION_FRAMES] = {88, 128},
};
static const struct books_shape shapes_of_5[REGIONS] = {
        SHAPES_OF_BOTH,
        [REGION_INSTANCES] = {64, 64},
        [REGION_FRAMES] = {104, 128},
        [REGION_TIMES] = {64, 64},
        [REGION_TIME_SUMS] = {32, 32},
};

/* One of the two arenas. */
struct side {
        char *data;
        struct books_shape shapes[REGIONS];
        struct books_places places;
        bool has_old_frames; /* of before layout 8 */
};

/* Where the old one has memory, from the beginning of its data. */
struct extent {
        uint64_t from, to;
};

/* What of [from, from + n) lies in the extent.  Beside it there are zeros, and to read those would take memory. */
static void copy(const struct extent *extent, const struct side *old, uint64_t from, const struct side *new,
                 uint64_t to, uint64_t n) {
        uint64_t begin = from > extent->from ? from : extent->from;
        uint64_t end = from + n < extent->to ? from + n : extent->to;

        if (begin < end)
                memcpy(new->data + to + (begin - from), old->data + begin, end - begin);
}

static uint64_t lane_stride(const struct side *side) {
        return side->shapes[REGION_LANES].stride + SHM_DEPTH * (uint64_t)side->shapes[REGION_FRAMES].stride;
}

static uint64_t min(uint64_t a, uint64_t b) {
        return a < b ? a : b;
}

/* Where the fields of a frame were up to layout 7, and are now. */
static const struct {
        uint32_t was, is, n;
} frame_fields[] = {
        {0, 0, 56},                               /* up to `enter` */
        {56, offsetof(struct frame, credit), 32}, /* always of its own then */
        {88, offsetof(struct frame, entered), 8}, /* from 5 on, as the next */
        {96, offsetof(struct frame, credited), 8},
};

static void copy_old_frame(const struct extent *extent, const struct side *old, uint64_t from, const struct side *new,
                           uint64_t to) {
        struct frame *frame = (struct frame *)(void *)(new->data + to);
        uint32_t used = old->shapes[REGION_FRAMES].used;

        for (size_t i = 0; i < sizeof frame_fields / sizeof *frame_fields; i++)
                if (frame_fields[i].was < used)
                        copy(extent, old, from + frame_fields[i].was, new, to + frame_fields[i].is,
                             min(frame_fields[i].n, used - frame_fields[i].was));
        if (from < extent->to && extent->from < from + used && frame->flags) {
                frame->flags |= FRAME_APART;
                frame->entry = 0;
        }
}

static void copy_frames(const struct extent *extent, const struct side *old, uint64_t from, const struct side *new,
                        uint64_t to) {
        const struct books_shape *was = &old->shapes[REGION_FRAMES], *is = &new->shapes[REGION_FRAMES];

        from += old->shapes[REGION_LANES].stride;
        to += new->shapes[REGION_LANES].stride;
        for (uint32_t i = 0; i < SHM_DEPTH; i++, from += was->stride, to += is->stride)
                if (old->has_old_frames)
                        copy_old_frame(extent, old, from, new, to);
                else
                        copy(extent, old, from, new, to, min(was->used, is->used));
}

/* Of `n` records that begin at `from`, those in the extent. */
static void copy_records(enum books_region region, const struct extent *extent, const struct side *old, uint64_t from,
                         const struct side *new, uint64_t to, uint64_t n) {
        uint64_t was = old->shapes[region].stride, is = new->shapes[region].stride;
        uint64_t used = min(old->shapes[region].used, new->shapes[region].used);

        if (region == REGION_LANES) {
                was = lane_stride(old);
                is = lane_stride(new);
        } else if (was == is && used == was) { /* as they are */
                used = was = is = n * was;
                n = 1;
        }
        for (uint64_t i = (extent->from - from) / was; i < n && from + i * was < extent->to; i++) {
                copy(extent, old, from + i * was, new, to + i * is, used);
                if (region == REGION_LANES)
                        copy_frames(extent, old, from + i * was, new, to + i * is);
        }
}

/* `at`: where the data of the old one begin in the file. */
static int copy_block(enum books_region region, int fd, uint64_t at, const struct side *old, uint64_t from,
                      const struct side *new, uint64_t to, uint64_t n) {
        uint64_t stride = region == REGION_LANES ? lane_stride(old) : old->shapes[region].stride;
        uint64_t end = at + from + n * stride;
        off_t data = (off_t)(at + from), hole;

        while ((data = lseek(fd, data, SEEK_DATA)) >= 0 && (uint64_t)data < end) {
                struct extent extent;

                hole = lseek(fd, data, SEEK_HOLE);
                if (hole < 0)
                        return -errno;
                extent = (struct extent){(uint64_t)data - at, min((uint64_t)hole, end) - at};
                copy_records(region, &extent, old, from, new, to, n);
                data = hole;
        }
        return data >= 0 || errno == ENXIO ? 0 : -errno;
}

static int copy_region(enum books_region region, const struct books_limits *limits, int fd, uint64_t at,
                       const struct side *old, const struct side *new) {
        uint64_t n = books_region_count(limits, region);
        uint32_t blocks = books_region_blocks(region);
        int r = 0;

        if (region == REGION_FRAMES ||
            !old->shapes[region].stride) /* with their lanes; a region that it does not have */
                return 0;
        for (uint32_t i = 0; i < blocks && r == 0; i++)
                r = copy_block(region, fd, at, old,
                               old->places.at[region] + i * page_round_up(n * old->shapes[region].stride), new,
                               new->places.at[region] + i *page_round_up(n * new->shapes[region].stride), n);
        return r;
}

/* What a word of the index means has changed; so it is made anew. */
static void build_index(const struct books_limits *limits, const struct side *new) {
        struct books books = {
                .limits = *limits,
                .book = (struct book *)(void *)(new->data + new->places.at[REGION_BOOK]),
                .instances = (struct instance *)(void *)(new->data + new->places.at[REGION_INSTANCES]),
                .index = (uint32_t *)(void *)(new->data + new->places.at[REGION_INDEX]),
                .index_mask = (uint32_t)books_region_count(limits, REGION_INDEX) - 1,
        };

        open_spans_build_index(&books);
}

/* What the arena says; *ret_same: the same as ours. */
static int read_shapes(const struct books_owner *owner, struct books_shape ret[REGIONS], bool *ret_same) {
        memset(ret, 0, REGIONS * sizeof *ret);
        *ret_same = false;
        if (owner->layout == 4 || owner->layout == 5) {
                memcpy(ret, owner->layout == 4 ? shapes_of_4 : shapes_of_5, sizeof shapes_of_4);
                return 0;
        }
        if (owner->layout != BOOKS_LAYOUT && owner->layout != 6 && owner->layout != 7)
                return -EPROTONOSUPPORT;
        if (owner->regions <= REGION_FRAMES || owner->regions > REGIONS_MAX)
                return -EPROTO;
        memcpy(ret, owner->shapes, min(owner->regions, REGIONS) * sizeof *ret);
        for (uint32_t i = 0; i < REGIONS && i < owner->regions; i++)
                if (!ret[i].used || ret[i].used > ret[i].stride || ret[i].stride > STRIDE_MAX)
                        return -EPROTO;
        *ret_same = owner->layout == BOOKS_LAYOUT && owner->regions == REGIONS &&
                    !memcmp(ret, books_shapes, sizeof books_shapes);
        return 0;
}

static int move(struct books *books, const struct books_owner *owner, struct side *old) {
        struct arena *from = &books->arena, to;
        const uint64_t at = from->at + from->header->data_offset;
        struct side new;
        struct books_owner *copied;
        int r;

        memcpy(new.shapes, books_shapes, sizeof new.shapes);
        books_place(&new.places, &owner->limits, new.shapes);
        r = arena_init_beside(&to, from, new.places.size, BOOKS_UNDO_LINES);
        if (r < 0)
                return r;
        new.data = arena_data(&to);
        for (enum books_region region = 0; region < REGIONS && r == 0; region++)
                if (region != REGION_INDEX)
                        r = copy_region(region, &owner->limits, from->fd, at, old, &new);
        build_index(&owner->limits, &new);
        copied = (struct books_owner *)(void *)to.header->owner;
        *copied = *owner;
        copied->layout = BOOKS_LAYOUT;
        copied->regions = REGIONS;
        memset(copied->shapes, 0, sizeof copied->shapes);
        memcpy(copied->shapes, books_shapes, sizeof books_shapes);
        if (r == 0)
                r = arena_move(&to, from);
        if (r < 0) {
                to.fd = -1; /* it is the old one's */
                arena_deinit(&to);
                return r;
        }
        books->arena = to;
        books->was_migrated = true;
        return 0;
}

int arena_migrate(struct books *books) {
        const struct books_owner *owner = (const struct books_owner *)(void *)books->arena.header->owner;
        struct side old = {.data = arena_data(&books->arena)};
        bool same;
        int r = read_shapes(owner, old.shapes, &same);

        if (r < 0)
                return r;
        old.has_old_frames = owner->layout < 8;
        books_place(&old.places, &owner->limits, old.shapes);
        if (books->arena.header->data_offset + old.places.size > books->arena.header->size)
                return -EPROTO;
        same &= books->arena.header->undo_capacity >= BOOKS_UNDO_LINES;
        return same ? 0 : move(books, owner, &old);
}
