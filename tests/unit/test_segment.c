/* SPDX-License-Identifier: MIT */
/*
 * The layout of a segment, and the memfd that carries one.
 *
 * Labels: valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/segment.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct shm_wish wishes[] = {
        {.name_capacity = 1,
         .path_capacity = 1,
         .close_capacity = 0,
         .lane_capacity = 1,
         .ring_records = 1,
         .ring_lanes = 1},
        {.name_capacity = 2,
         .path_capacity = 9,
         .close_capacity = 1,
         .lane_capacity = 7,
         .ring_records = 256,
         .ring_lanes = 2},
        {.name_capacity = 16,
         .path_capacity = 16,
         .close_capacity = 4,
         .lane_capacity = 100,
         .ring_records = 1000,
         .ring_lanes = 3},
        {.name_capacity = 100,
         .path_capacity = 5000,
         .close_capacity = 77,
         .lane_capacity = 333,
         .ring_records = 8192,
         .ring_lanes = 32},
        {.name_capacity = 16384,
         .path_capacity = 131072,
         .close_capacity = 1024,
         .lane_capacity = 4096,
         .ring_records = 8192,
         .ring_lanes = 32},
        {.name_capacity = 65536,
         .path_capacity = 1u << 20,
         .close_capacity = 4096,
         .lane_capacity = 4096,
         .ring_records = 1u << 20,
         .ring_lanes = 4096},
        {.name_capacity = 65536,
         .path_capacity = 1u << 20,
         .close_capacity = 4096,
         .lane_capacity = 4096,
         .ring_records = UINT32_MAX,
         .ring_lanes = 1},
};

/* As the comment in books_layout.h says it, a lane at a time. */
static uint32_t naive_records(const struct shm_geometry *g, uint32_t lane) {
        uint32_t records = g->ring_records;
        uint64_t in_class = g->ring_lanes, so_far = 0;

        while (lane >= so_far + in_class) {
                so_far += in_class;
                in_class = so_far;
                records = records > SHM_RING_RECORDS_MIN ? records / 2 : records;
        }
        return records;
}

static void test_classes(void **state) {
        for (size_t w = 0; w < LENGTH(wishes); w++) {
                struct shm_geometry g;
                uint64_t offset;

                assert_int_equal(shm_geometry_init(&g, &wishes[w]), 0);
                offset = g.rings_offset;
                for (uint32_t i = 0; i < g.lane_capacity; i++) {
                        uint32_t records = shm_ring_records(&g, i);

                        assert_int_equal(records, naive_records(&g, i));
                        assert_int_equal(records & (records - 1), 0);
                        assert_in_range(records, SHM_RING_RECORDS_MIN, SHM_RING_RECORDS_MAX);
                        /* One after the other: disjoint. */
                        assert_int_equal(shm_ring_offset(&g, i), offset);
                        offset += (uint64_t)records * sizeof(struct shm_record);
                }
                assert_int_equal(shm_ring_offset(&g, g.lane_capacity), offset);
                assert_true(offset <= g.segment_size);
        }
}

static void test_regions(void **state) {
        for (size_t w = 0; w < LENGTH(wishes); w++) {
                struct shm_geometry g;

                assert_int_equal(shm_geometry_init(&g, &wishes[w]), 0);
                assert_int_equal(shm_geometry_check(&g), 0);
                assert_true(sizeof(struct shm_header) <= g.names_offset);
                assert_true(g.names_offset + g.name_capacity * sizeof(struct shm_name) <= g.paths_offset);
                assert_true(g.paths_offset + g.path_capacity * sizeof(struct shm_path) <= g.closes_offset);
                assert_true(g.closes_offset + g.close_capacity * sizeof(struct shm_close) <= g.lanes_offset);
                assert_true(g.origins_offset <= g.lanes_offset);
                assert_true(g.lanes_offset + g.lane_capacity * sizeof(struct shm_lane) <= g.rings_offset);
                assert_int_equal(g.segment_size % SHM_PAGE, 0);
                assert_int_equal(g.lanes_offset % SHM_PAGE, 0);
                assert_int_equal(g.rings_offset % SHM_PAGE, 0);
        }
}

static void test_wishes_beyond_the_format(void **state) {
        const struct shm_wish good = wishes[2];
        struct shm_geometry g;
        struct shm_wish wish;

#define REJECTS(field, value)                                                                                          \
        do {                                                                                                           \
                wish = good;                                                                                           \
                wish.field = (value);                                                                                  \
                assert_int_equal(shm_geometry_init(&g, &wish), -EINVAL);                                               \
        } while (0)
        REJECTS(name_capacity, 0);
        REJECTS(name_capacity, SHM_NAMES_MAX + 1);
        REJECTS(path_capacity, 0);
        REJECTS(path_capacity, SHM_PATHS_MAX + 1);
        REJECTS(close_capacity, SHM_CLOSES_MAX + 1);
        REJECTS(lane_capacity, 0);
        REJECTS(lane_capacity, SHM_LANES_MAX + 1);
        REJECTS(ring_lanes, SHM_LANES_MAX + 1);
        REJECTS(ring_lanes, UINT32_MAX);
}

