/* SPDX-License-Identifier: MIT */
/*
 * top without a terminal: rates, order, filter, groups, tree and scrolling from answers made by hand; then its columns.
 *
 * Labels: valgrind
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

#include "ctl/model/top_list.h"
#include "ctl/output/text.h"
#include "tests/support/top_fixture.h"

static void test_rates(void **state) {
        struct fake *fake = *state;
        struct top_row row;
        double rate, net;

        feed(fake, 10 * SECOND, 1);
        assert_false(row_at(fake, 0).rates.known);
        feed(fake, 12 * SECOND, 3);
        row = row_at(fake, 0);
        assert_true(row.rates.known);
        assert_int_equal(row.process, 3);
        assert_int_equal(row.rates.alloc_bytes, 4000);
        assert_int_equal(row.rates.alloc_count, 400);
        assert_int_equal(row.rates.closed, 40);
        assert_int_equal(row.rates.net_bytes, -4000);
        assert_true(top_model_history(fake->ui.model, row.slot, 0, &rate, &net));
        assert_true(rate == 4000 && net == -12000);
        assert_false(top_model_history(fake->ui.model, row.slot, 1, &rate, &net));

        /* A reset in between: what is there has come since. */
        feed(fake, 13 * SECOND, 1);
        assert_int_equal(row_at(fake, 0).rates.alloc_bytes, 4000);
        assert_int_equal(row_at(fake, 0).rates.net_bytes, -4000);
        assert_true(top_model_history(fake->ui.model, row.slot, 1, &rate, &net));

        /* The clock went back, then another collector answers: nothing is known. */
        feed(fake, 12 * SECOND, 2);
        assert_false(row_at(fake, 0).rates.known);
        top_model_forget(fake->ui.model);
        assert_int_equal(top_model_count(fake->ui.model), 0);
        feed(fake, 14 * SECOND, 2);
        assert_false(row_at(fake, 0).rates.known);
}

static void test_rows_come_and_go(void **state) {
        struct fake *fake = *state;
        struct table *t = fake_table("spans", 1, SECOND);
        struct top_samples *samples = &fake->samples;

        set_row(t, 0, 1, 1, "a", 500);
        feed_table(fake, t);
        assert_true(top_model_knows(fake->ui.model, samples));
        t = fake_table("spans", 2, 2 * SECOND);
        set_row(t, 0, 2, 1, "a", 700);
        set_row(t, 1, 1, 1, "a", 500);
        assert_int_equal(top_samples_take(samples, t), 0);
        assert_false(top_model_knows(fake->ui.model, samples));
        feed_table(fake, t);
        assert_int_equal(row_at(fake, 0).process, 2);
        assert_int_equal(row_at(fake, 0).rates.alloc_bytes, 700);
        assert_int_equal(row_at(fake, 1).rates.alloc_bytes, 0);

        /* Very many come, then all but the first go, in another order. */
        t = fake_table("spans", 3000, 3 * SECOND);
        for (size_t i = 0; i < 3000; i++)
                set_row(t, i, 1 + i % 3, 2999 - i, "many", i);
        feed_table(fake, t);
        assert_int_equal(top_model_count(fake->ui.model), 3000);
        assert_int_equal(row_at(fake, 0).sums.alloc_bytes, 2999);
        t = fake_table("spans", 1, 4 * SECOND);
        set_row(t, 0, 3, 2999 - 2, "many", 1002);
        feed_table(fake, t);
        assert_int_equal(top_model_count(fake->ui.model), 1);
        assert_int_equal(row_at(fake, 0).rates.alloc_bytes, 1000);
}

static void test_large_numbers(void **state) {
        struct fake *fake = *state;
        struct table *t;

        for (uint64_t i = 1; i <= 2; i++) {
                t = fake_table("spans", 1, i * SECOND);
                set_row(t, 0, 1, 1, "a", 0);
                fake_uint(t, 0, "alloc_bytes", i == 1 ? 1 : UINT64_MAX);
                fake_int(t, 0, "net_bytes", i == 1 ? INT64_MIN / 2 : INT64_MAX / 2);
                feed_table(fake, t);
        }
        assert_true(row_at(fake, 0).rates.alloc_bytes == UINT64_MAX - 1);
        assert_true(row_at(fake, 0).rates.net_bytes == INT64_MAX);
}

static uint64_t process_at(const struct fake *fake, size_t index) {
        return row_at(fake, index).process;
}

