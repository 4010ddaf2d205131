/* SPDX-License-Identifier: MIT */
/*
 * Sums over all processes, of which one claims what it cannot have done: it is left out, while it has a row and after
 * that, and the others are counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/processes/housekeeping.h"
#include "tests/support/query_fixture.h"

static struct collector_stats stats_of(const struct fixture *fixture) {
        struct collector_stats stats;

        collector_stats(fixture->collector, &stats);
        return stats;
}

static void expect(const struct fixture *fixture, uint64_t refused, uint64_t lost, uint64_t untrusted) {
        struct collector_stats stats = stats_of(fixture);

        assert_int_equal(stats.refused, refused);
        assert_int_equal(stats.lost_alloc_bytes, lost);
        assert_int_equal(stats.untrusted, untrusted);
}

/* Its row is freed, and it is among the forgotten. */
static void forget(struct fixture *fixture, pid_t pid) {
        struct process *process = processes_by_pid(fixture->collector->processes, pid);

        assert_non_null(process);
        processes_count_ended(process);
        process_forget(process);
}

static void lose(struct fixture *fixture, size_t index, uint64_t bytes) {
        process_of(fixture, index)->books->lanes[0].lost[SHM_ALLOC_BYTES] = bytes;
}

static void test_refused(void **state) {
        struct fixture *fixture = *state;

        process_of(fixture, 0)->refused = UINT64_MAX;
        process_of(fixture, 1)->refused = 7;
        expect(fixture, 7, 0, 1);
        forget(fixture, 100);
        expect(fixture, 7, 0, 1);
        forget(fixture, 200);
        expect(fixture, 7, 0, 1);
}

static void test_lost(void **state) {
        struct fixture *fixture = *state;

        lose(fixture, 0, 1000);
        lose(fixture, 1, UINT64_MAX - 5);
        process_of(fixture, 1)->refused = 3;
        expect(fixture, 0, 1000, 1);
        forget(fixture, 200);
        forget(fixture, 100);
        expect(fixture, 0, 1000, 1);
}

/* It has lived for so long that it may have done that: but not two of them. */
static void test_no_sum_is_at_its_end(void **state) {
        struct fixture *fixture = *state;

        for (size_t i = 0; i < 2; i++) {
                process_of(fixture, i)->inside->attached_ns = 0;
                process_of(fixture, i)->ended_ns = UINT64_MAX / 2;
                lose(fixture, i, UINT64_MAX / 3 * 2);
        }
        expect(fixture, 0, UINT64_MAX / 3 * 2, 1);
        forget(fixture, 100);
        forget(fixture, 200);
        expect(fixture, 0, UINT64_MAX / 3 * 2, 1);
}

static void test_of_its_age(void **state) {
        struct fixture *fixture = *state;
        struct process *process = process_of(fixture, 0);

        process->refused = UINT64_C(1) << 50;
        expect(fixture, 0, 0, 1);
        process->inside->attached_ns = 1;
        process->ended_ns = UINT64_C(1) << 50;
        expect(fixture, UINT64_C(1) << 50, 0, 0);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {TEST(test_refused), TEST(test_lost), TEST(test_no_sum_is_at_its_end),
                                           TEST(test_of_its_age)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
