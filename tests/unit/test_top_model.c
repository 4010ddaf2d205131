/*
 * top without a terminal: rates, order, filter, groups and scrolling from answers made by hand; then its lines.
 */
#include <limits.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/text.h"
#include "ctl/top_view.h"
#include "tests/support/fake_table.h"

#define SECOND UINT64_C(1000000000)

struct fake {
        struct top_model *model;
        struct table *processes, *status;
};

static int setup(void **state) {
        struct fake *fake = calloc(1, sizeof(*fake));

        fake->processes = fake_table("ps", 2, 0);
        fake->status = fake_table("status", 1, 0);
        *state = fake;
        return top_model_new(&fake->model);
}

static int teardown(void **state) {
        struct fake *fake = *state;

        top_model_free(fake->model);
        table_free(fake->processes);
        table_free(fake->status);
        free(fake);
        return 0;
}

static void set_row(struct table *t, size_t row, uint64_t process, const char *unit, const char *span, uint64_t bytes) {
        fake_uint(t, row, "process", process);
        fake_uint(t, row, "pid", 100 + process);
        fake_text(t, row, "unit", unit);
        fake_text(t, row, "span", span);
        fake_text(t, row, "path", span);
        fake_text(t, row, "quality", "exact");
        fake_uint(t, row, "alloc_bytes", bytes);
        fake_uint(t, row, "alloc_count", bytes / 10);
        fake_uint(t, row, "closed", bytes / 100);
        fake_int(t, row, "net_bytes", -(int64_t)bytes);
}

/* Two processes of unit x with a and b, one of unit y with a; bytes grow by `step` times 1000, 2000, 4000. */
static void feed(struct fake *fake, uint64_t time_ns, uint64_t step) {
        struct table *t = fake_table("spans", 3, time_ns);

        set_row(t, 0, 1, "x", "a", 1000 * step);
        set_row(t, 1, 2, "x", "a", 2000 * step);
        set_row(t, 2, 3, "y", "b", 4000 * step);
        assert_int_equal(top_model_feed(fake->model, t, fake->processes, fake->status), 0);
}

static uint64_t process_at(const struct fake *fake, size_t index) {
        return top_model_row(fake->model, index)->process;
}

static void test_rates(void **state) {
        struct fake *fake = *state;
        const struct top_row *row;

        feed(fake, 10 * SECOND, 1);
        assert_false(top_model_row(fake->model, 0)->rated);
        feed(fake, 12 * SECOND, 3);
        row = top_model_row(fake->model, 0);
        assert_true(row->rated);
        assert_int_equal(row->process, 3);
        assert_int_equal(row->alloc_bytes_rate, 4000);
        assert_int_equal(row->alloc_count_rate, 400);
        assert_int_equal(row->closed_rate, 40);
        assert_int_equal(row->net_bytes_rate, -4000);

        /* A reset in between: what is there has come since. */
        feed(fake, 13 * SECOND, 1);
        assert_int_equal(top_model_row(fake->model, 0)->alloc_bytes_rate, 4000);
        assert_int_equal(top_model_row(fake->model, 0)->net_bytes_rate, -4000);

        /* The clock went back, then another collector answers: nothing is known. */
        feed(fake, 12 * SECOND, 2);
        assert_false(top_model_row(fake->model, 0)->rated);
        top_model_forget(fake->model);
        feed(fake, 14 * SECOND, 2);
        assert_false(top_model_row(fake->model, 0)->rated);
}

static void test_new_row(void **state) {
        struct fake *fake = *state;
        struct table *t = fake_table("spans", 1, SECOND);

        set_row(t, 0, 1, "", "a", 500);
        assert_int_equal(top_model_feed(fake->model, t, fake->processes, fake->status), 0);
        t = fake_table("spans", 2, 2 * SECOND);
        set_row(t, 0, 2, "", "a", 700);
        set_row(t, 1, 1, "", "a", 500);
        assert_int_equal(top_model_feed(fake->model, t, fake->processes, fake->status), 0);
        assert_int_equal(top_model_row(fake->model, 0)->process, 2);
        assert_int_equal(top_model_row(fake->model, 0)->alloc_bytes_rate, 700);
        assert_int_equal(top_model_row(fake->model, 1)->alloc_bytes_rate, 0);
}

