/* SPDX-License-Identifier: MIT */
/*
 * For tests of queries: two processes of two users with books that a script filled, and one that was never counted.
 *
 * No segment and no socket: records go straight into the books.  Everything but cmocka.h and what it needs is included.
 */
#pragma once

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/attribution/frames.h"
#include "daemon/books/books_layout.h"
#include "daemon/collector/collector_private.h"
#include "daemon/processes/process_private.h"
#include "daemon/query/query.h"
#include "daemon/wire/wire.h"
#include "query/table_decode.h"

enum { REQUEST = 2, PARSE, ODD, NAMES = ODD };
enum { AT_REQUEST = 2, AT_PARSE, AT_ODD, AT_ODD_PARSE, PATHS = AT_ODD_PARSE };

__attribute__((unused)) static const struct query_peer all = {.uid = 0, .sees_all = 1, .greeted = 1};
__attribute__((unused)) static const struct query_peer user = {.uid = 1001, .greeted = 1};

#define STEP (UINT64_C(1) << 32) /* from one span of lane 0 to the next */

struct fixture {
        struct reactor *reactor;
        struct collector *collector;
        struct query *query;
        struct wire_buffer out;
        uint64_t instance; /* spans so far */
};

/* ------------------------------------------------------------------------------------------------- the script -- */

static inline void name(struct books *books, uint32_t id, const char *text, const char *file, uint32_t line) {
        struct book_name *entry = &books->names[id];

        snprintf(entry->name, sizeof(entry->name), "%s", text);
        snprintf(entry->file, sizeof(entry->file), "%s", file);
        entry->line = line;
        books->book->names = id;
}

static inline void path(struct books *books, uint32_t id, uint32_t parent, uint32_t name_id) {
        books->tallies[id].parent = parent;
        books->tallies[id].name = name_id;
        books->tallies[id].depth = parent ? books->tallies[parent].depth + 1 : 0;
        books->tallies[id].next_path = books->names[name_id].first_path;
        books->names[name_id].first_path = id;
        books->book->paths = id;
}

static inline void new_books(struct process *process) {
        const struct books_limits limits = {.names = 16, .paths = 16, .lanes = 2, .instances = 16, .threads = 4};
        struct books *books;

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
        books->book->lanes = 1;
        books->book->threads = 1;
        snprintf(books->threads[0].name, sizeof(books->threads[0].name), "main");
        process->books = books;
        process_listen(process);
}

static inline struct process *new_process(struct collector *collector, pid_t pid, uid_t uid, const char *unit) {
        const struct newcomer newcomer = {.pid = pid, .uid = uid, .pidfd = -1};
        struct process *process = process_new(collector->processes, &newcomer);

        assert_non_null(process);
        process->number = (uint64_t)processes_count(collector->processes) + 1;
        snprintf(process->unit, sizeof(process->unit), "%s", unit);
        snprintf(process->comm, sizeof(process->comm), "p%d", (int)pid);
        /* Ended: nothing is looked up about the pid. */
        process->end = PROCESS_EXIT_CODE;
        assert_int_equal(processes_insert(process), 0);
        return process;
}

static inline struct process *process_of(const struct fixture *fixture, size_t index) {
        return processes_at(fixture->collector->processes, index);
}

/* One record; `bytes` is the thread's alloc_bytes then, its frees are a tenth of it. */
static inline void feed(struct books *books, enum shm_kind kind, uint64_t instance, uint32_t path_id, uint64_t bytes) {
        struct shm_record record = {
                .instance = instance,
                .path = path_id,
                .kind = (uint16_t)kind,
                .flags = kind == SHM_KIND_BASE ? 0 : SHM_FLAG_SCOPE,
                .counters = {bytes / 10, bytes, bytes / 100, bytes / 10},
        };

        record.sequence = books->lanes[0].position;
        frames_begin(books, 0);
        frames_feed(books, 0, &record, SPANS_FIRST_LOOK);
}

/* Outside: 100; request: 50, its parse: 30, request again: 20; then o/dd: 7 000 around a parse of 3 000. */
static inline void play(struct fixture *fixture, struct books *books) {
        uint64_t at = books->lanes[0].last[SHM_ALLOC_BYTES], first = ++fixture->instance << 32;

        books_begin(books, 2);
        feed(books, SHM_KIND_BASE, 0, 0, at);
        feed(books, SHM_KIND_ENTER, first, AT_REQUEST, at + 100);
        feed(books, SHM_KIND_ENTER, first + STEP, AT_PARSE, at + 150);
        feed(books, SHM_KIND_EXIT, first + STEP, AT_PARSE, at + 180);
        feed(books, SHM_KIND_EXIT, first, AT_REQUEST, at + 200);
        feed(books, SHM_KIND_ENTER, first + 2 * STEP, AT_ODD, at + 200);
        feed(books, SHM_KIND_ENTER, first + 3 * STEP, AT_ODD_PARSE, at + 4200);
        feed(books, SHM_KIND_EXIT, first + 3 * STEP, AT_ODD_PARSE, at + 7200);
        feed(books, SHM_KIND_EXIT, first + 2 * STEP, AT_ODD, at + 10200);
        books_commit(books);
        fixture->instance += 3;
}

