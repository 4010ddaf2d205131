/* SPDX-License-Identifier: MIT */
/*
 * Arenas of other versions, whose records are longer or shorter: each byte that both versions have is in its place, and
 * all others are zero; a hole takes no memory; an interrupted change leaves the old arena.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/books/books_layout.h"

static const struct books_limits limits = {
        .names = 3000, .paths = 20000, .lanes = 600, .instances = 30000, .threads = 64};

/* What is at `offset` of record `i` of a region. */
static unsigned char value(enum books_region region, uint64_t i, uint64_t offset) {
        uint64_t x = ((uint64_t)region << 56 | i << 20 | offset) * UINT64_C(0x9e3779b97f4a7c15);

        return (unsigned char)(x >> 56);
}

/* Few have anything in them: of a hundred in a row, one, and the last. */
static bool is_written(enum books_region region, uint64_t i) {
        return i % 101 == 7 || i + 1 == books_region_count(&limits, region) || region == REGION_BOOK;
}

typedef void (*record_fn)(unsigned char *record, enum books_region region, uint64_t i, const struct books_shape *shape);

static void each_frame(unsigned char *lane, uint64_t i, const struct books_shape *shapes, record_fn fn) {
        lane += shapes[REGION_LANES].stride;
        for (uint64_t f = 0; f < SHM_DEPTH; f++, lane += shapes[REGION_FRAMES].stride)
                if (f % 3 == 1)
                        fn(lane, REGION_FRAMES, i * SHM_DEPTH + f, &shapes[REGION_FRAMES]);
}

static void each_record(char *data, const struct books_shape *shapes, record_fn fn) {
        struct books_places places;

        books_place(&places, &limits, shapes);
        for (enum books_region region = 0; region < REGIONS; region++) {
                uint64_t n = books_region_count(&limits, region), stride = shapes[region].stride;
                uint32_t blocks = stride && region != REGION_FRAMES ? books_region_blocks(region) : 0;

                if (region == REGION_LANES)
                        stride += SHM_DEPTH * (uint64_t)shapes[REGION_FRAMES].stride;
                for (uint64_t b = 0; b < blocks; b++) {
                        unsigned char *at = (unsigned char *)data + places.at[region] +
                                            b * ((n * stride + 4095) / 4096 * 4096);

                        for (uint64_t i = 0; i < n; i++, at += stride) {
                                if (!is_written(region, i))
                                        continue;
                                fn(at, region, b * n + i, &shapes[region]);
                                if (region == REGION_LANES)
                                        each_frame(at, i, shapes, fn);
                        }
                }
        }
}

static void write_record(unsigned char *record, enum books_region region, uint64_t i, const struct books_shape *shape) {
        for (uint32_t k = 0; k < shape->used; k++)
                record[k] = value(region, i, k);
}

static const struct books_shape *known; /* what the one before wrote of it */
static bool index_is_ours, frames_are_old;

/* Up to layout 7 a frame had its fields in another order, and both of its beginnings; none had the last word before them. */
static unsigned char value_of_old_frame(uint64_t i, uint32_t k) {
        uint32_t was = k < 56 ? k : k < 64 ? 88 + (k - 56) : k < 96 ? 56 + (k - 64) : k;

        if (was >= known[REGION_FRAMES].used ||
            (k >= offsetof(struct frame, entry) && k < offsetof(struct frame, enter)))
                return 0;
        return value(REGION_FRAMES, i, was) | (k == offsetof(struct frame, flags) ? FRAME_APART : 0);
}

static void check_record(unsigned char *record, enum books_region region, uint64_t i, const struct books_shape *shape) {
        for (uint32_t k = 0; k < shape->stride; k++) {
                bool is_known = k < shape->used && k < known[region].used && (region != REGION_INDEX || index_is_ours);
                unsigned char expected = is_known ? value(region, i, k) : 0;

                if (region == REGION_FRAMES && frames_are_old && k < shape->used)
                        expected = value_of_old_frame(i, k);
                if (record[k] != expected)
                        fail_msg("region %d, record %llu, byte %u", (int)region, (unsigned long long)i, k);
                record[k] = 0; /* in the end there must be nothing else */
        }
}

static struct books_owner *owner_of(struct arena *arena) {
        return (struct books_owner *)(void *)arena->header->owner;
}

