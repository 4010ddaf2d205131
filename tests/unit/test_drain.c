/* SPDX-License-Identifier: MIT */
/*
 * A pass that is longer than a batch: nothing is lost between two of them.  Ends with that much open, with a segment and
 * without one.  And what drain_check() has to notice.
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

/* Each is a line in the arena, and most are a line in its index, too: more than one batch may change. */
#define SPANS 65536u
#define NAMES 300u

struct fixture {
        struct shm_geometry geometry;
        struct books *books;
        struct drain *drain;
        char *map;
};

static void put_name(struct fixture *f, uint32_t id, const char *text) {
        struct shm_name *name = &shm_names(f->map, &f->geometry)[id];

        strcpy(name->name, text);
        name->name_length = (uint16_t)strlen(text);
        atomic_store(&name->state, SHM_NAME_READY);
}

/* A path for each span: each of the names, and below it each of the others. */
static void put_tables(struct fixture *f) {
        uint32_t path = 1;
        char text[16];

        put_name(f, 1, "(other)");
        for (uint32_t name = 2; name < 2 + NAMES; name++) {
                snprintf(text, sizeof text, "n%u", name);
                put_name(f, name, text);
        }
        atomic_store(&shm_paths(f->map, &f->geometry)[path++].key, 1);
        for (uint32_t name = 2; name < 2 + NAMES; name++)
                atomic_store(&shm_paths(f->map, &f->geometry)[path++].key, name);
        for (uint32_t parent = 2; path < 2 + SPANS; parent++)
                for (uint32_t name = 2; name < 2 + NAMES && path < 2 + SPANS; name++)
                        if (name != parent)
                                atomic_store(&shm_paths(f->map, &f->geometry)[path++].key,
                                             (uint64_t)parent << 32 | name);
}

static struct shm_lane *lane_of(struct fixture *f) {
        return shm_lane_at(f->map, &f->geometry, 0);
}

static void put(struct fixture *f, int kind, uint64_t instance, uint64_t bytes) {
        struct shm_lane *lane = lane_of(f);
        uint64_t head = atomic_load(&lane->head);
        struct shm_record record = {.sequence = head,
                                    .instance = instance,
                                    .path = instance ? 1 + (uint32_t)(instance >> 12 & 0xfffff) : 0,
                                    .kind = (uint16_t)kind};

        record.counters[SHM_ALLOC_COUNT] = record.counters[SHM_ALLOC_BYTES] = bytes;
        if (kind == SHM_KIND_ENTER || kind == SHM_KIND_EXIT || kind == SHM_KIND_BASE)
                for (int c = 0; c < SHM_COUNTERS; c++)
                        atomic_store(&lane->live[c], record.counters[c]);
        shm_ring_at(f->map, &f->geometry, 0)[head % shm_ring_records(&f->geometry, 0)] = record;
        atomic_store(&lane->head, head + 1);
}

static uint64_t span(uint32_t n) {
        return UINT64_C(1) << 32 | (uint64_t)n << 12;
}

