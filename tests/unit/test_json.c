/* SPDX-License-Identifier: MIT */
/*
 * Documents: the contract's form, and that no number loses a bit.
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

#include "ctl/output/json.h"
#include "tests/support/fake_table.h"

/* The document as text; freed by the next call. */
static const char *printed(const struct json *json, enum json_mode mode) {
        static char *text;
        size_t size;
        FILE *stream;

        free(text);
        text = NULL;
        stream = open_memstream(&text, &size);
        assert_int_equal(json_print(json, stream, mode), 0);
        fclose(stream);
        return text;
}

static void test_envelope(void **state) {
        struct json *json = NULL;

        assert_int_equal(json_new(&json, UINT64_MAX, false), 0);
        assert_int_equal(json_add_array(json, "spans"), 0);
        assert_string_equal(printed(json, JSON_SHORT),
                            "{\"schema\":1,\"time_ns\":18446744073709551615,\"complete\":false,\"spans\":[]}\n");
        json_free(json);
}

static void test_table(void **state) {
        static const char *const names[] = {"net_bytes", "span", "alloc_bytes", "per_call", "no_such_column"};
        struct json_columns columns = {names, 5};
        struct table *table = fake_table("spans", 2, 5);
        struct json *json = NULL;

        fake_text(table, 0, "span", "a/b \"\\ ü");
        fake_uint(table, 0, "alloc_bytes", UINT64_MAX);
        fake_int(table, 0, "net_bytes", INT64_MIN);
        fake_entry(table, 0, "per_call", "count", 3);
        fake_entry(table, 0, "per_call", "p99", UINT64_C(9007199254740993));
        assert_int_equal(json_new(&json, 5, true), 0);
        assert_int_equal(json_add_table(json, "spans", table, &columns), 0);
        assert_string_equal(
                printed(json, JSON_SHORT),
                "{\"schema\":1,\"time_ns\":5,\"complete\":true,\"spans\":["
                "{\"net_bytes\":-9223372036854775808,\"span\":\"a/b \\\"\\\\ ü\",\"alloc_bytes\":18446744073709551615,"
                "\"per_call\":{\"count\":3,\"p99\":9007199254740993}},"
                "{\"net_bytes\":0,\"span\":\"\",\"alloc_bytes\":0,\"per_call\":{}}]}\n");
        json_free(json);
        table_free(table);
}

static void test_all_columns(void **state) {
        struct table *table = fake_table("ps", 1, 0);
        struct json *json = NULL;
        const char *text;

        assert_int_equal(json_new(&json, 0, true), 0);
        assert_int_equal(json_add_table(json, "processes", table, NULL), 0);
        text = printed(json, JSON_SHORT);
        for (size_t i = 0; i < table->column_count; i++) {
                char key[80];

                snprintf(key, sizeof(key), "\"%s\":", table->columns[i].name);
                assert_non_null(strstr(text, key));
        }
        assert_non_null(strstr(text, "\"alive\":false"));
        json_free(json);
        table_free(table);
}

static void test_values(void **state) {
        struct table *table = fake_table("spans", 1, 0);
        static const char *const one[] = {"pid"};
        struct json_columns columns = {one, 1};
        struct json *json = NULL;

        fake_uint(table, 0, "pid", 7);
        assert_int_equal(json_new(&json, 1, true), 0);
        assert_int_equal(json_add_row(json, NULL, table, 0, &columns), 0);
        assert_int_equal(json_add_uint(json, "total", "bytes", UINT64_MAX), 0);
        assert_int_equal(json_add_int(json, "total", "net", -1), 0);
        assert_int_equal(json_append_row(json, "rows", table, 0, &columns), 0);
        assert_int_equal(json_extend_last(json, "rows", "rate", -5), 0);
        assert_string_equal(
                printed(json, JSON_SHORT),
                "{\"schema\":1,\"time_ns\":1,\"complete\":true,\"pid\":7,"
                "\"total\":{\"bytes\":18446744073709551615,\"net\":-1},\"rows\":[{\"pid\":7,\"rate\":-5}]}\n");
        assert_non_null(strstr(printed(json, JSON_PRETTY), "\n  \"pid\": 7"));
        json_free(json);
        table_free(table);
}

/* A map's entry with several values becomes an array, in their order. */
static void test_arrays(void **state) {
        static const char *const one[] = {"outside_threads"};
        struct json_columns columns = {one, 1};
        struct table *table = fake_table("ps", 1, 0);
        struct table_map *map = &fake_cell(table, 0, "outside_threads")->map;
        struct json *json = NULL;

        fake_entry(table, 0, "outside_threads", "main", 1);
        map->entries[0] = (struct table_entry){.name = "main", .count = 4, .values = {1, 2, 3, UINT64_MAX}};
        assert_int_equal(json_new(&json, 1, true), 0);
        assert_int_equal(json_add_row(json, "process", table, 0, &columns), 0);
        assert_non_null(strstr(printed(json, JSON_SHORT),
                               "\"process\":{\"outside_threads\":{\"main\":[1,2,3,18446744073709551615]}}"));
        json_free(json);
        table_free(table);
}

