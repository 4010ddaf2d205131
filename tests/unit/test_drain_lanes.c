/* SPDX-License-Identifier: MIT */
/*
 * A segment with very many lanes: what visits each of them is done in portions, and what is done is the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/books/books_layout.h"
#include "daemon/drain/drain.h"
#include "shm/segment.h"

enum { LANES = 4000, RING = 1024, CLOSED = 8, PORTION = 4096 };
#define SPAN ((UINT64_C(1) << 32) | (1u << 12))

struct fixture {
        struct shm_geometry geometry;
        struct books *books;
        struct drain *drain;
        char *map;
        unsigned events;
};

static struct shm_lane *lane_of(struct fixture *f, uint32_t i) {
        return shm_lane_at(f->map, &f->geometry, i);
}

static void put_of(struct fixture *f, uint32_t i, int kind, uint64_t instance, uint64_t bytes) {
        struct shm_lane *lane = lane_of(f, i);
        uint64_t head = atomic_load(&lane->head);
        struct shm_record record = {.sequence = head, .kind = (uint16_t)kind};

        if (kind != SHM_KIND_BASE) {
                record.instance = instance;
                record.path = 2;
        }
        record.counters[SHM_ALLOC_COUNT] = record.counters[SHM_ALLOC_BYTES] = bytes;
        for (int c = 0; c < SHM_COUNTERS; c++)
                atomic_store(&lane->live[c], record.counters[c]);
        shm_ring_at(f->map, &f->geometry, i)[head % RING] = record;
        atomic_store(&lane->head, head + 1);
}

static void put(struct fixture *f, uint32_t i, int kind, uint64_t bytes) {
        put_of(f, i, kind, SPAN, bytes);
}

static void on_event(void *userdata, const struct books_event *event) {
        struct fixture *f = userdata;

        f->events++;
}

static void begin(struct fixture *f) {
        struct shm_wish wish = shm_wish_default;
        struct books_limits limits = books_limits_default;
        struct shm_name *name;
        int fd;

        memset(f, 0, sizeof *f);
        wish.lane_capacity = wish.ring_lanes = LANES;
        wish.ring_records = RING;
        assert_int_equal(shm_geometry_init(&f->geometry, &wish), 0);
        limits.names = f->geometry.name_capacity;
        limits.paths = f->geometry.path_capacity;
        limits.lanes = f->geometry.lane_capacity;
        assert_int_equal(shm_segment_create(&fd, &f->geometry, 1, 0), 0);
        f->map = mmap(NULL, f->geometry.segment_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(f->map != MAP_FAILED);
        assert_int_equal(books_new(&f->books, &limits, 1), 0);
        assert_int_equal(drain_new(&f->drain, fd, &f->geometry, f->books), 0);
        books_on_event(f->books, on_event, f);
        close(fd);
        for (uint32_t id = 1; id <= 2; id++) {
                name = &shm_names(f->map, &f->geometry)[id];
                strcpy(name->name, id == 1 ? "(other)" : "span");
                name->name_length = (uint16_t)strlen(name->name);
                atomic_store(&name->state, SHM_NAME_READY);
                atomic_store(&shm_paths(f->map, &f->geometry)[id].key, id);
        }
        atomic_store(&((struct shm_header *)(void *)f->map)->lanes_claimed, LANES);
        for (uint32_t i = 0; i < LANES; i++) {
                atomic_store(&lane_of(f, i)->occupancy, 2);
                *(uint32_t *)(void *)lane_of(f, i)->owner_pad = 1000 + i; /* alive */
                lane_of(f, i)->past[1].occupancy = 2;
                put(f, i, SHM_KIND_BASE, 0);
        }
}

static void end(struct fixture *f) {
        drain_free(f->drain);
        books_free(f->books);
        munmap(f->map, f->geometry.segment_size);
}

/* Returns how many calls it took. */
static unsigned drain_all(struct fixture *f) {
        unsigned calls = 0;
        int r;

        do {
                r = drain_pass(f->drain, 2);
                assert_true(r >= 0);
                calls++;
        } while (r > DRAIN_IDLE);
        return calls;
}

static uint64_t bytes_in_books(const struct fixture *f) {
        struct books_process_row row;

        books_process_row(f->books, &row);
        return row.counters[SHM_ALLOC_BYTES];
}

