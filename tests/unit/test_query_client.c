/* SPDX-License-Identifier: MIT */
/*
 * The query library: answers as tables, the kind of each error, and that an error leaves the outputs as they were.
 *
 * Labels: tsan valgrind
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "query/client.h"
#include "tests/support/query_fixture.h"

/* What the calls may not touch when they fail. */
static struct table *const untouched = (struct table *)-1;

/* ---------------------------------------------------------------------------------------------------------- local -- */

static int answer_truly(void *userdata, const void *message, size_t size, struct wire_buffer *out) {
        struct fixture *fixture = userdata;

        return query_answer(fixture->query, &all, message, size, out);
}

static struct client *local(struct fixture *fixture) {
        struct client *client;

        assert_int_equal(client_new_local(&client, answer_truly, fixture), 0);
        return client;
}

static void test_tables(void **state) {
        struct client *client = local(*state);
        struct client_params params = {.pid = 100, .columns = "pid,span,alloc_bytes", .sort = "span"};
        struct client_error error;
        struct table *table;

        assert_int_equal(client_call(client, "status", NULL, &table, &error), 0);
        assert_int_equal(table->row_count, 1);
        assert_string_equal(table_text(table, 0, "version"), SPANALLOC_VERSION);
        table_free(table);

        assert_int_equal(client_call(client, "spans", &params, &table, &error), 0);
        client_free(client);
        /* The table needs no client. */
        assert_int_equal(table->row_count, 4); /* one is of what is outside of spans */
        for (size_t row = 0; row < table->row_count; row++)
                assert_int_equal(table_uint(table, row, "pid"), 100);
        assert_string_equal(table_text(table, 0, "span"), "(outside)");
        assert_string_equal(table_text(table, 1, "span"), "o/dd");
        assert_string_equal(table_text(table, 0, "site"), "");
        assert_int_equal(table_uint(table, 0, "no_such_column"), 0);
        table_free(table);
}

/* One request after the other, without a table. */
static int call_raw(struct client *client, const char *method, const struct client_params *params,
                    struct wire_cursor *ret, struct client_error *ret_error) {
        int r = client_ask(client, method, params, ret_error);

        if (r == 0)
                r = client_wait(client, ret_error);
        return r == 0 ? client_take_raw(client, ret, ret_error) : r;
}

static void assert_fails(struct client *client, const char *method, const struct client_params *params, int code,
                         enum client_error_kind kind, const char *part) {
        struct client_error error = {0};
        struct wire_cursor cursor = {NULL, 1};
        struct table *table = untouched;

        assert_int_equal(client_call(client, method, params, &table, &error), -code);
        assert_ptr_equal(table, untouched);
        assert_int_equal(error.code, code);
        assert_int_equal(error.kind, kind);
        if (!strstr(error.text, part))
                fail_msg("'%s' does not say '%s'", error.text, part);

        error = (struct client_error){0};
        assert_int_equal(call_raw(client, method, params, &cursor, &error), -code);
        assert_int_equal(cursor.left, 1);
        assert_int_equal(error.kind, kind);
}

