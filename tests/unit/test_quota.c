/* SPDX-License-Identifier: MIT */
/*
 * What a user's limits do to a drain: which of it is left out, and that what is not is right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/books/books_layout.h"
#include "daemon/books/quota.h"
#include "daemon/drain/drain.h"
#include "shm/segment.h"

enum { LANES = 4, RING = SHM_RING_RECORDS_MIN };

struct fixture {
        struct shm_geometry geometry;
        struct quota quota;
        struct books *books;
        struct drain *drain;
        char *map;
        int memfd;
        unsigned events;
};

static void on_event(void *userdata, const struct books_event *event) {
        struct fixture *f = userdata;

        f->events++;
}

static int setup(void **state) {
        const struct shm_wish wish = {32, 64, 8, LANES, RING, LANES};
        const struct books_limits limits = {.names = 32, .paths = 64, .lanes = LANES, .instances = 1024, .threads = 4};
        struct fixture *f = calloc(1, sizeof *f);

        for (int kind = 0; kind < QUOTA_KINDS; kind++)
                f->quota.limit[kind] = UINT64_MAX;
        assert_int_equal(shm_geometry_init(&f->geometry, &wish), 0);
        assert_int_equal(shm_segment_create(&f->memfd, &f->geometry, 1, 0), 0);
        assert_int_equal(shm_segment_map((void **)&f->map, f->memfd, f->geometry.segment_size), 0);
        assert_int_equal(books_new(&f->books, &limits, 1), 0);
        assert_int_equal(drain_new(&f->drain, f->memfd, &f->geometry, f->books), 0);
        books_on_event(f->books, on_event, f);
        drain_set_quota(f->drain, &f->quota);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        drain_free(f->drain);
        assert_int_equal(f->quota.used[QUOTA_THREADS], 0);
        books_free(f->books);
        munmap(f->map, f->geometry.segment_size);
        close(f->memfd);
        free(f);
        return 0;
}

static struct shm_lane *lane(struct fixture *f, uint32_t i) {
        return shm_lane_at(f->map, &f->geometry, i);
}

static void put_path(struct fixture *f, uint32_t id, uint32_t parent, uint32_t name) {
        struct shm_name *entry = &shm_names(f->map, &f->geometry)[name];

        entry->name[0] = (char)('a' + name);
        atomic_store(&entry->state, SHM_NAME_READY);
        atomic_store(&shm_paths(f->map, &f->geometry)[id].key, (uint64_t)parent << 32 | name);
}

static void claim(struct fixture *f, uint32_t i) {
        atomic_store(&((struct shm_header *)f->map)->lanes_claimed, i + 1);
        atomic_store(&lane(f, i)->occupancy, 2);
        *(uint32_t *)(void *)lane(f, i)->owner_pad = 1234;
}

static void put(struct fixture *f, uint32_t i, int kind, int flags, uint64_t instance, uint32_t path, uint64_t n) {
        uint64_t head = atomic_load(&lane(f, i)->head);

        shm_ring_at(f->map, &f->geometry, i)[head % RING] = (struct shm_record){
                head, instance, path, (uint16_t)kind, (uint16_t)flags, 0, {n, 10 * n, n / 2, 5 * n}};
        atomic_store(&lane(f, i)->head, head + 1);
}

/* A pass with a share of `share` records; how many it took. */
static uint64_t pass(struct fixture *f, uint64_t share, int *ret) {
        struct books_process_row before, after;

        f->quota.used[QUOTA_RECORDS] = 0;
        f->quota.limit[QUOTA_RECORDS] = share;
        books_process_row(f->books, &before);
        *ret = drain_pass(f->drain, 10);
        assert_true(*ret >= 0);
        books_process_row(f->books, &after);
        assert_true(after.balanced);
        assert_int_equal(after.records - before.records, f->quota.used[QUOTA_RECORDS]);
        return after.records - before.records;
}

static void fill(struct fixture *f) {
        put_path(f, 2, 0, 2);
        for (uint32_t i = 0; i < LANES; i++) {
                claim(f, i);
                put(f, i, SHM_KIND_BASE, 0, 2, 0, 0);
                for (uint64_t n = 1; n <= 50; n++) {
                        uint64_t instance = n << 12 | i | UINT64_C(1) << 32;

                        put(f, i, SHM_KIND_OPEN, 0, instance, 2, 0);
                        put(f, i, SHM_KIND_ENTER, 0, instance, 2, 2 * n);
                        put(f, i, SHM_KIND_EXIT, 0, instance, 2, 2 * n + 1);
                        /* Closed by the next lane, which has run ahead of this one's exit where the share ends. */
                        put(f, (i + 1) % LANES, SHM_KIND_CLOSE, 0, instance, 2, 0);
                }
        }
}

/* However small the shares, the passes come to an end, each takes no more than its share, and all that is told of a span is
 * whole: a close does not overtake an exit of another lane. */
