/* SPDX-License-Identifier: MIT */
/*
 * What a process has: inherited, and allocated less freed; its peak; what a reset, a negative sum and a successor make of it.
 *
 * Labels: valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/books_fixture.h"

static void count(struct books *books, uint32_t i, uint64_t allocated, uint64_t freed) {
        struct lane *lane = books_lane(books, i);
        uint64_t counted = 0;

        books_begin(books, 2);
        touch(books, lane->last);
        lane->last[SHM_ALLOC_BYTES] = allocated;
        lane->last[SHM_DEALLOC_BYTES] = freed;
        for (uint32_t k = 0; k < 2; k++)
                counted += books_lane(books, k)->last[SHM_ALLOC_BYTES] - books_lane(books, k)->last[SHM_DEALLOC_BYTES];
        books_note_peak(books, counted);
        books_commit(books);
}

static void inherit(struct books *books, uint64_t inherited, uint64_t left, enum books_net_quality quality) {
        books_begin(books, 1);
        books_set_lanes(books, 2);
        books_set_inherited(books, inherited, left, quality);
        books_commit(books);
}

static void assert_net(const struct books *books, uint64_t inherited, uint64_t net, uint64_t peak,
                       enum books_net_quality quality) {
        struct books_process_row row;

        books_process_lanes(books, &row);
        assert_int_equal(row.inherited, inherited);
        assert_int_equal(row.net, net);
        assert_int_equal(row.peak_net, peak);
        assert_int_equal(row.net_quality, quality);
}

static void test_sum_and_peak(void **state) {
        struct books *books = books_small(2);

        assert_net(books, 0, 0, 0, BOOKS_NET_UNKNOWN);
        inherit(books, 1000, 50, BOOKS_NET_EXACT);
        assert_net(books, 1000, 1050, 1050, BOOKS_NET_EXACT);
        count(books, 0, 300, 0);
        count(books, 1, 0, 900); /* what another thread, or its parent, allocated */
        assert_net(books, 1000, 450, 1350, BOOKS_NET_EXACT);
        books_reset(books, 3);
        assert_net(books, 1000, 450, 1350, BOOKS_NET_EXACT);
        count(books, 0, 400, 0);
        assert_net(books, 1000, 550, 1350, BOOKS_NET_EXACT);
        books_free(books);
}

static void test_less_than_nothing(void **state) {
        struct books *books = books_small(2);

        inherit(books, 100, 0, BOOKS_NET_EXACT);
        count(books, 0, 0, 500);
        assert_net(books, 100, 0, 0, BOOKS_NET_ESTIMATED);
        inherit(books, (uint64_t)-100, 0, BOOKS_NET_ESTIMATED);
        assert_net(books, 0, 0, 0, BOOKS_NET_ESTIMATED);
        books_free(books);
}

static void test_successor(void **state) {
        struct books *books = books_small(2), *adopted;

        inherit(books, 1000, 0, BOOKS_NET_ESTIMATED);
        count(books, 0, 300, 0);
        count(books, 0, 300, 200);
        assert_int_equal(books_adopt(&adopted, dup(books_fd(books))), 0);
        assert_net(adopted, 1000, 1100, 1300, BOOKS_NET_ESTIMATED);
        books_free(adopted);
        books_free(books);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sum_and_peak),
                cmocka_unit_test(test_less_than_nothing),
                cmocka_unit_test(test_successor),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
