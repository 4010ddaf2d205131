/* SPDX-License-Identifier: MIT */
/*
 * Segments of untrusted clients: for any content, the collector neither crashes nor hangs.  It returns -EBADMSG, or has
 * books that balance.
 *
 * Timeout: 900
 * Labels: valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "daemon/books/books_layout.h"
#include "daemon/drain/drain.h"
#include "daemon/drain/segment_reader.h"
#include "shm/ring.h"
#include "shm/segment.h"

#define LANES 4u
#define PATHS 64u
#define NAMES 32u

struct fixture {
        struct shm_geometry geometry;
        int memfd;
        char *map; /* the stranger's */
        struct books *books;
        struct drain *drain;
        unsigned seed;
        _Atomic bool stop;
};

static const struct shm_wish wish = {
        .name_capacity = NAMES,
        .path_capacity = PATHS,
        .close_capacity = 8,
        .lane_capacity = LANES,
        .ring_records = SHM_RING_RECORDS_MIN,
        .ring_lanes = LANES,
};

static void begin(struct fixture *f) {
        const struct books_limits limits = {
                .names = NAMES, .paths = PATHS, .lanes = LANES, .instances = 16, .threads = 4};

        assert_int_equal(shm_geometry_init(&f->geometry, &wish), 0);
        assert_int_equal(shm_segment_create(&f->memfd, &f->geometry, 1, 0), 0);
        assert_int_equal(shm_segment_map((void **)&f->map, f->memfd, f->geometry.segment_size), 0);
        assert_int_equal(books_new(&f->books, &limits, 1), 0);
        assert_int_equal(drain_new(&f->drain, f->memfd, &f->geometry, f->books), 0);
}

static void end(struct fixture *f) {
        drain_free(f->drain);
        books_free(f->books);
        munmap(f->map, f->geometry.segment_size);
        close(f->memfd);
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof *f);

        begin(f);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        end(*state);
        free(*state);
        return 0;
}

static struct shm_header *header(struct fixture *f) {
        return (struct shm_header *)f->map;
}

static struct shm_lane *lane(struct fixture *f, uint32_t i) {
        return shm_lane_at(f->map, &f->geometry, i);
}

static void assert_balanced(struct fixture *f) {
        struct books_process_row row;

        books_process_row(f->books, &row);
        assert_true(row.balanced);
}

/* -------------------------------------------------------------------------------------------- a decent client -- */

static void put_name(struct fixture *f, uint32_t id, const char *text) {
        struct shm_name *name = &shm_names(f->map, &f->geometry)[id];

        strcpy(name->name, text);
        name->name_length = (uint16_t)strlen(text);
        atomic_store(&name->state, SHM_NAME_READY);
}

static void put_path(struct fixture *f, uint32_t id, uint32_t parent, uint32_t name) {
        atomic_store(&shm_paths(f->map, &f->geometry)[id].key, (uint64_t)parent << 32 | name);
}

static void claim(struct fixture *f, uint32_t i) {
        if (header(f)->lanes_claimed <= i)
                header(f)->lanes_claimed = i + 1;
        lane(f, i)->occupancy = 2;
        *(uint32_t *)(void *)lane(f, i)->owner_pad = 1234; /* alive */
        strcpy(lane(f, i)->comm, "worker");
}

static void put(struct fixture *f, uint32_t i, int kind, int flags, uint64_t instance, uint32_t path, uint64_t n) {
        uint64_t head = lane(f, i)->head;
        struct shm_record *record = &shm_ring_at(f->map, &f->geometry, i)[head % SHM_RING_RECORDS_MIN];

        *record = (struct shm_record){
                head, instance, path, (uint16_t)kind, (uint16_t)flags, 0, {n, 10 * n, n / 2, 5 * n}};
        atomic_store(&lane(f, i)->head, head + 1);
}

