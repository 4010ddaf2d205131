/* SPDX-License-Identifier: MIT */
/*
 * Which rows and columns of `ps` are shown, and what is shown of a process whose heap is not counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/output/render.h"
#include "ctl/output/view.h"
#include "ctl/rows/counting.h"
#include "ctl/rows/ps_rows.h"
#include "tests/support/fake_table.h"

static struct table *with_rows(size_t rows) {
        struct table *ps = fake_table("ps", rows, 0);

        for (size_t row = 0; row < rows; row++) {
                fake_uint(ps, row, "process", row + 1);
                fake_uint(ps, row, "pid", 100);
                fake_cell(ps, row, "balanced")->b = true;
                fake_uint(ps, row, "coverage_ppm", 1000000);
                fake_text(ps, row, "ended", "exec");
                fake_entry(ps, row, "outside_threads", "main", row);
        }
        fake_text(ps, rows - 1, "ended", "");
        fake_cell(ps, rows - 1, "alive")->b = true;
        return ps;
}

static void test_fold(void **state) {
        struct options options = {0}, full = {.full = true}, document = {.json = JSON_SHORT};
        struct table *ps = with_rows(6);

        fake_uint(ps, 1, "spans", 1);            /* it did something of its own */
        fake_uint(ps, 2, "lost_alloc_bytes", 1); /* what is lost is never hidden */
        fake_cell(ps, 3, "balanced")->b = false;
        fake_uint(ps, 4, "pid", 101); /* its successor is not there */
        assert_int_equal(ps_rows_choose(ps, &full), 0);
        assert_int_equal(ps_rows_choose(ps, &document), 0);
        assert_int_equal(ps->row_count, 6);
        assert_int_equal(ps_rows_choose(ps, &options), 1);
        assert_int_equal(ps->row_count, 5);
        for (size_t row = 0; row < 5; row++)
                assert_int_equal(table_uint(ps, row, "process"), row + 2);
        assert_true(ps->complete);
        table_free(ps);
}

/* A pid that the kernel used again: the program before ended otherwise than by exec. */
static void test_pid_used_again(void **state) {
        struct options options = {0};
        struct table *ps = with_rows(2);

        fake_text(ps, 0, "ended", "exited 0");
        assert_int_equal(ps_rows_choose(ps, &options), 0);
        assert_int_equal(ps->row_count, 2);
        table_free(ps);
}

static void test_alive_and_limit(void **state) {
        struct options options = {.alive = true, .json = JSON_SHORT};
        struct table *ps = with_rows(3);

        assert_int_equal(ps_rows_choose(ps, &options), 0);
        assert_int_equal(ps->row_count, 1);
        assert_int_equal(table_uint(ps, 0, "process"), 3);
        assert_true(ps->complete);
        table_free(ps);

        /* The limit counts what is shown. */
        options = (struct options){.limit = 1};
        ps = with_rows(3);
        assert_int_equal(ps_rows_choose(ps, &options), 2);
        assert_int_equal(ps->row_count, 1);
        assert_true(ps->complete);
        table_free(ps);

        options = (struct options){.limit = 2, .full = true};
        ps = with_rows(3);
        assert_int_equal(ps_rows_choose(ps, &options), 0);
        assert_int_equal(ps->row_count, 2);
        assert_false(ps->complete);
        table_free(ps);
}

static void test_usual_columns(void **state) {
        static const struct view_column view[] = {
                {"pid", 0, false, 0},
                {"coverage_ppm", 0, true, 1000000},
                {"balanced", 0, true, true},
                {"lost_alloc_bytes", 0, true, 0},
        };
        const char *columns[OPTIONS_COLUMNS_MAX];
        struct options options = {0};
        struct table *ps = with_rows(2);

        assert_int_equal(view_choose(&options, ps, view, 4, 0, columns), 1);
        fake_uint(ps, 1, "coverage_ppm", 999999);
        assert_int_equal(view_choose(&options, ps, view, 4, 0, columns), 2);
        assert_string_equal(columns[1], "coverage_ppm");
        fake_cell(ps, 0, "balanced")->b = false;
        fake_uint(ps, 0, "lost_alloc_bytes", 1);
        assert_int_equal(view_choose(&options, ps, view, 4, 0, columns), 4);
        table_free(ps);
}

/* The name of a process is whole on a narrow screen too; what counts it is not. */
static void test_names(void **state) {
        const char *comm = "comm", *counting = "counting";
        struct table *ps = with_rows(1);

        fake_text(ps, 0, "comm", "fifteen-letters");
        fake_text(ps, 0, "counting", "nothing: libspanalloc-malloc is not loaded");
        assert_int_equal(view_least_width(ps, &comm, 1), 15);
        assert_int_equal(view_least_width(ps, &counting, 1), 8);
        assert_false(render_is_shortened(ps, "comm"));
        assert_true(render_is_shortened(ps, "counting"));
        table_free(ps);
}

static void test_uncounted(void **state) {
        static const struct view_column view[] = {{"coverage_ppm", 0, true, 1000000}, {"cycles", 0, true, 0}};
        const char *columns[OPTIONS_COLUMNS_MAX];
        struct table *ps = with_rows(1), *spans = fake_table("spans", 1, 0);
        struct options options = {0};
        char buf[RENDER_CELL_MAX];

        fake_uint(ps, 0, "coverage_ppm", 0);
        fake_uint(ps, 0, "threads", 3);
        counting_hide(ps, 0);
        assert_string_equal(render_cell(ps, 0, "net_bytes", buf), "-");
        assert_string_equal(render_cell(ps, 0, "self_alloc_bytes", buf), "-");
        assert_string_equal(render_cell(ps, 0, "threads", buf), "3");
        assert_int_equal(view_choose(&options, ps, view, 1, 0, columns), 0);
        table_free(ps);

        fake_text(spans, 0, "quality", "exact");
        fake_uint(spans, 0, "cycles", 7);
        fake_entry(spans, 0, "per_call", "count", 7);
        counting_hide(spans, 0);
        assert_string_equal(render_cell(spans, 0, "quality", buf), "-");
        assert_string_equal(render_cell(spans, 0, "alloc_bytes", buf), "-");
        assert_string_equal(render_cell(spans, 0, "alloc_bytes_rate_10s", buf), "-");
        assert_string_equal(render_cell(spans, 0, "per_call_p99", buf), "-");
        assert_string_equal(render_cell(spans, 0, "cycles", buf), "7");
        table_free(spans);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_fold),
                cmocka_unit_test(test_pid_used_again),
                cmocka_unit_test(test_alive_and_limit),
                cmocka_unit_test(test_usual_columns),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_uncounted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
