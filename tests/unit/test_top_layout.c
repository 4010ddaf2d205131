/* SPDX-License-Identifier: MIT */
/*
 * Which columns top shows on a screen of a width, and how wide they are.
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

static bool has_column(const struct top_layout *layout, enum top_column column) {
        for (size_t i = 0; i < layout->count; i++)
                if (layout->columns[i].column == column)
                        return true;
        return false;
}

static size_t width_of(const struct top_layout *layout, enum top_column column) {
        for (size_t i = 0; i < layout->count; i++)
                if (layout->columns[i].column == column)
                        return layout->columns[i].width;
        return 0;
}

/* Columns and the blanks between them. */
static size_t layout_width(const struct top_layout *layout) {
        size_t sum = 0;

        for (size_t i = 0; i < layout->count; i++)
                sum += layout->columns[i].width + (i > 0);
        return sum;
}

static void check_layouts(struct top_wish wish, size_t columns) {
        static const enum top_column names[] = {TOP_UNIT, TOP_PROCESS, TOP_SPAN};
        const size_t texts[] = {wish.widths.unit, wish.widths.process, wish.widths.span}, headings[] = {4, 7, 4};
        size_t before = 0, most = 0;
        struct top_layout layout;

        for (size_t width = 1; width < 400; width++) {
                top_layout_init(&layout, width, wish);
                assert_true(has_column(&layout, TOP_SPAN));
                assert_true(layout.count >= before);
                before = layout.count;
                for (size_t i = 1; i < layout.count; i++)
                        assert_true(layout.columns[i].column > layout.columns[i - 1].column);
                for (size_t i = 0; i < 3 && layout.count > 1; i++)
                        assert_true(width_of(&layout, names[i]) <= (texts[i] > headings[i] ? texts[i] : headings[i]));
                assert_true(layout_width(&layout) <= width);
                /* What is left is left only when all is shown in full. */
                assert_true(layout_width(&layout) >= most);
                most = layout_width(&layout);
        }
        assert_int_equal(layout.count, columns);
}

/* At every width: the span is there, columns keep their order, more width never takes a column away, and no column of
 * names is wider than its texts. */
static void test_layout(void **state) {
        static const struct top_widths widths[] = {{0}, {14, 14, 10, false}, {47, 30, 70, false}};

        for (unsigned i = 0; i < 8 * 3 * 3 * TOP_COLUMNS; i++) {
                struct top_wish wish = {.raw = i & 1,
                                        .sorted = (enum top_column)(i / 72),
                                        .timed = i & 2,
                                        .quality = i & 4,
                                        .shape = (enum top_shape)(i / 8 % 3),
                                        .widths = widths[i / 24 % 3]};
                bool unit = wish.shape == TOP_BY_UNIT || (wish.shape == TOP_FLAT && wish.widths.unit);

                check_layouts(wish,
                              TOP_COLUMNS - (wish.timed ? 0 : 2) - !wish.quality - !unit - (wish.shape == TOP_TREE));
        }
}

/* What has to be there at 20, 60 and 80 columns. */
static void test_narrow_layout(void **state) {
        struct top_wish wish = {.sorted = TOP_ALLOC_RATE, .widths = {14, 14, 10, false}};
        struct top_layout layout;

        top_layout_init(&layout, 20, wish);
        assert_true(has_column(&layout, TOP_ALLOC_RATE));
        wish.timed = true;
        top_layout_init(&layout, 60, wish);
        assert_true(has_column(&layout, TOP_TIME) && has_column(&layout, TOP_BUSY));
        wish.timed = false;
        wish.quality = true;
        top_layout_init(&layout, 80, wish);
        assert_true(has_column(&layout, TOP_PROCESS) && has_column(&layout, TOP_QUALITY));
        assert_int_equal(width_of(&layout, TOP_PROCESS), 14);
        assert_int_equal(width_of(&layout, TOP_SPAN), 10);
        wish.shape = TOP_BY_UNIT;
        top_layout_init(&layout, 80, wish);
        assert_int_equal(width_of(&layout, TOP_UNIT), 14);
        wish.timed = true;
        top_layout_init(&layout, 80, wish);
        assert_int_equal(width_of(&layout, TOP_UNIT), 14);
}

/* What finds a leak has room on 80 columns.  Where programs are timed, their times have it before calls: there long names or
 * a quality cost CALLS/s, and both NET/CALL. */
