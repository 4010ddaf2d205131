/* SPDX-License-Identifier: MIT */
/*
 * Rows summed over processes: what is added, what is the largest, what is taken from one row, and the order.
 *
 * Labels: valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/rows/by_name.h"
#include "ctl/rows/counting.h"
#include "tests/support/fake_table.h"

static void put(struct table *t, size_t row, uint64_t process, const char *span, const char *path, uint64_t bytes) {
        fake_uint(t, row, "process", process);
        fake_uint(t, row, "pid", 100 + process);
        fake_text(t, row, "unit", process < 3 ? "x" : "y");
        fake_text(t, row, "span", span);
        fake_text(t, row, "path", path);
        fake_uint(t, row, "alloc_bytes", bytes);
        fake_int(t, row, "net_bytes", -(int64_t)bytes);
        fake_text(t, row, "quality", "exact");
        fake_uint(t, row, "processes", 1);
}

static void test_spans(void **state) {
        struct table *t = fake_table("spans", 5, 7);

        put(t, 0, 1, "load", "job/load", 10);
        put(t, 1, 2, "load", "request/load", 30);
        put(t, 2, 3, "load", "job/load", 20);
        put(t, 3, 1, "a", "a", 1000);
        put(t, 4, 2, "loads", "loads", 5);
        fake_text(t, 1, "quality", "migrated");
        fake_uint(t, 0, "per_call_p99", 8);
        fake_uint(t, 2, "per_call_p99", 6);
        fake_uint(t, 0, "calls", 1);
        fake_int(t, 0, "calls_net_bytes", 300);
        fake_int(t, 0, "net_per_call", 300);
        fake_uint(t, 1, "calls", 3);
        fake_int(t, 1, "calls_net_bytes", -100);
        fake_int(t, 1, "net_per_call", -33);
        fake_entry(t, 0, "per_call", "count", 1);
        fake_entry(t, 0, "per_call", "max", 9);
        fake_entry(t, 2, "per_call", "count", 2);
        fake_entry(t, 2, "per_call", "max", 7);
        fake_entry(t, 1, "net_per_call_histogram", "-64", 3);
        fake_entry(t, 0, "net_per_call_histogram", "256", 1);
        fake_entry(t, 2, "net_per_call_histogram", "256", 4);

        assert_int_equal(by_name(t, "span"), 0);
        assert_int_equal(t->row_count, 3);
        assert_int_equal(table_column(t, "pid"), -1);
        assert_int_equal(table_column(t, "process"), -1);
        assert_string_equal(table_text(t, 0, "span"), "a");
        assert_string_equal(table_text(t, 0, "unit"), "x");
        assert_int_equal(table_uint(t, 0, "processes"), 1);
        assert_string_equal(table_text(t, 1, "span"), "load");
        assert_int_equal(table_uint(t, 1, "processes"), 3);
        assert_int_equal(table_uint(t, 1, "alloc_bytes"), 60);
        assert_int_equal(table_int(t, 1, "net_bytes"), -60);
        assert_string_equal(table_text(t, 1, "path"), "request/load");
        assert_string_equal(table_text(t, 1, "unit"), "");
        assert_string_equal(table_text(t, 1, "quality"), "migrated");
        assert_int_equal(table_uint(t, 1, "per_call_p99"), 8);
        assert_int_equal(table_int(t, 1, "net_per_call"), 50);
        assert_int_equal(table_map_uint(table_map(t, 1, "per_call"), "count"), 3);
        assert_int_equal(table_map_uint(table_map(t, 1, "per_call"), "max"), 9);
        assert_int_equal(table_map_uint(table_map(t, 1, "net_per_call_histogram"), "-64"), 3);
        assert_int_equal(table_map_uint(table_map(t, 1, "net_per_call_histogram"), "256"), 5);
        assert_string_equal(table_text(t, 2, "span"), "loads");

        assert_int_equal(by_name_sort(t, "alloc_bytes"), 0);
        assert_string_equal(table_text(t, 0, "span"), "loads");
        assert_int_equal(by_name_sort(t, "-net_bytes"), 0);
        assert_string_equal(table_text(t, 2, "span"), "a");
        assert_int_equal(by_name_sort(t, "-span"), 0);
        assert_string_equal(table_text(t, 0, "span"), "loads");
        table_free(t);
}

/* A process that is not counted has no number, and blanks none of the others. */
static void test_hidden(void **state) {
        struct table *t = fake_table("spans", 4, 7);

        put(t, 0, 1, "load", "load", 0);
        put(t, 1, 2, "load", "load", 30);
        put(t, 2, 3, "load", "load", 0);
        put(t, 3, 4, "none", "none", 0);
        fake_entry(t, 1, "per_call", "count", 1);
        for (size_t i = 0; i < 4; i++) {
                fake_uint(t, i, "closed", 2);
                if (i != 1)
                        counting_hide(t, i);
        }
        assert_int_equal(by_name(t, "span"), 0);
        assert_int_equal(t->row_count, 2);
        assert_int_equal(table_uint(t, 0, "alloc_bytes"), 30);
        assert_int_equal(table_int(t, 0, "net_bytes"), -30);
        assert_int_equal(table_uint(t, 0, "closed"), 6);
        assert_int_equal(table_map_uint(table_map(t, 0, "per_call"), "count"), 1);
        assert_true(counting_is_hidden(t, 1));
        assert_int_equal(by_name_sort(t, "-alloc_bytes"), 0);
        assert_string_equal(table_text(t, 1, "span"), "none");
        table_free(t);
}

/* A path is directly followed by those below it, whatever else sorts between a name and a slash. */
static void test_tree(void **state) {
        static const char *const paths[] = {"job", "job/a", "job-2", "job", "job/a", "job/b", "job-2/a", "job/a/c"};
        static const char *const order[] = {"job", "job/a", "job/a/c", "job/b", "job-2", "job-2/a"};
        struct table *t = fake_table("tree", 8, 7);

        for (size_t i = 0; i < 8; i++) {
                fake_uint(t, i, "process", 1 + i / 3);
                fake_text(t, i, "path", paths[i]);
                fake_uint(t, i, "alloc_bytes", 1);
        }
        assert_int_equal(by_name(t, "path"), 0);
        assert_int_equal(t->row_count, 6);
        for (size_t i = 0; i < 6; i++) {
                assert_string_equal(table_text(t, i, "path"), order[i]);
                assert_int_equal(table_uint(t, i, "alloc_bytes"), i < 2 ? 2 : 1);
        }
        table_free(t);
}

static void test_empty(void **state) {
        struct table *t = fake_table("spans", 0, 7);

        assert_int_equal(by_name(t, "span"), 0);
        assert_int_equal(by_name_sort(t, "-span"), 0);
        assert_int_equal(t->row_count, 0);
        table_free(t);
        assert_non_null(strstr(by_name_columns("spans"), ",calls,"));
        assert_null(strstr(by_name_columns("tree"), ",calls,"));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_spans),
                cmocka_unit_test(test_hidden),
                cmocka_unit_test(test_tree),
                cmocka_unit_test(test_empty),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