static void decent(struct fixture *f) {
        put_name(f, 1, "(other)");
        put_name(f, 2, "a");
        put_name(f, 3, "b\033b");
        put_path(f, 1, 0, 1);
        put_path(f, 2, 0, 2);
        put_path(f, 3, 2, 3);
        for (uint32_t i = 0; i < LANES; i++) {
                claim(f, i);
                put(f, i, SHM_KIND_BEFORE, 0, 2, 0, 5);
                put(f, i, SHM_KIND_BASE, 0, 2, 0, 10);
                put(f, i, SHM_KIND_ENTER, SHM_FLAG_SCOPE, 0x100001000 + i, 2, 20);
                put(f, i, SHM_KIND_ENTER, SHM_FLAG_SCOPE, 0x100002000 + i, 3, 30);
        }
}

static void test_decent(void **state) {
        struct fixture *f = *state;
        struct books_process_row row;

        assert_int_equal(drain_pass(f->drain, 1), DRAIN_IDLE);
        decent(f);
        assert_true(drain_has_records(f->drain));
        assert_int_equal(drain_pass(f->drain, 1), DRAIN_SOME);
        assert_false(drain_has_records(f->drain));
        for (uint32_t i = 0; i < LANES; i++)
                assert_int_equal(lane(f, i)->tail, 4);
        assert_string_equal(books_name(f->books, 3), "b?b");
        assert_int_equal(books_path_parent(f->books, 3), 2);
        assert_int_equal(books_path_depth(f->books, 3), 1);
        books_process_row(f->books, &row);
        assert_true(row.balanced);
        assert_int_equal(row.counters[0], 4 * 30);
        assert_int_equal(row.before[0], 4 * 5);
        assert_int_equal(row.outside[0], 4 * 15);
        assert_int_equal(row.self[0], 4 * 10);

        /* The live part, as long as the ring is drained and nothing is refused. */
        atomic_store(&lane(f, 0)->live[0], 41);
        atomic_store(&lane(f, 1)->live[0], 41);
        lane(f, 1)->refused_frames = 1;
        atomic_store(&lane(f, 2)->live[0], 41);
        lane(f, 2)->lost_stretches = 1;
        atomic_store(&lane(f, 3)->live[0], 41);
        lane(f, 3)->occupancy = 3; /* a thread moves in */
        assert_int_equal(drain_settle(f->drain, 1), 0);
        assert_int_equal(f->books->lanes[0].last[0], 41);
        for (uint32_t i = 1; i < LANES; i++)
                assert_int_equal(f->books->lanes[i].last[0], 30);
        assert_balanced(f);
}

/* A thread moves into the lane of a dead one while it is being settled: it keeps what it has. */
static void test_names_of_threads(void **state) {
        struct fixture *f = *state;
        const char *name;
        uint64_t outside[SHM_COUNTERS], a = 0, b = 0;

        claim(f, 0);
        strcpy(lane(f, 0)->comm, "first");
        atomic_store(&lane(f, 0)->live[0], 10);
        assert_int_equal(drain_settle(f->drain, 1), 0);
        atomic_store(&lane(f, 0)->live[0], 30); /* its last 20 */
        lane(f, 0)->occupancy = 4;
        lane(f, 0)->offset[0] = 30;
        lane(f, 0)->before[0] = 7;
        strcpy(lane(f, 0)->comm, "second");
        atomic_store(&lane(f, 0)->live[0], 40);
        assert_int_equal(drain_settle(f->drain, 1), 0);
        for (uint32_t i = 0; books_thread_row(f->books, i, &name, outside); i++) {
                a += !strcmp(name, "first") ? outside[0] : 0;
                b += !strcmp(name, "second") ? outside[0] : 0;
        }
        assert_int_equal(a, 30);
        assert_int_equal(b, 3);
        assert_int_equal(f->books->lanes[0].before[0], 7);
        assert_balanced(f);
}

