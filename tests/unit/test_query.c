/* SPDX-License-Identifier: MIT */
/*
 * Queries: from a request's bytes to an answer's bytes.
 *
 * Labels: valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/query/query_private.h"
#include "tests/support/query_fixture.h"

static void test_hello(void **state) {
        struct query_peer stranger = {.uid = 1001};
        struct fixture *fixture = *state;
        struct wire_value error, result;
        struct wire_document *document;
        struct wire_buffer request = WIRE_BUFFER_INIT(256);
        uint64_t protocol;

        assert_error_as(fixture, &stranger, EPROTO, "hello", "ps", NULL);
        assert_error_as(fixture, &stranger, EPROTO, "hello", "nonsense", NULL);
        assert_error_as(fixture, &stranger, EPROTO, "protocol 1, the client has protocol 2", "hello", "protocol#", "2",
                        NULL);
        assert_error_as(fixture, &stranger, EPROTO, "protocol", "hello", NULL);

        wire_put_array(&request, 4);
        wire_put_uint(&request, 0);
        wire_put_uint(&request, 77);
        wire_put_text(&request, "hello");
        wire_put_map(&request, 1);
        wire_put_text(&request, "protocol");
        wire_put_uint(&request, 1);
        wire_buffer_consume(&fixture->out, fixture->out.size);
        assert_int_equal(query_answer(fixture->query, &stranger, request.data, request.size, &fixture->out),
                         QUERY_GREETED);
        document = read_answer(fixture, &error, &result);
        assert_true(wire_get_uint(wire_get(result, "protocol"), &protocol) && protocol == 1);
        assert_true(wire_text_is(wire_get(result, "version"), SPANALLOC_VERSION));
        wire_document_free(document);
        wire_buffer_deinit(&request);
}

static void test_no_request_ends_the_connection(void **state) {
#define MESSAGE(text)                                                                                                  \
        { text, sizeof(text) - 1 }
        static const struct {
                const char *bytes;
                size_t size;
        } messages[] = {
                MESSAGE("\xc0"),                           /* nil */
                MESSAGE("\x90"),                           /* empty */
                MESSAGE("\x94\x01\x01\xa2ps\x80"),         /* an answer */
                MESSAGE("\x94\x00\xa1x\xa2ps\x80"),        /* the id is a text */
                MESSAGE("\x94\x00\x01\x05\x80"),           /* the method is a number */
                MESSAGE("\x93\x00\x01\xa2ps"),             /* without params */
                MESSAGE("\x94\x00\x01\xa2ps"),             /* cut */
                MESSAGE("\x94\x00\x01\xa2ps\x80\x00"),     /* and something more */
                MESSAGE("\xdd\xff\xff\xff\xff"),           /* a bomb */
                MESSAGE("\x94\x00\x01\xa2ps\xdf\x80\0\0"), /* a bomb within */
        };
        struct fixture *fixture = *state;

        for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
                assert_int_equal(query_answer(fixture->query, &all, messages[i].bytes, messages[i].size, &fixture->out),
                                 -EPROTO);
                assert_int_equal(fixture->out.size, 0);
        }
}

static void test_mistakes_are_told(void **state) {
        struct fixture *fixture = *state;

        assert_error_as(fixture, &all, ENOSYS, "the methods are", "spanz", NULL);
        assert_error_as(fixture, &all, ENOSYS, "\"a?b\"", "a\033b", NULL);
        assert_error_as(fixture, &all, EINVAL, "spans takes no \"uint\"", "spans", "uint", "x", NULL);
        assert_error_as(fixture, &all, EINVAL, "it takes process, pid, unit, filter", "tree", "sort", "span", NULL);
        assert_error_as(fixture, &all, EINVAL, "it takes none", "status", "pid#", "1", NULL);
        assert_error_as(fixture, &all, EINVAL, "\"pid\" must be a number", "ps", "pid", "1", NULL);
        assert_error_as(fixture, &all, EINVAL, "\"unit\" must be a text", "ps", "unit#", "1", NULL);
        assert_error_as(fixture, &all, EINVAL, "given twice", "ps", "pid#", "1", "pid#", "2", NULL);
        assert_error_as(fixture, &all, EINVAL, "alloc_bytes", "spans", "sort", "nothing", NULL);
        assert_error_as(fixture, &all, EINVAL, "cannot sort spans", "spans", "sort", "per_call", NULL);
        assert_error_as(fixture, &all, EINVAL, "cannot sort spans", "spans", "sort", "--pid", NULL);
        assert_error_as(fixture, &user, EPERM, "reset", "reset", NULL);
}

