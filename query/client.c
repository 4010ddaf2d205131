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

#include "query/client_error.h"
#include "query/client_link.h"
#include "query/client_socket.h"
#include "query/table_decode.h"

#define TIMEOUT_MS 10000

struct client {
        struct client_link link;
        client_answer_fn answer; /* NULL: by socket */
        void *answer_userdata;
        int timeout_ms;
        uint64_t last_id;
        const char *method; /* of the last request, borrowed */
        bool answered;      /* it has an answer: `message` */
        const void *message;
        size_t message_size;
        char path[CLIENT_PATH_BYTES];
        char version[64];
};

/* --------------------------------------------------------------------------------------------- requests, answers -- */

static void begin_request(struct client *client, const char *method) {
        client_link_begin(&client->link);
        wire_begin(&client->link.out);
        wire_put_array(&client->link.out, 4);
        wire_put_uint(&client->link.out, WIRE_MESSAGE_REQUEST);
        wire_put_uint(&client->link.out, ++client->last_id);
        wire_put_text(&client->link.out, method);
        client->method = method;
        client->answered = false;
}

static int answer_here(struct client *client) {
        struct client_link *link = &client->link;
        const void *message;
        size_t size;
        int r;

        wire_buffer_consume(&link->in, link->in.size);
        link->taken = 0;
        r = wire_frame(link->out.data, link->out.size, WIRE_REQUEST_MAX, &message, &size);
        return r > 0 ? client->answer(client->answer_userdata, message, size, &link->in) : r;
}

/* What `out` holds is sent by client_progress(). */
static int end_request(struct client *client, struct client_error *ret_error) {
        int r = wire_end(&client->link.out, 0);

        if (r == -EMSGSIZE)
                return client_fail(ret_error, EMSGSIZE, CLIENT_ERROR_REFUSED,
                                   "the request is too long; give shorter filters");
        if (r >= 0 && client->answer)
                r = answer_here(client);
        return r < 0 ? client_fail_lost(ret_error, r, client->path) : 0;
}

int client_progress(struct client *client, struct client_error *ret_error) {
        int r;

        if (client->answered)
                return CLIENT_ANSWERED;
        r = client_link_send(&client->link);
        /* A collector that refuses a connection says so and closes: what it said counts, not that it closed. */
        if (r >= 0 || r == -EPIPE || r == -ECONNRESET)
                r = client_link_read(&client->link, &client->message, &client->message_size);
        if (r < 0)
                return client_fail_lost(ret_error, r, client->path);
        client->answered = r > 0;
        return client->answered ? CLIENT_ANSWERED : CLIENT_PENDING;
}

short client_events(const struct client *client) {
        return (short)(POLLIN | (client_link_has_unsent(&client->link) ? POLLOUT : 0));
}

int client_wait(struct client *client, struct client_error *ret_error) {
        uint64_t deadline = client_deadline(client->timeout_ms);
        int r = client_progress(client, ret_error);

        while (r == CLIENT_PENDING) {
                r = client_socket_wait(client->link.fd, client_events(client), deadline, false);
                if (r < 0)
                        return client_fail_lost(ret_error, r, client->path);
                r = client_progress(client, ret_error);
        }
        return r < 0 ? r : 0;
}

/* The answer as a document.  *ret_result lives in it. */
static int decode_answer(struct client *client, struct wire_document **ret_document, struct wire_value *ret_result,
                         struct client_error *ret_error) {
        struct wire_document *document;
        struct wire_value root;
        uint64_t kind, id;
        int r;

        r = wire_document_new(&document, client->message, client->message_size, WIRE_ANSWER_MAX);
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
        struct wire_buffer *out = &client->link.out;

        begin_request(client, "hello");
        wire_put_map(out, 2);
        wire_put_text(out, "protocol");
        wire_put_uint(out, WIRE_PROTOCOL);
        wire_put_text(out, "client");
        wire_put_text(out, program ? program : "client");
        return end_request(client, ret_error);
}

int client_take_hello(struct client *client, struct client_error *ret_error) {
        struct wire_document *document;
        struct wire_value result;
        uint64_t protocol = 0;
        int r = decode_answer(client, &document, &result, ret_error);

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
                client_link_init(&client->link);
                client->timeout_ms = TIMEOUT_MS;
        }
        return client;
}

