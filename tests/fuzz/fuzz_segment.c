/* SPDX-License-Identifier: MIT */
/*
 * A segment with a hostile owner: its content, and its changes while it is read, come from the input.
 *
 * The input is a list of steps.  Some write into the segment (whole records and claims as the library makes them, so that
 * what lies behind the first checks is reached, and raw bytes anywhere); some have the collector drain, settle or finish;
 * one lies in wait: after so many more reads of the collector, in the middle of a copy too, further writes happen.  For
 * that the reader and the drain are compiled into this file with hooks in their loads and copies.
 *
 * For every input: no crash, -EBADMSG or books that balance, and rows that can be shown.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ------------------------------------------------------------------------------------------- the reader, with hooks -- */

static void peeked(void);

static inline uint64_t hooked_load64(const _Atomic uint64_t *p, memory_order order) {
        peeked();
        return atomic_load_explicit(p, order);
}

static inline uint32_t hooked_load32(const _Atomic uint32_t *p, memory_order order) {
        peeked();
        return atomic_load_explicit(p, order);
}

/* Torn in the middle, like any copy of memory that is being written. */
static inline void hooked_copy(void *to, const void *from, size_t n) {
        memmove(to, from, n / 2);
        peeked();
        memmove((char *)to + n / 2, (const char *)from + n / 2, n - n / 2);
}

#undef atomic_load_explicit
#define atomic_load_explicit(p, order)                                                                                 \
        _Generic((p),                                                                                                  \
                _Atomic uint64_t *: hooked_load64,                                                                     \
                const _Atomic uint64_t *: hooked_load64,                                                               \
                _Atomic uint32_t *: hooked_load32,                                                                     \
                const _Atomic uint32_t *: hooked_load32)((p), (order))
#undef memcpy
#define memcpy(to, from, n) hooked_copy((to), (from), (n))

#include "daemon/books/books_layout.h"
#include "daemon/drain/segment_reader.c"

#include "daemon/drain/drain.c"

#undef memcpy

/* ------------------------------------------------------------------------------------------------------- the scene -- */

#define LANES  4u
#define NAMES  32u
#define PATHS  64u
#define CLOSES 8u

#define REQUIRE(condition)                                                                                             \
        do {                                                                                                           \
                if (!(condition)) {                                                                                    \
                        fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                \
                        abort();                                                                                       \
                }                                                                                                      \
        } while (0)

struct input {
        const uint8_t *data;
        size_t size;
};

static struct shm_geometry geometry;
static int memfd;
static char *map;    /* the stranger's */
static char *unused; /* the books as they are when new */
static size_t book_size;
static struct books *books;
static struct drain *drained;
static struct quota quota;
static uint64_t now_ns;

static struct input waiting; /* steps that happen in the middle of a read */
static unsigned reads_left;  /* reads until `waiting` happens; 0: nothing waits */
static uint32_t lanes_used;

static void stranger(struct input *input);

static void peeked(void) {
        struct input steps = waiting;

        if (!reads_left || --reads_left)
                return;
        waiting.size = 0;
        while (steps.size)
                stranger(&steps);
}

static void check_event(void *userdata, const struct books_event *event) {
        REQUIRE(event->path && event->path <= books_path_count(books));
        REQUIRE(books_name(books, books_path_name(books, event->path))[0]);
}

static void make_scene(void) {
        const struct shm_wish wish = {.name_capacity = NAMES,
                                      .path_capacity = PATHS,
                                      .close_capacity = CLOSES,
                                      .lane_capacity = LANES,
                                      .ring_records = SHM_RING_RECORDS_MIN,
                                      .ring_lanes = LANES};
        const struct books_limits limits = {
                .names = NAMES, .paths = PATHS, .lanes = LANES, .instances = 16, .threads = 4};

        REQUIRE(shm_geometry_init(&geometry, &wish) == 0);
        REQUIRE(shm_segment_create(&memfd, &geometry, 1, 0) == 0);
        REQUIRE(shm_segment_map((void **)&map, memfd, geometry.segment_size) == 0);
        REQUIRE(books_new(&books, &limits, 1) == 0);
        books_on_event(books, check_event, NULL);
        book_size = (size_t)((char *)books->marks[0] - (char *)books->book);
        unused = malloc(book_size);
        REQUIRE(unused);
        memmove(unused, books->book, book_size);
}

static struct shm_lane *lane_of(unsigned i) {
        return shm_lane_at(map, &geometry, i % LANES);
}