static void test_spans(void **state) {
        struct fixture *fixture = *state;
        struct table *table = table_as(fixture, &all, "spans", "process#", "1", NULL);

        assert_int_equal(table->row_count, 4);
        assert_int_equal(table->column_count, WIRE_SPANS_COUNT - 8); /* without those that have to be asked for */
        assert_int_equal(table_column(table, "threads"), -1);
        assert_true(table->complete);

        /* By name: o/dd, parse, request. */
        assert_string_equal(table_text(table, 0, "span"), "o/dd");
        assert_string_equal(table_text(table, 0, "path"), "o\\/dd");
        assert_string_equal(table_text(table, 0, "site"), "");
        assert_int_equal(table_uint(table, 0, "alloc_bytes"), 10000);
        assert_int_equal(table_uint(table, 0, "self_alloc_bytes"), 7000);

        assert_string_equal(table_text(table, 1, "span"), "parse");
        assert_string_equal(table_text(table, 1, "path"), "o\\/dd/parse");
        assert_int_equal(table_uint(table, 1, "paths"), 2);
        assert_int_equal(table_uint(table, 1, "alloc_bytes"), 3030);
        assert_int_equal(table_uint(table, 1, "cycles"), 2);
        assert_string_equal(table_text(table, 1, "site"), "parse.c:7");

        assert_string_equal(table_text(table, 2, "span"), "request");
        assert_string_equal(table_text(table, 2, "unit"), "web.service");
        assert_int_equal(table_uint(table, 2, "pid"), 100);
        assert_int_equal(table_uint(table, 2, "uid"), 1000);
        assert_int_equal(table_uint(table, 2, "opened"), 1);
        assert_int_equal(table_uint(table, 2, "closed"), 1);
        assert_int_equal(table_uint(table, 2, "open"), 0);
        assert_int_equal(table_uint(table, 2, "alloc_count"), 10);
        assert_int_equal(table_uint(table, 2, "alloc_bytes"), 100);
        assert_int_equal(table_uint(table, 2, "dealloc_bytes"), 10);
        assert_int_equal(table_int(table, 2, "net_bytes"), 90);
        assert_int_equal(table_uint(table, 2, "self_alloc_bytes"), 70);
        assert_string_equal(table_text(table, 2, "quality"), "exact");
        assert_int_equal(table_map_uint(table_map(table, 2, "per_call"), "count"), 1);
        assert_int_equal(table_map_uint(table_map(table, 2, "per_call"), "max"), 100);
        assert_string_equal(table_text(table, 2, "thread"), "");
        table_free(table);
}

static void assert_rows(struct fixture *fixture, const struct query_peer *peer, size_t rows, const char *method,
                        const char *key, const char *value) {
        struct table *table = table_as(fixture, peer, method, key, value, NULL);

        assert_int_equal(table->row_count, rows);
        assert_true(table->complete);
        table_free(table);
}