/* What a dead thread leaves: a LOST that was written but not taken off, and one that was not. */
static void test_remains(void **state) {
        for (int written = 0; written < 2; written++) {
                struct fixture *f = *state;

                decent(f);
                assert_int_equal(drain_pass(f->drain, 1), DRAIN_SOME);
                lane(f, 0)->lost_turn = 1;
                lane(f, 0)->lost[1].waiting[0] = 8;
                lane(f, 0)->lost[1].since[0] = 48;
                lane(f, 0)->lost[0].waiting[0] = 1000; /* the other slot means nothing */
                lane(f, 0)->lost_stretches = 1;
                lane(f, 0)->lost_until = 5;
                lane(f, 0)->depth = 1;
                lane(f, 0)->stack[0].state = SHM_FRAME_REFUSED;
                if (written) {
                        put(f, 0, SHM_KIND_LOST, 0, 1, 0, 8);
                        shm_ring_at(f->map, &f->geometry, 0)[4].counters[1] = 0;
                        shm_ring_at(f->map, &f->geometry, 0)[4].counters[2] = 0;
                        shm_ring_at(f->map, &f->geometry, 0)[4].counters[3] = 0;
                }
                atomic_store(&lane(f, 0)->live[0], 50);
                *(uint32_t *)(void *)lane(f, 0)->owner_pad = SHM_OWNER_DIED;
                assert_int_equal(drain_settle(f->drain, 1), 0);
                assert_int_equal(f->books->lanes[0].lost[0], 10);
                assert_int_equal(f->books->lanes[0].last[0], 50);
                assert_int_equal(lane(f, 0)->retired, 2);
                assert_balanced(f);
                end(f);
                memset(f, 0, sizeof *f);
                begin(f);
        }
}

/* ---------------------------------------------------------------------------------------------- broken formats -- */

static void assert_faulty(struct fixture *f, const char *what) {
        assert_int_equal(drain_pass(f->drain, 1), -EBADMSG);
        assert_non_null(strstr(drain_fault(f->drain), what));
        assert_balanced(f);
        end(f);
        memset(f, 0, sizeof *f);
        begin(f);
        decent(f);
}

static void test_faults(void **state) {
        struct fixture *f = *state;

        decent(f);
        header(f)->lanes_claimed = LANES + 1;
        assert_faulty(f, "claimed");
        assert_int_equal(drain_pass(f->drain, 1), DRAIN_SOME);
        header(f)->lanes_claimed = LANES - 1;
        put(f, 0, SHM_KIND_OPEN, 0, 0x100003000, 2, 0);
        assert_faulty(f, "claimed");
        lane(f, 2)->head = SHM_RING_RECORDS_MIN + 1;
        assert_faulty(f, "head");
        lane(f, 2)->head = UINT64_MAX;
        assert_faulty(f, "head");
        assert_int_equal(drain_pass(f->drain, 1), DRAIN_SOME);
        lane(f, 2)->head = 3;
        assert_faulty(f, "head");
        shm_ring_at(f->map, &f->geometry, 1)[2].sequence++;
        assert_faulty(f, "sequence");
        shm_ring_at(f->map, &f->geometry, 1)[2].kind = 0;
        assert_faulty(f, "kind");
        shm_ring_at(f->map, &f->geometry, 1)[2].kind = SHM_KIND_MAX + 1;
        assert_faulty(f, "kind");
        shm_ring_at(f->map, &f->geometry, 1)[2].flags = SHM_FLAGS_ALL + 1;
        assert_faulty(f, "flags");
        shm_ring_at(f->map, &f->geometry, 1)[2].instance = 0;
        assert_faulty(f, "instance");
}

/* Paths that lead nowhere, in circles, or too deep are (other). */
static void test_paths(void **state) {
        struct fixture *f = *state;
        struct books *books = f->books;

        decent(f);
        put_path(f, 10, 11, 2);
        put_path(f, 11, 10, 2);
        put_path(f, 12, 12, 2);
        put_path(f, 13, 2, NAMES);
        put_path(f, 14, 2, 20); /* no such name */
        put_path(f, 15, PATHS + 7, 2);
        put_path(f, 16, UINT32_MAX, UINT32_MAX);
        claim(f, 0);
        for (uint32_t path = 10; path < 20; path++)
                put(f, 0, SHM_KIND_OPEN, 0, 0x100010000 + path, path, 0);
        put(f, 0, SHM_KIND_OPEN, 0, 0x100020000, PATHS, 0);
        put(f, 0, SHM_KIND_OPEN, 0, 0x100021000, UINT32_MAX, 0);
        put(f, 0, SHM_KIND_OPEN, 0, 0x100022000, 0, 0);
        assert_int_equal(drain_pass(f->drain, 1), DRAIN_SOME);
        assert_int_equal(books->tallies[SHM_PATH_OTHER].opened, 13);

        /* One by one, each under a known one: as deep as the format allows, and no deeper. */
        for (uint32_t path = 20; path < PATHS; path++) {
                put_path(f, path, path == 20 ? 3 : path - 1, 2);
                put(f, 0, SHM_KIND_OPEN, 0, 0x100100000 + path, path, 0);
        }
        assert_int_equal(drain_pass(f->drain, 1), DRAIN_SOME);
        for (uint32_t path = 1; path < PATHS; path++)
                assert_true(books_path_depth(books, path) < SHM_PATH_DEPTH_MAX);
        assert_balanced(f);
}

