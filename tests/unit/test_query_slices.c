/* SPDX-License-Identifier: MIT */
/*
 * Answers in slices: each look at the clock says that the slice is over.  The answer is the one that is made in one go; and
 * where the books change, or the process goes, between two slices, it is still an answer.
 *
 * Labels: valgrind
 * Wrap: reactor_slice_is_over
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/query/query_private.h"
#include "tests/support/query_fixture.h"

enum { MANY = 1500, SHARED = MANY + 10, MORE = 400 }; /* names of a path each, and one of as many paths */

static bool is_late;
static unsigned looks;

bool __wrap_reactor_slice_is_over(uint64_t end_ns);
bool __wrap_reactor_slice_is_over(uint64_t end_ns) {
        looks++;
        return is_late;
}

static void count(struct books *books, uint32_t path_id, uint32_t n) {
        struct tally *t = &books->tallies[path_id];

        for (int c = 0; c < SHM_COUNTERS; c++) {
                uint64_t value = 1 + n * UINT64_C(2654435761) % (1000u + (unsigned)c);

                t->self[c] = t->total[c] = value;
                books->lanes[1].last[c] += value;
                books->lanes[1].self[c] += BOOKS_ARE_CHECKED ? value : 0;
        }
        t->opened = t->closed = t->cycles = 1 + n % 3;
}

static void add_name(struct books *books, uint32_t id, uint32_t parent) {
        char text[32];

        snprintf(text, sizeof(text), "%u/%u", id * 2654435761u % 1000, id);
        name(books, id, text, "file.c", id);
        path(books, books->book->paths + 1, parent, id);
        count(books, books->book->paths, id);
}

/* In the place of what the first process had: the same, and many names and paths more. */
static void fill(struct fixture *fixture) {
        const struct books_limits limits = {.names = 4096, .paths = 8192, .lanes = 2, .instances = 16, .threads = 4};
        struct process *process = process_of(fixture, 0);
        struct books *books;

        process->books = books_free(process->books);
        new_books(process);
        process->books = books_free(process->books);
        assert_int_equal(books_new(&books, &limits, 1), 0);
        name(books, SHM_NAME_OTHER, "(other)", "", 0);
        name(books, REQUEST, "request", "server.c", 12);
        name(books, PARSE, "parse", "parse.c", 7);
        name(books, ODD, "o/dd", "", 0);
        path(books, SHM_PATH_OTHER, 0, SHM_NAME_OTHER);
        path(books, AT_REQUEST, 0, REQUEST);
        path(books, AT_PARSE, AT_REQUEST, PARSE);
        path(books, AT_ODD, 0, ODD);
        path(books, AT_ODD_PARSE, AT_ODD, PARSE);
        books->book->lanes = 2;
        books->book->threads = 1;
        name(books, SHARED, "shared", "", 0);
        for (uint32_t id = NAMES + 1; id <= NAMES + MANY; id++) {
                add_name(books, id, 0);
                path(books, books->book->paths + 1, books->book->paths, SHARED);
                count(books, books->book->paths, id);
        }
        books->book->names = SHARED;
        process->books = books;
        process_listen(process);
        play(fixture, books);
}

static int setup_many(void **state) {
        int r = setup(state);

        is_late = false;
        fill(*state);
        return r;
}

static void put(struct wire_buffer *request, const char *method, ...) {
        va_list params;

        wire_buffer_consume(request, request->size);
        va_start(params, method);
        put_request(request, method, params);
        va_end(params);
}

/* Two answers differ in when they were made. */
static void mask_time(struct wire_buffer *out) {
        unsigned char *at = memmem(out->data, out->size, "time_ns", 7);

        assert_non_null(at);
        memset(at + 7, 0, 9);
}

typedef void (*between_fn)(struct fixture *fixture, unsigned slice);

static unsigned answer_in_slices(struct fixture *fixture, const struct wire_buffer *request, struct wire_buffer *out,
                                 between_fn between) {
        unsigned slices = 0;
        int r;

        is_late = true;
        do {
                r = query_answer_some(fixture->query, fixture, &all, request->data, request->size, out);
                if (between && r == QUERY_UNFINISHED)
                        between(fixture, slices);
                slices++;
                assert_true(slices < 100000);
        } while (r == QUERY_UNFINISHED);
        is_late = false;
        assert_int_equal(r, QUERY_ANSWERED);
        return slices;
}