/* What is outside of spans comes last, by the names of threads; it has sums and rates, and no calls. */
static void test_outside(void **state) {
        struct fixture *fixture = *state;
        struct books *books = process_of(fixture, 0)->books;
        struct table *table;

        strcpy(books->threads[1].name, "worker");
        books->threads[2].name[0] = '\0'; /* prctl() allows that */
        books->threads[1].outside[SHM_DEALLOC_BYTES] = 700;
        books->threads[2].outside[SHM_ALLOC_COUNT] = 1;
        books->book->threads = 4; /* the last has nothing, and no row */
        table = table_as(fixture, &all, "spans", "process#", "1", NULL);
        assert_int_equal(table->row_count, 6);
        for (size_t i = 0; i < 3; i++) {
                static const char *const names[] = {"main", "worker", "(no name)"};

                assert_string_equal(table_text(table, 3 + i, "span"), "(outside)");
                assert_string_equal(table_text(table, 3 + i, "path"), "(outside)");
                assert_string_equal(table_text(table, 3 + i, "thread"), names[i]);
                assert_string_equal(table_text(table, 3 + i, "unit"), "web.service");
                assert_string_equal(table_text(table, 3 + i, "quality"), "exact");
                assert_int_equal(table_uint(table, 3 + i, "key"), WIRE_OUTSIDE_KEY + i);
                assert_int_equal(table_uint(table, 3 + i, "opened"), 0);
                assert_int_equal(table_map_uint(table_map(table, 3 + i, "per_call"), "count"), 0);
        }
        assert_int_equal(table_uint(table, 3, "alloc_bytes"), 100);
        assert_int_equal(table_uint(table, 3, "self_alloc_bytes"), 100);
        assert_int_equal(table_uint(table, 3, "self_alloc_count"), 10);
        assert_int_equal(table_int(table, 3, "net_bytes"), 90);
        assert_int_equal(table_int(table, 4, "net_bytes"), -700);
        table_free(table);

        /* The columns that are sent only if they are named, of a row that is read twice. */
        table = table_as(fixture, &all, "spans", "sort", "-net_bytes", "limit#", "5", "span", "(outside)", "columns",
                         "thread,per_call_p99,per_call_histogram,threads,calls_net_bytes,net_bytes", NULL);
        assert_int_equal(table->row_count, 4);
        assert_string_equal(table_text(table, 0, "thread"), "main");
        assert_string_equal(table_text(table, 3, "thread"), "worker");
        assert_int_equal(table_int(table, 3, "net_bytes"), -700);
        assert_int_equal(table_map(table, 0, "per_call_histogram")->count, 0);
        assert_int_equal(table_map(table, 0, "threads")->count, 0);
        table_free(table);

        table = table_as(fixture, &all, "tree", "process#", "1", "filter", "ork", NULL);
        assert_int_equal(table->row_count, 1);
        assert_string_equal(table_text(table, 0, "path"), "(outside)");
        assert_string_equal(table_text(table, 0, "thread"), "worker");
        assert_int_equal(table_uint(table, 0, "parent_key"), 0);
        assert_int_equal(table_uint(table, 0, "key"), WIRE_OUTSIDE_KEY + 1);
        assert_int_equal(table_uint(table, 0, "self_dealloc_bytes"), 700);
        table_free(table);
}

/* Since a mark, as spans are. */
static void test_outside_since(void **state) {
        static const char *const methods[] = {"spans", "tree"};
        struct fixture *fixture = *state;
        struct books *books = process_of(fixture, 0)->books;
        struct table *table;

        books_begin(books, 10);
        books_mark(books, 10);
        books_commit(books);
        play(fixture, books);
        for (int i = 0; i < 2; i++) {
                table = table_as(fixture, &all, methods[i], "process#", "1", "filter", "(outside)", NULL);
                assert_int_equal(table->row_count, 1);
                assert_int_equal(table_uint(table, 0, "self_alloc_bytes"), 200);
                table_free(table);
                table = table_as(fixture, &all, methods[i], "process#", "1", "filter", "(outside)", "since_ns#", "1000",
                                 NULL);
                assert_int_equal(table->row_count, 1);
                assert_int_equal(table_uint(table, 0, "self_alloc_bytes"), 100);
                assert_true(table->complete);
                table_free(table);
        }
}

/* The self columns of all rows of a process, with what was lost and what came before, are its counters. */
static void assert_adds_up(struct fixture *fixture, const char *method) {
        static const char *const counters[] = {"alloc_count", "alloc_bytes", "dealloc_count", "dealloc_bytes"};
        struct table *rows = table_as(fixture, &all, method, "process#", "1", NULL);
        struct table *ps = table_as(fixture, &all, "ps", "process#", "1", NULL);
        char column[64];

        for (int c = 0; c < SHM_COUNTERS; c++) {
                uint64_t sum;

                snprintf(column, sizeof(column), "lost_%s", counters[c]);
                sum = table_uint(ps, 0, column);
                snprintf(column, sizeof(column), "before_%s", counters[c]);
                sum += table_uint(ps, 0, column);
                snprintf(column, sizeof(column), "self_%s", counters[c]);
                for (size_t row = 0; row < rows->row_count; row++)
                        sum += table_uint(rows, row, column);
                assert_int_equal(sum, table_uint(ps, 0, counters[c]));
        }
        table_free(rows);
        table_free(ps);
}

