/* SPDX-License-Identifier: MIT */
/*
 * What rows show after a reset, and since a mark.
 *
 * Labels: valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/frames_fixture.h"

static void test_reset_and_marks(void **state) {
        const int64_t net = (int64_t)factor[SHM_ALLOC_BYTES] - (int64_t)factor[SHM_DEALLOC_BYTES];
        struct fixture *f = *state;
        struct books_process_row process;
        struct books_row row;
        uint32_t path, paths;
        const char *name;
        uint64_t outside[SHM_COUNTERS];

        base(f, 0, 50, 60);
        rec(f, 0, ENTER, SCOPE, span_of(0, 1), A, 70);
        rec(f, 0, LOST, 0, 1, 0, 3);
        settle(f, 0, 80);
        books_begin(f->books, 1000);
        books_mark(f->books, 1000);
        books_commit(f->books);
        settle(f, 0, 90);
        books_reset(f->books, 2000);
        books_assert_balance(f->books);
        books_process_row(f->books, &process);
        assert_true(process.balanced);
        assert_four(process.counters, 0);
        assert_four(process.before, 0);
        assert_four(process.lost, 0);
        assert_total(f, A, 0);
        assert_self(f, A, 0);
        assert_int_equal(row_of(f, A).open, 1);
        assert_true(books_thread_row(f->books, 0, &name, outside));
        assert_four(outside, 0);

        settle(f, 0, 100);
        rec(f, 0, EXIT, SCOPE, span_of(0, 1), A, 120);
        settle(f, 0, 125);
        books_process_row(f->books, &process);
        assert_true(process.balanced);
        assert_four(process.counters, 35);
        assert_four(process.outside, 5);
        assert_self(f, A, 30);
        assert_total(f, A, 30);
        assert_int_equal(row_of(f, A).open, 0);
        assert_int_equal(row_of(f, A).closed, 1);

        assert_int_equal(books_process_growth(f->books, 2500, 0), 35 * net);
        assert_int_equal(row_of(f, A).calls, 1);
        assert_int_equal(row_of(f, A).calls_net, 50 * net); /* a call is whole, whenever it began */

        /* The reset is younger than the mark: it counts. */
        assert_true(books_name_row_since(f->books, NAME_A, 2500, 1500, &row, &path, &paths));
        assert_four(row.self, 30);
        assert_four(row.total, 30);
        assert_int_equal(row.calls, 1);
        assert_int_equal(books_process_growth(f->books, 2500, 1500), 35 * net);
        books_begin(f->books, 3000);
        books_mark(f->books, 3000);
        books_commit(f->books);
        rec(f, 0, ENTER, SCOPE, span_of(0, 2), A, 125);
        settle(f, 0, 129);
        assert_true(books_name_row_since(f->books, NAME_A, 3500, 500, &row, &path, &paths));
        assert_four(row.self, 4);
        assert_four(row.total, 4);
        assert_int_equal(row.opened, 1);
        assert_int_equal(row.calls, 0);
        assert_int_equal(row.calls_net, 0);
        assert_int_equal(books_process_growth(f->books, 3500, 500), 4 * net);
        assert_int_equal(books_process_growth(f->books, 3500, 0), 39 * net);
        books_assert_balance(f->books);
}

/* A reset in the middle of a cycle during which nothing else ends: the mark before it must not count. */
static void test_reset_after_a_mark_without_an_event(void **state) {
        struct fixture *f = *state;
        struct books_row row;
        uint32_t path, paths;

        base(f, 0, 0, 0);
        rec(f, 0, ENTER, SCOPE, span_of(0, 1), A, 0);
        settle(f, 0, 10);
        books_begin(f->books, 1000);
        books_mark(f->books, 1000);
        books_commit(f->books);
        settle(f, 0, 30);
        books_reset(f->books, 2000);
        settle(f, 0, 35);
        books_name_row_since(f->books, NAME_A, 2500, 1500, &row, &path, &paths);
        assert_four(row.self, 5);
        assert_four(row.total, 5);
}

/* One path at a time; between two the thread goes on.  It balances, and nothing is below zero. */
static void test_in_portions(void **state) {
        struct fixture *f = *state;
        struct books_process_row process;
        struct books_progress progress;
        uint64_t counted = 60;
        uint32_t span = 0;

        base(f, 0, 50, 60);
        for (unsigned round = 0; round < 8; round++) {
                unsigned portions = 1;

                progress = (struct books_progress){0};
                while (!(round % 2 ? books_mark_some(f->books, 1000, &progress, 1)
                                   : books_reset_some(f->books, 1000, &progress, 1))) {
                        rec(f, 0, ENTER, SCOPE, span_of(0, ++span), portions % 2 ? A : C, counted += 5);
                        rec(f, 0, EXIT, SCOPE, span_of(0, span), portions % 2 ? A : C, counted += 7);
                        settle(f, 0, counted += 3);
                        portions++;
                }
                assert_true(portions > PATHS - 1);
                books_assert_balance(f->books);
                books_process_row(f->books, &process);
                assert_true(process.balanced);
                for (int c = 0; c < SHM_COUNTERS; c++) {
                        assert_true(process.counters[c] <= counted * factor[c]);
                        assert_true(process.self[c] <= process.counters[c]);
                }
        }
        books_reset(f->books, 2000);
        books_process_row(f->books, &process);
        assert_four(process.counters, 0);
        settle(f, 0, counted + 10);
        books_process_row(f->books, &process);
        assert_four(process.counters, 10);
        assert_true(process.balanced);
}