static void begin(struct fixture *f) {
        struct shm_wish wish = shm_wish_default;
        struct books_limits limits = books_limits_default;
        struct shm_lane *lane;
        int fd;

        memset(f, 0, sizeof *f);
        wish.lane_capacity = 2;
        wish.ring_lanes = 1;
        wish.ring_records = 2 * SPANS;
        assert_int_equal(shm_geometry_init(&f->geometry, &wish), 0);
        limits.names = f->geometry.name_capacity;
        limits.paths = f->geometry.path_capacity;
        limits.lanes = f->geometry.lane_capacity;
        assert_int_equal(shm_segment_create(&fd, &f->geometry, 1, 0), 0);
        f->map = mmap(NULL, f->geometry.segment_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        assert_true(f->map != MAP_FAILED);
        assert_int_equal(books_new(&f->books, &limits, 1), 0);
        assert_int_equal(drain_new(&f->drain, fd, &f->geometry, f->books), 0);
        close(fd);
        put_tables(f);
        atomic_store(&((struct shm_header *)(void *)f->map)->lanes_claimed, 1);
        lane = lane_of(f);
        atomic_store(&lane->occupancy, 2);
        *(uint32_t *)(void *)lane->owner_pad = 1000; /* alive */
        lane->past[1].occupancy = 2;
        put(f, SHM_KIND_BASE, 0, 0);
        for (uint32_t n = 1; n <= SPANS; n++)
                put(f, SHM_KIND_OPEN, span(n), 0);
        put(f, SHM_KIND_ENTER, span(7), 100);
        put(f, SHM_KIND_EXIT, span(7), 350);
}

static void end(struct fixture *f) {
        drain_free(f->drain);
        books_free(f->books);
        munmap(f->map, f->geometry.segment_size);
}

static struct books_process_row row_of(struct fixture *f) {
        struct books_process_row row;

        books_process_row(f->books, &row);
        return row;
}

static uint64_t commits(const struct fixture *f) {
        return atomic_load(&books_arena(f->books)->header->commit);
}

/* Until all paths were looked at; returns how many calls it took. */
static unsigned settle(struct fixture *f, uint64_t now_ns) {
        unsigned calls = 1;
        int r;

        while ((r = drain_settle(f->drain, now_ns)) == DRAIN_CUT)
                calls++;
        assert_int_equal(r, 0);
        return calls;
}

static void drain_all(struct fixture *f) {
        uint64_t before = commits(f);
        char why[128];

        while (drain_has_records(f->drain))
                assert_true(drain_pass(f->drain, 2) >= 0);
        settle(f, 3);
        assert_true(commits(f) > before + 2); /* else this is one batch, and shows nothing */
        assert_int_equal(row_of(f).open, SPANS);
        assert_int_equal(row_of(f).self[SHM_ALLOC_BYTES], 250);
        if (!drain_check(f->drain, why, sizeof why))
                fail_msg("%s", why);
}

static void test_a_pass_of_several_batches(void **unused) {
        struct fixture f;

        begin(&f);
        drain_all(&f);
        assert_int_equal(row_of(&f).records, SPANS + 3);
        assert_true(row_of(&f).balanced);
        assert_int_equal(drain_fill_ppm(f.drain), (SPANS + 3) * UINT64_C(1000000) / (2 * SPANS));
        end(&f);
}

/* What is refused on each path is as much of a batch as the records, and no call looks at all of them. */
static void test_refused_on_each_path(void **unused) {
        struct fixture f;
        struct books_row row;
        uint64_t before;

        begin(&f);
        drain_all(&f);
        for (uint32_t path = 2; path < 2 + SPANS; path++)
                atomic_store(&shm_paths(f.map, &f.geometry)[path].refused, path);
        before = commits(&f);
        assert_true(settle(&f, 4) > 1);
        assert_true(commits(&f) > before + 1);
        for (uint32_t path = 2; path < 2 + SPANS; path++) {
                books_path_row(f.books, path, 4, &row);
                assert_int_equal(row.refused, path);
        }
        end(&f);
}

static void settle_at(struct fixture *f, uint64_t seconds, uint64_t want) {
        struct books_row row;

        settle(f, seconds * 1000000000);
        books_path_row(f->books, 2, 4, &row);
        assert_int_equal(row.refused, want);
}

/* A thread counts for itself first.  What the path has is looked at for a while after that, and whenever it does something. */
static void test_refused_after_long_sleep(void **unused) {
        _Atomic uint64_t *on_path;
        struct fixture f;

        begin(&f);
        drain_all(&f);
        on_path = &shm_paths(f.map, &f.geometry)[2].refused;
        settle_at(&f, 100, 0);
        settle_at(&f, 200, 0);
        shm_add(lane_of(&f)->refused.enters, 1);
        settle_at(&f, 300, 0);
        atomic_store(on_path, 1);
        settle_at(&f, 301, 1);
        settle_at(&f, 400, 1);
        shm_add(lane_of(&f)->refused.opens, 1);
        atomic_store(on_path, 2);
        settle_at(&f, 500, 2);
        settle_at(&f, 600, 2);
        atomic_store(on_path, 3); /* it was stopped between the two: shown once it goes on */
        atomic_fetch_add(&lane_of(&f)->live[SHM_ALLOC_COUNT], 1);
        settle_at(&f, 700, 3);
        *(uint32_t *)(void *)lane_of(&f)->owner_pad = 0;
        settle_at(&f, 800, 3);
        atomic_store(on_path, 4);
        assert_int_equal(drain_finish(f.drain, UINT64_C(900000000000)), 0);
        assert_int_equal(f.books->tallies[2].refused, 4);
        end(&f);
}

static void check_aborted(struct fixture *f) {
        assert_int_equal(row_of(f).aborted, SPANS);
        assert_int_equal(row_of(f).open, 0);
        assert_int_equal(row_of(f).self[SHM_ALLOC_BYTES], 250);
        assert_true(books_check(f->books, (char[128]){0}, 128));
}

static void test_an_end_with_much_open(void **unused) {
        struct fixture f;
        uint64_t before;

        begin(&f);
        drain_all(&f);
        *(uint32_t *)(void *)lane_of(&f)->owner_pad = 0;
        before = commits(&f);
        assert_int_equal(drain_finish(f.drain, 4), 0);
        assert_true(commits(&f) > before + 1);
        check_aborted(&f);
        end(&f);
}

/* Its segment is gone: what is in the books is all that there will be. */
static void test_left_without_a_segment(void **unused) {
        struct fixture f;
        uint64_t before;

        begin(&f);
        drain_all(&f);
        f.drain = drain_free(f.drain);
        before = commits(&f);
        drain_abandon(f.books, 4);
        assert_true(commits(&f) > before + 1);
        check_aborted(&f);
        end(&f);
}

static void test_check(void **unused) {
        struct fixture f;
        char why[128] = "";

        begin(&f);
        drain_all(&f);
        f.books->lanes[0].last[SHM_ALLOC_BYTES]++;
        assert_false(drain_check(f.drain, why, sizeof why));
        assert_string_equal(why, "lane 0's thread has counted 350 of counter 1, its books 351");
        /* What it has counted since is not in the books yet. */
        f.books->lanes[0].last[SHM_ALLOC_BYTES] -= 2;
        assert_true(drain_check(f.drain, why, sizeof why));
        /* Of a lane that has been settled for good everything is in the books. */
        f.books->lanes[0].retired = 2;
        assert_false(drain_check(f.drain, why, sizeof why));
        /* While the next thread moves in, the lane's words belong to no thread. */
        atomic_store(&lane_of(&f)->occupancy, 3);
        assert_true(drain_check(f.drain, why, sizeof why));
        end(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_pass_of_several_batches), cmocka_unit_test(test_refused_on_each_path),
                cmocka_unit_test(test_refused_after_long_sleep),  cmocka_unit_test(test_an_end_with_much_open),
                cmocka_unit_test(test_left_without_a_segment),    cmocka_unit_test(test_check),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