static void test_rows_add_up(void **state) {
        struct fixture *fixture = *state;

        for (int i = 0; i < 2; i++) {
                assert_adds_up(fixture, "spans");
                assert_adds_up(fixture, "tree");
                table_free(table_as(fixture, &all, "reset", NULL));
                assert_rows(fixture, &all, 0, "spans", "process#", "1");
                play(fixture, process_of(fixture, 0)->books);
        }
}

/* Only what is asked for, in the order of the table, and what is never sent otherwise. */
static void test_columns(void **state) {
        struct fixture *fixture = *state;
        struct table *table = table_as(fixture, &all, "spans", "process#", "1", "columns",
                                       "per_call_histogram,span,alloc_bytes,key,per_call_p99", NULL);

        assert_int_equal(table->row_count, 4);
        assert_int_equal(table->column_count, 5);
        assert_string_equal(table->columns[0].name, "span");
        assert_string_equal(table->columns[1].name, "alloc_bytes");
        assert_string_equal(table_text(table, 2, "span"), "request");
        assert_int_equal(table_uint(table, 2, "alloc_bytes"), 100);
        assert_int_equal(table_uint(table, 2, "per_call_p99"), 100);
        assert_int_equal(table_map_uint(table_map(table, 2, "per_call_histogram"), "64"), 1);
        assert_true(table_uint(table, 0, "key") != table_uint(table, 1, "key"));
        table_free(table);

        table = table_as(fixture, &all, "spans", "columns", "pid", "sort", "-per_call_p99", "limit#", "1", NULL);
        assert_int_equal(table->row_count, 1);
        assert_int_equal(table->column_count, 1);
        table_free(table);

        table = table_as(fixture, &all, "tree", "process#", "1", "columns", "path,parent_key,key,quality", NULL);
        assert_int_equal(table->column_count, 4);
        for (size_t i = 0; i < table->row_count; i++) {
                bool found = table_uint(table, i, "parent_key") == 0;

                for (size_t above = 0; above < i; above++)
                        found |= table_uint(table, above, "key") == table_uint(table, i, "parent_key");
                assert_true(found);
        }
        table_free(table);

        table = table_as(fixture, &all, "ps", "columns", "balanced,pid", NULL);
        assert_int_equal(table->column_count, 2);
        table_free(table);
        assert_error_as(fixture, &all, EINVAL, "spans has no column \"nothing\"", "spans", "columns", "pid,nothing",
                        NULL);
        assert_error_as(fixture, &all, EINVAL, "tree has no column \"\"", "tree", "columns", "", NULL);
        assert_error_as(fixture, &all, EINVAL, "it takes none", "status", "columns", "pid", NULL);
}

static void test_sorts_and_limits(void **state) {
        struct fixture *fixture = *state;
        struct table *table;

        table = table_as(fixture, &all, "spans", "sort", "-alloc_bytes", NULL);
        assert_int_equal(table->row_count, 8);
        for (size_t i = 0; i < 8; i++) {
                static const uint64_t bytes[] = {10000, 10000, 3030, 3030, 100, 100, 100, 100};
                static const uint64_t processes[] = {1, 2, 1, 2, 1, 1, 2, 2}; /* ties: by process */

                assert_int_equal(table_uint(table, i, "alloc_bytes"), bytes[i]);
                assert_int_equal(table_uint(table, i, "process"), processes[i]);
        }
        table_free(table);

        for (uint64_t limit = 1; limit <= 9; limit++) {
                char text[8];

                snprintf(text, sizeof(text), "%d", (int)limit);
                table = table_as(fixture, &all, "spans", "sort", "alloc_bytes", "limit#", text, NULL);
                assert_int_equal(table->row_count, limit < 8 ? limit : 8);
                assert_int_equal(table->complete, limit >= 8);
                assert_int_equal(table_uint(table, 0, "alloc_bytes"), 100);
                assert_int_equal(table_uint(table, 0, "process"), 1);
                table_free(table);
        }

        table = table_as(fixture, &all, "spans", "sort", "-path", "process#", "1", NULL);
        assert_string_equal(table_text(table, 0, "path"), "request");
        assert_string_equal(table_text(table, 2, "path"), "o\\/dd");
        assert_string_equal(table_text(table, 3, "path"), "(outside)");
        table_free(table);

        table = table_as(fixture, &all, "ps", "sort", "-pid", "limit#", "1", NULL);
        assert_int_equal(table->row_count, 1);
        assert_int_equal(table_uint(table, 0, "pid"), 300);
        assert_false(table->complete);
        table_free(table);
}