static void mark(struct fixture *f, uint64_t now_ns) {
        books_begin(f->books, now_ns);
        books_mark(f->books, now_ns);
        books_commit(f->books);
}

static void assert_outside(struct fixture *f, uint32_t index, uint64_t now_ns, uint64_t since_ns, uint64_t n,
                           bool reaches) {
        struct books_row row;

        assert_int_equal(books_outside_row(f->books, index, now_ns, since_ns, &row), reaches);
        assert_four(row.self, n);
        assert_four(row.total, n);
        assert_int_equal(row.opened | row.closed | row.open | row.cycles, 0);
        assert_int_equal(row.quality, BOOKS_EXACT);
}

/* What is outside of spans has marks too, by the names of threads. */
static void test_outside(void **state) {
        struct fixture *f = *state;
        uint64_t delta[SHM_COUNTERS];
        uint32_t late;

        base(f, 0, 0, 0);
        settle(f, 0, 10);
        assert_outside(f, 0, 1000, 0, 10, true);
        mark(f, 1000);
        settle(f, 0, 30);
        assert_outside(f, 0, 1500, 500, 20, true);
        assert_outside(f, 0, 1500, 0, 30, true);

        /* A name that came after the mark began with nothing. */
        books_begin(f->books, 1600);
        late = thread_names_entry(f->books, (char[SHM_COMM_BYTES]){"late"});
        four(delta, 7);
        thread_names_add(f->books, late, counters_load(delta));
        books_commit(f->books);
        assert_outside(f, late, 1700, 700, 7, true);
        f->books->threads[late].outside[0] = f->books->threads[late].outside[1] = 0;
        f->books->threads[late].outside[2] = f->books->threads[late].outside[3] = 0;

        books_reset(f->books, 2000);
        settle(f, 0, 35);
        assert_outside(f, 0, 2500, 1500, 5, true); /* The reset is younger. */

        /* Each mark in its place, more often than there are places. */
        for (uint64_t minute = 1; minute <= 40; minute++) {
                mark(f, minute * 10000);
                settle(f, 0, 35 + minute);
                for (uint64_t back = 1; back <= minute && back < BOOKS_MARKS; back++)
                        assert_outside(f, 0, minute * 10000 + 1, (back - 1) * 10000 + 1, back, true);
        }

        /* A mark of a version that remembered nothing of the names: what is shown is more than asked for, and says so. */
        f->books->thread_marks[0].marks[(f->books->book->marks - 1) % BOOKS_MARKS].number = 0;
        f->books->threads[0].born_ns = 0;
        assert_outside(f, 0, 400001, 1, 45, false);
        assert_outside(f, 0, 400001, 10001, 2, true);
}

/* Bytes a second decay as those of a path do; a reset leaves them. */
static void test_outside_rate(void **state) {
        const uint64_t second = 1000000000;
        const uint64_t delta[SHM_COUNTERS] = {1, 6000, 0, 0};
        struct fixture *f = *state;
        struct books_row row;
        double before;

        for (uint64_t at = 100; at <= 110; at++) {
                books_begin(f->books, at * second);
                thread_names_add(f->books, 0, counters_load(delta));
                books_commit(f->books);
        }
        books_outside_row(f->books, 0, 110 * second, 0, &row);
        assert_true(row.rate[0] > 3500 && row.rate[0] < 4700); /* 6,000 (1 - 1/e), and the last of them whole */
        assert_true(row.rate[2] > 300 && row.rate[2] < 800);
        before = row.rate[0];
        books_outside_row(f->books, 0, 130 * second, 0, &row);
        assert_true(row.rate[0] > before * 0.13 && row.rate[0] < before * 0.14); /* two time constants later */
        books_reset(f->books, 130 * second);
        before = row.rate[0];
        books_outside_row(f->books, 0, 130 * second, 0, &row);
        assert_true(row.rate[0] == before);
        assert_int_equal(row.self[SHM_ALLOC_BYTES], 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_reset_and_marks), TEST(test_reset_after_a_mark_without_an_event),
                TEST(test_in_portions),     TEST(test_outside),
                TEST(test_outside_rate),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