/* All that a run may have written. */
static void reset_scene(void) {
        struct shm_header *h = (struct shm_header *)map;

        memset((char *)h + 2 * SHM_LINE, 0, sizeof *h - 2 * SHM_LINE);
        memset(map + geometry.names_offset, 0, NAMES * sizeof(struct shm_name));
        memset(map + geometry.paths_offset, 0, PATHS * sizeof(struct shm_path));
        memset(map + geometry.closes_offset, 0, CLOSES * sizeof(struct shm_close));
        for (unsigned i = 0; i < LANES; i++)
                if (lanes_used & 1u << i) {
                        memset(lane_of(i), 0, sizeof(struct shm_lane));
                        memset(shm_ring_at(map, &geometry, i), 0, SHM_RING_RECORDS_MIN * sizeof(struct shm_record));
                }
        lanes_used = 0;
        memmove(books->book, unused, book_size);
        books->cache->open_totals_commit = 0;
        now_ns = 1000;
        waiting.size = 0;
        reads_left = 0;
}

/* ------------------------------------------------------------------------------------------------------- the input -- */

static uint64_t take(struct input *input, size_t width) {
        uint64_t value = 0;

        for (size_t i = 0; i < width && input->size; i++, input->data++, input->size--)
                value |= (uint64_t)*input->data << 8 * i;
        return value;
}

/* Most often small, sometimes near an edge. */
static uint64_t take_number(struct input *input) {
        uint8_t kind = (uint8_t)take(input, 1);

        if (kind < 200)
                return kind;
        if (kind < 216)
                return take(input, 2);
        if (kind < 232)
                return take(input, 8);
        return kind < 244 ? UINT64_MAX - (kind - 232u) : UINT64_C(1) << (kind - 244u) * 5;
}

/* ------------------------------------------------------------------------------------------------ what a stranger does -- */

static unsigned take_lane(struct input *input) {
        unsigned i = (unsigned)take(input, 1) % LANES;

        lanes_used |= 1u << i;
        return i;
}

/* A record as the library writes it, but for what it says. */
static void write_record(struct input *input) {
        unsigned i = take_lane(input);
        struct shm_lane *lane = lane_of(i);
        uint64_t head = atomic_load(&lane->head);
        struct shm_record record = {.sequence = head}, *last, *slot;

        record.kind = (uint16_t)(take(input, 1) % (SHM_KIND_MAX + 1));
        record.flags = (uint16_t)(take(input, 1) & SHM_FLAGS_ALL);
        record.path = (uint32_t)take_number(input);
        record.instance = record.kind == SHM_KIND_BASE ? lane->occupancy : 1 + take_number(input);
        last = &shm_ring_at(map, &geometry, i)[(head - 1) % SHM_RING_RECORDS_MIN];
        slot = &shm_ring_at(map, &geometry, i)[head % SHM_RING_RECORDS_MIN];
        for (int c = 0; c < SHM_COUNTERS; c++)
                record.counters[c] = record.kind == SHM_KIND_LOST ? take_number(input)
                                                                  : last->counters[c] + take_number(input);
        *slot = record;
        atomic_store(&lane->head, head + 1);
}

static void write_raw(struct input *input) {
        uint64_t at = take(input, 4);
        size_t width = (size_t)1 << at % 4;
        uint64_t value = take(input, width);
        /* The first lines of the header are for the client: the collector does not read them. */
        uint64_t offset = 2 * SHM_LINE + at / 4 % (geometry.segment_size - 2 * SHM_LINE - 8);

        if (offset >= geometry.lanes_offset)
                lanes_used = (1u << LANES) - 1;
        memmove(map + offset, &value, width);
}

static void write_lane(struct input *input) {
        struct shm_lane *lane = lane_of(take_lane(input));
        size_t offset = take(input, 2) % (sizeof *lane / 4) * 4;

        if (offset > sizeof *lane - 8)
                offset = sizeof *lane - 8;
        *(uint32_t *)(void *)((char *)lane + offset) = (uint32_t)take_number(input);
}

/* A thread moves in. */
static void claim(struct input *input) {
        struct shm_header *h = (struct shm_header *)map;
        unsigned i = take_lane(input);
        struct shm_lane *lane = lane_of(i);
        struct shm_past *past;

        if (atomic_load(&h->lanes_claimed) <= i)
                atomic_store(&h->lanes_claimed, i + 1);
        lane->occupancy = (lane->occupancy + 2) & ~1u;
        lane->tid = 1 + i;
        lane->comm[0] = (char)take(input, 1);
        for (int c = 0; c < SHM_COUNTERS; c++) {
                lane->before[c] += take_number(input);
                lane->offset[c] = lane->live[c];
        }
        past = &lane->past[lane->occupancy / 2 % SHM_PAST];
        past->occupancy = lane->occupancy;
        memmove(past->before, lane->before, sizeof past->before);
        memmove(past->offset, lane->offset, sizeof past->offset);
        *(uint32_t *)(void *)lane->owner_pad = 1 + i;
}