static int compare_by(const struct table *table, size_t a, size_t b, const char *column) {
        const struct table_cell *x = table_at(table, a, table_column(table, column));
        const struct table_cell *y = table_at(table, b, table_column(table, column));

        if (x->type == WIRE_COLUMN_TEXT)
                return strcmp(x->text, y->text);
        if (x->type == WIRE_COLUMN_INT)
                return x->i < y->i ? -1 : x->i > y->i;
        return x->u < y->u ? -1 : x->u > y->u;
}

/* By every column, both ways, where one number is below zero and one is very large; equal rows by process and name. */
static void test_sorts_by_every_column(void **state) {
        const struct wire_columns *columns = wire_columns("spans");
        struct fixture *fixture = *state;
        char sort[64], wanted[256];
        struct table *table;
        bool outside;

        process_of(fixture, 0)->books->tallies[AT_ODD].total[SHM_DEALLOC_BYTES] += 1000000;
        process_of(fixture, 1)->books->tallies[AT_REQUEST].total[SHM_DEALLOC_BYTES] += 3000;
        process_of(fixture, 1)->books->tallies[AT_PARSE].cycles += UINT64_C(1) << 63;
        for (size_t i = 0; i < columns->count; i++) {
                if (columns->columns[i].type == WIRE_COLUMN_MAP)
                        continue;
                snprintf(wanted, sizeof(wanted), "process,span,thread,%s", columns->columns[i].name);
                for (int descending = 0; descending < 2; descending++) {
                        snprintf(sort, sizeof(sort), "%s%s", descending ? "-" : "", columns->columns[i].name);
                        table = table_as(fixture, &all, "spans", "sort", sort, "columns", wanted, NULL);
                        assert_int_equal(table->row_count, 8);
                        for (size_t row = 1; row < 8; row++) {
                                int order = compare_by(table, row - 1, row, columns->columns[i].name);

                                order = descending ? -order : order;
                                if (order == 0)
                                        order = compare_by(table, row - 1, row, "process");
                                outside = *table_text(table, row, "thread");
                                if (order == 0 && !*table_text(table, row - 1, "thread") == !outside)
                                        order = compare_by(table, row - 1, row, "span");
                                else if (order == 0)
                                        order = outside ? -1 : 1; /* after the spans */
                                assert_true(order < 0);
                        }
                        table_free(table);
                }
        }
}

/* The order of names is kept from one query to the next: not beyond the name that comes first, and comes later. */
static void test_a_name_that_comes_later(void **state) {
        struct fixture *fixture = *state;
        struct books *books = process_of(fixture, 0)->books;
        struct table *table;

        table_free(table_as(fixture, &all, "spans", NULL));
        name(books, NAMES + 1, "before all", "", 0);
        path(books, PATHS + 1, 0, NAMES + 1);
        books->tallies[PATHS + 1].opened = 1;
        table = table_as(fixture, &all, "spans", NULL);
        assert_int_equal(table->row_count, 9);
        assert_string_equal(table_text(table, 0, "span"), "before all");
        assert_string_equal(table_text(table, 1, "span"), "o/dd");
        table_free(table);
}