static inline int setup(void **state) {
        struct fixture *fixture = calloc(1, sizeof(*fixture));
        struct process *process;

        assert_non_null(fixture);
        assert_int_equal(reactor_new(&fixture->reactor, REACTOR_POLL), 0);
        assert_int_equal(collector_new(&fixture->collector, fixture->reactor, &collector_options_default), 0);
        assert_int_equal(query_new(&fixture->query, fixture->collector), 0);
        fixture->out = WIRE_BUFFER_INIT(1 << 20);

        process = new_process(fixture->collector, 100, 1000, "web.service");
        new_books(process);
        play(fixture, process->books);

        process = new_process(fixture->collector, 200, 1001, "");
        new_books(process);
        play(fixture, process->books);

        process = new_process(fixture->collector, 300, 1001, "");
        process->unattached = true;
        snprintf(process->why, sizeof(process->why), "static executable");
        *state = fixture;
        return 0;
}

static inline int teardown(void **state) {
        struct fixture *fixture = *state;

        query_free(fixture->query);
        collector_free(fixture->collector);
        reactor_free(fixture->reactor);
        wire_buffer_deinit(&fixture->out);
        free(fixture);
        return 0;
}

/* --------------------------------------------------------------------------------------------------- requests -- */

/* `params`: pairs of a name and a text, or of a name that ends in '#' and a number in the text; then NULL. */
static inline void put_request(struct wire_buffer *buffer, const char *method, va_list params) {
        const char *keys[8], *values[8];
        uint32_t count = 0;

        while ((keys[count] = va_arg(params, const char *)))
                values[count++] = va_arg(params, const char *);

        wire_put_array(buffer, 4);
        wire_put_uint(buffer, WIRE_MESSAGE_REQUEST);
        wire_put_uint(buffer, 77);
        wire_put_text(buffer, method);
        wire_put_map(buffer, count);
        for (uint32_t i = 0; i < count; i++) {
                size_t length = strlen(keys[i]);
                bool number = keys[i][length - 1] == '#';

                wire_put_text_n(buffer, keys[i], length - number);
                if (number)
                        wire_put_uint(buffer, strtoull(values[i], NULL, 10));
                else
                        wire_put_text(buffer, values[i]);
        }
        assert_int_equal(buffer->error, 0);
}

static inline int ask_as(struct fixture *fixture, const struct query_peer *peer, const char *method, va_list params) {
        struct wire_buffer request = WIRE_BUFFER_INIT(WIRE_REQUEST_MAX);
        int r;

        put_request(&request, method, params);
        wire_buffer_consume(&fixture->out, fixture->out.size);
        r = query_answer(fixture->query, peer, request.data, request.size, &fixture->out);
        wire_buffer_deinit(&request);
        return r;
}

/* The answer's error (or nil) and result. */
static inline struct wire_document *read_answer(struct fixture *fixture, struct wire_value *ret_error,
                                                struct wire_value *ret_result) {
        struct wire_document *document;
        const void *message;
        size_t size;
        uint64_t u;

        assert_int_equal(wire_frame(fixture->out.data, fixture->out.size, WIRE_ANSWER_MAX, &message, &size), 1);
        assert_int_equal(size + WIRE_HEADER, fixture->out.size);
        assert_int_equal(wire_document_new(&document, message, size, WIRE_ANSWER_MAX), 0);
        assert_true(wire_get_uint(wire_at(wire_root(document), 0), &u) && u == WIRE_MESSAGE_ANSWER);
        assert_true(wire_get_uint(wire_at(wire_root(document), 1), &u) && u == 77);
        *ret_error = wire_at(wire_root(document), 2);
        *ret_result = wire_at(wire_root(document), 3);
        return document;
}

static inline struct table *table_as(struct fixture *fixture, const struct query_peer *peer, const char *method, ...) {
        struct wire_document *document;
        struct wire_value error, result;
        struct table *table = NULL;
        va_list params;

        va_start(params, method);
        assert_int_equal(ask_as(fixture, peer, method, params), QUERY_ANSWERED);
        va_end(params);

        document = read_answer(fixture, &error, &result);
        assert_int_equal(wire_type(error), WIRE_NIL);
        if (wire_type(wire_get(result, "rows")) == WIRE_ARRAY)
                assert_int_equal(table_decode(&table, method, result, fixture->out.size), 0);
        else
                assert_int_equal(table_decode_map(&table, method, result, fixture->out.size), 0);
        wire_document_free(document);
        return table;
}

static inline void assert_error_as(struct fixture *fixture, const struct query_peer *peer, int code, const char *part,
                                   const char *method, ...) {
        struct wire_document *document;
        struct wire_value error, result;
        char message[512] = "", hint[1024] = "";
        va_list params;
        uint64_t u = 0;

        va_start(params, method);
        assert_int_equal(ask_as(fixture, peer, method, params), QUERY_ANSWERED);
        va_end(params);

        document = read_answer(fixture, &error, &result);
        assert_int_equal(wire_type(result), WIRE_NIL);
        assert_true(wire_get_uint(wire_get(error, "code"), &u));
        assert_int_equal(u, code);
        assert_true(wire_text_is(wire_get(error, "name"), strerrorname_np(code)));
        assert_true(wire_copy_text(wire_get(error, "message"), message, sizeof(message)));
        assert_true(wire_copy_text(wire_get(error, "hint"), hint, sizeof(hint)));
        assert_true(strlen(message) > 0);
        if (!strstr(message, part) && !strstr(hint, part))
                fail_msg("neither '%s' nor '%s' says '%s'", message, hint, part);
        wire_document_free(document);
}
