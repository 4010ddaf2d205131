/* SPDX-License-Identifier: MIT */
/*
 * top without a terminal: rates, order, filter, groups, tree and scrolling from answers made by hand.
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
        top_model_sort(model, TOP_PROCESS);
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

/* Calls of processes 1 and 2 in a, and of 3 in b, which has none of its own. */
static void feed_calls(struct fake *fake, uint64_t time_ns) {
        static const int64_t calls[][2] = {{10, -1000}, {30, 9000}, {0, 77}};
        struct table *t = fake_table("spans", 3, time_ns);

        for (size_t i = 0; i < 3; i++) {
                set_row(t, i, i + 1, 1, i < 2 ? "a" : "b", 1000);
                fake_uint(t, i, "calls", (uint64_t)calls[i][0]);
                fake_int(t, i, "calls_net_bytes", calls[i][1]);
                fake_int(t, i, "net_per_call", 5);
        }
        feed_table(fake, t);
}

static int64_t net_per_call_at(const struct fake *fake, size_t index) {
        struct top_row row = row_at(fake, index);
        int64_t net = 0;

        assert_true(top_sums_net_per_call(&row.sums, &net));
        return net;
}

/* Of a sum: all net bytes by all calls, not the average of averages. */
static void test_net_per_call(void **state) {
        struct fake *fake = *state;
        struct top_model *model = fake->ui.model;
        struct top_row row;
        int64_t net = 4;

        assert_int_equal(top_model_find_column("net_per_call"), TOP_NET_CALL);
        top_model_sort(model, TOP_NET_CALL);
        assert_true(top_model_is_descending(model));
        feed_calls(fake, 1 * SECOND);
        assert_int_equal(process_at(fake, 0), 2);
        assert_int_equal(net_per_call_at(fake, 0), 300);
        assert_int_equal(process_at(fake, 1), 1);
        assert_int_equal(net_per_call_at(fake, 1), -100);
        row = row_at(fake, 2);
        assert_false(top_sums_net_per_call(&row.sums, &net));
        assert_int_equal(net, 4);
        top_model_set_descending(model, false);
        assert_int_equal(process_at(fake, 0), 3);
        assert_int_equal(process_at(fake, 2), 2);
        top_model_set_descending(model, true);
        for (int by_name = 0; by_name < 2; by_name++) {
                top_model_set_shape(model, by_name ? TOP_BY_NAME : TOP_BY_UNIT);
                assert_int_equal(top_model_count(model), 2);
                assert_int_equal(row_at(fake, 0).processes, 2);
                assert_int_equal(net_per_call_at(fake, 0), 200);
                row = row_at(fake, 1);
                assert_false(top_sums_net_per_call(&row.sums, &net));
        }
        /* What is not counted adds nothing. */
        fake->uncounted = 1u << 1;
        feed_calls(fake, 2 * SECOND);
        assert_int_equal(net_per_call_at(fake, 0), 300);
        row.sums.calls = UINT64_MAX;
        row.sums.calls_net = INT64_MIN;
        assert_false(top_sums_net_per_call(&row.sums, &net));
}