static void test_leak_layout(void **state) {
        static const enum top_column leak[] = {TOP_ALLOC_RATE, TOP_NET, TOP_NET_CALL, TOP_CALLS_RATE};
        static const enum top_shape shapes[] = {TOP_FLAT, TOP_BY_UNIT, TOP_BY_NAME};

        for (unsigned i = 0; i < 3 * 4 * 2; i++) {
                struct top_wish wish = {.shape = shapes[i % 3],
                                        .sorted = TOP_ALLOC_RATE,
                                        .timed = i / 3 & 1,
                                        .quality = i / 3 & 2,
                                        .widths = {14, 14, i / 12 ? 20 : 10, false}};
                bool lacks_calls = wish.timed && (wish.quality || i / 12),
                     lacks_net = wish.timed && wish.quality && i / 12;
                struct top_layout layout;

                top_layout_init(&layout, 80, wish);
                for (size_t k = 0; k < 4; k++)
                        assert_int_equal(has_column(&layout, leak[k]), k == 2 ? !lacks_net : k != 3 || !lacks_calls);
                assert_true(has_column(&layout, TOP_QUALITY) == wish.quality);
                assert_true(has_column(&layout, TOP_TIME) == wish.timed);
                assert_true(has_column(&layout, TOP_BUSY) == wish.timed);
                assert_true(has_column(&layout, wish.shape == TOP_BY_UNIT ? TOP_UNIT : TOP_PROCESS));
        }
}

/* Others come only beside it; the tree, whose rows have no net of a call, shows the rest of it. */
static void test_order_of_columns(void **state) {
        static const enum top_column others[] = {TOP_NET_RATE, TOP_ALLOC, TOP_OPEN, TOP_P99, TOP_ALLOCS_RATE};
        static const enum top_shape shapes[] = {TOP_FLAT, TOP_BY_UNIT, TOP_BY_NAME, TOP_TREE};

        for (size_t shape = 0; shape < 4; shape++) {
                struct top_wish wish = {.shape = shapes[shape], .sorted = TOP_ALLOC_RATE, .widths = {0, 14, 10, false}};
                struct top_layout layout;

                for (size_t width = 1; width < 300; width++) {
                        bool all;

                        top_layout_init(&layout, width, wish);
                        all = has_column(&layout, TOP_ALLOC_RATE) && has_column(&layout, TOP_NET) &&
                              has_column(&layout, TOP_NET_CALL) == (shapes[shape] != TOP_TREE) &&
                              has_column(&layout, TOP_CALLS_RATE);
                        for (size_t i = 0; i < 5; i++)
                                assert_true(all || !has_column(&layout, others[i]));
                }
                for (size_t i = 0; i < 5; i++)
                        assert_true(has_column(&layout, others[i]));
                assert_int_equal(has_column(&layout, TOP_NET_CALL), shapes[shape] != TOP_TREE);
        }
}

/* A list that is sorted by what is not seen looks as if it had no order. */
static void test_sorted_column(void **state) {
        struct top_wish wish = {.timed = true, .quality = true, .widths = {14, 14, 20, false}};
        struct top_layout layout;

        for (int column = 0; column < TOP_COLUMNS; column++) {
                wish.sorted = (enum top_column)column;
                top_layout_init(&layout, 40, wish);
                assert_true(has_column(&layout, wish.sorted));
        }
}

static void fit_process(const char *comm, uint64_t pid, size_t width, const char *wanted) {
        char text[64];

        top_fit_process(comm, pid, width, text, sizeof(text));
        assert_string_equal(text, wanted);
}

/* Two processes of one name differ in their pids. */
static void test_fit_process(void **state) {
        fit_process("pkgindex", 28496, 20, "pkgindex[28496]");
        fit_process("pkgindex", 28496, 15, "pkgindex[28496]");
        fit_process("pkgindex", 28496, 12, "pkgi…[28496]");
        fit_process("pkgindex", 28496, 10, "pk…[28496]");
        fit_process("pkgindex", 4194304, 10, "…[4194304]");
        fit_process("pkgindex", 28496, 8, "…[28496]");
        fit_process("pkgindex", 28496, 7, "pkgindex[28496]");
        fit_process("", 28496, 10, "[28496]");
        fit_process("日本語", 28496, 11, "日… [28496]");
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
                cmocka_unit_test(test_layout),        cmocka_unit_test(test_narrow_layout),
                cmocka_unit_test(test_leak_layout),   cmocka_unit_test(test_order_of_columns),
                cmocka_unit_test(test_sorted_column), cmocka_unit_test(test_fit_process),
                cmocka_unit_test(test_fit),
        };

        if (!setlocale(LC_CTYPE, "C.UTF-8"))
                return 77;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
