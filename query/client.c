/* SPDX-License-Identifier: MIT */
/*
 * The client: requests out, answers and events in, over a socket or through a function of this process.  Where the socket is
 * lives in client_socket.c, sentences in client_error.c, decoding in table.c.
 */
#include "query/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/files.h"
#include "query/client_error.h"
#include "query/client_socket.h"
#include "query/table_decode.h"

#define TIMEOUT_MS 10000
#define READ_BYTES ((size_t)64 << 10)

struct client {
        int fd;                  /* -1: local */
        client_answer_fn answer; /* NULL: by socket */
        void *answer_userdata;
        int timeout_ms;
        uint64_t last_id;
        char path[CLIENT_PATH_BYTES];
        char version[64];
        struct wire_buffer out, in;
        size_t taken; /* bytes at the front of `in` that were returned as a message */
};

/* ---------------------------------------------------------------------------------------------------- messages -- */

/* The next whole message, valid until the next call. */
static int next_message(struct client *client, uint64_t deadline, bool interruptible, const void **ret_message,
                        size_t *ret_size) {
        ssize_t n;
        void *to;
        int r;

        for (;;) {
                r = client->in.size == 0 ? 0
                                         : wire_frame(client->in.data + client->taken, client->in.size - client->taken,
                                                      WIRE_ANSWER_MAX, ret_message, ret_size);
                if (r < 0)
                        return r;
                if (r > 0) {
                        client->taken += WIRE_HEADER + *ret_size;
                        return 0;
                }
                if (client->fd < 0)
                        return -EBADMSG;

                wire_buffer_consume(&client->in, client->taken);
                client->taken = 0;
                to = wire_buffer_reserve(&client->in, READ_BYTES);
                if (!to)
                        return client->in.error;

                r = client_socket_wait(client->fd, POLLIN, deadline, interruptible);
                if (r < 0)
                        return r;
                n = recv(client->fd, to, READ_BYTES, MSG_DONTWAIT);
                if (n == 0)
                        return -ECONNRESET;
                if (n > 0)
                        client->in.size += (size_t)n;
                else if (errno != EAGAIN && errno != EINTR)
                        return -errno;
        }
}

static int send_request(struct client *client, uint64_t deadline) {
        const void *message;
        size_t size;
        int r;

        if (!client->answer)
                return client_socket_send(client->fd, client->out.data, client->out.size, deadline);

        wire_buffer_consume(&client->in, client->in.size);
        client->taken = 0;
        r = wire_frame(client->out.data, client->out.size, WIRE_REQUEST_MAX, &message, &size);
        if (r > 0)
                r = client->answer(client->answer_userdata, message, size, &client->in);
        return r < 0 ? r : 0;
}

static void begin_request(struct client *client, const char *method) {
        wire_buffer_consume(&client->out, client->out.size);
        wire_begin(&client->out);
        wire_put_array(&client->out, 4);
        wire_put_uint(&client->out, WIRE_MESSAGE_REQUEST);
        wire_put_uint(&client->out, ++client->last_id);
        wire_put_text(&client->out, method);
}

/* Sends what `out` holds and waits for its answer. */
static int exchange(struct client *client, const void **ret_message, size_t *ret_size, struct client_error *ret_error) {
        uint64_t deadline = client_deadline(client->timeout_ms);
        int r;

        r = wire_end(&client->out, 0);
        if (r == -EMSGSIZE)
                return client_fail(ret_error, EMSGSIZE, CLIENT_ERROR_REFUSED,
                                   "the request is too long; give shorter filters");
        if (r >= 0)
                r = send_request(client, deadline);
        /* A collector that refuses a connection says so and closes: what it said counts, not that it closed. */
        if (r >= 0 || r == -EPIPE || r == -ECONNRESET)
                r = next_message(client, deadline, false, ret_message, ret_size);
        return r < 0 ? client_fail_lost(ret_error, r, client->path) : 0;
}

/* The answer as a document.  *ret_result lives in it. */
static int decode_answer(struct client *client, const void *message, size_t size, struct wire_document **ret_document,
                         struct wire_value *ret_result, struct client_error *ret_error) {
        struct wire_document *document;
        struct wire_value root;
        uint64_t kind, id;
        int r;

        r = wire_document_new(&document, message, size, WIRE_ANSWER_MAX);
        if (r < 0)
                return client_fail_lost(ret_error, r, client->path);

        root = wire_root(document);
        if (!wire_get_uint(wire_at(root, 0), &kind) || kind != WIRE_MESSAGE_ANSWER || wire_count(root) != 4)
                r = client_fail_lost(ret_error, -EBADMSG, client->path);
        else if (wire_type(wire_at(root, 2)) == WIRE_MAP)
                r = client_fail_answer(ret_error, wire_at(root, 2));
        else if (!wire_get_uint(wire_at(root, 1), &id) || id != client->last_id)
                r = client_fail_lost(ret_error, -EBADMSG, client->path);
        if (r < 0) {
                wire_document_free(document);
                return r;
        }

        *ret_result = wire_at(root, 3);
        *ret_document = document;
        return 0;
}