static const struct {
        const char *method, *key, *value;
        unsigned slices; /* at least */
} requests[] = {
        {"spans", NULL, NULL, 10},
        {"spans", "sort", "-alloc_bytes", 10},
        {"spans", "sort", "path", 100},
        {"spans", "sort", "-alloc_bytes_rate_10s", 10},
        {"spans", "sort", "per_call_p99", 10},
        {"spans", "limit#", "300", 100},
        {"spans", "filter", "shared", 8},
        {"spans", "columns", "span,threads,paths", 10},
        {"spans", "columns", "span,per_call_histogram,paths,alloc_bytes", 10},
        {"tree", NULL, NULL, 100},
        {"tree", "filter", "shared", 100},
        {"ps", NULL, NULL, 1},
        {"ps", "sort", "-alloc_bytes", 2},
};

static void test_the_same_answer(void **state) {
        struct wire_buffer request = WIRE_BUFFER_INIT(4096), sliced = WIRE_BUFFER_INIT(1 << 24);
        struct fixture *fixture = *state;

        fixture->out.limit = 1 << 24;
        for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
                unsigned slices;

                put(&request, requests[i].method, requests[i].key, requests[i].value, NULL);
                wire_buffer_consume(&fixture->out, fixture->out.size);
                wire_buffer_consume(&sliced, sliced.size);
                assert_int_equal(query_answer(fixture->query, &all, request.data, request.size, &fixture->out),
                                 QUERY_ANSWERED);
                slices = answer_in_slices(fixture, &request, &sliced, NULL);
                if (slices < requests[i].slices)
                        fail_msg("request %zu: %u slices", i, slices);
                mask_time(&fixture->out);
                mask_time(&sliced);
                assert_int_equal(sliced.size, fixture->out.size);
                assert_memory_equal(sliced.data, fixture->out.data, sliced.size);
        }
        wire_buffer_deinit(&sliced);
        wire_buffer_deinit(&request);
}

static struct table *decode(struct fixture *fixture, const char *method, const struct wire_buffer *out) {
        struct wire_value error, result;
        struct wire_document *document;
        struct table *table;

        wire_buffer_consume(&fixture->out, fixture->out.size);
        assert_int_equal(wire_buffer_append(&fixture->out, out->data, out->size), 0);
        document = read_answer(fixture, &error, &result);
        assert_int_equal(table_decode(&table, method, result, out->size), 0);
        wire_document_free(document);
        return table;
}

/* Names and paths come, and what is there is counted on. */
static void change(struct fixture *fixture, unsigned slice) {
        struct books *books = process_of(fixture, 0)->books;

        play(fixture, books);
        if (books->book->names < SHARED + MORE)
                add_name(books, books->book->names + 1, AT_ODD);
}

static void test_changes_meanwhile(void **state) {
        struct wire_buffer request = WIRE_BUFFER_INIT(4096), out = WIRE_BUFFER_INIT(1 << 24);
        struct fixture *fixture = *state;

        fixture->out.limit = 1 << 24;
        for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
                struct table *table;

                put(&request, requests[i].method, requests[i].key, requests[i].value, NULL);
                wire_buffer_consume(&out, out.size);
                answer_in_slices(fixture, &request, &out, change);
                table = decode(fixture, requests[i].method, &out);
                assert_true(table->row_count > 0);
                for (size_t row = 0; row < table->row_count; row++) {
                        if (!strcmp(requests[i].method, "ps"))
                                assert_true(table_bool(table, row, "balanced"));
                        if (!strcmp(requests[i].method, "tree"))
                                assert_true(table_uint(table, row, "self_alloc_bytes") <=
                                            table_uint(table, row, "alloc_bytes"));
                }
                table_free(table);
        }
        wire_buffer_deinit(&out);
        wire_buffer_deinit(&request);
}

static void remove_it(struct fixture *fixture, unsigned slice) {
        struct process *process = process_of(fixture, 0);

        if (slice < 5 || !process || process->pid != 100)
                return;
        processes_remove(process);
        process_free(process);
}