/* An answer without names of columns has the average alone. */
static void test_average_alone(void **state) {
        struct fake *fake = *state;
        struct table *t = fake_table("spans", 1, SECOND);

        set_row(t, 0, 1, 1, "a", 1000);
        fake_int(t, 0, "net_per_call", 55);
        for (size_t i = 0; i < t->column_count; i++)
                if (!strcmp(t->columns[i].name, "calls") || !strcmp(t->columns[i].name, "calls_net_bytes"))
                        t->columns[i].name = "other";
        feed_table(fake, t);
        assert_int_equal(net_per_call_at(fake, 0), 55);
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

/* Ended rows come last in any order, and can be hidden; in the tree too. */
static void test_ended(void **state) {
        struct fake *fake = *state;
        struct top_model *model = fake->ui.model;

        fake->ended = 1u << 3;
        feed(fake, 1 * SECOND, 1);
        feed(fake, 2 * SECOND, 2);
        for (int column = 0; column < TOP_COLUMNS; column++)
                for (int descending = 0; descending < 2; descending++) {
                        top_model_sort(model, (enum top_column)column);
                        top_model_set_descending(model, descending);
                        assert_int_equal(process_at(fake, 2), 3);
                        assert_true(row_at(fake, 2).ended);
                        assert_false(row_at(fake, 1).ended);
                }
        top_model_hide_ended(model, true);
        assert_int_equal(top_model_count(model), 2);
        top_model_filter(model, "b");
        assert_int_equal(top_model_count(model), 0);
        top_model_filter(model, "");
        top_model_set_shape(model, TOP_TREE);
        feed_tree(fake, 3 * SECOND, 1);
        assert_int_equal(top_model_count(model), 6);
        assert_string_equal(row_at(fake, 0).unit, "x");
        top_model_hide_ended(model, false);
        top_model_sort(model, TOP_ALLOC);
        assert_int_equal(top_model_count(model), 10);
        assert_string_equal(row_at(fake, 6).unit, "y");
        assert_true(row_at(fake, 6).ended && row_at(fake, 7).ended && row_at(fake, 8).ended);
}

static struct top_row unit_row(struct fake *fake, unsigned ended, unsigned uncounted) {
        fake->ended = ended;
        fake->uncounted = uncounted;
        feed(fake, 1 * SECOND, 1);
        feed(fake, 2 * SECOND, 2);
        top_model_set_shape(fake->ui.model, TOP_BY_UNIT);
        top_model_sort(fake->ui.model, TOP_UNIT);
        return row_at(fake, ended == 6 ? 1 : 0);
}

/* A member without numbers does not blank its group.  The group says so only while that member runs. */
static void test_groups_with_ended(void **state) {
        struct fake *fake = *state;
        struct top_row row = unit_row(fake, 1u << 1, 1u << 1);

        assert_string_equal(row.unit, "x");
        assert_int_equal(row.sums.quality, TOP_EXACT);
        assert_int_equal(row.sums.alloc_bytes, 4000); /* of process 2 alone */
        assert_false(row.ended);
        top_model_set_shape(fake->ui.model, TOP_FLAT);
        row = unit_row(fake, 1u << 2, 1u << 2);
        assert_int_equal(row.sums.quality, TOP_EXACT);
        assert_int_equal(row.sums.alloc_bytes, 2000);
        row = unit_row(fake, 0, 1u << 1);
        assert_int_equal(row.sums.quality, TOP_PARTIAL);
        assert_int_equal(row.sums.alloc_bytes, 4000);
        row = unit_row(fake, 0, 1u << 2);
        assert_int_equal(row.sums.quality, TOP_PARTIAL);
        row = unit_row(fake, 0, 1u << 1 | 1u << 2);
        assert_int_equal(row.sums.quality, TOP_UNCOUNTED);
        row = unit_row(fake, 1u << 1 | 1u << 2, 0);
        assert_true(row_at(fake, 1).ended);
        assert_string_equal(row_at(fake, 1).unit, "x");
}

/* A process that ended has no memory: NET of a sum is of those that run, ALLOC of all. */
static void test_net_of_ended(void **state) {
        struct fake *fake = *state;
        struct top_model *model = fake->ui.model;
        struct top_row row = unit_row(fake, 1u << 1, 0);

        assert_string_equal(row.unit, "x");
        assert_int_equal(row.processes, 2);
        assert_int_equal(row.sums.alloc_bytes, 6000);
        assert_int_equal(row.sums.net_bytes, -4000);
        top_model_set_shape(model, TOP_BY_NAME);
        top_model_sort(model, TOP_SPAN);
        assert_int_equal(row_at(fake, 0).sums.net_bytes, -4000);

        /* In the tree: one unit of two processes, of which one ended. */
        top_model_set_shape(model, TOP_TREE);
        top_model_sort(model, TOP_ALLOC);
        for (int hidden = 0; hidden < 2; hidden++) {
                struct table *t = fake_table("tree", 2, (uint64_t)(3 + hidden) * SECOND);

                set_node(t, 0, 1, 1, 0, "job", 900);
                set_node(t, 1, 2, 1, 0, "job", 700);
                fake->own[0] = 1000;
                fake->own[1] = 800;
                top_model_hide_ended(model, hidden);
                feed_table(fake, t);
                row = row_at(fake, 0);
                assert_int_equal(row.kind, TOP_ROW_UNIT);
                assert_int_equal(row.processes, hidden ? 1 : 2);
                assert_int_equal(row.sums.alloc_bytes, hidden ? 800 : 1800);
                assert_int_equal(row.sums.net_bytes, 400);
                assert_int_equal(row.sums.closed, hidden ? 7 : 16);
                assert_int_equal(top_model_count(model), hidden ? 3 : 5);
        }
        top_model_hide_ended(model, false);
        row = row_at(fake, 3);
        assert_int_equal(row.kind, TOP_ROW_PROCESS);
        assert_true(row.ended);
        assert_int_equal(row.sums.alloc_bytes, 1000);
        assert_int_equal(row.sums.net_bytes, 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_rates, setup, teardown),
                cmocka_unit_test_setup_teardown(test_rows_come_and_go, setup, teardown),
                cmocka_unit_test_setup_teardown(test_large_numbers, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sort, setup, teardown),
                cmocka_unit_test_setup_teardown(test_net_per_call, setup, teardown),
                cmocka_unit_test_setup_teardown(test_average_alone, setup, teardown),
                cmocka_unit_test_setup_teardown(test_filter_and_group, setup, teardown),
                cmocka_unit_test_setup_teardown(test_search_and_follow, setup, teardown),
                cmocka_unit_test_setup_teardown(test_tree, setup, teardown),
                cmocka_unit_test_setup_teardown(test_folding, setup, teardown),
                cmocka_unit_test_setup_teardown(test_scroll, setup, teardown),
                cmocka_unit_test_setup_teardown(test_ended, setup, teardown),
                cmocka_unit_test_setup_teardown(test_groups_with_ended, setup, teardown),
                cmocka_unit_test_setup_teardown(test_net_of_ended, setup, teardown),
        };

        if (!setlocale(LC_CTYPE, "C.UTF-8"))
                return 77;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
