/* SPDX-License-Identifier: MIT */
/*
 * Untrusted requests, from the frame to the answer: the user, the method and the params come from the input.
 *
 * The input's first byte chooses the user, and how the rest is used: as the bytes of a message, or as choices from
 * which a request is made, so that the fuzzer reaches params and methods without having to find msgpack.  The answers
 * come from real books (support/query_fixture.h).
 *
 * For every input: no crash; a refusal, or one whole framed answer within the limits that decodes; and no user sees
 * another user's process.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition)                                                                                             \
        do {                                                                                                           \
                if (!(condition)) {                                                                                    \
                        fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                \
                        abort();                                                                                       \
                }                                                                                                      \
        } while (0)
/* What the fixture needs of cmocka. */
#define assert_true(condition) REQUIRE(condition)
#define assert_non_null(p)     REQUIRE(p)
#define assert_int_equal(a, b) REQUIRE((uint64_t)(a) == (uint64_t)(b))
#define fail_msg(format, ...)  REQUIRE(!format)

#include "tests/support/query_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ANSWER_MAX ((size_t)1 << 20)

static struct fixture *fixture;
static struct query_follower *follower;
static uint64_t events;

struct input {
        const uint8_t *data;
        size_t size;
};

static uint64_t pull(struct input *input, size_t width) {
        uint64_t value = 0;

        for (size_t i = 0; i < width && input->size; i++, input->data++, input->size--)
                value = value << 8 | *input->data;
        return value;
}

/* ------------------------------------------------------------------------------------------ a request from choices -- */

static const char *const methods[] = {"hello",  "status", "ps",   "spans", "tree",
                                      "follow", "reset",  "show", "",      "spans\0x"};
static const char *const params[] = {"process",  "pid",      "unit",   "span", "filter", "sort",         "limit",
                                     "since_ns", "protocol", "client", "odd",  "",       "since_answer", "columns"};
static const char *const texts[] = {"request", "web.service", "o/dd", "alloc_bytes", "-alloc_bytes",
                                    "",        "\xff\xfe",    "span"};

static void put_value(struct wire_buffer *buffer, struct input *input, unsigned depth) {
        static char noise[300];
        size_t n;

        switch (pull(input, 1) % 12) {
        case 0:
        case 1:
        case 2:
                wire_put_uint(buffer, pull(input, 1));
                break;
        case 3:
                wire_put_uint(buffer, pull(input, 8));
                break;
        case 4:
                wire_put_int(buffer, (int64_t)pull(input, 8));
                break;
        case 5:
                wire_put_bool(buffer, pull(input, 1) & 1);
                break;
        case 6:
                wire_put_nil(buffer);
                break;
        case 7:
                n = pull(input, 2) % sizeof noise;
                for (size_t i = 0; i < n; i++)
                        noise[i] = (char)pull(input, 1);
                wire_put_text_n(buffer, noise, n);
                break;
        case 8:
                n = depth ? pull(input, 1) % 8 : 0;
                wire_put_array(buffer, (uint32_t)n);
                while (n--)
                        put_value(buffer, input, depth - 1);
                break;
        case 9:
                n = depth ? pull(input, 1) % 4 : 0;
                wire_put_map(buffer, (uint32_t)n);
                while (n--) {
                        put_value(buffer, input, depth - 1);
                        put_value(buffer, input, depth - 1);
                }
                break;
        default:
                wire_put_text(buffer, texts[pull(input, 1) % (sizeof texts / sizeof *texts)]);
        }
}

static void put_choices(struct wire_buffer *buffer, struct input *input) {
        uint32_t count = (uint32_t)pull(input, 1) % 6;

        wire_put_array(buffer, 4);
        wire_put_uint(buffer, WIRE_MESSAGE_REQUEST);
        wire_put_uint(buffer, pull(input, 1));
        wire_put_text(buffer, methods[pull(input, 1) % (sizeof methods / sizeof *methods)]);
        wire_put_map(buffer, count);
        while (count--) {
                wire_put_text(buffer, params[pull(input, 1) % (sizeof params / sizeof *params)]);
                put_value(buffer, input, 4);
        }
        REQUIRE(buffer->error == 0);
}