static void test_share(void **state) {
        struct fixture *f = *state;
        struct books_row row;
        unsigned passes = 0;
        uint64_t took, all = 0;
        int outcome;

        fill(f);
        for (uint64_t share = 7;; share = share * 5 % 23 + 1) {
                took = pass(f, share, &outcome);
                assert_true(took <= share);
                all += took;
                passes++;
                assert_true(passes < 1000);
                if (outcome == DRAIN_IDLE)
                        break;
                assert_true(took > 0 || outcome == DRAIN_SOME);
        }
        assert_int_equal(all, LANES * (1 + 4 * 50));
        assert_true(passes > 50);
        assert_true(f->quota.hits[QUOTA_RECORDS] > 50);
        books_path_row(f->books, 2, 11, &row);
        assert_int_equal(row.opened, 200);
        assert_int_equal(row.closed, 200);
        assert_int_equal(row.cycles, 200);
        assert_int_equal(row.total[SHM_ALLOC_BYTES], 200 * 10);
        assert_int_equal(f->events, 200);
        assert_int_equal(row.per_call.count, 200);
        assert_int_equal(row.per_call.max, 10);
}

/* No lane is left out for ever by one that always has enough for a share. */
static void test_fair_lanes(void **state) {
        struct fixture *f = *state;
        int outcome;

        for (uint32_t i = 0; i < LANES; i++) {
                claim(f, i);
                put(f, i, SHM_KIND_BASE, 0, 2, 0, 0);
        }
        for (int k = 0; k < 20; k++) {
                while (atomic_load(&lane(f, 0)->head) - f->books->lanes[0].position < 50)
                        put(f, 0, SHM_KIND_BASE, 0, 2, 0, 0);
                (void)pass(f, 10, &outcome);
                assert_int_equal(outcome, DRAIN_MORE);
        }
        for (uint32_t i = 1; i < LANES; i++)
                assert_int_equal(f->books->lanes[i].position, 1);
}

/* A dead process is drained to its end, whatever its user's share, also from the middle of a second look. */
static void test_finish(void **state) {
        struct fixture *f = *state;
        struct books_process_row process;
        struct books_row row;
        int outcome;

        fill(f);
        (void)pass(f, 250, &outcome);
        assert_int_equal(outcome, DRAIN_MORE);
        assert_int_equal(drain_finish(f->drain, 12), 0);
        books_process_row(f->books, &process);
        assert_int_equal(process.records, LANES * (1 + 4 * 50));
        books_path_row(f->books, 2, 13, &row);
        assert_int_equal(row.closed, 200);
        assert_int_equal(row.aborted, 0);
}

static void test_names_and_paths(void **state) {
        struct fixture *f = *state;
        uint64_t names, paths;
        int outcome;

        f->quota.limit[QUOTA_NAMES] = 3;
        f->quota.limit[QUOTA_PATHS] = 5;
        claim(f, 0);
        for (uint32_t id = 2; id < 12; id++) {
                put_path(f, id, 0, id < 6 ? id : 2); /* four names on ten paths */
                put(f, 0, SHM_KIND_OPEN, 0, (uint64_t)id << 12 | UINT64_C(1) << 32, id, 0);
        }
        assert_int_equal(pass(f, UINT64_MAX, &outcome), 10);
        books_used(f->books, &names, &paths);
        assert_int_equal(names, 4); /* with (other), which always has room */
        assert_int_equal(paths, 5);
        assert_int_equal(f->quota.used[QUOTA_NAMES], names);
        assert_int_equal(f->quota.used[QUOTA_PATHS], paths);
        assert_int_equal(f->books->tallies[SHM_PATH_OTHER].opened, 6);
        assert_int_equal(f->quota.hits[QUOTA_NAMES], 1);
        assert_int_equal(f->quota.hits[QUOTA_PATHS], 5);
        assert_string_equal(books_name(f->books, SHM_NAME_OTHER), "(other)");
}

static void test_threads(void **state) {
        struct fixture *f = *state;
        int outcome;

        f->quota.limit[QUOTA_THREADS] = 2;
        for (uint32_t i = 0; i < LANES; i++) {
                claim(f, i);
                put(f, i, SHM_KIND_BASE, 0, 2, 0, 0);
        }
        assert_int_equal(pass(f, UINT64_MAX, &outcome), 2);
        assert_int_equal(drain_lanes(f->drain), 2);
        assert_int_equal(drain_refused_threads(f->drain), 2);
        assert_true(f->quota.hits[QUOTA_THREADS] > 0);
        /* A lane that is never read keeps the collector from no sleep. */
        assert_false(drain_has_records(f->drain));
        /* Another process of the user has ended. */
        f->quota.limit[QUOTA_THREADS] = 3;
        assert_true(drain_has_records(f->drain));
        assert_int_equal(pass(f, UINT64_MAX, &outcome), 1);
        assert_int_equal(drain_refused_threads(f->drain), 1);
}

/* A lane that was claimed since the last look has found its place. */
static void test_new_thread(void **state) {
        struct fixture *f = *state;
        int outcome;

        claim(f, 0);
        put(f, 0, SHM_KIND_BASE, 0, 2, 0, 0);
        pass(f, UINT64_MAX, &outcome);
        claim(f, 1);
        assert_int_equal(drain_refused_threads(f->drain), 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_share),           TEST(test_fair_lanes), TEST(test_finish),
                TEST(test_names_and_paths), TEST(test_threads),    TEST(test_new_thread),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