static void test_large_numbers(void **state) {
        struct fake *fake = *state;
        struct table *t;

        for (uint64_t i = 1; i <= 2; i++) {
                t = fake_table("spans", 1, i * SECOND);
                set_row(t, 0, 1, "", "a", 0);
                fake_uint(t, 0, "alloc_bytes", i == 1 ? 1 : UINT64_MAX);
                fake_int(t, 0, "net_bytes", i == 1 ? INT64_MIN / 2 : INT64_MAX / 2);
                assert_int_equal(top_model_feed(fake->model, t, fake->processes, fake->status), 0);
        }
        assert_true(top_model_row(fake->model, 0)->alloc_bytes_rate == UINT64_MAX - 1);
        assert_true(top_model_row(fake->model, 0)->net_bytes_rate == INT64_MAX);
}

static void test_sort(void **state) {
        struct fake *fake = *state;

        feed(fake, SECOND, 1);
        top_model_sort(fake->model, TOP_ALLOC);
        assert_int_equal(process_at(fake, 0), 3);
        top_model_invert(fake->model);
        assert_int_equal(process_at(fake, 0), 1);
        top_model_sort(fake->model, TOP_PID);
        assert_false(top_model_is_descending(fake->model));
        assert_int_equal(process_at(fake, 0), 1);
        top_model_sort(fake->model, TOP_NET);
        assert_int_equal(process_at(fake, 0), 1);
        /* Equal: what allocated more comes first, whatever the direction. */
        top_model_sort(fake->model, TOP_QUALITY);
        assert_int_equal(process_at(fake, 0), 3);
        top_model_invert(fake->model);
        assert_int_equal(process_at(fake, 0), 3);
        for (int i = 0; i < TOP_COLUMNS; i++) {
                top_model_sort(fake->model, (enum top_column)i);
                assert_int_equal(top_model_count(fake->model), 3);
        }
        assert_int_equal(top_model_find_column("net_bytes"), TOP_NET);
        assert_int_equal(top_model_find_column("uid"), -1);
}

static void test_filter_and_group(void **state) {
        struct fake *fake = *state;
        const struct top_row *row;

        feed(fake, 1 * SECOND, 1);
        feed(fake, 2 * SECOND, 2);
        top_model_filter(fake->model, "A");
        assert_int_equal(top_model_count(fake->model), 2);
        top_model_filter(fake->model, "y");
        assert_int_equal(top_model_count(fake->model), 1);
        top_model_filter(fake->model, "nothing");
        assert_int_equal(top_model_count(fake->model), 0);
        assert_null(top_model_row(fake->model, 0));
        top_model_filter(fake->model, "");
        top_model_group(fake->model, true);
        top_model_sort(fake->model, TOP_UNIT);
        assert_int_equal(top_model_count(fake->model), 2);
        row = top_model_row(fake->model, 0);
        assert_string_equal(row->unit, "x");
        assert_int_equal(row->processes, 2);
        assert_int_equal(row->alloc_bytes, 6000);
        assert_int_equal(row->alloc_bytes_rate, 3000);
        assert_int_equal(row->net_bytes, -6000);
        assert_true(row->rated);
        top_model_group(fake->model, false);
        assert_int_equal(top_model_count(fake->model), 3);
}