/* Its descriptor; the arena is another version's, or ours. */
static int make_arena_of(const struct books_shape *shapes, uint32_t regions, uint32_t layout, uint64_t undo_lines) {
        struct books_places places;
        struct arena arena;
        int fd;

        books_place(&places, &limits, shapes);
        assert_int_equal(arena_init(&arena, places.size, undo_lines), 0);
        owner_of(&arena)->layout = layout;
        owner_of(&arena)->limits = limits;
        owner_of(&arena)->regions = regions;
        if (regions)
                memcpy(owner_of(&arena)->shapes, shapes, REGIONS * sizeof *shapes);
        for (uint32_t i = REGIONS; i < regions; i++)
                owner_of(&arena)->shapes[i] = (struct books_shape){8, 16};
        memcpy(owner_of(&arena)->labels[1], "whose", 6);
        owner_of(&arena)->label_size[1] = 6;
        atomic_store(&owner_of(&arena)->label_turn, 1);
        each_record(arena_data(&arena), shapes, write_record);
        fd = dup(arena.fd);
        arena_deinit(&arena);
        return fd;
}

static int make_arena(const struct books_shape *shapes, uint32_t regions, uint32_t layout) {
        return make_arena_of(shapes, regions, layout, BOOKS_UNDO_LINES);
}

static uint64_t memory_of(int fd) {
        struct stat st;

        assert_int_equal(fstat(fd, &st), 0);
        return (uint64_t)st.st_blocks * 512;
}

/* The index is not copied, since what its words mean has changed: every span is found by it, and it has nothing else. */
static void check_index(struct books *books) {
        uint32_t slots = (uint32_t)books_region_count(&limits, REGION_INDEX), words = 0, spans = 0;

        for (uint32_t i = 0; i < limits.instances && i < books->book->instances; i++)
                if (books->instances[i].instance) {
                        assert_ptr_equal(open_spans_find(books, books->instances[i].instance), &books->instances[i]);
                        spans++;
                }
        for (uint32_t i = 0; i < slots; i++)
                words += books->index[i] != 0;
        assert_true(spans > 200);
        assert_int_equal(words, spans);
        memset(books->index, 0, slots * sizeof *books->index);
}

/* Consumes the descriptor.  reindexed: it was migrated, now or before. */
static void check_all(int fd, const struct books_shape *shapes, bool migrated, bool reindexed) {
        uint64_t memory = memory_of(fd), size;
        struct books *books;
        char *data;

        assert_int_equal(books_adopt(&books, fd), 0);
        assert_int_equal(books_were_migrated(books), migrated);
        assert_string_equal((const char *)books_label(books, &size), "whose");
        assert_int_equal(size, 6);
        assert_int_equal(owner_of(&books->arena)->layout, BOOKS_LAYOUT);
        assert_int_equal(owner_of(&books->arena)->regions, REGIONS);
        assert_memory_equal(owner_of(&books->arena)->shapes, books_shapes, sizeof books_shapes);
        /* A record that is spread over one page more is all that there may be more. */
        assert_true(memory_of(books->arena.fd) <= 2 * memory + (UINT64_C(1) << 20));
        assert_true(books->arena.header->undo_capacity >= BOOKS_UNDO_LINES);
        if (reindexed)
                check_index(books);
        known = shapes;
        index_is_ours = !reindexed;
        data = arena_data(&books->arena);
        each_record(data, books_shapes, check_record);
        for (char *p = data; p < books->arena.base + books->arena.size; p++)
                if (*p)
                        fail_msg("something at %llu", (unsigned long long)(p - data));
        books_free(books);
}

static void check(int fd, const struct books_shape *shapes, bool migrated) {
        check_all(fd, shapes, migrated, migrated);
}

/* Each one longer by some, and one of them longer by much. */
static void longer(struct books_shape *shapes) {
        memcpy(shapes, books_shapes, sizeof books_shapes);
        for (uint32_t i = 0; i < REGIONS; i++) {
                shapes[i].stride += 8 * (i + 1);
                shapes[i].used += 4;
        }
        shapes[REGION_THREADS].used = shapes[REGION_THREADS].stride = 5000;
}

