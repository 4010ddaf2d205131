/* SPDX-License-Identifier: MIT */
/*
 * Whether the books were changed: what has to be saved, and whether there is anything to remember for a minute.
 *
 * Labels: valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/books/books_layout.h"
#include "tests/unit/books_fixture.h"

static void settle(struct books *books, uint64_t n, uint64_t now_ns) {
        uint64_t live[SHM_COUNTERS];

        four(live, n);
        books_begin(books, now_ns);
        frames_settle(books, 0, live, 0);
        books_commit(books);
}

static void test_what_changes_them(void **state) {
        struct shm_refused refused = {0};
        struct books *books = books_small(4);
        uint64_t count = books_change_count(books);

        assert_true(count > 0);
        books_begin(books, 5);
        books_commit(books);
        assert_int_equal(books->book->now_ns, 5);
        assert_int_equal(books_change_count(books), count);

        settle(books, 7, 6);
        assert_true(books_change_count(books) > count);
        count = books_change_count(books);
        settle(books, 7, 7);
        settle(books, 7, 7);
        assert_int_equal(books_change_count(books), count);

        /* Logged, and the same as before; then not the same, on the line that has the time. */
        books_begin(books, 8);
        touch(books, &books->tallies[A]);
        touch(books, &books->book->records);
        books_commit(books);
        assert_int_equal(books_change_count(books), count);
        books_begin(books, 9);
        touch(books, &books->book->records);
        books->book->records++;
        books_commit(books);
        assert_int_equal(books_change_count(books), count + 1);

        books_begin(books, 10);
        books_set_refused(books, &refused, 0);
        books_commit(books);
        assert_int_equal(books_change_count(books), count + 1);
        refused.opens = 1;
        books_begin(books, 11);
        books_set_refused(books, &refused, 0);
        books_commit(books);
        assert_int_equal(books_change_count(books), count + 2);

        books_begin(books, 12);
        books_mark(books, 12);
        books_commit(books);
        assert_int_equal(books_change_count(books), count + 3);
        books_reset(books, 13);
        assert_int_equal(books_change_count(books), count + 4);

        /* More lines than are compared. */
        books_begin(books, 14);
        for (uint32_t path = 1; path <= PATHS; path++)
                touch(books, &books->tallies[path]);
        books_commit(books);
        assert_int_equal(books_change_count(books), count + 5);
        books_free(books);
}

static void test_labels(void **state) {
        struct books *books = books_small(4);
        uint64_t count = books_change_count(books);
        const char *label;
        size_t size;

        books_set_label(books, "one", 3);
        assert_int_equal(books_change_count(books), count + 1);
        books_set_label(books, "one", 3);
        assert_int_equal(books_change_count(books), count + 1);
        books_set_label(books, "two", 3);
        assert_int_equal(books_change_count(books), count + 2);
        books_set_label(books, "two, and more", 13);
        assert_int_equal(books_change_count(books), count + 3);
        label = books_label(books, &size);
        assert_int_equal(size, 13);
        assert_memory_equal(label, "two, and more", 13);
        books_free(books);
}

/* Where nothing happened in the minute before, the mark of that minute may be missing: the one before says the same. */
static void test_a_minute_without_a_mark(void **state) {
        struct books_row rows[2];
        uint32_t path, paths;

        for (int marks = 0; marks < 2; marks++) {
                struct books *books = books_small(4);

                settle(books, 7, 500);
                books_begin(books, 1000);
                books_mark(books, 1000);
                books_commit(books);
                if (marks) {
                        books_begin(books, 2000);
                        books_mark(books, 2000);
                        books_commit(books);
                }
                books_begin(books, 2500);
                touch(books, &books->tallies[A]);
                books->tallies[A].opened += 3;
                books_commit(books);
                assert_true(books_name_row_since(books, NAME_A, 3000, 800, &rows[marks], &path, &paths));
                assert_int_equal(rows[marks].opened, 3);
                books_free(books);
        }
        assert_memory_equal(&rows[0], &rows[1], sizeof rows[0]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_changes_them),
                cmocka_unit_test(test_labels),
                cmocka_unit_test(test_a_minute_without_a_mark),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