static void assert_as_appended(const struct table *table, const struct json_columns *columns, enum json_mode mode) {
        struct json *whole = NULL, *rows = NULL;
        char *expected;

        assert_int_equal(json_new(&whole, 1, true), 0);
        assert_int_equal(json_new(&rows, 1, true), 0);
        assert_int_equal(json_add_array(rows, "rows"), 0);
        for (size_t i = 0; i < table->row_count; i++)
                assert_int_equal(json_append_row(rows, "rows", table, i, columns), 0);
        assert_int_equal(json_add_uint(rows, "after", "a", 1), 0);
        assert_int_equal(json_add_table(whole, "rows", table, columns), 0);
        assert_int_equal(json_add_uint(whole, "after", "a", 1), 0);
        expected = strdup(printed(rows, mode));
        assert_non_null(expected);
        assert_string_equal(printed(whole, mode), expected);
        assert_string_equal(printed(whole, mode), expected); /* once more */
        free(expected);
        json_free(whole);
        json_free(rows);
}

/* A table is written without objects, and yet as json-c would write them; whatever its texts are. */
static void test_whole_tables(void **state) {
        static const char *const texts[] = {"",           "plain", "a/b",  "\"",    "\\",       "\x01\x1f",
                                            "\n\t\r\b\f", "ü€",    "\x7f", "end\\", "\xff\xfe", "%s </script>"};
        static const char *const some[] = {"net_bytes", "span", "pid", "span", "no_such_column", "per_call", "pid"};
        static const uint64_t numbers[] = {0, 9, 10, 99, 100, UINT32_MAX, UINT64_MAX / 10, UINT64_MAX};
        struct json_columns columns = {some, 7};
        struct table *table = fake_table("spans", 12, 5);
        char long_text[6000];

        memset(long_text, 'x', sizeof(long_text) - 1);
        long_text[sizeof(long_text) - 1] = '\0';
        for (size_t row = 0; row < 12; row++) {
                fake_text(table, row, "span", texts[row]);
                fake_text(table, row, "path", row % 5 == 4 ? long_text : texts[11 - row]);
                fake_uint(table, row, "pid", numbers[row % 8]);
                fake_int(table, row, "net_bytes",
                         row % 2 ? -(int64_t)(numbers[row % 8] / 2) : INT64_MIN + (int64_t)row);
                if (row % 4 == 3) /* a name that comes again */
                        fake_entry(table, row, "threads", texts[4], 77);
                for (size_t i = 0; i < row % 4; i++)
                        fake_entry(table, row, "threads", texts[i + 3], numbers[i]);
        }
        for (int mode = JSON_SHORT; mode <= JSON_PRETTY; mode++) {
                assert_as_appended(table, NULL, (enum json_mode)mode);
                assert_as_appended(table, &columns, (enum json_mode)mode);
                columns.count = 1;
                assert_as_appended(table, &columns, (enum json_mode)mode);
                columns.count = 7;
        }
        table->row_count = 0;
        assert_as_appended(table, NULL, JSON_SHORT);
        assert_as_appended(table, NULL, JSON_PRETTY);
        table->row_count = 12;
        table_free(table);
}

/* What is added to a table's array comes after its rows. */
static void test_more_than_a_table(void **state) {
        static const char *const one[] = {"pid"};
        struct json_columns columns = {one, 1};
        struct table *table = fake_table("spans", 2, 0);
        struct json *json = NULL;

        fake_uint(table, 0, "pid", 1);
        fake_uint(table, 1, "pid", 2);
        assert_int_equal(json_new(&json, 1, true), 0);
        assert_int_equal(json_add_table(json, "gone", table, NULL), 0);
        assert_int_equal(json_add_table(json, "rows", table, &columns), 0);
        assert_int_equal(json_add_table(json, "gone", table, &columns), 0);
        assert_int_equal(json_extend_last(json, "rows", "rate", 7), 0);
        assert_int_equal(json_append_row(json, "rows", table, 0, &columns), 0);
        assert_string_equal(printed(json, JSON_SHORT),
                            "{\"schema\":1,\"time_ns\":1,\"complete\":true,\"gone\":[{\"pid\":1},{\"pid\":2}],"
                            "\"rows\":[{\"pid\":1},{\"pid\":2,\"rate\":7},{\"pid\":1}]}\n");
        json_free(json);
        table_free(table);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_envelope),
                cmocka_unit_test(test_table),
                cmocka_unit_test(test_all_columns),
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_arrays),
                cmocka_unit_test(test_whole_tables),
                cmocka_unit_test(test_more_than_a_table),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
