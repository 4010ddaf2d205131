/* SPDX-License-Identifier: MIT */
/*
 * The turns of a user's processes where its share of a pass is not enough: none waits for longer than it takes to serve
 * all of them once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "daemon/drain/drain.h"
#include "daemon/processes/process_private.h"
#include "daemon/processes/user_limits.h"

enum { PROCESSES = 40, SHARE = 100 };

struct row {
        struct process process;
        struct process_inside inside;
        unsigned backlog,
                refill; /* records in its rings, and what it writes until the next pass, which they can hold */
        unsigned waits; /* passes since it had its last record drained */
};

static struct processes processes;
static struct row rows[PROCESSES];

static void begin(unsigned count, uid_t users) {
        processes = (struct processes){.options.uid_max[QUOTA_RECORDS] = SHARE};
        for (unsigned i = 0; i < count; i++) {
                rows[i] = (struct row){.process = {.number = 10 + i, .uid = i % users, .inside = &rows[i].inside},
                                       .inside.processes = &processes};
                assert_int_equal(limits_join(&rows[i].process), 0);
        }
}

static void end(unsigned count) {
        for (unsigned i = 0; i < count; i++)
                limits_leave(&rows[i].process);
        assert_null(processes.users.first);
}

static int drain(struct row *row) {
        uint64_t room = quota_room(limits_quota(&row->process), QUOTA_RECORDS), before = limits_charged(&row->process);
        unsigned n = row->backlog < room ? row->backlog : (unsigned)room;
        int outcome = !row->backlog ? DRAIN_IDLE : n == room ? DRAIN_MORE : DRAIN_SOME;

        limits_charge(&row->process, n);
        row->backlog -= n;
        if (n || outcome == DRAIN_IDLE)
                row->waits = 0;
        limits_after_drain(&row->process, before, outcome);
        return outcome;
}

/* As schedule.c does it.  Returns the longest wait, in passes. */
static unsigned run(unsigned count, unsigned passes) {
        unsigned longest = 0;

        for (unsigned pass = 0; pass < passes; pass++) {
                limits_begin_pass(&processes);
                for (unsigned i = 0; i < count; i++) {
                        rows[i].waits++;
                        rows[i].backlog = rows[i].refill;
                }
                for (int half = 0; half < 2; half++)
                        for (unsigned i = 0; i < count; i++)
                                if (limits_waits(&rows[i].process) == half)
                                        drain(&rows[i]);
                for (unsigned i = 0; i < count; i++)
                        if (rows[i].waits > longest)
                                longest = rows[i].waits;
        }
        return longest;
}

/* Ten have their turn in each pass, with what a process took of it at the end of one. */
static void test_all_are_busy(void **state) {
        begin(PROCESSES, 1);
        for (unsigned i = 0; i < PROCESSES; i++)
                rows[i].refill = 10;
        assert_in_range(run(PROCESSES, 100), PROCESSES / 10 - 1, PROCESSES / 10 + 1);
        end(PROCESSES);
}

static void test_one_has_more_than_the_share(void **state) {
        for (unsigned greedy = 0; greedy < PROCESSES; greedy++) {
                begin(PROCESSES, 1);
                for (unsigned i = 0; i < PROCESSES; i++)
                        rows[i].refill = i == greedy ? 1000 : 10;
                assert_in_range(run(PROCESSES, 100), 1, PROCESSES / 10 + 3);
                end(PROCESSES);
        }
}

static void test_users_have_turns_of_their_own(void **state) {
        begin(PROCESSES, 4);
        for (unsigned i = 0; i < PROCESSES; i++)
                rows[i].refill = i % 4 == 3 ? 10 : 50;
        assert_in_range(run(PROCESSES, 100), 4, 6);
        for (unsigned i = 3; i < PROCESSES; i += 4)
                assert_int_equal(rows[i].waits, 0);
        end(PROCESSES);
}

/* The row with which the next pass was to begin is gone. */
static void test_rows_go(void **state) {
        begin(PROCESSES, 1);
        for (unsigned i = 0; i < PROCESSES; i++)
                rows[i].refill = 10;
        run(PROCESSES, 3);
        for (unsigned i = PROCESSES / 2; i < PROCESSES; i++)
                limits_leave(&rows[i].process);
        assert_in_range(run(PROCESSES / 2, 100), 1, PROCESSES / 20 + 4);
        end(PROCESSES / 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_all_are_busy),
                cmocka_unit_test(test_one_has_more_than_the_share),
                cmocka_unit_test(test_users_have_turns_of_their_own),
                cmocka_unit_test(test_rows_go),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