static void test_scroll(void **state) {
        struct fake *fake = *state;
        struct table *t = fake_table("spans", 50, SECOND);

        for (size_t i = 0; i < 50; i++)
                set_row(t, i, i, "", "a", 1);
        assert_int_equal(top_model_feed(fake->model, t, fake->processes, fake->status), 0);
        top_model_set_visible(fake->model, 10);
        top_model_move(fake->model, -1);
        assert_int_equal(top_model_selected(fake->model), 0);
        top_model_move(fake->model, 10);
        assert_int_equal(top_model_selected(fake->model), 10);
        assert_int_equal(top_model_first(fake->model), 1);
        top_model_move(fake->model, LONG_MAX);
        assert_int_equal(top_model_selected(fake->model), 49);
        assert_int_equal(top_model_first(fake->model), 40);
        top_model_set_visible(fake->model, 45);
        assert_int_equal(top_model_first(fake->model), 5);
        top_model_set_visible(fake->model, 0);
        assert_int_equal(top_model_first(fake->model), 49);
        top_model_set_visible(fake->model, 10);
        top_model_move(fake->model, -LONG_MAX);
        assert_int_equal(top_model_first(fake->model), 0);
        /* Rows went: the selection stays inside. */
        top_model_move(fake->model, LONG_MAX);
        feed(fake, 2 * SECOND, 1);
        assert_int_equal(top_model_selected(fake->model), 2);
        assert_int_equal(top_model_first(fake->model), 0);
        top_model_filter(fake->model, "nothing");
        assert_int_equal(top_model_selected(fake->model), 0);
        top_model_move(fake->model, 5);
        assert_int_equal(top_model_selected(fake->model), 0);
}

static void test_summary(void **state) {
        struct fake *fake = *state;
        char line[TOP_LINE_MAX];

        fake_uint(fake->status, 0, "processes", 2);
        fake_uint(fake->status, 0, "threads", 1);
        fake_uint(fake->status, 0, "records_rate", 12345);
        fake_uint(fake->processes, 0, "alloc_bytes", UINT64_MAX);
        fake_uint(fake->processes, 1, "alloc_bytes", UINT64_MAX);
        feed(fake, SECOND, 1);
        assert_int_equal(top_model_summary(fake->model)->coverage_ppm, 1000000);
        fake_uint(fake->processes, 1, "lost_alloc_bytes", UINT64_MAX);
        feed(fake, 2 * SECOND, 1);
        assert_int_equal(top_model_summary(fake->model)->coverage_ppm, 500000);
        top_view_header(fake->model, 200, line);
        assert_non_null(strstr(line, ", 2 processes, 1 thread, 12.3k records/s, 0 refused, coverage 50.00%"));
}

static bool has_column(const struct top_layout *layout, enum top_column column) {
        for (size_t i = 0; i < layout->count; i++)
                if (layout->columns[i].column == column)
                        return true;
        return false;
}

/* At every width: the span is there, columns keep their order, more width never takes a column away, and every line
 * is exactly as wide as it says. */
static void test_layout(void **state) {
        struct fake *fake = *state;
        struct top_layout layout;
        char line[TOP_LINE_MAX];
        size_t before = 0;

        feed(fake, 1 * SECOND, 1);
        feed(fake, 2 * SECOND, UINT64_C(1) << 50);
        for (size_t width = 1; width < 300; width++) {
                top_layout_init(&layout, width);
                assert_true(has_column(&layout, TOP_SPAN));
                assert_true(layout.count >= before);
                before = layout.count;
                for (size_t i = 1; i < layout.count; i++)
                        assert_true(layout.columns[i].column > layout.columns[i - 1].column);
                top_view_heading(&layout, line);
                assert_int_equal(text_width(line), width);
                top_view_row(&layout, top_model_row(fake->model, 0), line);
                assert_int_equal(text_width(line), width);
                top_view_header(fake->model, width, line);
                assert_true(text_width(line) <= width);
                top_view_footer(fake->model, width, true, line);
                assert_true(text_width(line) <= width);
        }
        assert_int_equal(layout.count, TOP_COLUMNS);
        top_layout_init(&layout, 20);
        assert_true(has_column(&layout, TOP_ALLOC_RATE));
}

