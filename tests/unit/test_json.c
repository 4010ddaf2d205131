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

#include "ctl/json.h"
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

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_envelope), cmocka_unit_test(test_table),  cmocka_unit_test(test_all_columns),
                cmocka_unit_test(test_values),   cmocka_unit_test(test_arrays),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