static void set_owner(struct input *input) {
        static const uint32_t words[] = {0, SHM_OWNER_DIED, 1, SHM_OWNER_DIED | 1, UINT32_MAX};

        *(uint32_t *)(void *)lane_of(take_lane(input))->owner_pad = words[take(input, 1) % 5];
}

static void put_frame(struct input *input) {
        struct shm_lane *lane = lane_of(take_lane(input));
        struct shm_frame *frame = &lane->stack[take(input, 1) % SHM_DEPTH];

        atomic_store(&lane->depth, (uint32_t)take_number(input));
        frame->state = (uint32_t)take(input, 1) % 4;
        lane->beyond = (uint32_t)take(input, 1) / 200;
        lane->lost_turn = (uint32_t)take(input, 1);
        lane->lost[lane->lost_turn & 1].waiting[take(input, 1) % SHM_COUNTERS] = take_number(input);
        lane->lost[lane->lost_turn & 1].since[take(input, 1) % SHM_COUNTERS] = take_number(input);
        lane->lost_until = take_number(input);
        lane->marks[take(input, 1) % SHM_DEPTH] = take_number(input);
}

static void count(struct input *input) {
        struct shm_lane *lane = lane_of(take_lane(input));

        for (int c = 0; c < SHM_COUNTERS; c++)
                lane->live[c] += take_number(input);
        lane->refused_frames = (uint32_t)take(input, 1) / 200;
        lane->lost_stretches = take(input, 1) / 200;
        lane->refused.enters += take_number(input);
}

static void put_name(struct input *input) {
        struct shm_name *name = &shm_names(map, &geometry)[take(input, 1) % NAMES];

        atomic_store(&name->state, (uint32_t)take(input, 1) % 3);
        name->name_length = (uint16_t)take(input, 2);
        name->line = (uint32_t)take_number(input);
        for (size_t n = take(input, 1) % sizeof name->name, i = 0; i < n; i++)
                name->name[i] = (char)take(input, 1);
        name->file[0] = (char)take(input, 1);
}

static void put_path(struct input *input) {
        uint32_t id = (uint32_t)take(input, 1) % PATHS;
        uint64_t parent = take_number(input), name = take_number(input);

        atomic_store(&shm_paths(map, &geometry)[id].key, parent << 32 | name);
        atomic_store(&shm_paths(map, &geometry)[id].refused, take_number(input));
}

/* Each path under the one before, as deep as they go. */
static void put_chain(struct input *input) {
        uint64_t name = take_number(input);

        for (uint32_t id = 2 + (uint32_t)take(input, 1) % PATHS; id < PATHS; id++)
                atomic_store(&shm_paths(map, &geometry)[id].key, (uint64_t)(id - 1) << 32 | name);
}

static void post_close(struct input *input) {
        struct shm_close *close = &shm_closes(map, &geometry)[take(input, 1) % CLOSES];

        close->path = (uint32_t)take_number(input);
        close->flags = (uint32_t)take_number(input);
        atomic_store(&close->instance, take_number(input));
        atomic_fetch_add(&((struct shm_header *)map)->closes_posted, 1);
}

static void set_position(struct input *input) {
        struct shm_lane *lane = lane_of(take_lane(input));

        atomic_store(&lane->head, atomic_load(&lane->head) + (uint64_t)(int8_t)take(input, 1));
}

/* A hole reads as zeros. */
static void punch(struct input *input) {
        uint64_t at = SHM_PAGE + take(input, 2) * SHM_PAGE % (geometry.segment_size - SHM_PAGE);

        lanes_used = (1u << LANES) - 1;
        memset(map + at, 0, SHM_PAGE);
}

static void set_header(struct input *input) {
        struct shm_header *h = (struct shm_header *)map;

        switch (take(input, 1) % 4) {
        case 0:
                atomic_store(&h->lanes_claimed, (uint32_t)take_number(input));
                break;
        case 1:
                atomic_store(&h->counting, (uint32_t)take_number(input));
                break;
        case 2:
                atomic_store(&h->closes_posted, (uint32_t)take_number(input));
                break;
        default:
                atomic_store(&h->instance_floor, take_number(input));
                atomic_store(&h->forks, take_number(input));
        }
}

static void stranger(struct input *input) {
        static void (*const steps[])(struct input *) = {
                write_record, write_record, write_record, write_record, write_raw,    write_lane,
                claim,        set_owner,    put_frame,    count,        put_name,     put_path,
                put_chain,    post_close,   punch,        set_header,   set_position,
        };

        steps[take(input, 1) % (sizeof steps / sizeof *steps)](input);
}