/* `wait`: for a collector that has no room for another connection. */
static int start(struct client **ret, const struct client_options *options, bool wait, struct client_error *ret_error) {
        static const struct client_options defaults;
        struct client *client = client_alloc();
        int r;

        if (!client)
                return client_fail(ret_error, ENOMEM, CLIENT_ERROR_FAILED,
                                   "out of memory; end other programs and try again");

        if (!options)
                options = &defaults;
        if (options->timeout_ms > 0)
                client->timeout_ms = options->timeout_ms;

        r = client_socket_open(&client->link.fd, client->path, options, wait ? client->timeout_ms : 0, ret_error);
        if (r >= 0)
                r = say_hello(client, options->program, ret_error);
        if (r < 0) {
                client_free(client);
                return r;
        }

        *ret = client;
        return 0;
}

int client_start(struct client **ret, const struct client_options *options, struct client_error *ret_error) {
        return start(ret, options, false, ret_error);
}

int client_new(struct client **ret, const struct client_options *options, struct client_error *ret_error) {
        struct client *client;
        int r = start(&client, options, true, ret_error);

        if (r < 0)
                return r;
        r = client_wait(client, ret_error);
        if (r >= 0)
                r = client_take_hello(client, ret_error);
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

        client_link_deinit(&client->link);
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
        return client->link.fd;
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

int client_ask(struct client *client, const char *method, const struct client_params *params,
               struct client_error *ret_error) {
        begin_request(client, method);
        put_params(&client->link.out, params);
        return end_request(client, ret_error);
}

int client_take(struct client *client, struct table **ret, struct client_error *ret_error) {
        struct wire_document *document;
        struct wire_value result;
        int r = decode_answer(client, &document, &result, ret_error);

        if (r < 0)
                return r;

        if (wire_type(wire_get(result, "rows")) == WIRE_ARRAY)
                r = table_decode(ret, client->method, result, client->message_size);
        else
                r = table_decode_map(ret, client->method, result, client->message_size);
        wire_document_free(document);
        return r < 0 ? client_fail_lost(ret_error, r, client->path) : 0;
}

int client_take_raw(struct client *client, struct wire_cursor *ret_result, struct client_error *ret_error) {
        struct wire_cursor cursor = {client->message, client->message_size};
        struct wire_document *document;
        struct wire_value result;
        int r;

        if (is_plain_answer(client, &cursor)) {
                *ret_result = cursor;
                return 0;
        }
        r = decode_answer(client, &document, &result, ret_error);
        if (r < 0)
                return r;
        wire_document_free(document);
        return client_fail_form(client, ret_error);
}

static int ask_and_wait(struct client *client, const char *method, const struct client_params *params,
                        struct client_error *ret_error) {
        int r = client_ask(client, method, params, ret_error);

        return r < 0 ? r : client_wait(client, ret_error);
}

int client_call(struct client *client, const char *method, const struct client_params *params, struct table **ret,
                struct client_error *ret_error) {
        int r = ask_and_wait(client, method, params, ret_error);

        return r < 0 ? r : client_take(client, ret, ret_error);
}

int client_fail_form(const struct client *client, struct client_error *ret_error) {
        return client_fail_lost(ret_error, -EBADMSG, client->path);
}

int client_follow(struct client *client, const struct client_params *params, struct client_error *ret_error) {
        struct wire_document *document;
        struct wire_value result;
        int r;

        if (client->answer)
                return client_fail(ret_error, EOPNOTSUPP, CLIENT_ERROR_FAILED,
                                   "there are no events without a daemon; start spanallocd");

        r = ask_and_wait(client, "follow", params, ret_error);
        if (r >= 0)
                r = decode_answer(client, &document, &result, ret_error);
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
                r = client_link_read(&client->link, &message, &size);
                while (r == 0) {
                        r = client_socket_wait(client->link.fd, POLLIN, deadline, true);
                        if (r == 0)
                                r = client_link_read(&client->link, &message, &size);
                }
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
