/* SPDX-License-Identifier: MIT */
/*
 * Rows unchanged since an answer are not sent again: the collector's list of them, and its reading by top.
 *
 * Labels: valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/model/top_read.h"
#include "tests/support/query_fixture.h"

static struct wire_cursor result_of(const struct fixture *fixture) {
        struct wire_cursor cursor = {fixture->out.data + WIRE_HEADER, fixture->out.size - WIRE_HEADER};
        struct wire_item item;

        for (int i = 0; i < 4; i++) /* the array, its kind, its id, no error */
                assert_true(wire_cursor_next(&cursor, &item));
        assert_int_equal(item.type, WIRE_NIL);
        return cursor;
}

static int ask_with(struct fixture *fixture, const struct query_peer *peer, ...) {
        va_list params;
        int r;

        va_start(params, peer);
        r = ask_as(fixture, peer, "spans", params);
        va_end(params);
        return r;
}

/* Rows of `rows` in all, and the processes of which none came: up to two. */
static uint64_t ask_since(struct fixture *fixture, const struct query_peer *peer, uint64_t answer, size_t rows,
                          uint64_t unchanged, uint64_t unchanged_too) {
        struct top_samples samples = {0};
        char number[24];
        uint64_t found;

        snprintf(number, sizeof(number), "%llu", (unsigned long long)answer);
        assert_int_equal(ask_with(fixture, peer, "since_answer#", number, NULL), QUERY_ANSWERED);
        assert_int_equal(top_samples_read(&samples, result_of(fixture)), 0);
        assert_int_equal(samples.count, rows);
        assert_int_equal(samples.unchanged_count, (unchanged > 0) + (unchanged_too > 0));
        if (unchanged)
                assert_int_equal(samples.unchanged[0], unchanged);
        if (unchanged_too)
                assert_int_equal(samples.unchanged[1], unchanged_too);
        found = samples.answer;
        assert_true(found > answer);
        top_samples_deinit(&samples);
        return found;
}

static struct books *books_of(const struct fixture *fixture, size_t index) {
        return process_of(fixture, index)->books;
}

static void test_only_what_changed(void **state) {
        struct fixture *fixture = *state;
        uint64_t first, second, third;

        first = ask_since(fixture, &all, 0, 8, 0, 0);
        second = ask_since(fixture, &all, first, 0, 1, 2);
        play(fixture, books_of(fixture, 1));
        /* Both clients get the changed rows: the one with the newest answer, and the one with an older answer. */
        third = ask_since(fixture, &all, second, 4, 1, 0);
        assert_int_equal(ask_since(fixture, &all, first, 4, 1, 0), third + 1);
        ask_since(fixture, &all, third, 0, 1, 2);
        ask_since(fixture, &all, 0, 8, 0, 0);
        play(fixture, books_of(fixture, 0));
        ask_since(fixture, &all, second, 8, 0, 0);
        ask_since(fixture, &all, third, 4, 2, 0);
}

/* A batch in which nothing is changed, as of each process that sleeps. */
static void test_a_batch_of_nothing(void **state) {
        struct fixture *fixture = *state;
        uint64_t first = ask_since(fixture, &all, 0, 8, 0, 0);

        books_begin(books_of(fixture, 0), 77);
        books_commit(books_of(fixture, 0));
        ask_since(fixture, &all, first, 0, 1, 2);
}

static void test_only_what_he_may_see(void **state) {
        struct fixture *fixture = *state;
        uint64_t first = ask_since(fixture, &user, 0, 4, 0, 0);

        play(fixture, books_of(fixture, 0));
        ask_since(fixture, &user, first, 0, 2, 0);
}

/* What a reset takes away is a change. */
static void test_a_reset(void **state) {
        struct fixture *fixture = *state;
        uint64_t first = ask_since(fixture, &all, 0, 8, 0, 0);

        table_free(table_as(fixture, &all, "reset", NULL));
        first = ask_since(fixture, &all, first, 0, 0, 0);
        ask_since(fixture, &all, first, 0, 1, 2);
}

/* The number of another collector, which this one follows: it is below all of this one. */
static void test_another_collector(void **state) {
        struct fixture *fixture = *state;
        uint64_t before = ask_since(fixture, &all, 0, 8, 0, 0);
        struct query *other;

        assert_int_equal(query_new(&other, fixture->collector), 0);
        query_free(fixture->query);
        fixture->query = other;
        books_of(fixture, 0)->cache->seen_changes = books_of(fixture, 1)->cache->seen_changes = 0;
        ask_since(fixture, &all, before, 8, 0, 0);
}

static void test_mistakes(void **state) {
        struct fixture *fixture = *state;

        assert_error_as(fixture, &all, EINVAL, "no sort", "spans", "since_answer#", "0", "sort", "pid", NULL);
        assert_error_as(fixture, &all, EINVAL, "no sort", "spans", "since_answer#", "0", "limit#", "3", NULL);
        assert_error_as(fixture, &all, EINVAL, "no sort", "spans", "since_answer#", "0", "since_ns#", "3", NULL);
        assert_error_as(fixture, &all, EINVAL, "takes no", "tree", "since_answer#", "0", NULL);
}

/* Cut anywhere, or with something else where the processes are: no answer, and nothing is read beyond. */
static void test_broken_answers(void **state) {
        struct top_samples samples = {0};
        struct fixture *fixture = *state;
        struct wire_cursor whole;
        char number[24];

        snprintf(number, sizeof(number), "%llu", (unsigned long long)ask_since(fixture, &all, 0, 8, 0, 0));
        assert_int_equal(ask_with(fixture, &all, "since_answer#", number, NULL), QUERY_ANSWERED);
        whole = result_of(fixture);
        for (size_t left = 0; left < whole.left; left++)
                assert_int_equal(top_samples_read(&samples, (struct wire_cursor){whole.at, left}), -EBADMSG);
        assert_int_equal(top_samples_read(&samples, whole), 0);
        fixture->out.data[fixture->out.size - 1] = 0xc0; /* the last process */
        assert_int_equal(top_samples_read(&samples, whole), -EBADMSG);
        top_samples_deinit(&samples);
}

int main(void) {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_only_what_changed), TEST(test_a_batch_of_nothing), TEST(test_only_what_he_may_see),
                TEST(test_a_reset),           TEST(test_another_collector),  TEST(test_mistakes),
                TEST(test_broken_answers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