/* ---------------------------------------------------------------------------------------------- what the collector does -- */

static void check(int r) {
        struct books_process_row row;

        REQUIRE(r >= 0 || r == -EBADMSG);
        REQUIRE(r >= 0 || drain_fault(drained)[0]);
        books_process_row(books, &row);
        REQUIRE(row.balanced);
}

static void show(void) {
        struct books_row row;
        char text[256];

        for (uint32_t path = 1; path <= books_path_count(books); path++) {
                uint32_t name = books_path_name(books, path);

                REQUIRE(books_path_depth(books, path) < SHM_PATH_DEPTH_MAX);
                REQUIRE(!name || books_name(books, name)[0]);
                REQUIRE(books_path_parent(books, path) < path);
                for (const char *c = books_name(books, name); *c; c++)
                        REQUIRE((unsigned char)*c >= 0x20 && *c != 0x7f);
                books_path_row(books, path, now_ns, &row);
                books_path_text(books, path, text, sizeof text);
        }
}

/* What was counted is what there is. */
static void check_quota(void) {
        uint64_t names, paths;

        books_used(books, &names, &paths);
        REQUIRE(quota.used[QUOTA_NAMES] == names && quota.used[QUOTA_PATHS] == paths);
        REQUIRE(quota.used[QUOTA_THREADS] == drain_lanes(drained));
}

static void ask(struct input *input) {
        uint32_t lane = (uint32_t)take(input, 1) % (LANES + 1), tid;

        (void)drain_is_abandoned(drained);
        (void)drain_was_left(drained);
        (void)drain_threads(drained);
        (void)drain_lanes(drained);
        (void)drain_counting(drained);
        (void)drain_refused(drained);
        (void)drain_refused_threads(drained);
        (void)drain_has_records(drained);
        (void)drain_bell(drained);
        drain_ask_doorbell(drained);
        if (drain_thread(drained, lane, &tid))
                drain_name_thread(drained, lane, tid, "named");
}

/* The collector is replaced: the next one goes on with the books that there are. */
static void restart(void) {
        drained = drain_free(drained);
        REQUIRE(quota.used[QUOTA_THREADS] == 0);
        REQUIRE(drain_new(&drained, memfd, &geometry, books) == 0);
        drain_set_quota(drained, &quota);
        drain_resume(drained);
}

/* The user's limits; and his share of a pass, which ends anywhere. */
static void limit(struct input *input) {
        static const enum quota_kind kinds[] = {QUOTA_THREADS, QUOTA_NAMES, QUOTA_PATHS, QUOTA_RECORDS, QUOTA_RECORDS};
        enum quota_kind kind = kinds[take(input, 1) % 5];

        quota.limit[kind] = take(input, 1);
        if (kind == QUOTA_RECORDS)
                quota.used[kind] = 0;
}

static void ambush(struct input *input) {
        size_t size = take(input, 1) % 64;

        reads_left = 1 + (unsigned)take(input, 1);
        waiting = (struct input){input->data, size < input->size ? size : input->size};
        input->data += waiting.size;
        input->size -= waiting.size;
}

/* False: the stranger is expelled, or has ended. */
static bool collector_turn(struct input *input) {
        int r = 0;

        now_ns += take_number(input);
        switch (take(input, 1) % 16) {
        default:
                quota.used[QUOTA_RECORDS] = 0;
                r = drain_pass(drained, now_ns);
                break;
        case 7:
                limit(input);
                break;
        case 8:
        case 9:
        case 10:
                r = drain_settle(drained, now_ns);
                break;
        case 11:
                check(drain_finish(drained, now_ns));
                return false;
        case 12:
                ask(input);
                break;
        case 13:
                restart();
                break;
        case 14:
                books_reset(books, now_ns);
                break;
        case 15:
                show();
        }
        check(r);
        return r >= 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input input = {data, size};
        bool goes_on = true;

        if (!books)
                make_scene();
        reset_scene();
        quota = (struct quota){0};
        for (int kind = 0; kind < QUOTA_KINDS; kind++)
                quota.limit[kind] = UINT64_MAX;
        REQUIRE(drain_new(&drained, memfd, &geometry, books) == 0);
        drain_set_quota(drained, &quota);
        while (goes_on && input.size) {
                uint8_t step = (uint8_t)take(&input, 1);

                if (step < 160)
                        stranger(&input);
                else if (step < 192)
                        ambush(&input);
                else
                        goes_on = collector_turn(&input);
        }
        if (goes_on)
                check(drain_finish(drained, now_ns));
        show();
        check_quota();
        drained = drain_free(drained);
        return 0;
}
