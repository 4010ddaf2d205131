/* SPDX-License-Identifier: MIT */
/*
 * The rows of `run`'s tables for people: what is folded into one, and what is not.
 *
 * Labels: valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/run/report_fold.h"
#include "ctl/run/report_tables.h"

enum { PROCESS, EXE, COMM, COUNTING, ENDED, ALIVE, BALANCED, BYTES, COUNT, LOST, THREADS, COLUMNS };

static struct wire_column columns[COLUMNS] = {
        [PROCESS] = {.name = "process", .type = WIRE_COLUMN_UINT},
        [EXE] = {.name = "exe", .type = WIRE_COLUMN_TEXT},
        [COMM] = {.name = "comm", .type = WIRE_COLUMN_TEXT},
        [COUNTING] = {.name = "counting", .type = WIRE_COLUMN_TEXT},
        [ENDED] = {.name = "ended", .type = WIRE_COLUMN_TEXT},
        [ALIVE] = {.name = "alive", .type = WIRE_COLUMN_BOOL},
        [BALANCED] = {.name = "balanced", .type = WIRE_COLUMN_BOOL},
        [BYTES] = {.name = "alloc_bytes", .type = WIRE_COLUMN_UINT},
        [COUNT] = {.name = "alloc_count", .type = WIRE_COLUMN_UINT},
        [LOST] = {.name = "lost_alloc_bytes", .type = WIRE_COLUMN_UINT},
        [THREADS] = {.name = "outside_threads", .type = WIRE_COLUMN_MAP},
};

static struct table_entry worker[] = {{"worker", 4, {1, 10, 1, 5}}, {"main", 4, {2, 20, 0, 0}}};

#define ROW(number, exe_, comm_, counting_, ended_, bytes, entries_, n)                                                \
        [(number)*COLUMNS + PROCESS] = {WIRE_COLUMN_UINT, {.u = 10 + (number)}},                                       \
                            [(number)*COLUMNS + EXE] = {WIRE_COLUMN_TEXT, {.text = exe_}},                             \
                            [(number)*COLUMNS + COMM] = {WIRE_COLUMN_TEXT, {.text = comm_}},                           \
                            [(number)*COLUMNS + COUNTING] = {WIRE_COLUMN_TEXT, {.text = counting_}},                   \
                            [(number)*COLUMNS + ENDED] = {WIRE_COLUMN_TEXT, {.text = ended_}},                         \
                            [(number)*COLUMNS + ALIVE] = {WIRE_COLUMN_BOOL, {.b = sizeof(ended_) == 1}},               \
                            [(number)*COLUMNS + BALANCED] = {WIRE_COLUMN_BOOL, {.b = true}},                           \
                            [(number)*COLUMNS + BYTES] = {WIRE_COLUMN_UINT, {.u = bytes}},                             \
                            [(number)*COLUMNS + COUNT] = {WIRE_COLUMN_UINT, {.u = 1}},                                 \
                            [(number)*COLUMNS + LOST] = {WIRE_COLUMN_UINT, {.u = 0}},                                  \
                            [(number)*COLUMNS + THREADS] = {WIRE_COLUMN_MAP, {.map = {n, entries_}}}

static struct table_cell cells[] = {
        ROW(0, "/bin/bash", "bash", "libspanalloc-malloc", "exec", 5, NULL, 0),
        ROW(1, "/bin/ls", "ls", "libspanalloc-malloc", "exited 0", 100, worker, 2),
        ROW(2, "/bin/bash", "a thread", "libspanalloc-malloc over jemalloc", "", 7, worker, 1),
        ROW(3, "/opt/ls", "ls", "not counted: statically linked", "exited 0", 0, NULL, 0),
        ROW(4, "/bin/ls", "ls", "not counted: something", "exited 0", 0, NULL, 0),
        ROW(5, "", "gone", "libspanalloc-malloc", "exited", 1, NULL, 0),
};

static const struct table processes = {
        .complete = true, .column_count = COLUMNS, .row_count = 6, .columns = columns, .cells = cells};

static void test_processes(void **state) {
        struct fold fold = FOLD_INIT;

        assert_int_equal(fold_processes(&fold, &processes, NULL), 0);
        assert_int_equal(fold.count, 5);
        assert_string_equal(fold.rows[0].keys[FOLD_NAME], "ls");
        assert_int_equal(fold.rows[0].values[FOLD_ALLOC_BYTES], 100);
        assert_int_equal(fold.rows[0].images, 1);
        assert_string_equal(fold.rows[1].keys[FOLD_NAME], "bash");
        assert_int_equal(fold.rows[1].images, 2);
        assert_int_equal(fold.rows[1].values[FOLD_ALLOC_BYTES], 12);
        assert_int_equal(fold.rows[1].values[FOLD_EXECS], 1);
        assert_int_equal(fold.rows[1].values[FOLD_ALIVE], 1);
        assert_string_equal(fold.rows[1].over, " over jemalloc");
        assert_string_equal(fold.rows[2].keys[FOLD_NAME], "gone");
        assert_string_equal(fold.rows[3].keys[FOLD_NOTE], "not counted: something");
        assert_string_equal(fold.rows[4].keys[FOLD_NOTE], "not counted: statically linked");
        assert_int_equal(fold.total.images, 6);
        assert_int_equal(fold.total.values[FOLD_ALLOC_BYTES], 113);
        assert_int_equal(fold.total.values[FOLD_UNCOUNTED], 2);
        assert_int_equal(fold.total.values[FOLD_UNBALANCED], 0);
        fold_deinit(&fold);
        fold_deinit(&fold);
}

static void test_threads(void **state) {
        struct fold fold = FOLD_INIT;

        assert_int_equal(fold_threads(&fold, &processes, NULL), 0);
        assert_int_equal(fold.count, 3);
        assert_string_equal(fold.rows[0].keys[FOLD_NAME], "main");
        assert_int_equal(fold.rows[0].values[FOLD_ALLOC_BYTES], 20);
        assert_string_equal(fold.rows[1].keys[FOLD_PROGRAM], "bash");
        assert_string_equal(fold.rows[2].keys[FOLD_PROGRAM], "ls");
        assert_int_equal(fold.rows[2].values[FOLD_FREED_BYTES], 5);
        fold_deinit(&fold);
}

static void test_spans(void **state) {
        static struct wire_column span_columns[] = {
                {.name = "process", .type = WIRE_COLUMN_UINT},
                {.name = "span", .type = WIRE_COLUMN_TEXT},
                {.name = "cycles", .type = WIRE_COLUMN_UINT},
        };
        static struct table_cell span_cells[] = {
                {WIRE_COLUMN_UINT, {.u = 10}}, {WIRE_COLUMN_TEXT, {.text = "job"}}, {WIRE_COLUMN_UINT, {.u = 3}},
                {WIRE_COLUMN_UINT, {.u = 12}}, {WIRE_COLUMN_TEXT, {.text = "job"}}, {WIRE_COLUMN_UINT, {.u = 4}},
                {WIRE_COLUMN_UINT, {.u = 11}}, {WIRE_COLUMN_TEXT, {.text = "job"}}, {WIRE_COLUMN_UINT, {.u = 5}},
                {WIRE_COLUMN_UINT, {.u = 99}}, {WIRE_COLUMN_TEXT, {.text = "job"}}, {WIRE_COLUMN_UINT, {.u = 6}},
        };
        static const struct table spans = {
                .complete = true, .column_count = 3, .row_count = 4, .columns = span_columns, .cells = span_cells};
        struct fold fold = FOLD_INIT;

        assert_int_equal(fold_spans(&fold, &spans, &processes, NULL), 0);
        assert_int_equal(fold.count, 3);
        assert_string_equal(fold.rows[0].keys[FOLD_PROGRAM], "");
        assert_string_equal(fold.rows[1].keys[FOLD_PROGRAM], "bash");
        assert_int_equal(fold.rows[1].values[FOLD_CYCLES], 7);
        assert_string_equal(fold.rows[2].keys[FOLD_PROGRAM], "ls");
        fold_deinit(&fold);
}

static void test_empty(void **state) {
        static const struct table none = {.complete = true};
        struct fold fold = FOLD_INIT;

        assert_int_equal(fold_processes(&fold, &none, NULL), 0);
        assert_int_equal(fold.count, 0);
        fold_deinit(&fold);
        assert_int_equal(fold_spans(&fold, &none, &none, NULL), 0);
        assert_int_equal(fold.count, 0);
        fold_deinit(&fold);
}

/* What the table of processes is for that width, with one name of that many programs; freed by the caller. */
static char *table_of(const char *name, const char *note, uint64_t images, size_t width) {
        struct fold_row row = {.keys = {[FOLD_NAME] = name, [FOLD_NOTE] = note}, .images = images};
        struct fold fold = {.rows = &row, .count = 1};
        char *text = NULL;
        size_t size;
        FILE *stream = open_memstream(&text, &size);

        assert_non_null(stream);
        assert_int_equal(report_table_processes(stream, &fold, true, width), 0);
        fclose(stream);
        return text;
}