static void test_sort(void **state) {
        struct fake *fake = *state;
        struct top_model *model = fake->ui.model;

        feed(fake, SECOND, 1);
        top_model_sort(model, TOP_ALLOC);
        assert_int_equal(process_at(fake, 0), 3);
        top_model_set_descending(model, false);
        assert_int_equal(process_at(fake, 0), 1);
        top_model_sort(model, TOP_PID);
        assert_false(top_model_is_descending(model));
        assert_int_equal(process_at(fake, 0), 1);
        top_model_sort(model, TOP_NET);
        assert_int_equal(process_at(fake, 0), 1);
        top_model_sort(model, TOP_SPAN);
        assert_int_equal(process_at(fake, 0), 2);
        assert_int_equal(process_at(fake, 2), 3);
        top_model_set_descending(model, true);
        assert_int_equal(process_at(fake, 0), 3);
        assert_int_equal(process_at(fake, 1), 2);
        /* Equal: what allocated more comes first, whatever the direction. */
        top_model_sort(model, TOP_QUALITY);
        assert_int_equal(process_at(fake, 0), 3);
        top_model_set_descending(model, false);
        assert_int_equal(process_at(fake, 0), 3);
        for (int i = 0; i < TOP_COLUMNS; i++) {
                top_model_sort(model, (enum top_column)i);
                assert_int_equal(top_model_count(model), 3);
        }
        assert_int_equal(top_model_find_column("net_bytes"), TOP_NET);
        assert_int_equal(top_model_find_column("uid"), -1);
}

static void test_filter_and_group(void **state) {
        struct fake *fake = *state;
        struct top_model *model = fake->ui.model;
        struct top_row row;

        feed(fake, 1 * SECOND, 1);
        feed(fake, 2 * SECOND, 2);
        top_model_filter(model, "A");
        assert_int_equal(top_model_count(model), 2);
        top_model_filter(model, "y");
        assert_int_equal(top_model_count(model), 1);
        top_model_filter(model, "WWW");
        assert_int_equal(top_model_count(model), 2);
        top_model_filter(model, "nothing");
        assert_int_equal(top_model_count(model), 0);
        assert_false(top_model_row(model, 0, &row));
        top_model_filter(model, "");
        top_model_set_shape(model, TOP_BY_UNIT);
        top_model_sort(model, TOP_UNIT);
        assert_int_equal(top_model_count(model), 2);
        row = row_at(fake, 0);
        assert_string_equal(row.unit, "x");
        assert_int_equal(row.processes, 2);
        assert_int_equal(row.sums.alloc_bytes, 6000);
        assert_int_equal(row.rates.alloc_bytes, 3000);
        assert_int_equal(row.sums.net_bytes, -6000);
        assert_true(row.rates.known);
        top_model_set_shape(model, TOP_BY_NAME);
        top_model_sort(model, TOP_SPAN);
        assert_int_equal(top_model_count(model), 2); /* a of two processes of x, b of y */
        row = row_at(fake, 0);
        assert_int_equal(row.kind, TOP_ROW_NAME);
        assert_string_equal(row.span, "a");
        assert_string_equal(row.unit, "x");
        assert_int_equal(row.processes, 2);
        assert_int_equal(row.sums.alloc_bytes, 6000);
        assert_int_equal(row.rates.alloc_bytes, 3000);
        top_model_set_shape(model, TOP_FLAT);
        assert_int_equal(top_model_count(model), 3);
}

static void test_search_and_follow(void **state) {
        struct fake *fake = *state;
        struct top_model *model = fake->ui.model;
        struct table *t;

        feed(fake, 1 * SECOND, 1); /* b of 3, a of 2, a of 1 */
        assert_true(top_model_search(model, "A", 0));
        assert_int_equal(top_model_selected(model), 1);
        assert_true(top_model_search(model, "a", 1));
        assert_int_equal(top_model_selected(model), 2);
        assert_true(top_model_search(model, "a", 1)); /* round the end */
        assert_int_equal(top_model_selected(model), 1);
        assert_true(top_model_search(model, "a", -1));
        assert_int_equal(top_model_selected(model), 2);
        assert_false(top_model_search(model, "nothing", 1));
        assert_false(top_model_search(model, "", 0));

        /* Process 1 gets to the top: the selection goes with it only when it follows. */
        for (int following = 0; following < 2; following++) {
                top_model_follow(model, following);
                t = fake_table("spans", 2, 2 * SECOND);
                set_row(t, 0, 1, 1, "a", following ? 10 : 900000);
                set_row(t, 1, 2, 1, "a", 2000);
                feed_table(fake, t);
                top_model_sort(model, TOP_ALLOC);
                assert_int_equal(top_model_selected(model), 1);
                assert_int_equal(process_at(fake, 1), following ? 1 : 2);
                top_model_move(model, -1);
                assert_int_equal(process_at(fake, top_model_selected(model)), following ? 2 : 1);
        }
}

