/* SPDX-License-Identifier: MIT */
/*
 * The histogram of bytes for each call: how wrong a percentile may be, and that histograms add up.
 *
 * Labels: valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/books/tally.h"
#include "tests/unit/books_fixture.h"

#define LAST (UINT64_C(1) << 51) /* from here on, one bucket for all */

static uint64_t random64(void) {
        return (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();
}

/* Evenly over the orders of magnitude. */
static uint64_t random_value(unsigned bits) {
        return random64() >> (64 - bits + (unsigned)random() % bits);
}

static void assert_near(uint64_t got, uint64_t want) {
        uint64_t off = got > want ? got - want : want - got;

        assert_true(off * 32 <= want);
}

static void test_buckets(void **state) {
        for (uint64_t v = 0; v < 32; v++)
                assert_int_equal(hist_bucket_middle(hist_bucket(v)), v);
        for (unsigned b = 1; b < HIST_OCTAVES * HIST_SUB; b++)
                assert_true(hist_bucket_middle(b) > hist_bucket_middle(b - 1));
        srandom(1);
        for (int i = 0; i < 1000000; i++) {
                uint64_t v = random_value(51), bigger = v + random_value(20);

                assert_true(hist_bucket(v) < HIST_OCTAVES * HIST_SUB);
                assert_near(hist_bucket_middle(hist_bucket(v)), v);
                assert_true(hist_bucket(bigger) >= hist_bucket(v));
        }
        assert_int_equal(hist_bucket(LAST - 1), HIST_OCTAVES * HIST_SUB - 1);
        assert_int_equal(hist_bucket(LAST), HIST_OCTAVES * HIST_SUB - 1);
        assert_int_equal(hist_bucket(UINT64_MAX), HIST_OCTAVES * HIST_SUB - 1);
}

static int compare(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

/* However a query reads it: one histogram by itself, or a merge. */
static void assert_per_call(const struct books *books, uint32_t path) {
        struct books_per_call one;
        struct hist_sum sum;

        hist_sum_init(&sum);
        hist_merge(books, &sum, &books->tallies[path].hist);
        books_path_per_call(books, path, &one);
        assert_int_equal(one.count, sum.count);
        assert_int_equal(one.max, sum.max);
        assert_int_equal(one.p50, hist_percentile(&sum, 500));
        assert_int_equal(one.p90, hist_percentile(&sum, 900));
        assert_int_equal(one.p99, hist_percentile(&sum, 990));
}

static void test_percentiles(void **state) {
        enum { COUNT = 20000 };
        static const unsigned permilles[] = {1, 10, 500, 900, 990, 999, 1000};
        static uint64_t values[COUNT];
        struct books *books = books_small(4);
        unsigned bits[] = {4, 10, 20, 40, 51};

        srandom(2);
        for (unsigned round = 0; round < sizeof bits / sizeof *bits; round++) {
                struct hist *hist = &books->tallies[A].hist;
                struct hist_sum sum = {0};

                books_begin(books, 1);
                hist_clear_all(books);
                for (int i = 0; i < COUNT; i++) {
                        values[i] = random_value(bits[round]);
                        assert_true(hist_add(books, hist, values[i]));
                }
                books_commit(books);
                hist_merge(books, &sum, hist);
                assert_per_call(books, A);
                qsort(values, COUNT, sizeof *values, compare);
                assert_int_equal(sum.count, COUNT);
                assert_int_equal(sum.max, values[COUNT - 1]);
                for (unsigned p = 0; p < sizeof permilles / sizeof *permilles; p++) {
                        uint64_t want = values[(COUNT * permilles[p] + 999) / 1000 - 1];
                        uint64_t got = hist_percentile(&sum, permilles[p]);

                        assert_near(got, want);
                        assert_true(got <= sum.max);
                        if (want < 16)
                                assert_int_equal(got, want);
                }
        }
        books_free(books);
}

static void test_merge_is_add(void **state) {
        struct books *books = books_small(4);
        struct hist_sum apart = {0}, together = {0};

        srandom(3);
        books_begin(books, 1);
        for (int i = 0; i < 5000; i++) {
                uint64_t v = random_value(18); /* the chunks of three must suffice */

                hist_add(books, &books->tallies[i % 2 ? A : B].hist, v);
                hist_add(books, &books->tallies[C].hist, v);
        }
        books_commit(books);
        hist_merge(books, &apart, &books->tallies[A].hist);
        hist_merge(books, &apart, &books->tallies[B].hist);
        hist_merge(books, &together, &books->tallies[C].hist);
        assert_memory_equal(&apart, &together, sizeof apart);
        books_free(books);
}

/* Where hist_sum_init() cleared nothing, nothing is read. */
static void test_merge_over_rubbish(void **state) {
        struct books *books = books_small(4);
        struct hist_sum clean = {0}, dirty;

        memset(&dirty, 0xa5, sizeof dirty);
        hist_sum_init(&dirty);
        assert_int_equal(hist_percentile(&dirty, 500), 0);
        books_begin(books, 1);
        for (int i = 0; i < 2000; i++)
                hist_add(books, &books->tallies[i % 2 ? A : B].hist, UINT64_C(1) << (i % 9 * 3));
        books_commit(books);
        hist_merge(books, &clean, &books->tallies[A].hist);
        hist_merge(books, &clean, &books->tallies[B].hist);
        hist_merge(books, &dirty, &books->tallies[A].hist);
        hist_merge(books, &dirty, &books->tallies[B].hist);
        assert_int_equal(dirty.total, 2000);
        for (unsigned p = 1; p <= 1000; p += 37)
                assert_int_equal(hist_percentile(&dirty, p), hist_percentile(&clean, p));
        books_free(books);
}

/* One call of each net, and two of none. */
static void test_nets(void **state) {
        static const int64_t nets[] = {0, 0, 1, 15, 16, 63, 64, 200, INT64_C(1) << 40, -1, -4095, -4096, INT64_MIN};
        enum { COUNT = sizeof nets / sizeof *nets };
        struct books *books = books_small(4);
        struct hist *hist = &books->tallies[A].hist;
        struct hist_nets sum = {0};
        uint64_t net = 0;

        books_begin(books, 1);
        for (unsigned i = 0; i < COUNT; i++) {
                uint64_t allocated = nets[i] > 0 ? (uint64_t)nets[i] : 0, freed = nets[i] < 0 ? -(uint64_t)nets[i] : 0;

                tally_closed(books, tally_change(books, A), (struct counters){{1, allocated}, {1, freed}}, 1);
                net += (uint64_t)nets[i];
        }
        tally_closed(books, tally_change(books, A), (struct counters){{1, 77}, {1, 0}}, 0); /* of no cycle: no call */
        books_commit(books);
        assert_int_equal(hist->calls, COUNT);
        assert_int_equal(hist->calls_net, net);
        hist_merge_nets(books, &sum, hist);
        hist_merge_nets(books, &sum, &books->tallies[B].hist);
        assert_int_equal(sum.zero, 2);
        for (unsigned b = 0; b < HIST_SUB; b++) {
                static const uint64_t above[HIST_SUB] = {[0] = 2, [1] = 2, [2] = 2, [15] = 1};
                static const uint64_t below[HIST_SUB] = {[0] = 1, [4] = 1, [5] = 1, [15] = 1};

                assert_int_equal(sum.sides[0][b], above[b]);
                assert_int_equal(sum.sides[1][b], below[b]);
        }

        books_reset(books, 2);
        memset(&sum, 0, sizeof sum);
        hist_merge_nets(books, &sum, hist);
        assert_int_equal(sum.zero + sum.sides[0][0] + sum.sides[1][0], 0);
        books_begin(books, 3);
        tally_closed(books, tally_change(books, A), (struct counters){{1, 20}, {1, 0}}, 1);
        books_commit(books);
        hist_merge_nets(books, &sum, hist);
        assert_int_equal(sum.sides[0][1], 1);
        assert_int_equal(sum.sides[0][0] + sum.sides[0][2] + sum.sides[1][0] + sum.zero, 0);
        assert_int_equal(hist->calls, COUNT + 1);
        books_free(books);
}

static void test_few(void **state) {
        struct books *books = books_small(4);
        struct hist_sum sum = {0};

        assert_int_equal(hist_percentile(&sum, 500), 0);
        books_begin(books, 1);
        hist_add(books, &books->tallies[A].hist, 1000000);
        books_commit(books);
        hist_merge(books, &sum, &books->tallies[A].hist);
        /* Never more than the largest. */
        for (unsigned p = 1; p <= 1000; p += 111)
                assert_in_range(hist_percentile(&sum, p), 1000000 - 1000000 / 32, 1000000);
        books_free(books);
}

static void test_one_by_itself(void **state) {
        struct books *books = books_small(4);

        srandom(4);
        assert_per_call(books, A);
        for (unsigned round = 0; round < 200; round++) {
                books_begin(books, 1);
                hist_clear_all(books);
                books_commit(books);
                assert_per_call(books, A); /* what is of an earlier epoch is nothing */
                for (unsigned n = 0; n < 1 + round / 2; n++) {
                        uint64_t v = random() % 3 ? random_value(1 + (unsigned)random() % 51) : random_value(3);

                        books_begin(books, 1);
                        assert_true(hist_add(books, &books->tallies[A].hist, v));
                        books_commit(books);
                        assert_per_call(books, A);
                }
        }
        books_free(books);
}

/* With no chunk left a value is counted, and told as missing; nothing is written beyond. */
static void test_no_chunk_left(void **state) {
        struct books *books = books_small(4);
        struct hist_sum sum = {0};
        unsigned failed = 0;

        books_begin(books, 1);
        for (uint32_t path = 1; path < books->limits.paths; path++)
                for (unsigned bit = 0; bit < 51; bit++) {
                        tally_closed(books, tally_change(books, path),
                                     (struct counters){.allocs = {1, UINT64_C(1) << bit}}, 1);
                        failed += books->tallies[path].estimated;
                }
        books_commit(books);
        for (uint32_t path = 1; path < books->limits.paths; path++)
                assert_per_call(books, path);
        assert_true(failed > 0);
        assert_true(books->book->chunks < books->chunk_capacity);
        hist_merge(books, &sum, &books->tallies[books->limits.paths - 1].hist);
        assert_int_equal(sum.count, 51);
        assert_int_equal(sum.max, UINT64_C(1) << 50);
        books_free(books);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_buckets),       cmocka_unit_test(test_percentiles),
                cmocka_unit_test(test_merge_is_add),  cmocka_unit_test(test_merge_over_rubbish),
                cmocka_unit_test(test_nets),          cmocka_unit_test(test_few),
                cmocka_unit_test(test_no_chunk_left), cmocka_unit_test(test_one_by_itself),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