static void test_collectors_errors(void **state) {
        struct client *client = local(*state);
        struct client_params bad_sort = {.sort = "nothing"};
        char longer[WIRE_REQUEST_MAX + 1];
        struct client_params too_long = {.filter = longer};
        struct client_error error;

        memset(longer, 'x', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        assert_fails(client, "spans", &bad_sort, EINVAL, CLIENT_ERROR_REFUSED, "nothing");
        assert_fails(client, "nonsense", NULL, ENOSYS, CLIENT_ERROR_REFUSED, "nonsense");
        assert_fails(client, "spans", &too_long, EMSGSIZE, CLIENT_ERROR_REFUSED, "too long");
        assert_int_equal(client_follow(client, NULL, &error), -EOPNOTSUPP);
        assert_int_equal(error.kind, CLIENT_ERROR_FAILED);
        client_free(client);
}

/* An answer that is an error of that code, for the only request of a client. */
static int answer_error(void *userdata, const void *message, size_t size, struct wire_buffer *out) {
        size_t mark = wire_begin(out);

        wire_put_array(out, 4);
        wire_put_uint(out, WIRE_MESSAGE_ANSWER);
        wire_put_uint(out, 1);
        wire_put_map(out, 3);
        wire_put_text(out, "code");
        wire_put_uint(out, *(unsigned *)userdata);
        wire_put_text(out, "message");
        wire_put_text(out, "what\x1b happened");
        wire_put_text(out, "hint");
        wire_put_text(out, "what to do");
        wire_put_nil(out);
        return wire_end(out, mark);
}

static void test_kinds(void **state) {
        static const struct {
                unsigned code;
                int r;
                enum client_error_kind kind;
        } cases[] = {
                {EINVAL, -EINVAL, CLIENT_ERROR_REFUSED},
                {ENOSYS, -ENOSYS, CLIENT_ERROR_REFUSED},
                {ENOENT, -ENOENT, CLIENT_ERROR_NOT_FOUND},
                {EPERM, -EPERM, CLIENT_ERROR_FAILED},
                {EPROTO, -EPROTO, CLIENT_ERROR_UNREACHABLE},
                {ENOMEM, -ENOMEM, CLIENT_ERROR_FAILED},
                {0, -EIO, CLIENT_ERROR_FAILED},
                {UINT32_MAX, -EIO, CLIENT_ERROR_FAILED},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct client_error error = {0};
                struct table *table = untouched;
                unsigned code = cases[i].code;
                struct client *client;

                assert_int_equal(client_new_local(&client, answer_error, &code), 0);
                assert_int_equal(client_call(client, "status", NULL, &table, &error), cases[i].r);
                assert_ptr_equal(table, untouched);
                assert_int_equal(error.code, -cases[i].r);
                assert_int_equal(error.kind, cases[i].kind);
                assert_string_equal(error.text, "what? happened; what to do");
                client_free(client);
        }
}

/* An answer as a foreign program might give it. */
enum forgery { FORGED_NOTHING, FORGED_NOISE, FORGED_ID, FORGED_SHORT, FORGED_KIND, FORGED_FORM, NO_MEMORY, FORGERIES };

static int answer_falsely(void *userdata, const void *message, size_t size, struct wire_buffer *out) {
        enum forgery forgery = *(enum forgery *)userdata;
        size_t mark;

        if (forgery == NO_MEMORY)
                return -ENOMEM;
        if (forgery == FORGED_NOTHING)
                return 0;
        mark = wire_begin(out);
        if (forgery == FORGED_NOISE) {
                wire_put_text(out, "noise");
        } else {
                wire_put_array(out, forgery == FORGED_SHORT ? 3 : 4);
                wire_put_uint(out, forgery == FORGED_KIND ? WIRE_MESSAGE_NOTIFICATION : WIRE_MESSAGE_ANSWER);
                /* Two requests of one client: ids 1 and 2. */
                wire_put_uint(out, forgery == FORGED_ID ? 77 : ((const uint8_t *)message)[2]);
                wire_put_nil(out);
                if (forgery != FORGED_SHORT)
                        wire_put_text(out, "no table");
        }
        return wire_end(out, mark);
}

static void test_forged_answers(void **state) {
        for (enum forgery forgery = 0; forgery < FORGERIES; forgery++) {
                bool memory = forgery == NO_MEMORY;
                struct client_error error = {0};
                struct table *table = untouched;
                struct client *client;

                assert_int_equal(client_new_local(&client, answer_falsely, &forgery), 0);
                assert_int_equal(client_call(client, "status", NULL, &table, &error), memory ? -ENOMEM : -EBADMSG);
                assert_ptr_equal(table, untouched);
                assert_int_equal(error.kind, memory ? CLIENT_ERROR_FAILED : CLIENT_ERROR_UNREACHABLE);
                assert_true(strlen(error.text) > 0);
                client_free(client);
        }
}

/* --------------------------------------------------------------------------------------------------------- socket -- */

struct server {
        struct fixture *fixture;
        char directory[64];
        int listen_fd;
        size_t requests; /* to be answered before the connection is closed */
        bool heard_name;
        pthread_t thread;
};

static void server_init(struct server *server, struct fixture *fixture) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        *server = (struct server){.fixture = fixture, .directory = "/tmp/test_query_client.XXXXXX"};
        assert_non_null(mkdtemp(server->directory));
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/query.sock", server->directory);
        server->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(server->listen_fd >= 0);
        assert_int_equal(bind(server->listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(server->listen_fd, 4), 0);
}

static void server_deinit(struct server *server) {
        char path[96];

        close(server->listen_fd);
        snprintf(path, sizeof(path), "%s/query.sock", server->directory);
        unlink(path);
        rmdir(server->directory);
}

static void *serve(void *userdata) {
        struct server *server = userdata;
        struct query_peer peer = {.sees_all = 1};
        struct wire_buffer out = WIRE_BUFFER_INIT(1 << 20);
        uint8_t in[4096];
        size_t had = 0;
        int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);

        while (fd >= 0 && server->requests > 0) {
                ssize_t n = recv(fd, in + had, sizeof(in) - had, 0);
                const void *message;
                size_t size;

                if (n <= 0)
                        break;
                had += (size_t)n;
                if (wire_frame(in, had, WIRE_REQUEST_MAX, &message, &size) <= 0)
                        continue;
                had = 0;
                server->heard_name |= memmem(message, size, "exporter 1.0", 12) != NULL;
                peer.greeted |= query_answer(server->fixture->query, &peer, message, size, &out) == QUERY_GREETED;
                if (send(fd, out.data, out.size, MSG_NOSIGNAL) != (ssize_t)out.size)
                        break;
                wire_buffer_consume(&out, out.size);
                server->requests--;
        }
        wire_buffer_deinit(&out);
        close(fd);
        return NULL;
}

