/* SPDX-License-Identifier: MIT */
/*
 * tree --sort: siblings by a column, parents before their children, processes where they were.
 *
 * Labels: valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/output/tree_order.h"

struct line {
        uint64_t process, depth;
        const char *span;
        int64_t net;
};
enum { COLUMNS = 4 };

static struct table *new_table(const struct line *lines, size_t n) {
        static const struct wire_column columns[COLUMNS] = {
                {.name = "process", .type = WIRE_COLUMN_UINT},
                {.name = "depth", .type = WIRE_COLUMN_UINT},
                {.name = "span", .type = WIRE_COLUMN_TEXT},
                {.name = "net_bytes", .type = WIRE_COLUMN_INT},
        };
        struct table *table = calloc(1, sizeof(*table));

        assert_non_null(table);
        table->column_count = COLUMNS;
        table->row_count = n;
        table->columns = malloc(sizeof(columns));
        table->cells = calloc(n * COLUMNS + 1, sizeof(*table->cells));
        assert_true(table->columns && table->cells);
        memcpy(table->columns, columns, sizeof(columns));
        for (size_t i = 0; i < n; i++) {
                struct table_cell *cells = table->cells + i * COLUMNS;

                cells[0] = (struct table_cell){.type = WIRE_COLUMN_UINT, .u = lines[i].process};
                cells[1] = (struct table_cell){.type = WIRE_COLUMN_UINT, .u = lines[i].depth};
                cells[2] = (struct table_cell){.type = WIRE_COLUMN_TEXT, .text = lines[i].span};
                cells[3] = (struct table_cell){.type = WIRE_COLUMN_INT, .i = lines[i].net};
        }
        return table;
}

static void assert_order(const struct line *lines, size_t n, const char *sort, const char *expected) {
        struct table *table = new_table(lines, n);
        char order[256] = "";

        assert_int_equal(tree_order(table, sort), 0);
        assert_int_equal(table->row_count, n);
        for (size_t row = 0; row < n; row++) {
                strcat(order, row ? " " : "");
                strcat(order, table_text(table, row, "span"));
        }
        assert_string_equal(order, expected);
        table_free(table);
}

static const struct line two[] = {
        {7, 0, "b", 5}, {7, 1, "y", -1}, {7, 2, "deep", 9}, {7, 1, "x", 3},   {7, 0, "a", -5},
        {7, 1, "z", 0}, {3, 0, "d", 1},  {3, 0, "c", 1},    {3, 1, "low", 2}, {3, 0, "e", 4},
};
#define ORDER(lines, sort, expected) assert_order(lines, sizeof(lines) / sizeof((lines)[0]), sort, expected)

static void test_siblings(void **state) {
        ORDER(two, "span", "a z b x y deep c low d e");
        ORDER(two, "-span", "b y deep x a z e d c low");
        ORDER(two, "net_bytes", "a z b y deep x d c low e");
        ORDER(two, "-net_bytes", "b x y deep a z e d c low");
}

static void test_nothing_to_order(void **state) {
        ORDER(two, "process", "b y deep x a z d c low e");
        ORDER(two, "-unheard_of", "b y deep x a z d c low e");
        assert_order(two, 1, "-span", "b");
        assert_order(two, 0, "-span", "");
}

/* Depths that no tree has: every row is still there, once. */
static void test_nonsense(void **state) {
        static const struct line lines[] = {
                {1, 9, "a", 1}, {1, UINT64_MAX, "b", 2}, {1, 5, "c", 3}, {2, 3, "d", 4}, {2, 0, "e", 5}};

        ORDER(lines, "-net_bytes", "a b c e d");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_siblings),
                cmocka_unit_test(test_nothing_to_order),
                cmocka_unit_test(test_nonsense),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