static void shorter(struct books_shape *shapes) {
        memcpy(shapes, books_shapes, sizeof books_shapes);
        for (uint32_t i = 0; i < REGIONS; i++)
                if (shapes[i].used >= 32) {
                        shapes[i].used -= 12;
                        shapes[i].stride -= 8;
                }
}

static void test_ours(void **unused) {
        check(make_arena(books_shapes, REGIONS, BOOKS_LAYOUT), books_shapes, false);
}

/* All as ours, but for a log that is too short for a batch. */
static void test_short_log(void **unused) {
        check(make_arena_of(books_shapes, REGIONS, BOOKS_LAYOUT, 1000), books_shapes, true);
}

static void test_longer(void **unused) {
        struct books_shape shapes[REGIONS];

        longer(shapes);
        check(make_arena(shapes, REGIONS, BOOKS_LAYOUT), shapes, true);
        /* With regions that we do not know. */
        check(make_arena(shapes, REGIONS + 3, BOOKS_LAYOUT), shapes, true);
        check(make_arena(books_shapes, REGIONS + 1, BOOKS_LAYOUT), books_shapes, true);
}

static void test_shorter(void **unused) {
        struct books_shape shapes[REGIONS];

        shorter(shapes);
        check(make_arena(shapes, REGIONS, BOOKS_LAYOUT), shapes, true);
        /* The last shape before ours. */
        memcpy(shapes, books_shapes, sizeof shapes);
        shapes[REGION_SUMS].used -= 2 * sizeof(uint64_t);
        check(make_arena(shapes, REGIONS, BOOKS_LAYOUT), shapes, true);
}

/* The last numbers before ours: shapes like ours, and words in the index, and frames, that mean something else. */
static void test_other_index(void **unused) {
        frames_are_old = true;
        check(make_arena(books_shapes, REGIONS, 6), books_shapes, true);
        check(make_arena(books_shapes, REGIONS, 7), books_shapes, true);
        frames_are_old = false;
}

/* Before arenas said their shape: only the records, and the regions, that were there. */
static void test_without_shape(void **unused) {
        struct books_shape shapes[REGIONS];

        memcpy(shapes, books_shapes, sizeof shapes);
        frames_are_old = true;
        shapes[REGION_BOOK] = (struct books_shape){1112, 1112};
        shapes[REGION_THREAD_MARKS] = (struct books_shape){0, 0};
        shapes[REGION_SUMS] = (struct books_shape){112, 128};
        check(make_arena(shapes, 0, 5), shapes, true);
        shapes[REGION_INSTANCES] = (struct books_shape){56, 64};
        shapes[REGION_FRAMES] = (struct books_shape){88, 128};
        shapes[REGION_TIMES] = shapes[REGION_TIME_SUMS] = (struct books_shape){0, 0};
        check(make_arena(shapes, 0, 4), shapes, true);
        frames_are_old = false;
}

/* An arena that has moved moves again, and its file does not keep what it left. */
static void test_again_and_again(void **unused) {
        struct books_shape shapes[REGIONS];
        struct books *books;
        uint64_t memory, at = 0;
        int fd, again;

        longer(shapes);
        fd = make_arena(shapes, REGIONS, BOOKS_LAYOUT);
        assert_int_equal(books_adopt(&books, dup(fd)), 0);
        books_free(books);
        memory = memory_of(fd);
        for (int i = 0; i < 5; i++) {
                assert_int_equal(books_adopt(&books, dup(fd)), 0);
                assert_false(books_were_migrated(books));
                assert_true(books->arena.at > at);
                at = books->arena.at;
                owner_of(&books->arena)->regions++; /* a later version has been here */
                owner_of(&books->arena)->shapes[REGIONS] = (struct books_shape){8, 8};
                books_free(books);
                assert_int_equal(books_adopt(&books, dup(fd)), 0);
                assert_true(books_were_migrated(books));
                assert_true(memory_of(fd) <= memory);
                again = dup(books_fd(books));
                books_free(books);
                close(again);
        }
        check_all(fd, shapes, false, true);
}