static void expect_line(const struct fake *fake, size_t index, enum top_kind kind, unsigned depth, const char *name,
                        uint64_t bytes) {
        struct top_row row = row_at(fake, index);

        assert_int_equal(row.kind, kind);
        assert_int_equal(row.depth, depth);
        assert_string_equal(row.span, name);
        assert_int_equal(row.sums.alloc_bytes, bytes);
}

static void test_tree(void **state) {
        struct fake *fake = *state;
        struct top_model *model = fake->ui.model;
        struct top_row outside, query;

        top_model_set_shape(model, TOP_TREE);
        assert_int_equal(top_model_count(model), 0);
        feed_tree(fake, SECOND, 1);
        feed_tree(fake, 2 * SECOND, 2);
        assert_int_equal(top_model_count(model), 10);
        expect_line(fake, 0, TOP_ROW_UNIT, 0, "y", 11600);
        expect_line(fake, 1, TOP_ROW_PROCESS, 1, "db", 11600);
        expect_line(fake, 2, TOP_ROW_SPAN, 2, "query", 10000);
        expect_line(fake, 3, TOP_ROW_SPAN, 2, "(outside) main", 1200);
        expect_line(fake, 4, TOP_ROW_UNIT, 0, "x", 2200);
        expect_line(fake, 5, TOP_ROW_PROCESS, 1, "www", 2200);
        expect_line(fake, 6, TOP_ROW_SPAN, 2, "job", 2000);
        expect_line(fake, 7, TOP_ROW_SPAN, 3, "index", 1400);
        expect_line(fake, 8, TOP_ROW_SPAN, 4, "forget", 600);
        expect_line(fake, 9, TOP_ROW_SPAN, 3, "read", 200);
        outside = row_at(fake, 3);
        query = row_at(fake, 2);
        assert_true(top_row_is_outside(&outside));
        assert_false(top_row_is_outside(&query));
        /* What a process has is its own, and its unit's: not what its rows add up to. */
        assert_int_equal(row_at(fake, 1).sums.net_bytes, 5800);
        assert_int_equal(row_at(fake, 4).sums.net_bytes, 1100);
        assert_int_equal(row_at(fake, 4).rates.alloc_bytes, 1100);
        assert_int_equal(row_at(fake, 4).rates.net_bytes, 550);
        assert_int_equal(row_at(fake, 4).sums.closed, 20);
        assert_int_equal(row_at(fake, 0).processes, 1);
        /* index is not the last below job, read is. */
        assert_false(row_at(fake, 7).last >> 3 & 1);
        assert_true(row_at(fake, 9).last >> 3 & 1);

        top_model_set_descending(model, false);
        expect_line(fake, 0, TOP_ROW_UNIT, 0, "x", 2200);
        expect_line(fake, 3, TOP_ROW_SPAN, 3, "read", 200);
        top_model_set_descending(model, true);

        /* With a filter: what matches, and what is above it. */
        top_model_filter(model, "forget");
        assert_int_equal(top_model_count(model), 5);
        expect_line(fake, 4, TOP_ROW_SPAN, 4, "forget", 600);
        top_model_filter(model, "");
}

static void test_folding(void **state) {
        struct fake *fake = *state;
        struct top_model *model = fake->ui.model;

        top_model_set_shape(model, TOP_TREE);
        feed_tree(fake, SECOND, 1);
        top_model_move(model, 7); /* index */
        top_model_fold(model, true);
        assert_int_equal(top_model_count(model), 9);
        assert_true(row_at(fake, 7).folded);
        assert_int_equal(top_model_selected(model), 7);
        /* Folded already: its parent is next. */
        top_model_fold(model, true);
        assert_int_equal(top_model_count(model), 7);
        assert_int_equal(top_model_selected(model), 6);
        feed_tree(fake, 2 * SECOND, 2); /* it stays so */
        assert_int_equal(top_model_count(model), 7);
        top_model_fold(model, false);
        assert_int_equal(top_model_count(model), 9); /* index is still folded */
        top_model_fold_all(model);
        assert_int_equal(top_model_count(model), 4);
        top_model_fold_all(model);
        assert_int_equal(top_model_count(model), 10);
        top_model_move(model, -LONG_MAX);
        top_model_fold(model, true);
        assert_int_equal(top_model_count(model), 7);
        top_model_set_shape(model, TOP_FLAT);
        top_model_fold(model, true);
        feed(fake, 3 * SECOND, 1);
        assert_int_equal(top_model_count(model), 3);
}