static void assert_no_client(const char *socket, int timeout_ms, int code, const char *part) {
        struct client_options options = {.socket = socket, .timeout_ms = timeout_ms};
        struct client *client = (struct client *)-1;
        struct client_error error = {0};

        assert_int_equal(client_new(&client, &options, &error), -code);
        assert_ptr_equal(client, (struct client *)-1);
        assert_int_equal(error.code, code);
        assert_int_equal(error.kind, CLIENT_ERROR_UNREACHABLE);
        if (!strstr(error.text, part))
                fail_msg("'%s' does not say '%s'", error.text, part);
        /* Of another program's options the library says nothing. */
        assert_null(strstr(error.text, "spanallocctl"));
        assert_null(strstr(error.text, "--socket"));
}

static void test_no_collector(void **state) {
        struct server server;
        char path[300];

        server_init(&server, *state);
        snprintf(path, sizeof(path), "%s/nothing", server.directory);
        assert_no_client(path, 0, ENOENT, "no collector at");
        memset(path, 'x', 200);
        path[200] = '\0';
        assert_no_client(path, 0, ENAMETOOLONG, "too long");
        /* It listens and never answers. */
        assert_no_client(server.directory, 20, ETIMEDOUT, "does not answer");
        server_deinit(&server);
}

static void test_closed_at_once(void **state) {
        struct server server;

        server_init(&server, *state);
        assert_int_equal(pthread_create(&server.thread, NULL, serve, &server), 0);
        assert_no_client(server.directory, 0, ECONNRESET, "closed the connection");
        pthread_join(server.thread, NULL);
        server_deinit(&server);
}

static void test_connection(void **state) {
        struct client_options options = {.program = "exporter 1.0"};
        struct client_marker marker;
        struct client_error error;
        struct client *client;
        struct server server;
        struct table *table;

        server_init(&server, *state);
        server.requests = 3;
        options.socket = server.directory; /* a directory: its query.sock */
        assert_int_equal(pthread_create(&server.thread, NULL, serve, &server), 0);
        assert_int_equal(client_new(&client, &options, &error), 0);
        assert_string_equal(client_peer_version(client), SPANALLOC_VERSION);
        assert_non_null(strstr(client_path(client), "/query.sock"));
        assert_true(client_fd(client) >= 0);
        assert_int_equal(client_call(client, "ps", NULL, &table, &error), 0);
        assert_int_equal(table->row_count, 3);
        table_free(table);
        assert_int_equal(client_follow(client, NULL, &error), 0);
        pthread_join(server.thread, NULL);
        assert_true(server.heard_name);

        table = untouched;
        assert_int_equal(client_next(client, -1, &table, &marker, &error), -ECONNRESET);
        assert_int_equal(error.kind, CLIENT_ERROR_UNREACHABLE);
        assert_ptr_equal(table, untouched);
        client_free(client);
        server_deinit(&server);
}

