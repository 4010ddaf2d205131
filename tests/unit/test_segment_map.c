/* SPDX-License-Identifier: MIT */
/*
 * The mapping of a segment in parts: each byte of the segment is where layout.h has it, a mapping costs little, a part
 * that fails leaves no trace, and a child that a raw clone(2) made finds memory of its own in place of each part.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/segment/segment_map.h"
#include "shm/segment.h"

static const struct shm_wish wishes[] = {
        {16384, 131072, 1024, 4096, 8192, 32}, {1, 1, 0, 1, 256, 1},        {65536, 1048576, 4096, 4096, 256, 1},
        {300, 5000, 3, 100, 1 << 16, 3},       {256, 4096, 1, 8, 2048, 16},
};
enum { WISHES = sizeof wishes / sizeof *wishes };

struct fixture {
        struct shm_geometry g;
        struct sa_segment_map map;
        int fd;
};

static struct fixture begin(const struct shm_wish *wish) {
        struct fixture f;

        assert_int_equal(shm_geometry_init(&f.g, wish), 0);
        assert_int_equal(shm_segment_create(&f.fd, &f.g, 1, 0), 0);
        assert_int_equal(sa_segment_map(&f.map, f.fd, &f.g), 0);
        return f;
}

static void end(struct fixture *f) {
        sa_segment_unmap(&f->map);
        close(f->fd);
}

/* A word that is written through the mapping is in the file at its offset, and nowhere else. */
static void check_byte(struct fixture *f, enum sa_region which, uint64_t at) {
        uint64_t word = f->map.regions[which].offset + at, got = 0, none = 0;
        uint64_t *there = sa_map_more(&f->map, which, at);

        assert_non_null(there);
        assert_ptr_equal(there, sa_mapped(&f->map, which, at));
        memcpy(there, &word, sizeof word);
        assert_int_equal(pread(f->fd, &got, sizeof got, (off_t)word), sizeof got);
        assert_int_equal(got, word);
        memcpy(there, &none, sizeof none);
        assert_int_equal(pread(f->fd, &got, sizeof got, (off_t)word), sizeof got);
        assert_int_equal(got, 0);
}

static void test_all_bytes_are_in_their_places(void **state) {
        for (int w = 0; w < WISHES; w++) {
                struct fixture f = begin(&wishes[w]);

                assert_int_equal(f.map.header->magic, SHM_MAGIC);
                for (int from_end = 0; from_end < 2; from_end++) {
                        for (enum sa_region which = 0; which < SA_REGIONS; which++) {
                                uint64_t size = f.map.regions[which].size;

                                if (!size)
                                        continue;
                                check_byte(&f, which, from_end ? size - 8 : 0);
                                for (uint64_t at = 8; at < size - 8; at = at * 2 + 8)
                                        check_byte(&f, which, at);
                                assert_null(sa_mapped(&f.map, which, size));
                                assert_null(sa_map_more(&f.map, which, size));
                        }
                }
                end(&f);
        }
}

/* No lane, name, path, close or ring lies in two parts. */
static void test_no_entry_is_in_two_parts(void **state) {
        for (int w = 0; w < WISHES; w++) {
                struct fixture f = begin(&wishes[w]);

                for (uint32_t i = 0; i < f.g.lane_capacity; i++) {
                        const struct sa_region_map *rings = &f.map.regions[SA_REGION_RINGS];
                        uint64_t ring = shm_ring_offset(&f.g, i) - f.g.rings_offset, lane = i * sizeof(struct shm_lane);
                        uint64_t size = (uint64_t)shm_ring_records(&f.g, i) * sizeof(struct shm_record);

                        assert_int_equal(sa_part_of(rings, ring), sa_part_of(rings, ring + size - 1));
                        assert_int_equal(
                                sa_part_of(&f.map.regions[SA_REGION_LANES], lane),
                                sa_part_of(&f.map.regions[SA_REGION_LANES], lane + sizeof(struct shm_lane) - 1));
                }
                end(&f);
        }
}