static void test_scroll(void **state) {
        struct fake *fake = *state;
        struct top_model *model = fake->ui.model;
        struct table *t = fake_table("spans", 50, SECOND);

        for (size_t i = 0; i < 50; i++)
                set_row(t, i, 1, i, "a", 1);
        feed_table(fake, t);
        top_model_set_visible(model, 10);
        top_model_move(model, -1);
        assert_int_equal(top_model_selected(model), 0);
        top_model_move(model, 10);
        assert_int_equal(top_model_selected(model), 10);
        assert_int_equal(top_model_first(model), 1);
        top_model_move(model, LONG_MAX);
        assert_int_equal(top_model_selected(model), 49);
        assert_int_equal(top_model_first(model), 40);
        top_model_set_visible(model, 45);
        assert_int_equal(top_model_first(model), 5);
        top_model_set_visible(model, 0);
        assert_int_equal(top_model_first(model), 49);
        top_model_set_visible(model, 10);
        top_model_move(model, -LONG_MAX);
        assert_int_equal(top_model_first(model), 0);
        /* Rows went: the selection stays inside. */
        top_model_move(model, LONG_MAX);
        feed(fake, 2 * SECOND, 1);
        assert_int_equal(top_model_selected(model), 2);
        assert_int_equal(top_model_first(model), 0);
        top_model_filter(model, "nothing");
        assert_int_equal(top_model_selected(model), 0);
        top_model_move(model, 5);
        assert_int_equal(top_model_selected(model), 0);
}

static void test_summary(void **state) {
        struct fake *fake = *state;
        struct table *ps = fake_processes(fake);
        struct top_summary summary;

        fake_uint(fake->status, 0, "ring_fill_ppm", 123456);
        fake_uint(ps, 0, "alloc_bytes", UINT64_MAX);
        fake_uint(ps, 1, "alloc_bytes", UINT64_MAX);
        summary = top_read_summary(SECOND, ps, fake->status);
        assert_int_equal(summary.coverage_ppm, 1000000);
        assert_int_equal(summary.ring_fill_ppm, 123456);
        fake_uint(ps, 1, "lost_alloc_bytes", UINT64_MAX);
        assert_int_equal(top_read_summary(SECOND, ps, fake->status).coverage_ppm, 500000);
        table_free(ps);
}

static bool has_column(const struct top_layout *layout, enum top_column column) {
        for (size_t i = 0; i < layout->count; i++)
                if (layout->columns[i].column == column)
                        return true;
        return false;
}

/* At every width: the span is there, columns keep their order, more width never takes a column away, and all of them
 * with the blanks between are exactly as wide. */
static void test_layout(void **state) {
        struct top_layout layout;

        for (unsigned wish = 0; wish < 8; wish++) {
                const struct top_wish wanted = {.raw = wish & 1, .tree = wish & 2, .timed = wish & 4};
                size_t before = 0;

                for (size_t width = 1; width < 300; width++) {
                        size_t sum = 0;

                        top_layout_init(&layout, width, wanted);
                        assert_true(has_column(&layout, TOP_SPAN));
                        assert_true(layout.count >= before);
                        before = layout.count;
                        for (size_t i = 0; i < layout.count; i++) {
                                sum += layout.columns[i].width + (i > 0);
                                assert_true(i == 0 || layout.columns[i].column > layout.columns[i - 1].column);
                        }
                        /* Up to a width at which numbers would stand too far from their names. */
                        assert_true(sum == width || (sum < width && width > 140));
                }
                assert_int_equal(layout.count, TOP_COLUMNS - wanted.tree - (wanted.timed ? 0 : 2));
        }
        top_layout_init(&layout, 20, (struct top_wish){0});
        assert_true(has_column(&layout, TOP_ALLOC_RATE));
        /* Who switched it on wants to see it, on a narrow screen too. */
        top_layout_init(&layout, 60, (struct top_wish){.timed = true});
        assert_true(has_column(&layout, TOP_TIME) && has_column(&layout, TOP_BUSY));
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
                cmocka_unit_test_setup_teardown(test_rows_come_and_go, setup, teardown),
                cmocka_unit_test_setup_teardown(test_large_numbers, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sort, setup, teardown),
                cmocka_unit_test_setup_teardown(test_filter_and_group, setup, teardown),
                cmocka_unit_test_setup_teardown(test_search_and_follow, setup, teardown),
                cmocka_unit_test_setup_teardown(test_tree, setup, teardown),
                cmocka_unit_test_setup_teardown(test_folding, setup, teardown),
                cmocka_unit_test_setup_teardown(test_scroll, setup, teardown),
                cmocka_unit_test_setup_teardown(test_summary, setup, teardown),
                cmocka_unit_test_setup_teardown(test_layout, setup, teardown),
                cmocka_unit_test(test_fit),
        };

        if (!setlocale(LC_CTYPE, "C.UTF-8"))
                return 77;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