/* Goes on whenever the socket is ready, until there is an answer or an error. */
static int progress(struct client *client, struct client_error *ret_error) {
        int r = client_progress(client, ret_error);

        while (r == CLIENT_PENDING) {
                struct pollfd socket = {.fd = client_fd(client), .events = client_events(client)};

                assert_int_equal(poll(&socket, 1, -1), 1);
                r = client_progress(client, ret_error);
        }
        return r;
}

static void test_without_waiting(void **state) {
        struct client_params params = {.columns = "pid,span"};
        struct client_options options = {0};
        struct client_error error = {0};
        struct wire_cursor cursor;
        struct client *client;
        struct server server;
        struct table *table;

        server_init(&server, *state);
        options.socket = server.directory;
        server.requests = 3;
        /* It listens, and does not answer yet. */
        assert_int_equal(client_start(&client, &options, &error), 0);
        for (int i = 0; i < 3; i++) {
                assert_int_equal(client_progress(client, &error), CLIENT_PENDING);
                assert_int_equal(client_events(client), POLLIN);
        }
        assert_string_equal(client_peer_version(client), "");
        assert_int_equal(pthread_create(&server.thread, NULL, serve, &server), 0);
        assert_int_equal(progress(client, &error), CLIENT_ANSWERED);
        assert_int_equal(client_progress(client, &error), CLIENT_ANSWERED);
        assert_int_equal(client_take_hello(client, &error), 0);
        assert_string_equal(client_peer_version(client), SPANALLOC_VERSION);

        assert_int_equal(client_ask(client, "ps", NULL, &error), 0);
        assert_int_equal(progress(client, &error), CLIENT_ANSWERED);
        assert_int_equal(client_take(client, &table, &error), 0);
        assert_int_equal(table->row_count, 3);
        table_free(table);
        assert_int_equal(client_ask(client, "spans", &params, &error), 0);
        assert_int_equal(client_wait(client, &error), 0);
        assert_int_equal(client_take_raw(client, &cursor, &error), 0);
        assert_true(cursor.left > 0);

        pthread_join(server.thread, NULL);
        assert_int_equal(client_ask(client, "status", NULL, &error), 0);
        assert_int_equal(progress(client, &error), -ECONNRESET);
        assert_int_equal(error.kind, CLIENT_ERROR_UNREACHABLE);
        client_free(client);
        server_deinit(&server);
}

/* A collector that has no room for another connection: that is an error at once. */
static void test_full_backlog(void **state) {
        struct client_options options = {0};
        struct client *clients[16];
        struct client_error error;
        struct server server;
        size_t n = 0;
        int r = 0;

        server_init(&server, *state);
        options.socket = server.directory;
        while (n < 16 && (r = client_start(&clients[n], &options, &error)) == 0)
                n++;
        assert_int_equal(r, -ETIMEDOUT);
        assert_int_equal(error.kind, CLIENT_ERROR_UNREACHABLE);
        assert_non_null(strstr(error.text, "does not accept connections"));
        while (n)
                client_free(clients[--n]);
        server_deinit(&server);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_tables, setup, teardown),
                cmocka_unit_test_setup_teardown(test_collectors_errors, setup, teardown),
                cmocka_unit_test(test_kinds),
                cmocka_unit_test(test_forged_answers),
                cmocka_unit_test_setup_teardown(test_no_collector, setup, teardown),
                cmocka_unit_test_setup_teardown(test_closed_at_once, setup, teardown),
                cmocka_unit_test_setup_teardown(test_connection, setup, teardown),
                cmocka_unit_test_setup_teardown(test_without_waiting, setup, teardown),
                cmocka_unit_test_setup_teardown(test_full_backlog, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