static void test_cells(void **state) {
        struct fake *fake = *state;
        struct table *t;
        struct top_layout layout;
        char line[TOP_LINE_MAX];

        for (uint64_t i = 1; i <= 2; i++) {
                t = fake_table("spans", 1, i * SECOND);
                set_row(t, 0, 1, "web.service", "日本語の長い長い長い名前", 0);
                fake_uint(t, 0, "alloc_bytes", i * 1536);
                fake_uint(t, 0, "alloc_count", i * 20000);
                fake_uint(t, 0, "closed", i * 7);
                fake_uint(t, 0, "open", 2);
                fake_int(t, 0, "net_bytes", -(int64_t)i * 512);
                fake_text(t, 0, "quality", "lost");
                fake_entry(t, 0, "per_call", "p99", 4096);
                assert_int_equal(top_model_feed(fake->model, t, fake->processes, fake->status), 0);
        }
        top_layout_init(&layout, 104);
        top_view_heading(&layout, line);
        assert_string_equal(line,
                            "UNIT               PID SPAN          ALLOC/s ALLOCS/s    NET/s   ALLOC      NET  OPEN "
                            "CALLS/s P99/CALL Q");
        top_view_row(&layout, top_model_row(fake->model, 0), line);
        assert_string_equal(line,
                            "web.service        101 日本語の長い…    1.5K    20.0k    -512B    3.0K    -1.0K     2 "
                            "      7     4.0K L");
}

/* Where nothing counts the heap, no cell says zero. */
static void test_uncounted(void **state) {
        struct fake *fake = *state;
        struct top_layout layout;
        char line[TOP_LINE_MAX];

        fake_uint(fake->processes, 0, "process", 3);
        fake_text(fake->processes, 0, "counting", "nothing: libspanalloc-malloc is not loaded");
        fake_cell(fake->processes, 0, "alive")->b = true;
        feed(fake, 1 * SECOND, 0);
        feed(fake, 2 * SECOND, 0);
        top_model_filter(fake->model, "b");
        assert_int_equal(top_model_row(fake->model, 0)->quality, TOP_UNCOUNTED);
        top_layout_init(&layout, 60);
        top_view_row(&layout, top_model_row(fake->model, 0), line);
        assert_null(strstr(line, "0B"));
        assert_int_equal(top_model_summary(fake->model)->uncounted, 1);
        top_view_header(fake->model, 200, line);
        assert_non_null(strstr(line, ", 1 process not counted"));
        top_model_filter(fake->model, "a");
        assert_int_equal(top_model_row(fake->model, 0)->quality, TOP_EXACT);
}

static void test_fit(void **state) {
        char line[64] = "";

        text_fit(line, sizeof(line), "ab", 4, false);
        text_fit(line, sizeof(line), "ab", 4, true);
        text_fit(line, sizeof(line), "abcdef", 4, true);
        assert_string_equal(line, "ab    ababc…");
        *line = '\0';
        /* A wide character does not go half: a blank fills up. */
        text_fit(line, sizeof(line), "日本語", 4, false);
        assert_string_equal(line, "日… ");
        *line = '\0';
        text_fit(line, sizeof(line), "a\xff\x01z", 6, false);
        assert_string_equal(line, "a??z  ");
        *line = '\0';
        text_fit(line, 4, "abcdef", 6, false);
        assert_string_equal(line, "abc");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_rates, setup, teardown),
                cmocka_unit_test_setup_teardown(test_new_row, setup, teardown),
                cmocka_unit_test_setup_teardown(test_large_numbers, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sort, setup, teardown),
                cmocka_unit_test_setup_teardown(test_filter_and_group, setup, teardown),
                cmocka_unit_test_setup_teardown(test_scroll, setup, teardown),
                cmocka_unit_test_setup_teardown(test_summary, setup, teardown),
                cmocka_unit_test_setup_teardown(test_layout, setup, teardown),
                cmocka_unit_test_setup_teardown(test_cells, setup, teardown),
                cmocka_unit_test_setup_teardown(test_uncounted, setup, teardown),
                cmocka_unit_test(test_fit),
        };

        if (!setlocale(LC_CTYPE, "C.UTF-8"))
                return 77;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