static void test_it_goes_meanwhile(void **state) {
        struct wire_buffer request = WIRE_BUFFER_INIT(4096), out = WIRE_BUFFER_INIT(1 << 24);
        struct fixture *fixture = *state;
        struct table *table;

        fixture->out.limit = 1 << 24;
        put(&request, "tree", NULL);
        answer_in_slices(fixture, &request, &out, remove_it);
        table = decode(fixture, "tree", &out);
        assert_true(table->row_count > MANY);
        table_free(table);
        assert_int_equal(processes_count(fixture->collector->processes), 2);
        wire_buffer_deinit(&out);
        wire_buffer_deinit(&request);
}

static unsigned comes_at;

static void add_one(struct fixture *fixture, unsigned slice) {
        struct process *process;

        if (slice != comes_at)
                return;
        process = new_process(fixture->collector, 900, 0, "late.service");
        new_books(process);
        play(fixture, process->books);
}

/* In whatever step of the answer a process attaches: each row is of a process. */
static void test_one_comes_meanwhile(void **state) {
        struct wire_buffer request = WIRE_BUFFER_INIT(4096), out = WIRE_BUFFER_INIT(1 << 24);
        struct fixture *fixture = *state;

        fixture->out.limit = 1 << 24;
        for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
                unsigned slices;

                put(&request, requests[i].method, requests[i].key, requests[i].value, NULL);
                wire_buffer_consume(&out, out.size);
                slices = answer_in_slices(fixture, &request, &out, NULL);
                if (!strcmp(requests[i].key ? requests[i].key : "", "columns"))
                        continue; /* without pid */
                for (unsigned k = 0; k < 12; k++) {
                        struct table *table;
                        struct process *process;

                        comes_at = slices < 12 ? k : slices - 1 - slices * k / 12;
                        wire_buffer_consume(&out, out.size);
                        answer_in_slices(fixture, &request, &out, add_one);
                        table = decode(fixture, requests[i].method, &out);
                        assert_true(table->row_count > 0);
                        for (size_t row = 0; row < table->row_count; row++)
                                assert_in_range(table_uint(table, row, "pid"), 100, 900);
                        table_free(table);
                        process = processes_by_pid(fixture->collector->processes, 900);
                        if (process) {
                                processes_remove(process);
                                process_free(process);
                        }
                }
        }
        wire_buffer_deinit(&out);
        wire_buffer_deinit(&request);
}

/* One that leaves in the middle of its answer leaves nothing. */
static void test_cancelled(void **state) {
        struct wire_buffer request = WIRE_BUFFER_INIT(4096), out = WIRE_BUFFER_INIT(1 << 24);
        struct fixture *fixture = *state;

        for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
                for (unsigned slices = 1; slices < 40; slices += 7) {
                        int r = QUERY_UNFINISHED;

                        put(&request, requests[i].method, requests[i].key, requests[i].value, NULL);
                        wire_buffer_consume(&out, out.size);
                        is_late = true;
                        for (unsigned n = 0; n < slices && r == QUERY_UNFINISHED; n++)
                                r = query_answer_some(fixture->query, fixture, &all, request.data, request.size, &out);
                        is_late = false;
                        query_cancel(fixture->query, fixture);
                }
        wire_buffer_deinit(&out);
        wire_buffer_deinit(&request);
}

/* What is asked for in one go is answered so, however long it takes. */
static void test_in_one_go(void **state) {
        static const char *const methods[] = {"spans", "tree", "ps", "status", "reset"};
        struct wire_buffer request = WIRE_BUFFER_INIT(4096);
        struct fixture *fixture = *state;

        fixture->out.limit = 1 << 24;
        is_late = true;
        for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
                put(&request, methods[i], NULL);
                wire_buffer_consume(&fixture->out, fixture->out.size);
                assert_int_equal(query_answer(fixture->query, &all, request.data, request.size, &fixture->out),
                                 QUERY_ANSWERED);
        }
        wire_buffer_deinit(&request);
}

#define TEST(name_) cmocka_unit_test_setup_teardown(name_, setup_many, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {TEST(test_the_same_answer),   TEST(test_changes_meanwhile),
                                           TEST(test_it_goes_meanwhile), TEST(test_one_comes_meanwhile),
                                           TEST(test_cancelled),         TEST(test_in_one_go)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