/* A geometry is taken only as it was made: any other value of any field is refused. */
static void test_check_rejects_each_corrupted_field(void **state) {
        static const uint64_t values[] = {0, 1, 64, 4096, 65536, UINT32_MAX, UINT64_MAX, UINT64_MAX - 4095};
        static const struct {
                size_t offset, size;
        } fields[] = {
#define FIELD(name) {offsetof(struct shm_geometry, name), sizeof(((struct shm_geometry *)0)->name)}
                FIELD(segment_size),  FIELD(name_capacity), FIELD(path_capacity),  FIELD(close_capacity),
                FIELD(lane_capacity), FIELD(ring_records),  FIELD(ring_lanes),     FIELD(names_offset),
                FIELD(paths_offset),  FIELD(closes_offset), FIELD(origins_offset), FIELD(lanes_offset),
                FIELD(rings_offset),
        };
        struct shm_geometry good;

        assert_int_equal(shm_geometry_init(&good, &wishes[3]), 0);
        for (size_t f = 0; f < LENGTH(fields); f++)
                for (size_t v = 0; v < 2 * LENGTH(values); v++) {
                        struct shm_geometry bad = good, again;
                        char *field = (char *)&bad + fields[f].offset;
                        uint64_t value = 0;

                        memcpy(&value, field, fields[f].size);
                        /* A value by itself, or a difference. */
                        value = v < LENGTH(values) ? values[v] : value + values[v - LENGTH(values)];
                        memcpy(field, &value, fields[f].size);
                        if (!memcmp(&bad, &good, sizeof bad))
                                continue;
                        /* The capacities may be others, if everything else fits them by chance: then it is a geometry
                         * that could have been made. */
                        if (shm_geometry_check(&bad) == 0) {
                                const struct shm_wish wish = {bad.name_capacity, bad.path_capacity, bad.close_capacity,
                                                              bad.lane_capacity, bad.ring_records,  bad.ring_lanes};

                                assert_int_equal(shm_geometry_init(&again, &wish), 0);
                                assert_memory_equal(&again, &bad, sizeof again);
                        } else {
                                assert_int_equal(shm_geometry_check(&bad), -EINVAL);
                        }
                }
}

static void test_seals(void **state) {
        struct shm_geometry g;
        struct shm_header *header;
        uint64_t size = 0;
        void *map;
        int fd;

        assert_int_equal(shm_geometry_init(&g, &wishes[1]), 0);
        assert_int_equal(shm_segment_create(&fd, &g, 42, SHM_OPTION_EAGER), 0);
        assert_int_equal(shm_segment_check_fd(fd, 0, &size), 0);
        assert_int_equal(size, g.segment_size);
        assert_int_equal(shm_segment_check_fd(fd, g.segment_size, &size), 0);
        assert_int_equal(shm_segment_check_fd(fd, g.segment_size + SHM_PAGE, &size), -EBADF);

        assert_int_equal(ftruncate(fd, 4096), -1);
        assert_int_equal(errno, EPERM);
        assert_int_equal(ftruncate(fd, (off_t)g.segment_size * 2), -1);
        assert_int_equal(errno, EPERM);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);

        assert_int_equal(shm_segment_map(&map, fd, size), 0);
        header = map;
        assert_int_equal(header->magic, SHM_MAGIC);
        assert_int_equal(header->version, SHM_VERSION);
        assert_int_equal(header->process, 42);
        assert_int_equal(header->options, SHM_OPTION_EAGER);
        assert_memory_equal(&header->geometry, &g, sizeof g);
        assert_int_equal(header->lanes_claimed, 0);
        munmap(map, size);
        close(fd);
}

static void test_other_descriptors(void **state) {
        uint64_t size = 77;
        int fd;

        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        assert_int_equal(shm_segment_check_fd(fd, 0, &size), -EBADF);
        close(fd);
        assert_int_equal(shm_segment_check_fd(fd, 0, &size), -EBADF);

        fd = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_int_equal(ftruncate(fd, 65536), 0);
        assert_int_equal(shm_segment_check_fd(fd, 0, &size), -EPERM);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
        assert_int_equal(shm_segment_check_fd(fd, 0, &size), -EPERM); /* a write seal could still come */
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL), 0);
        assert_int_equal(shm_segment_check_fd(fd, 0, &size), -EPERM);
        close(fd);

        fd = memfd_create("empty", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
        assert_int_equal(shm_segment_check_fd(fd, 0, &size), -EBADF);
        close(fd);
        assert_int_equal(size, 77); /* untouched on failure */
}

/* A page that was never touched takes no memory. */
static void test_sparse(void **state) {
        struct shm_geometry g;
        int fd;

        assert_int_equal(shm_geometry_init(&g, &wishes[4]), 0);
        assert_int_equal(shm_segment_create(&fd, &g, 1, 0), 0);
        assert_int_equal(lseek(fd, SHM_PAGE, SEEK_DATA), -1);
        assert_int_equal(errno, ENXIO);
        close(fd);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_classes),
                cmocka_unit_test(test_regions),
                cmocka_unit_test(test_wishes_beyond_the_format),
                cmocka_unit_test(test_check_rejects_each_corrupted_field),
                cmocka_unit_test(test_seals),
                cmocka_unit_test(test_other_descriptors),
                cmocka_unit_test(test_sparse),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