/* ----------------------------------------------------------------------------------------------------- the answer -- */

/* In an answer's rows no process but the user's own, nor in what it says of others: the fixture's second and third. */
static void check_visible(struct wire_value result) {
        struct wire_value columns = wire_get(result, "columns"), rows = wire_get(result, "rows");
        struct wire_value unchanged = wire_get(result, "unchanged");
        uint64_t uid, number;

        for (uint32_t i = 0; i < wire_count(unchanged); i++)
                REQUIRE(wire_get_uint(wire_at(unchanged, i), &number) && (number == 2 || number == 3));

        for (uint32_t c = 0; c < wire_count(columns); c++) {
                if (!wire_text_is(wire_at(columns, c), "uid"))
                        continue;
                for (uint32_t i = 0; i < wire_count(rows); i++)
                        REQUIRE(wire_get_uint(wire_at(wire_at(rows, i), c), &uid) && uid == user.uid);
        }
}

static void check_answer(const struct query_peer *peer) {
        struct wire_document *document;
        struct wire_value error;
        const void *message;
        size_t length;
        uint64_t code;

        REQUIRE(wire_frame(fixture->out.data, fixture->out.size, ANSWER_MAX, &message, &length) == 1);
        REQUIRE(length + WIRE_HEADER == fixture->out.size);
        REQUIRE(wire_document_new(&document, message, length, WIRE_ANSWER_MAX) == 0);
        REQUIRE(wire_count(wire_root(document)) == 4);
        error = wire_at(wire_root(document), 2);
        if (wire_type(error) == WIRE_MAP)
                REQUIRE(wire_get_uint(wire_get(error, "code"), &code) && code);
        else
                REQUIRE(wire_type(error) == WIRE_NIL);
        if (!peer->sees_all)
                check_visible(wire_at(wire_root(document), 3));
        wire_document_free(document);
}

static int sink(void *userdata, const void *frame, size_t size) {
        const void *message;
        size_t length;

        REQUIRE(wire_frame(frame, size, ANSWER_MAX, &message, &length) == 1 && wire_scan(message, length, 4) == 0);
        return ++events % 3 ? 0 : -ENOBUFS;
}

static void follow(const struct query_peer *peer, const void *message, size_t size) {
        if (query_follow_add(fixture->query, &follower, peer, message, size, sink, NULL) < 0)
                return;
        for (size_t i = 0; i < 2; i++)
                play(fixture, process_of(fixture, i)->books);
        query_follow_resume(follower);
        follower = query_follow_remove(follower);
}

static void ask(const struct query_peer *peer, const void *message, size_t size) {
        int r;

        wire_buffer_consume(&fixture->out, fixture->out.size);
        r = query_answer(fixture->query, peer, message, size, &fixture->out);
        REQUIRE(r == -EPROTO || r >= 0);
        if (r < 0) {
                REQUIRE(fixture->out.size == 0);
                return;
        }
        check_answer(peer);
        if (r == QUERY_FOLLOWS)
                follow(peer, message, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const struct query_peer stranger = {.uid = 1001};
        static uint64_t runs;
        struct wire_buffer request = WIRE_BUFFER_INIT(WIRE_REQUEST_MAX);
        struct input input = {data, size};
        const struct query_peer *peer;
        unsigned kind;

        if (runs++ % 100000 == 0) { /* so that sums and histograms do not grow for ever */
                if (fixture)
                        teardown((void **)&fixture);
                setup((void **)&fixture);
        }
        kind = (unsigned)pull(&input, 1);
        peer = kind % 3 == 0 ? &all : kind % 3 == 1 ? &user : &stranger;
        if (kind & 0x80) {
                put_choices(&request, &input);
                ask(peer, request.data, request.size);
        } else if (wire_scan(input.data, input.size, WIRE_DEPTH_MAX) == 0 && input.size <= WIRE_REQUEST_MAX) {
                ask(peer, input.data, input.size);
        }
        wire_buffer_deinit(&request);
        return 0;
}