/* ------------------------------------------------------------------------------------------------ random bytes -- */

static uint64_t next(struct fixture *f) {
        return (uint64_t)rand_r(&f->seed) << 40 ^ (uint64_t)rand_r(&f->seed) << 20 ^ (uint64_t)rand_r(&f->seed);
}

/* Most often something that gets past the first checks. */
static uint64_t mean(struct fixture *f) {
        switch (next(f) % 6) {
        case 0:
                return next(f);
        case 1:
                return next(f) % 3;
        case 2:
                return UINT64_MAX - next(f) % 3;
        default:
                return next(f) % 512;
        }
}

static void spoil(struct fixture *f) {
        struct shm_lane *l = lane(f, (uint32_t)(next(f) % LANES));
        uint32_t i = (uint32_t)(l - lane(f, 0));
        char *p;

        switch (next(f) % 20) {
        case 0: /* any byte at all */
                f->map[next(f) % f->geometry.segment_size] = (char)next(f);
                break;
        case 1:
                p = (char *)l + next(f) % sizeof *l / 8 * 8;
                *(volatile uint64_t *)p = mean(f);
                break;
        case 2:
                atomic_store(&shm_paths(f->map, &f->geometry)[next(f) % PATHS].key, mean(f) << 32 | mean(f));
                break;
        case 3:
                p = (char *)&shm_names(f->map, &f->geometry)[next(f) % NAMES];
                p[next(f) % sizeof(struct shm_name)] = (char)next(f);
                break;
        case 4: {
                struct shm_close *close = &shm_closes(f->map, &f->geometry)[next(f) % 8];

                close->path = (uint32_t)mean(f);
                atomic_store(&close->instance, mean(f));
                header(f)->closes_posted++;
                break;
        }
        case 5:
                l->occupancy = (uint32_t)mean(f);
                break;
        case 6:
                *(volatile uint32_t *)(void *)l->owner_pad = next(f) % 2 ? SHM_OWNER_DIED : (uint32_t)mean(f);
                break;
        case 7:
                atomic_store(&l->live[next(f) % SHM_COUNTERS], mean(f));
                break;
        case 8:
                if (next(f) % 50 == 0)
                        header(f)->lanes_claimed = (uint32_t)mean(f);
                break;
        case 9:
                if (next(f) % 50 == 0)
                        atomic_store(&l->head, mean(f));
                break;
        default: /* a record that passes */
                if (l->head - l->tail >= SHM_RING_RECORDS_MIN)
                        break;
                put(f, i, 1 + (int)(next(f) % SHM_KIND_MAX), (int)(next(f) % (SHM_FLAGS_ALL + 1)), 1 + next(f) % 100,
                    (uint32_t)mean(f), mean(f));
        }
}

static void *spoil_on(void *userdata) {
        struct fixture *f = userdata;

        while (!atomic_load(&f->stop))
                for (int i = 0; i < 100; i++)
                        spoil(f);
        return NULL;
}

static int drain_once(struct fixture *f, uint64_t now_ns) {
        int r = drain_pass(f->drain, now_ns);

        if (r >= 0)
                r = drain_settle(f->drain, now_ns);
        assert_true(r >= 0 || r == -EBADMSG);
        assert_balanced(f);
        return r;
}