static size_t widest(const char *text) {
        size_t most = 0;

        for (; *text; text += strcspn(text, "\n"), text += *text == '\n')
                most = strcspn(text, "\n") > most ? strcspn(text, "\n") : most;
        return most;
}

/* Where a name is cut, the number of its programs stays. */
static void test_long_names(void **state) {
        static const char name[] = "a-program-with-a-long-name-that-goes-on-and-on-for-more-than-half-of-the-width";
        static const char note[] = "nothing: a note that is long, too, and tells why nothing counts it, at some length";
        static const size_t widths[] = {50, 60, 80, 100, 132};

        for (size_t i = 0; i < sizeof(widths) / sizeof(*widths); i++) {
                char *text = table_of(name, note, 41, widths[i]);

                assert_non_null(strstr(text, "\na-pro"));
                assert_non_null(strstr(text, " x41 "));
                assert_non_null(strstr(text, " nothing"));
                assert_true(widest(text) <= widths[i] + 4); /* a mark of a cut has three bytes */
                free(text);
                text = table_of(name, "", 41, widths[i]);
                assert_non_null(strstr(text, " x41 "));
                free(text);
        }
        free(table_of("", "", 41, 10));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_processes), cmocka_unit_test(test_threads),    cmocka_unit_test(test_spans),
                cmocka_unit_test(test_empty),     cmocka_unit_test(test_long_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