static void test_filters_and_visibility(void **state) {
        struct fixture *fixture = *state;

        assert_rows(fixture, &all, 3, "ps", NULL, NULL);
        assert_rows(fixture, &all, 8, "spans", NULL, NULL);
        assert_rows(fixture, &all, 10, "tree", NULL, NULL);
        assert_rows(fixture, &user, 2, "ps", NULL, NULL);
        assert_rows(fixture, &user, 4, "spans", NULL, NULL);
        assert_rows(fixture, &user, 5, "tree", NULL, NULL);
        assert_rows(fixture, &user, 0, "ps", "pid#", "100");
        assert_rows(fixture, &user, 0, "spans", "process#", "1");
        assert_rows(fixture, &user, 0, "tree", "unit", "web.service");

        assert_rows(fixture, &all, 1, "ps", "pid#", "200");
        assert_rows(fixture, &all, 0, "ps", "pid#", "18446744073709551615");
        assert_rows(fixture, &all, 4, "spans", "unit", "web.service");
        assert_rows(fixture, &all, 0, "spans", "unit", "web");
        assert_rows(fixture, &all, 2, "spans", "span", "parse");
        assert_rows(fixture, &all, 0, "spans", "span", "pars");
        assert_rows(fixture, &all, 4, "spans", "filter", "dd");
        assert_rows(fixture, &all, 2, "spans", "filter", "eque");
        assert_rows(fixture, &all, 8, "spans", "filter", "");
        assert_rows(fixture, &all, 0, "spans", "filter", "nothing");
        assert_rows(fixture, &all, 2, "spans", "filter", "(outs");
        assert_rows(fixture, &all, 2, "spans", "filter", "ain");
        assert_rows(fixture, &all, 2, "spans", "filter", "(outside) main");
        assert_rows(fixture, &all, 2, "spans", "span", "(outside)");
        assert_rows(fixture, &all, 0, "spans", "span", "main");
        assert_rows(fixture, &all, 1, "ps", "filter", "p20");
        assert_rows(fixture, &all, 3, "ps", "filter", "0");
        assert_rows(fixture, &user, 2, "ps", "filter", "");
        assert_rows(fixture, &all, 0, "ps", "filter", "P200");
        assert_rows(fixture, &all, 1, "ps", "filter", "eb.serv");
        strcpy(process_of(fixture, 2)->exe, "/usr/bin/shop");
        assert_rows(fixture, &all, 1, "ps", "filter", "bin/sh");
        /* Ancestors come with what is below them, so that it stays a tree. */
        assert_rows(fixture, &all, 4, "tree", "filter", "dd/parse");
        assert_rows(fixture, &all, 8, "tree", "filter", "parse");
        assert_rows(fixture, &all, 4, "tree", "filter", "request");
}

static void test_tree(void **state) {
        static const struct {
                const char *path;
                uint64_t depth, bytes, self;
        } expected[] = {
                {"o\\/dd", 0, 10000, 7000},   {"o\\/dd/parse", 1, 3000, 3000}, {"request", 0, 100, 70},
                {"request/parse", 1, 30, 30}, {"(outside)", 0, 100, 100},
        };
        struct fixture *fixture = *state;
        struct table *table = table_as(fixture, &all, "tree", "pid#", "200", NULL);

        assert_int_equal(table->row_count, 5);
        for (size_t i = 0; i < 5; i++) {
                assert_string_equal(table_text(table, i, "path"), expected[i].path);
                assert_string_equal(table_text(table, i, "comm"), "p200");
                assert_int_equal(table_uint(table, i, "depth"), expected[i].depth);
                assert_int_equal(table_uint(table, i, "alloc_bytes"), expected[i].bytes);
                assert_int_equal(table_uint(table, i, "self_alloc_bytes"), expected[i].self);
                assert_int_equal(table_int(table, i, "net_bytes"), expected[i].bytes * 9 / 10);
        }
        table_free(table);
}

static void test_ps_and_status(void **state) {
        struct fixture *fixture = *state;
        struct table *table = table_as(fixture, &all, "ps", NULL);

        assert_int_equal(table->column_count, WIRE_PS_COUNT);
        assert_int_equal(table_uint(table, 0, "alloc_bytes"), 10200);
        assert_int_equal(table_uint(table, 0, "self_alloc_bytes"), 10100);
        assert_int_equal(table_uint(table, 0, "outside_alloc_bytes"), 100);
        assert_int_equal(table_uint(table, 0, "lost_alloc_bytes"), 0);
        assert_int_equal(table_uint(table, 0, "coverage_ppm"), 1000000);
        assert_int_equal(table_uint(table, 0, "rss_bytes"), 0);
        assert_true(table_bool(table, 0, "balanced"));
        assert_false(table_bool(table, 0, "alive"));
        assert_string_equal(table_text(table, 0, "ended"), "exited 0");
        assert_string_equal(table_text(table, 0, "unit"), "web.service");
        assert_non_null(table_map(table, 0, "outside_threads"));

        assert_int_equal(table_uint(table, 2, "pid"), 300);
        assert_int_equal(table_uint(table, 2, "coverage_ppm"), 0);
        assert_non_null(strstr(table_text(table, 2, "counting"), "static executable"));
        table_free(table);

        table = table_as(fixture, &user, "status", NULL);
        assert_int_equal(table->row_count, 1);
        assert_int_equal(table->column_count, WIRE_STATUS_COUNT);
        assert_string_equal(table_text(table, 0, "version"), SPANALLOC_VERSION);
        assert_string_equal(table_text(table, 0, "backend"), "poll");
        assert_int_equal(table_uint(table, 0, "queries"), 1);
        assert_true(table_uint(table, 0, "memory_bytes") > 0);
        table_free(table);
}