static void check_rows(struct fixture *f) {
        struct books_row row;
        char text[256];

        for (uint32_t path = 1; path <= books_path_count(f->books); path++) {
                books_path_row(f->books, path, 1, &row);
                books_path_text(f->books, path, text, sizeof text);
        }
}

/* By turns: the same every time. */
static void test_random_bytes(void **state) {
        struct fixture *f = *state;
        unsigned faults = 0, drains = 0;

        for (unsigned seed = 1; seed <= 400; seed++) {
                f->seed = seed;
                decent(f);
                for (int i = 0; i < 60; i++) {
                        for (int k = 0; k < 30; k++)
                                spoil(f);
                        drains++;
                        if (drain_once(f, seed * 100 + (unsigned)i) < 0) {
                                faults++;
                                break;
                        }
                }
                (void)drain_finish(f->drain, 1);
                assert_balanced(f);
                check_rows(f);
                end(f);
                memset(f, 0, sizeof *f);
                begin(f);
        }
        /* It got past the door often enough to have tried what is behind it. */
        assert_true(faults > 10 && drains > 2000);
}

/* At once: the stranger changes what is being read. */
static void test_at_once(void **state) {
        struct fixture *f = *state;
        unsigned drains = 0;

        /* How far the stranger comes before each is the machine's choice. */
        for (unsigned seed = 1; seed <= 200 || (drains <= 200 && seed <= 10000); seed++) {
                pthread_t thread;

                f->seed = seed;
                decent(f);
                assert_int_equal(pthread_create(&thread, NULL, spoil_on, f), 0);
                for (int i = 0; i < 40 && drain_once(f, seed) >= 0; i++)
                        drains++;
                (void)drain_finish(f->drain, 1);
                assert_balanced(f);
                atomic_store(&f->stop, true);
                pthread_join(thread, NULL);
                check_rows(f);
                end(f);
                memset(f, 0, sizeof *f);
                begin(f);
        }
        assert_true(drains > 200);
}

/* Sums that wrap around balance all the same, also after a reset. */
static void test_wrap(void **state) {
        struct fixture *f = *state;
        struct books_process_row row;

        decent(f);
        put(f, 0, SHM_KIND_EXIT, SHM_FLAG_SCOPE, 0x100002000, 3, UINT64_MAX / 10);
        put(f, 1, SHM_KIND_EXIT, SHM_FLAG_SCOPE, 0x100002001, 3, UINT64_MAX / 10);
        assert_int_equal(drain_once(f, 1), 0);
        books_reset(f->books, 2);
        put(f, 2, SHM_KIND_EXIT, SHM_FLAG_SCOPE, 0x100002002, 3, UINT64_MAX / 10);
        put(f, 3, SHM_KIND_EXIT, SHM_FLAG_SCOPE, 0x100002003, 3, UINT64_MAX / 10);
        assert_int_equal(drain_once(f, 3), 0);
        books_process_row(f->books, &row);
        assert_true(row.counters[SHM_ALLOC_BYTES] < f->books->lanes[0].last[SHM_ALLOC_BYTES]);
}

/* All that is there is random. */
static void test_noise(void **state) {
        struct fixture *f = *state;

        for (unsigned seed = 1; seed <= 50; seed++) {
                f->seed = seed;
                for (uint64_t at = 0; at < f->geometry.segment_size; at += 4)
                        *(uint32_t *)(void *)(f->map + at) = (uint32_t)next(f);
                if (seed % 2)
                        header(f)->lanes_claimed = LANES;
                for (uint32_t i = 0; i < LANES && seed % 4 == 3; i++) {
                        lane(f, i)->head = 0;
                        lane(f, i)->occupancy &= ~1u;
                }
                (void)drain_once(f, seed);
                (void)drain_finish(f->drain, 1);
                assert_balanced(f);
                check_rows(f);
                end(f);
                memset(f, 0, sizeof *f);
                begin(f);
        }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_decent), TEST(test_names_of_threads), TEST(test_remains), TEST(test_faults),
                TEST(test_paths),  TEST(test_random_bytes),     TEST(test_at_once), TEST(test_wrap),
                TEST(test_noise),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