static int transact(struct client *client, struct wire_document **ret_document, struct wire_value *ret_result,
                    size_t *ret_size, struct client_error *ret_error) {
        const void *message;
        int r;

        r = exchange(client, &message, ret_size, ret_error);
        return r < 0 ? r : decode_answer(client, message, *ret_size, ret_document, ret_result, ret_error);
}

/* True if it is the answer to the last request, without an error; the cursor is then before its result. */
static bool is_plain_answer(const struct client *client, struct wire_cursor *cursor) {
        struct wire_item root, kind, id, error;

        return wire_cursor_next(cursor, &root) && root.type == WIRE_ARRAY && root.u == 4 &&
               wire_cursor_next(cursor, &kind) && kind.type == WIRE_UINT && kind.u == WIRE_MESSAGE_ANSWER &&
               wire_cursor_next(cursor, &id) && id.type == WIRE_UINT && id.u == client->last_id &&
               wire_cursor_next(cursor, &error) && error.type == WIRE_NIL;
}

/* ------------------------------------------------------------------------------------------------ construction -- */

static int say_hello(struct client *client, const char *program, struct client_error *ret_error) {
        struct wire_document *document;
        struct wire_value result;
        uint64_t protocol = 0;
        size_t size;
        int r;

        begin_request(client, "hello");
        wire_put_map(&client->out, 2);
        wire_put_text(&client->out, "protocol");
        wire_put_uint(&client->out, WIRE_PROTOCOL);
        wire_put_text(&client->out, "client");
        wire_put_text(&client->out, program ? program : "client");
        r = transact(client, &document, &result, &size, ret_error);
        if (r < 0)
                return r;

        client_copy_clean(client->version, sizeof(client->version), wire_get(result, "version"));
        if (!wire_get_uint(wire_get(result, "protocol"), &protocol) || protocol != WIRE_PROTOCOL)
                r = client_fail_lost(ret_error, -EBADMSG, client->path);
        wire_document_free(document);
        return r;
}

static struct client *client_alloc(void) {
        struct client *client = calloc(1, sizeof(*client));

        if (client) {
                client->fd = -1;
                client->timeout_ms = TIMEOUT_MS;
                client->out = WIRE_BUFFER_INIT(WIRE_REQUEST_MAX + WIRE_HEADER);
                client->in = WIRE_BUFFER_INIT(WIRE_ANSWER_MAX + WIRE_HEADER + READ_BYTES);
        }
        return client;
}

int client_new(struct client **ret, const struct client_options *options, struct client_error *ret_error) {
        static const struct client_options defaults;
        struct client *client;
        int r;

        client = client_alloc();
        if (!client)
                return client_fail(ret_error, ENOMEM, CLIENT_ERROR_FAILED,
                                   "out of memory; end other programs and try again");

        if (!options)
                options = &defaults;
        if (options->timeout_ms > 0)
                client->timeout_ms = options->timeout_ms;

        r = client_socket_open(&client->fd, client->path, options, client->timeout_ms, ret_error);
        if (r >= 0)
                r = say_hello(client, options->program, ret_error);
        if (r < 0) {
                client_free(client);
                return r;
        }

        *ret = client;
        return 0;
}

int client_new_local(struct client **ret, client_answer_fn answer, void *userdata) {
        struct client *client;

        client = client_alloc();
        if (!client)
                return -ENOMEM;

        client->answer = answer;
        client->answer_userdata = userdata;
        snprintf(client->version, sizeof(client->version), "%s", SPANALLOC_VERSION);
        *ret = client;
        return 0;
}

struct client *client_free(struct client *client) {
        if (!client)
                return NULL;

        close_fd(client->fd);
        wire_buffer_deinit(&client->out);
        wire_buffer_deinit(&client->in);
        free(client);
        return NULL;
}

const char *client_path(const struct client *client) {
        return client->path;
}

const char *client_peer_version(const struct client *client) {
        return client->version;
}

int client_fd(const struct client *client) {
        return client->fd;
}

/* ----------------------------------------------------------------------------------------------------- asking -- */