static void test_settling(void **state) {
        struct fixture f;
        uint64_t settled = 0;
        unsigned calls = 1;
        char why[128];

        begin(&f);
        drain_all(&f);
        for (uint32_t i = 0; i < LANES; i++) {
                atomic_store(&lane_of(&f, i)->live[SHM_ALLOC_COUNT], 1);
                atomic_store(&lane_of(&f, i)->live[SHM_ALLOC_BYTES], 10);
        }
        while (drain_settle(f.drain, 3) == DRAIN_CUT) {
                assert_int_equal(drain_settled(f.drain), 0);
                /* A portion of them, and each once. */
                assert_in_range(bytes_in_books(&f), settled + 10, settled + LANES * 10 / 2);
                settled = bytes_in_books(&f);
                calls++;
        }
        assert_int_equal(drain_settled(f.drain), 1);
        assert_true(calls > 2);
        assert_int_equal(bytes_in_books(&f), LANES * 10);
        assert_true(drain_check(f.drain, why, sizeof why));
        end(&f);
}

/* What is asked for in the middle of a round that another began is of this moment, too. */
static void test_settling_anew(void **state) {
        struct fixture f;
        uint64_t until;

        begin(&f);
        drain_all(&f);
        assert_int_equal(drain_settled_from_now(f.drain), drain_settled(f.drain) + 1);
        assert_int_equal(drain_settle(f.drain, 3), DRAIN_CUT);
        atomic_store(&lane_of(&f, 0)->live[SHM_ALLOC_COUNT], 1);
        atomic_store(&lane_of(&f, 0)->live[SHM_ALLOC_BYTES], 10);
        until = drain_settled_from_now(f.drain);
        while (drain_settled(f.drain) < until)
                assert_true(drain_settle(f.drain, 3) >= 0);
        assert_int_equal(bytes_in_books(&f), 10);
        end(&f);
}

/* Each lane says that many enters were refused, of a span that is closed: none is to be looked up before the last look,
 * and the one that makes the span partial, on the last lane, before the close. */
static void test_refused_enters(void **state) {
        struct fixture f;
        struct shm_lane *last;

        begin(&f);
        put(&f, 0, SHM_KIND_OPEN, 0);
        drain_all(&f);
        for (uint32_t i = 0; i < LANES; i++) {
                for (uint32_t n = 0; n < SHM_PARTIALS; n++)
                        *shm_partial(lane_of(&f, i), n) = 1; /* long closed */
                atomic_store(&lane_of(&f, i)->partial_count, SHM_PARTIALS);
        }
        last = lane_of(&f, LANES - 1);
        *shm_partial(last, SHM_PARTIALS - 1) = SPAN;
        put(&f, 0, SHM_KIND_ENTER, 0);
        put(&f, 0, SHM_KIND_EXIT, 5);
        put(&f, 0, SHM_KIND_CLOSE, 5);
        assert_true(drain_all(&f) >= LANES * SHM_PARTIALS / 4096);
        assert_int_equal(f.books->tallies[2].closed, 1);
        assert_int_equal(f.events, 0); /* it was not whole */
        end(&f);
}

/* Spans that all threads have opened and closed, of which there is an event each. */
static void put_closed_spans(struct fixture *f) {
        for (uint32_t i = 0; i < LANES; i++)
                for (uint64_t n = 1; n <= CLOSED; n++) {
                        uint64_t instance = (UINT64_C(1) << 32) | (n << 12) | i;

                        put_of(f, i, SHM_KIND_OPEN, instance, 0);
                        put_of(f, i, SHM_KIND_ENTER, instance, 0);
                        put_of(f, i, SHM_KIND_EXIT, instance, 0);
                        put_of(f, i, SHM_KIND_CLOSE, instance, 0);
                }
}

static void test_closes(void **state) {
        struct fixture f;
        uint64_t closed = 0, before;
        int r;

        begin(&f);
        put_closed_spans(&f);
        do {
                before = closed;
                r = drain_pass(f.drain, 2);
                closed = f.books->tallies[2].closed;
                assert_in_range(closed - before, 0, PORTION);
        } while (r > DRAIN_IDLE);
        assert_int_equal(r, DRAIN_IDLE);
        assert_int_equal(closed, LANES * CLOSED);
        assert_int_equal(f.events, LANES * CLOSED);
        end(&f);
}

