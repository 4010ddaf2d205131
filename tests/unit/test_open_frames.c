/* SPDX-License-Identifier: MIT */
/*
 * Totals with frames that are open: where there are very many frames, they are summed once for each answer, and what changes
 * after the sum is counted once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/books/tally.h"
#include "tests/unit/books_fixture.h"

enum { LANES = 600, DEPTH = 60, HELD = 10 }; /* each thread has counted HELD since it entered its outermost frame */

static struct books *begin(uint32_t depth) {
        const struct books_limits limits = {.names = 16, .paths = 16, .lanes = LANES, .instances = 16, .threads = 4};
        struct books *books;

        assert_int_equal(books_new(&books, &limits, 1), 0);
        books_put_name(books, NAME_A, "a");
        books_put_path(books, A, 0, NAME_A);
        books->book->lanes = LANES;
        for (uint32_t i = 0; i < LANES; i++) {
                struct lane *lane = &books->lanes[i];

                lane->depth = depth;
                lane->frames[0].path = A;
                lane->frames[0].flags = FRAME_OUTER_NAME;
                four(lane->last, HELD);
        }
        return books;
}

static uint64_t total(const struct books *books, uint64_t now_ns) {
        struct books_row row;

        books_path_sums(books, A, now_ns, 0, &row);
        for (int c = 1; c < SHM_COUNTERS; c++)
                assert_int_equal(row.total[c], row.total[0] * factor[c]);
        return row.total[0];
}

/* The outermost frame of lane `i` ends when its thread has counted n. */
static void end_frame(struct books *books, uint32_t i, uint64_t n) {
        uint64_t counted[SHM_COUNTERS];

        four(counted, n);
        books_begin(books, 1);
        for (int c = 0; c < SHM_COUNTERS; c++)
                tally_change(books, A)->total[c] += counted[c];
        four(books->lanes[i].last, n);
        books->lanes[i].depth = 0;
        books_commit(books);
}

static void count(struct books *books, uint32_t i, uint64_t n) {
        books_begin(books, 1);
        four(books->lanes[i].last, n);
        books_commit(books);
}

/* A frame that ends after the sum, with more than all of them had. */
static void test_end_after_the_sum(void **unused) {
        struct books *books = begin(DEPTH);

        books_sum_open_frames(books, 5);
        end_frame(books, 0, HELD + 5);
        end_frame(books, LANES - 1, HELD + 3);
        assert_int_equal(total(books, 5), LANES * HELD);
        assert_int_equal(total(books, 6), LANES * HELD + 5 + 3);
        books_free(books);
}

/* Of an answer all rows are of one sum, below which none falls. */
static void test_once_for_an_answer(void **unused) {
        struct books *books = begin(DEPTH);

        assert_int_equal(total(books, 5), LANES * HELD);
        count(books, 1, 2 * HELD);
        books_sum_open_frames(books, 5);
        assert_int_equal(total(books, 5), LANES * HELD);
        books_sum_open_frames(books, 4); /* an answer that was begun before */
        assert_int_equal(total(books, 5), LANES * HELD);
        end_frame(books, 2, 100 * LANES * HELD);
        assert_int_equal(total(books, 5), 100 * LANES * HELD);
        assert_int_equal(total(books, 6), 100 * LANES * HELD + LANES * HELD);
        books_free(books);
}

/* Where there are few, each row is of the last commit. */
static void test_few(void **unused) {
        struct books *books = begin(1);

        assert_int_equal(total(books, 5), LANES * HELD);
        count(books, 1, 2 * HELD);
        assert_int_equal(total(books, 5), LANES * HELD + HELD);
        end_frame(books, 2, 3 * HELD);
        assert_int_equal(total(books, 5), LANES * HELD + HELD + 2 * HELD);
        books_free(books);
}

/* A reset in portions is of the moment of its sum, exactly, whatever ends between two of them. */
static void test_reset(void **unused) {
        struct books *books = begin(DEPTH);
        struct books_progress progress = {0};

        assert_false(books_reset_some(books, 7, &progress, 0));
        assert_int_equal(progress.since_ns, 7);
        end_frame(books, 0, 100 * LANES * HELD);
        while (!books_reset_some(books, 8, &progress, 1024))
                ;
        assert_int_equal(total(books, 9), 100 * LANES * HELD - HELD);
        count(books, 1, 2 * HELD);
        assert_int_equal(total(books, 10), 100 * LANES * HELD);
        books_begin(books, 11);
        books_mark(books, 11);
        books_commit(books);
        assert_int_equal(total(books, 12), 100 * LANES * HELD);
        books_free(books);
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_end_after_the_sum),
                                           cmocka_unit_test(test_once_for_an_answer), cmocka_unit_test(test_few),
                                           cmocka_unit_test(test_reset)};

        return cmocka_run_group_tests_name("open_frames", tests, NULL, NULL);
}