static void put_params(struct wire_buffer *out, const struct client_params *params) {
        static const struct client_params none;
        const struct client_params *p = params ? params : &none;
        const struct {
                const char *name, *text;
                uint64_t number;
        } all[] = {
                {"process", NULL, p->process}, {"pid", NULL, (uint64_t)p->pid}, {"unit", p->unit, 0},
                {"span", p->span, 0},          {"filter", p->filter, 0},        {"sort", p->sort, 0},
                {"limit", NULL, p->limit},     {"since_ns", NULL, p->since_ns}, {"columns", p->columns, 0},
        };
        uint32_t count = (p->on != NULL) + (p->since_answer != NULL);

        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
                count += all[i].text || all[i].number > 0;

        wire_put_map(out, count);
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
                if (!all[i].text && all[i].number == 0)
                        continue;
                wire_put_text(out, all[i].name);
                if (all[i].text)
                        wire_put_text(out, all[i].text);
                else
                        wire_put_uint(out, all[i].number);
        }
        if (p->on) {
                wire_put_text(out, "on");
                wire_put_uint(out, *p->on);
        }
        if (p->since_answer) {
                wire_put_text(out, "since_answer");
                wire_put_uint(out, *p->since_answer);
        }
}

int client_call(struct client *client, const char *method, const struct client_params *params, struct table **ret,
                struct client_error *ret_error) {
        struct wire_document *document;
        struct wire_value result;
        size_t size;
        int r;

        begin_request(client, method);
        put_params(&client->out, params);
        r = transact(client, &document, &result, &size, ret_error);
        if (r < 0)
                return r;

        if (wire_type(wire_get(result, "rows")) == WIRE_ARRAY)
                r = table_decode(ret, method, result, size);
        else
                r = table_decode_map(ret, method, result, size);
        wire_document_free(document);
        return r < 0 ? client_fail_lost(ret_error, r, client->path) : 0;
}

int client_call_raw(struct client *client, const char *method, const struct client_params *params,
                    struct wire_cursor *ret_result, struct client_error *ret_error) {
        struct wire_document *document;
        struct wire_cursor cursor;
        struct wire_value result;
        const void *message;
        size_t size;
        int r;

        begin_request(client, method);
        put_params(&client->out, params);
        r = exchange(client, &message, &size, ret_error);
        if (r < 0)
                return r;

        cursor = (struct wire_cursor){message, size};
        if (is_plain_answer(client, &cursor)) {
                *ret_result = cursor;
                return 0;
        }
        r = decode_answer(client, message, size, &document, &result, ret_error);
        if (r < 0)
                return r;
        wire_document_free(document);
        return client_fail_form(client, ret_error);
}

int client_fail_form(const struct client *client, struct client_error *ret_error) {
        return client_fail_lost(ret_error, -EBADMSG, client->path);
}

int client_follow(struct client *client, const struct client_params *params, struct client_error *ret_error) {
        struct wire_document *document;
        struct wire_value result;
        size_t size;
        int r;

        if (client->answer)
                return client_fail(ret_error, EOPNOTSUPP, CLIENT_ERROR_FAILED,
                                   "there are no events without a daemon; start spanallocd");

        begin_request(client, "follow");
        put_params(&client->out, params);
        r = transact(client, &document, &result, &size, ret_error);
        if (r >= 0)
                wire_document_free(document);
        return r;
}

/* A client_event; CLIENT_TIMEOUT for a notification of an unknown kind. */
static int decode_event(struct wire_value root, size_t size, struct table **ret_table,
                        struct client_marker *ret_marker) {
        struct wire_value params = wire_at(root, 2);
        uint64_t kind;
        int r;

        if (!wire_get_uint(wire_at(root, 0), &kind) || kind != WIRE_MESSAGE_NOTIFICATION)
                return -EBADMSG;

        if (wire_text_is(wire_at(root, 1), "span")) {
                r = table_decode_row(ret_table, "follow", params, size);
                return r < 0 ? r : CLIENT_SPAN;
        }
        if (wire_text_is(wire_at(root, 1), "marker")) {
                *ret_marker = (struct client_marker){0};
                client_copy_clean(ret_marker->reason, sizeof(ret_marker->reason), wire_get(params, "reason"));
                wire_get_uint(wire_get(params, "dropped"), &ret_marker->dropped);
                return CLIENT_MARKER;
        }
        return CLIENT_TIMEOUT;
}

int client_next(struct client *client, int timeout_ms, struct table **ret_table, struct client_marker *ret_marker,
                struct client_error *ret_error) {
        uint64_t deadline = client_deadline(timeout_ms);
        struct wire_document *document;
        const void *message;
        size_t size;
        int r;

        do {
                r = next_message(client, deadline, true, &message, &size);
                if (r == -ETIMEDOUT)
                        return CLIENT_TIMEOUT;
                if (r == -EINTR)
                        return r;
                if (r >= 0)
                        r = wire_document_new(&document, message, size, WIRE_REQUEST_VALUES);
                if (r < 0)
                        return client_fail_lost(ret_error, r, client->path);

                r = decode_event(wire_root(document), size, ret_table, ret_marker);
                wire_document_free(document);
        } while (r == CLIENT_TIMEOUT);

        return r < 0 ? client_fail_lost(ret_error, r, client->path) : r;
}