/* The collector died when the new arena was made, and had not replaced the old one. */
static void test_interrupted(void **unused) {
        struct books_shape shapes[REGIONS];
        struct arena arena, half;
        int fd;

        longer(shapes);
        fd = make_arena(shapes, REGIONS, BOOKS_LAYOUT);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(arena_init_adopt(&arena, dup(fd)), 0);
                assert_int_equal(arena_init_beside(&half, &arena, 1 << 24, 1000), 0);
                memset(arena_data(&half), 'x', 1 << 24);
                half.fd = -1;
                arena_deinit(&half);
                arena_deinit(&arena);
        }
        check(fd, shapes, true);
}

/* Committed just before, or half of a batch: the old arena's log is undone first. */
static void test_half_a_batch(void **unused) {
        struct books_shape shapes[REGIONS];
        struct arena arena;
        int fd;

        longer(shapes);
        fd = make_arena(shapes, REGIONS, BOOKS_LAYOUT);
        assert_int_equal(arena_init_adopt(&arena, dup(fd)), 0);
        arena_begin(&arena);
        for (uint64_t at = 0; at < 100; at++) {
                char *p = (char *)arena_data(&arena) + at * ARENA_LINE;

                arena_touch(&arena, p, ARENA_LINE);
                memset(p, 'y', ARENA_LINE);
        }
        arena.in_batch = false;
        arena_deinit(&arena);
        check(fd, shapes, true);
}

static void refuse(const struct books_shape *shapes, uint32_t regions, uint32_t layout, int error) {
        struct books_shape ours[REGIONS];
        struct books *books;
        struct arena arena;
        int fd;

        memcpy(ours, books_shapes, sizeof ours);
        fd = make_arena(ours, REGIONS, BOOKS_LAYOUT);
        assert_int_equal(arena_init_adopt(&arena, dup(fd)), 0);
        memcpy(owner_of(&arena)->shapes, shapes, REGIONS * sizeof *shapes);
        owner_of(&arena)->regions = regions;
        owner_of(&arena)->layout = layout;
        arena_deinit(&arena);
        assert_int_equal(books_adopt(&books, fd), error);
}

static void test_nonsense(void **unused) {
        struct books_shape shapes[REGIONS];
        struct books *books;
        uint64_t word;
        int fd;

        memcpy(shapes, books_shapes, sizeof shapes);
        refuse(shapes, REGIONS, BOOKS_LAYOUT + 1, -EPROTONOSUPPORT);
        refuse(shapes, REGIONS, 0, -EPROTONOSUPPORT);
        refuse(shapes, 3, BOOKS_LAYOUT, -EPROTO);
        refuse(shapes, 25, BOOKS_LAYOUT, -EPROTO);
        refuse(shapes, UINT32_MAX, BOOKS_LAYOUT, -EPROTO);
        shapes[REGION_NAMES].used = shapes[REGION_NAMES].stride + 1;
        refuse(shapes, REGIONS, BOOKS_LAYOUT, -EPROTO);
        shapes[REGION_NAMES] = (struct books_shape){0, 0};
        refuse(shapes, REGIONS, BOOKS_LAYOUT, -EPROTO);
        shapes[REGION_NAMES] = (struct books_shape){65536, 65536}; /* more than the arena has */
        refuse(shapes, REGIONS, BOOKS_LAYOUT, -EPROTO);
        shapes[REGION_NAMES] = (struct books_shape){8, UINT32_MAX};
        refuse(shapes, REGIONS, BOOKS_LAYOUT, -EPROTO);

        /* Moved to where there is nothing. */
        static const uint64_t places[] = {1, 4096, UINT64_C(1) << 40, UINT64_MAX & ~UINT64_C(4095)};
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
                fd = make_arena(books_shapes, REGIONS, BOOKS_LAYOUT);
                word = places[i];
                assert_int_equal(pwrite(fd, &word, sizeof word, offsetof(struct arena_header, moved_to)), sizeof word);
                assert_int_equal(books_adopt(&books, fd), -EPROTO);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ours),
                cmocka_unit_test(test_short_log),
                cmocka_unit_test(test_longer),
                cmocka_unit_test(test_shorter),
                cmocka_unit_test(test_other_index),
                cmocka_unit_test(test_without_shape),
                cmocka_unit_test(test_again_and_again),
                cmocka_unit_test(test_interrupted),
                cmocka_unit_test(test_half_a_batch),
                cmocka_unit_test(test_nonsense),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