static void test_reset_shows_nothing_older(void **state) {
        struct fixture *fixture = *state;
        struct table *table = table_as(fixture, &all, "reset", NULL);

        assert_int_equal(table_uint(table, 0, "processes"), 2);
        table_free(table);
        assert_rows(fixture, &all, 0, "spans", NULL, NULL);
        assert_rows(fixture, &all, 0, "tree", NULL, NULL);
        table = table_as(fixture, &all, "ps", NULL);
        assert_int_equal(table_uint(table, 0, "alloc_bytes"), 0);
        assert_true(table_bool(table, 0, "balanced"));
        table_free(table);
}

static void test_an_answer_that_is_too_long_is_an_error(void **state) {
        struct fixture *fixture = *state;

        wire_buffer_deinit(&fixture->out);
        fixture->out = WIRE_BUFFER_INIT(400);
        assert_error_as(fixture, &all, EMSGSIZE, "fewer rows", "spans", NULL);
}

/* One answer's memory serves the next one, if it is not very much; it goes with the last asker. */
static void test_memory_for_answers(void **state) {
        struct wire_buffer first = WIRE_BUFFER_INIT(1 << 20), second = first, big = WIRE_BUFFER_INIT(2 * QUERY_KEEP);
        struct fixture *fixture = *state;
        struct query *query = fixture->query;
        const void *memory;

        query_lend(query, &first);
        assert_null(first.data);
        wire_put_text(&first, "what was answered");
        memory = first.data;
        query_take_back(query, &first);
        assert_int_equal(first.size, 0);
        assert_null(first.data);

        query_lend(query, &second);
        assert_ptr_equal(second.data, memory);
        query_lend(query, &first);
        assert_null(first.data);
        query_lend(query, &second); /* it has some */
        assert_ptr_equal(second.data, memory);
        query_take_back(query, &second);

        wire_put_nil(&big);
        assert_non_null(wire_buffer_reserve(&big, QUERY_KEEP + 1));
        query_take_back(query, &big);
        assert_null(big.data);
        assert_ptr_equal(query->spare.data, memory);

        table_free(table_as(fixture, &all, "spans", "sort", "-alloc_bytes", NULL));
        assert_true(query->unsorted.allocated > 0);
        query_release(query);
        assert_true(!query->spare.data && !query->unsorted.data);
        table_free(table_as(fixture, &all, "spans", "sort", "-alloc_bytes", NULL));
        query->unsorted.limit = 2 * QUERY_KEEP;
        assert_non_null(wire_buffer_reserve(&query->unsorted, QUERY_KEEP + 1));
        query_take_back(query, &first);
        assert_null(query->unsorted.data);
}

int main(void) {
#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_hello),
                TEST(test_no_request_ends_the_connection),
                TEST(test_mistakes_are_told),
                TEST(test_spans),
                TEST(test_outside),
                TEST(test_outside_since),
                TEST(test_rows_add_up),
                TEST(test_columns),
                TEST(test_sorts_and_limits),
                TEST(test_sorts_by_every_column),
                TEST(test_a_name_that_comes_later),
                TEST(test_filters_and_visibility),
                TEST(test_tree),
                TEST(test_ps_and_status),
                TEST(test_reset_shows_nothing_older),
                TEST(test_an_answer_that_is_too_long_is_an_error),
                TEST(test_memory_for_answers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