/* Lanes that were never looked at are met some at a time; a close waits until all of them are.  What is drained is given
 * back to each. */
static void test_new_lanes(void **state) {
        struct fixture f;
        struct books_process_row row;
        uint32_t met = 0;
        int r;

        begin(&f);
        put(&f, 0, SHM_KIND_CLOSE, 0);
        put(&f, LANES - 1, SHM_KIND_OPEN, 0);
        put(&f, LANES - 1, SHM_KIND_ENTER, 0);
        put(&f, LANES - 1, SHM_KIND_EXIT, 7);
        do {
                assert_true(f.books->tallies[2].closed == 0 || met == LANES);
                r = drain_pass(f.drain, 2);
                assert_in_range(drain_lanes(f.drain) - met, 0, LANES / 8);
                met = drain_lanes(f.drain);
        } while (r > DRAIN_IDLE);
        assert_int_equal(met, LANES);
        assert_int_equal(f.books->tallies[2].closed, 1);
        assert_int_equal(f.events, 1);
        for (uint32_t i = 0; i < LANES; i++)
                assert_int_equal(atomic_load(&lane_of(&f, i)->tail), atomic_load(&lane_of(&f, i)->head));
        assert_int_equal(atomic_load(&lane_of(&f, LANES - 1)->booked[SHM_ALLOC_BYTES]), 7);
        books_process_row(f.books, &row);
        assert_int_equal(row.stale, 0);
        assert_int_equal(row.peak_net, 7);
        end(&f);
}

/* The process dies with all that in its rings, and another process writes on. */
static void test_the_end_of_full_rings(void **state) {
        struct fixture f;
        struct books_process_row row;
        uint64_t drained = 0;
        int r;

        begin(&f);
        put_closed_spans(&f);
        do {
                r = drain_finish_some(f.drain, 4);
                assert_true(r >= 0);
                books_process_row(f.books, &row);
                assert_in_range(row.records - drained, 0, DRAIN_SLICE);
                if (row.records - drained)
                        put_of(&f, LANES - 1, SHM_KIND_OPEN, SPAN, 0);
                drained = row.records;
        } while (r);
        assert_int_equal(f.books->tallies[2].closed, LANES * CLOSED);
        assert_true(row.balanced);
        end(&f);
}

/* The end, too; and the segment is as it was. */
static void test_the_end(void **state) {
        struct fixture f;
        unsigned calls = 1;

        begin(&f);
        drain_all(&f);
        while (drain_finish_some(f.drain, 4) > 0)
                calls++;
        assert_true(calls > LANES * RING * sizeof(struct shm_record) / (16u << 20));
        for (uint32_t i = 0; i < LANES; i++)
                assert_int_equal(shm_ring_at(f.map, &f.geometry, i)->kind, SHM_KIND_BASE);
        end(&f);
}

/* One thread allocates and another frees.  What each did is booked at its own time, and no sum of these is the heap. */
static void test_peak(void **state) {
        struct fixture f;
        struct books_process_row row;

        begin(&f);
        drain_all(&f);
        put(&f, 0, SHM_KIND_OPEN, 0);
        put(&f, 0, SHM_KIND_ENTER, 0);
        put(&f, 0, SHM_KIND_EXIT, 1000);
        atomic_store(&lane_of(&f, 1)->live[SHM_DEALLOC_BYTES], 1000); /* in no span: no record */
        assert_true(drain_pass(f.drain, UINT64_C(1000000000)) >= 0);
        while (drain_settle(f.drain, UINT64_C(2000000000)) == DRAIN_CUT)
                ;
        books_process_row(f.books, &row);
        assert_int_equal(row.net, 0);
        assert_int_equal(row.peak_net, 0);
        put(&f, 2, SHM_KIND_BASE, 500);
        assert_true(drain_pass(f.drain, UINT64_C(3000000000)) >= 0);
        books_process_row(f.books, &row);
        assert_int_equal(row.peak_net, 500);
        end(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_settling),       cmocka_unit_test(test_settling_anew),
                cmocka_unit_test(test_refused_enters), cmocka_unit_test(test_closes),
                cmocka_unit_test(test_new_lanes),      cmocka_unit_test(test_the_end_of_full_rings),
                cmocka_unit_test(test_peak),           cmocka_unit_test(test_the_end),
        };

        return cmocka_run_group_tests_name("drain_lanes", tests, NULL, NULL);
}