static uint64_t address_space(void) {
        unsigned long pages = 0;
        FILE *file = fopen("/proc/self/statm", "re");

        assert_non_null(file);
        assert_int_equal(fscanf(file, "%lu", &pages), 1);
        fclose(file);
        return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void test_it_takes_little_and_gives_all_back(void **state) {
        uint64_t before = address_space(), with;
        struct fixture f = begin(&wishes[0]);

        with = address_space();
        if (f.map.is_whole)
                skip(); /* valgrind */
        assert_in_range(with - before, 1, 1 << 20);
        for (enum sa_region which = 0; which < SA_REGIONS; which++)
                assert_true(sa_map_up_to(&f.map, which, UINT64_MAX >> 1));
        assert_in_range(address_space() - before, f.g.segment_size - (1 << 20), f.g.segment_size + (1 << 20));
        end(&f);
        assert_int_equal(address_space(), before);
}

static void test_without_address_space(void **state) {
        struct rlimit old, limit;
        struct fixture f = begin(&wishes[0]);
        uint64_t used = address_space(), last = f.map.regions[SA_REGION_RINGS].size - 8;

        if (f.map.is_whole)
                skip();
        assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
        limit = (struct rlimit){used + (8 << 20), old.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
        assert_null(sa_map_more(&f.map, SA_REGION_RINGS, last));
        assert_int_equal(address_space(), used);
        check_byte(&f, SA_REGION_RINGS, 3 << 19);
        assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
        check_byte(&f, SA_REGION_RINGS, last);
        end(&f);
}

static void *map_rings(void *userdata) {
        struct fixture *f = userdata;

        for (uint32_t i = 0; i < 64; i++)
                if (!sa_map_more(&f->map, SA_REGION_RINGS, shm_ring_offset(&f->g, i) - f->g.rings_offset))
                        return f;
        return NULL;
}

static void test_threads_agree(void **state) {
        uint64_t before = address_space();

        for (int round = 0; round < 50; round++) {
                struct fixture f = begin(&wishes[0]);
                pthread_t threads[4];
                void *failed;

                for (int i = 0; i < 4; i++)
                        assert_int_equal(pthread_create(&threads[i], NULL, map_rings, &f), 0);
                for (int i = 0; i < 4; i++) {
                        assert_int_equal(pthread_join(threads[i], &failed), 0);
                        assert_null(failed);
                }
                check_byte(&f, SA_REGION_RINGS, 0);
                check_byte(&f, SA_REGION_RINGS, 40 << 19);
                end(&f);
        }
        assert_true(address_space() - before < (uint64_t)400 << 20); /* stacks and arenas of threads, no segment */
}

/* In a child that no handler of fork(3) runs in. */
static void test_raw_child_has_memory_of_its_own(void **state) {
        struct fixture f = begin(&wishes[0]);
        char *places[] = {
                (char *)f.map.header,
                sa_map_more(&f.map, SA_REGION_LANES, 0),
                sa_map_more(&f.map, SA_REGION_LANES, 70000),
                sa_map_more(&f.map, SA_REGION_NAMES, 300000),
                sa_map_more(&f.map, SA_REGION_PATHS, 0),
                sa_map_more(&f.map, SA_REGION_CLOSES, 0),
                sa_map_more(&f.map, SA_REGION_RINGS, 0),
                sa_map_more(&f.map, SA_REGION_RINGS, 5 << 19),
        };
        enum { PLACES = sizeof places / sizeof *places };
        int status = -1;
        pid_t pid;

        if (f.map.is_whole)
                skip();
        for (int i = 0; i < PLACES; i++)
                places[i][64] = 1;
        pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
        if (!pid) {
                for (int i = 0; i < PLACES; i++) {
                        if (places[i][64])
                                _exit(1 + i);
                        places[i][64] = 2;
                }
                _exit(0);
        }
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        for (int i = 0; i < PLACES; i++)
                assert_int_equal(places[i][64], 1);
        end(&f);
}

/* Under mlockall(MCL_FUTURE) nothing of the segment is locked, or allocated before it is used. */
static void test_nothing_is_locked(void **state) {
        int status = -1;
        pid_t pid = fork();

        if (!pid) {
                struct fixture f;
                unsigned char there[(1 << 20) / 4096];
                char line[256];
                FILE *file;

                if (mlockall(MCL_FUTURE) < 0)
                        _exit(77);
                f = begin(&wishes[0]);
                sa_map_more(&f.map, SA_REGION_RINGS, 5 << 19);
                if (mincore(sa_mapped(&f.map, SA_REGION_RINGS, 5 << 19), 1 << 19, there) < 0 || there[0])
                        _exit(1);
                if (mincore(sa_mapped(&f.map, SA_REGION_RINGS, 0), 1 << 19, there) < 0 || there[0])
                        _exit(2);
                file = fopen("/proc/self/status", "re");
                while (file && fgets(line, sizeof line, file))
                        if (!strncmp(line, "VmLck:", 6) && strtoul(line + 6, NULL, 10) > 512)
                                _exit(3); /* what libc has mapped since is locked */
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
                skip();
        assert_int_equal(status, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_bytes_are_in_their_places),
                cmocka_unit_test(test_no_entry_is_in_two_parts),
                cmocka_unit_test(test_it_takes_little_and_gives_all_back),
                cmocka_unit_test(test_without_address_space),
                cmocka_unit_test(test_threads_agree),
                cmocka_unit_test(test_raw_child_has_memory_of_its_own),
                cmocka_unit_test(test_nothing_is_locked),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
