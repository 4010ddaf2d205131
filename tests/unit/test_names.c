/* SPDX-License-Identifier: MIT */
/*
 * Names and paths, inserted as the segment reader does it: each is found by its number, under its parent and its name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "daemon/books/names.h"

static void add(struct books *books, uint32_t id, const char *text) {
        struct book_name name = {.line = id, .name_length = (uint16_t)strlen(text)};

        strcpy(name.name, text);
        names_add(books, id, &name);
}

static struct books *make(void) {
        const struct books_limits limits = {.names = 16, .paths = 16, .lanes = 2, .instances = 16, .threads = 4};
        struct books *books;

        assert_int_equal(books_new(&books, &limits, UINT64_C(5) << DECAYED_TICK_SHIFT), 0);
        return books;
}

static void test_a_chain(void **unused) {
        struct books *books = make();
        char text[64];

        books_begin(books, 0);
        add(books, 3, "b");
        add(books, 2, "a");
        names_add_path(books, 4, 0, 2);
        names_add_path(books, 6, 4, 3);
        books_commit(books);
        assert_true(names_have(books, 2) && names_have(books, 3) && !names_have(books, 4));
        assert_true(names_have_path(books, 4) && names_have_path(books, 6) && !names_have_path(books, 5));
        assert_false(names_have_path(books, 16)); /* beyond the limit */
        assert_int_equal(books_name_count(books), 3);
        assert_int_equal(books_path_count(books), 6);
        assert_int_equal(books_path_parent(books, 6), 4);
        assert_int_equal(books_path_depth(books, 6), 1);
        assert_int_equal(tally_of(books, 6)->tick, 5);
        books_path_text(books, 6, text, sizeof text);
        assert_string_equal(text, "a/b");
        books_free(books);
}

/* Two paths of one name are both in its row. */
static void test_paths_of_a_name(void **unused) {
        struct books *books = make();
        struct books_row row;
        uint32_t path, paths;

        books_begin(books, 0);
        add(books, 2, "a");
        add(books, 3, "b");
        names_add_path(books, 2, 0, 2);
        names_add_path(books, 3, 0, 3);
        names_add_path(books, 4, 2, 3);
        books_commit(books);
        books_name_row(books, 3, 0, &row, &path, &paths);
        assert_int_equal(paths, 2);
        books_name_row(books, 2, 0, &row, &path, &paths);
        assert_int_equal(paths, 1);
        assert_int_equal(path, 2);
        books_free(books);
}

static void test_other(void **unused) {
        struct books *books = make();

        books_begin(books, 0);
        names_add_other(books);
        books_commit(books);
        assert_true(names_have(books, SHM_NAME_OTHER) && names_have_path(books, SHM_PATH_OTHER));
        assert_string_equal(books_name(books, SHM_NAME_OTHER), "(other)");
        assert_int_equal(books_path_name(books, SHM_PATH_OTHER), SHM_NAME_OTHER);
        books_free(books);
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_chain), cmocka_unit_test(test_paths_of_a_name),
                                           cmocka_unit_test(test_other)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
