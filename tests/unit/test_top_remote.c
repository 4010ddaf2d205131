/* SPDX-License-Identifier: MIT */
/*
 * Refreshes of top over a socket: what is shown, and which keys work, while an answer is awaited.
 *
 * Labels: valgrind
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/nanoseconds.h"
#include "ctl/top/top_refresh.h"
#include "tests/support/query_fixture.h"

/* A collector that answers when the test says so, in the test's own thread. */
struct server {
        struct fixture *fixture;
        char directory[64];
        int listen_fd, fd;
        struct query_peer peer;
        char heard[256];     /* methods since the last look, each with a blank */
        const char *unknown; /* a name that this collector refuses; NULL: none */
};

static void server_init(struct server *server, struct fixture *fixture) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        *server = (struct server){.fixture = fixture, .directory = "/tmp/test_top_remote.XXXXXX", .fd = -1};
        assert_non_null(mkdtemp(server->directory));
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/query.sock", server->directory);
        server->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(server->listen_fd >= 0);
        assert_int_equal(bind(server->listen_fd, (struct sockaddr *)&address, sizeof(address)), 0);
        assert_int_equal(listen(server->listen_fd, 4), 0);
}

static void server_hang_up(struct server *server) {
        close(server->fd);
        server->fd = -1;
}

static void server_deinit(struct server *server) {
        char path[96];

        server_hang_up(server);
        close(server->listen_fd);
        snprintf(path, sizeof(path), "%s/query.sock", server->directory);
        unlink(path);
        rmdir(server->directory);
}

/* Answers one request, if one has come. */
static void serve(struct server *server) {
        static const char *const methods[] = {"hello", "timing", "status", "ps", "spans", "tree"};
        struct wire_buffer out = WIRE_BUFFER_INIT(1 << 20);
        const void *message;
        uint8_t in[4096];
        ssize_t n;
        size_t size;

        if (server->fd < 0) {
                server->fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
                server->peer = (struct query_peer){.sees_all = 1};
        }
        n = server->fd < 0 ? -1 : recv(server->fd, in, sizeof(in), MSG_DONTWAIT);
        if (n <= 0)
                return;
        for (char *at = NULL;
             server->unknown && (at = memmem(in, (size_t)n, server->unknown, strlen(server->unknown)));)
                *at = '?';
        assert_int_equal(wire_frame(in, (size_t)n, WIRE_REQUEST_MAX, &message, &size), 1);
        for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
                if (memmem(message, size < 16 ? size : 16, methods[i], strlen(methods[i])))
                        strcat(strcat(server->heard, methods[i]), " ");
        server->peer.greeted |= query_answer(server->fixture->query, &server->peer, message, size, &out) ==
                                QUERY_GREETED;
        assert_int_equal(send(server->fd, out.data, out.size, MSG_NOSIGNAL), out.size);
        wire_buffer_deinit(&out);
}

static void expect_heard(struct server *server, const char *methods) {
        assert_string_equal(server->heard, methods);
        server->heard[0] = '\0';
}

/* Goes on until the refresh is finished or has failed. */
static int finish(struct server *server, struct top *top, int r) {
        for (int i = 0; r == 0 && i < 100; i++) {
                serve(server);
                r = top_refresh_advance(top);
        }
        return r;
}

struct remote {
        struct server server;
        struct ctl ctl;
        struct top top;
        struct top_page page;
};

/* A screen after its first refresh. */
static struct remote *remote_new(struct fixture *fixture) {
        struct remote *remote = calloc(1, sizeof(*remote));
        struct top *top = &remote->top;

        server_init(&remote->server, fixture);
        remote->ctl.options.socket = remote->server.directory;
        top->ctl = &remote->ctl;
        assert_int_equal(top_model_new(&top->ui.model), 0);
        assert_int_equal(finish(&remote->server, top, top_refresh_begin(top)), 1);
        assert_true(top->ui.connected);
        assert_int_equal(top_model_count(top->ui.model), 8);
        expect_heard(&remote->server, "hello status ps spans ");
        return remote;
}

static void remote_free(struct remote *remote) {
        struct top *top = &remote->top;

        client_free(remote->ctl.client);
        top_round_deinit(&top->round);
        top_ui_deinit(&top->ui);
        top_model_free(top->ui.model);
        top_samples_deinit(&top->samples);
        top_page_deinit(&remote->page);
        server_deinit(&remote->server);
        free(remote);
}

static const char *bottom(struct remote *remote) {
        assert_int_equal(top_ui_draw(&remote->top.ui, &remote->page, 100, 24), 0);
        return remote->page.lines[23].text;
}

static void press(struct top *top, char c) {
        top->ui.now_ns = clock_monotonic_ns();
        top_ui_key(&top->ui, TOP_KEY_CHARACTER, (unsigned char)c, (char[]){c, '\0'});
}

/* The collector hangs: keys work, the screen says for how long, and goes on over the same connection. */
static void test_silence(void **state) {
        struct remote *remote = remote_new(*state);
        struct top *top = &remote->top;
        uint64_t asked;

        assert_int_equal(top_refresh_begin(top), 0);
        assert_true(top_refresh_is_under_way(top));
        assert_int_equal(top_refresh_advance(top), 0);
        asked = top->round.asked_ns;
        assert_false(top_refresh_note_silence(top, asked + 2900 * NS_PER_MS));
        assert_null(strstr(bottom(remote), "No answer"));
        assert_true(top_refresh_note_silence(top, asked + 3100 * NS_PER_MS));
        assert_false(top_refresh_note_silence(top, asked + 3200 * NS_PER_MS));
        assert_memory_equal(bottom(remote), "No answer for 3 s: the collector is stopped or busy ", 51);
        assert_memory_equal(remote->page.lines[0].text, "as of ", 6);
        assert_int_equal(remote->page.lines[4].styles[40], TOP_STYLE_SELECTED);
        assert_int_equal(remote->page.lines[5].styles[40], TOP_STYLE_DIM);

        press(top, 'j');
        assert_int_equal(top_model_selected(top->ui.model), 1);
        press(top, 'h');
        bottom(remote);
        assert_non_null(strstr(remote->page.lines[0].text, "  no answer for 3 s"));
        press(top, 'h');
        press(top, 't');
        assert_int_equal(top_model_shape(top->ui.model), TOP_FLAT);
        assert_string_equal(top->ui.message, "No collector answers: the tree needs an answer");
        press(top, 'w');
        bottom(remote);
        assert_non_null(strstr(remote->page.lines[1].text, "No answer for 3 s"));
        press(top, 'w');

        /* One answer is not yet what there is now. */
        while (top->round.step == TOP_STEP_STATUS)
                assert_int_equal((serve(&remote->server), top_refresh_advance(top)), 0);
        asked = top->round.asked_ns;
        assert_false(top_refresh_note_silence(top, asked + 100 * NS_PER_MS));
        assert_false(top_refresh_note_silence(top, asked + 3100 * NS_PER_MS));
        assert_int_equal(top->ui.silent_s, 3);
        assert_true(top_refresh_note_silence(top, asked + 4100 * NS_PER_MS));
        assert_int_equal(top->ui.silent_s, 4);

        assert_int_equal(finish(&remote->server, top, 0), 1);
        assert_true(top_ui_is_current(&top->ui));
        assert_null(strstr(bottom(remote), "No answer"));
        expect_heard(&remote->server, "status ps spans ");
        press(top, 'q');
        assert_true(top->ui.quit);
        remote_free(remote);
}

/* A pause does not stop a refresh: its answers are read, and are not shown. */
static void test_pause(void **state) {
        struct remote *remote = remote_new(*state);
        struct top *top = &remote->top;
        uint64_t shown = top_model_answer(top->ui.model);

        assert_int_equal(top_refresh_begin(top), TOP_REFRESH_PENDING);
        top_refresh_note_silence(top, top->round.asked_ns + 4 * NS_PER_S);
        assert_int_equal(top->ui.silent_s, 4);
        press(top, ' ');
        assert_int_equal(finish(&remote->server, top, 0), TOP_REFRESH_DISCARDED);
        assert_false(top_refresh_is_under_way(top));
        expect_heard(&remote->server, "status ps spans ");
        assert_int_equal(top_model_answer(top->ui.model), shown);
        assert_true(top_ui_is_current(&top->ui));

        /* What the discarded answer had is not lost. */
        press(top, ' ');
        assert_int_equal(top_refresh_begin(top), TOP_REFRESH_PENDING);
        while (top->round.step != TOP_STEP_ROWS)
                assert_int_equal((serve(&remote->server), top_refresh_advance(top)), TOP_REFRESH_PENDING);
        assert_int_equal(top->round.since_answer, 0);
        assert_int_equal(finish(&remote->server, top, 0), TOP_REFRESH_FINISHED);
        assert_true(top_model_answer(top->ui.model) != shown);
        shown = top_model_answer(top->ui.model);

        /* A key needs its answer, also in a pause. */
        press(top, ' ');
        press(top, 'p');
        assert_int_equal(finish(&remote->server, top, top_refresh_begin(top)), TOP_REFRESH_FINISHED);
        assert_true(top_model_answer(top->ui.model) != shown);
        press(top, 'p');
        press(top, ' ');

        /* Over a connection whose first answer was discarded, the next one is the first. */
        server_hang_up(&remote->server);
        assert_true(finish(&remote->server, top, top_refresh_begin(top)) < 0);
        assert_int_equal(top_refresh_begin(top), TOP_REFRESH_PENDING);
        press(top, ' ');
        assert_int_equal(finish(&remote->server, top, 0), TOP_REFRESH_DISCARDED);
        assert_false(top->answered || top->ui.connected);
        press(top, ' ');
        assert_int_equal(finish(&remote->server, top, top_refresh_begin(top)), TOP_REFRESH_FINISHED);
        assert_true(top->answered && top->ui.connected);
        remote_free(remote);
}

/* T while no collector answers changes nothing, then or later. */
static void test_timing_is_refused(void **state) {
        static const char refusal[] = "No collector answers: timing is not changed";
        struct remote *remote = remote_new(*state);
        struct top *top = &remote->top;
        uint64_t late;

        /* It hangs, and that is known. */
        assert_int_equal(top_refresh_begin(top), 0);
        late = top->round.asked_ns + 4 * NS_PER_S;
        top_refresh_note_silence(top, late);
        press(top, 'T');
        assert_string_equal(top->ui.message, refusal);
        assert_memory_equal(bottom(remote), refusal, strlen(refusal));
        assert_false(top->ui.timing.wanted || top->ui.ask_now);
        assert_int_equal(finish(&remote->server, top, 0), 1);
        expect_heard(&remote->server, "status ps spans ");

        /* It hangs, and that becomes known. */
        assert_int_equal(top_refresh_begin(top), 0);
        late = top->round.asked_ns + 4 * NS_PER_S;
        press(top, 'T');
        assert_true(top->ui.timing.wanted);
        assert_string_equal(top->ui.message, "");
        top_refresh_note_silence(top, late);
        assert_string_equal(top->ui.message, refusal);
        assert_int_equal(finish(&remote->server, top, 0), 1);
        expect_heard(&remote->server, "status ps spans ");

        /* It could not be sent in time. */
        press(top, 'T');
        top->ui.timing.at_ns -= 4 * NS_PER_S;
        assert_int_equal(finish(&remote->server, top, top_refresh_begin(top)), 1);
        assert_string_equal(top->ui.message, refusal);
        expect_heard(&remote->server, "status ps spans ");

        /* The request was sent, and has no answer. */
        press(top, 'T');
        assert_int_equal(top_refresh_begin(top), 0);
        assert_int_equal(top->round.step, TOP_STEP_TIMING);
        top_refresh_note_silence(top, top->round.asked_ns + 4 * NS_PER_S);
        assert_string_equal(top->ui.message, "No answer yet: timing changes when the collector goes on");
        assert_int_equal(finish(&remote->server, top, 0), 1);
        expect_heard(&remote->server, "timing status ps spans ");

        /* It has gone, and that becomes known by the request. */
        press(top, 'T');
        server_hang_up(&remote->server);
        assert_true(finish(&remote->server, top, top_refresh_begin(top)) < 0);
        assert_false(top->ui.connected);
        assert_string_equal(top->ui.message, "The connection was lost before the answer: timing may have changed");
        press(top, 'T');
        assert_string_equal(top->ui.message, refusal);
        assert_int_equal(finish(&remote->server, top, top_refresh_begin(top)), 1);
        expect_heard(&remote->server, "hello status ps spans ");
        remote_free(remote);
}

/* What a request of T did is said with the rows that show it; until then another T takes the first one back. */
static void test_timing_twice(void **state) {
        static const char on[] = "Timestamps are on for 0 processes; T ends them",
                          off[] = "Timestamps are off for 0 processes; T begins them";
        struct remote *remote = remote_new(*state);
        struct top *top = &remote->top;

        press(top, 'T');
        assert_true(top->ui.timing.on);
        assert_int_equal(top_refresh_begin(top), 0);
        while (top->round.step != TOP_STEP_PROCESSES)
                assert_int_equal((serve(&remote->server), top_refresh_advance(top)), 0);
        assert_string_equal(top->ui.message, "");
        press(top, 'T');
        assert_true(top->ui.timing.wanted);
        assert_false(top->ui.timing.on);
        assert_int_equal(finish(&remote->server, top, 0), 1);
        assert_string_equal(top->ui.message, on);
        press(top, 'j');
        assert_int_equal(finish(&remote->server, top, top_refresh_begin(top)), 1);
        assert_string_equal(top->ui.message, off);
        expect_heard(&remote->server, "timing status ps spans timing status ps spans ");
        press(top, 'k');

        /* Also where the rows are not shown. */
        press(top, 'T');
        assert_true(top->ui.timing.on);
        assert_int_equal(top_refresh_begin(top), 0);
        while (top->round.step != TOP_STEP_ROWS)
                assert_int_equal((serve(&remote->server), top_refresh_advance(top)), 0);
        press(top, 't');
        press(top, 't');
        assert_int_equal(finish(&remote->server, top, 0), 1);
        assert_string_equal(top->ui.message, on);
        top_timing_of_process(&top->ui, top->ui.timing.process, false);
        assert_false(top->ui.timing.on);

        /* And where the collector refuses. */
        remote->server.unknown = "process";
        assert_int_equal(top_refresh_begin(top), 0);
        while (top->round.step == TOP_STEP_TIMING)
                assert_int_equal((serve(&remote->server), top_refresh_advance(top)), 0);
        remote->server.unknown = NULL;
        assert_string_equal(top->ui.message, on);
        assert_false(top->ui.timing.unseen);
        assert_int_equal(finish(&remote->server, top, 0), 1);
        assert_non_null(strstr(top->ui.message, "timing takes no \"?rocess\""));
        remote_free(remote);
}

/* Answers of another shape than the rows now have, and of details that were closed, are not taken. */
static void test_late_answers(void **state) {
        struct remote *remote = remote_new(*state);
        struct top *top = &remote->top;

        for (int twice = 0; twice < 2; twice++) {
                assert_int_equal(top_refresh_begin(top), 0);
                while (top->round.step != TOP_STEP_ROWS)
                        assert_int_equal((serve(&remote->server), top_refresh_advance(top)), 0);
                press(top, 't');
                if (twice) /* the same shape again, but what was known of its rows is gone */
                        press(top, 't');
                assert_int_equal(finish(&remote->server, top, 0), 1);
                assert_true(top->ui.ask_now);
                assert_int_equal(top_model_count(top->ui.model), 0);
                bottom(remote);
                assert_non_null(strstr(remote->page.lines[4].text, "One moment."));
                assert_int_equal(finish(&remote->server, top, top_refresh_begin(top)), 1);
                assert_true(top_model_count(top->ui.model) >= 8);
                if (!twice)
                        press(top, 't');
                assert_int_equal(finish(&remote->server, top, top_refresh_begin(top)), 1);
        }

        top_ui_key(&top->ui, TOP_KEY_ENTER, 0, "");
        assert_int_equal(top_refresh_begin(top), 0);
        while (top->round.step != TOP_STEP_DETAILS)
                assert_int_equal((serve(&remote->server), top_refresh_advance(top)), 0);
        top_ui_key(&top->ui, TOP_KEY_ESCAPE, 0, "");
        press(top, 'j');
        top_ui_key(&top->ui, TOP_KEY_ENTER, 0, "");
        assert_int_equal(finish(&remote->server, top, 0), 1);
        assert_null(top->ui.details.spans);
        assert_int_equal(finish(&remote->server, top, top_refresh_begin(top)), 1);
        assert_non_null(top->ui.details.spans);
        remote_free(remote);
}

/* Numbers of processes are of one collector: what was opened by one is closed, and what is above it stays. */
static void test_numbers_of_another(void **state) {
        struct remote *remote = remote_new(*state);
        struct top *top = &remote->top;

        top_ui_key(&top->ui, TOP_KEY_ENTER, 0, "");
        press(top, 'p');
        assert_int_equal(top->ui.mode, TOP_MODE_PROCESS);
        server_hang_up(&remote->server);
        assert_true(finish(&remote->server, top, top_refresh_begin(top)) < 0);
        assert_int_equal(top->ui.mode, TOP_MODE_PROCESS); /* as of then */
        assert_int_equal(finish(&remote->server, top, top_refresh_begin(top)), 1);
        assert_int_equal(top->ui.mode, TOP_MODE_LIST);

        top_process_open(&top->ui, 1);
        top_ui_open(&top->ui, TOP_MODE_HELP);
        server_hang_up(&remote->server);
        assert_true(finish(&remote->server, top, top_refresh_begin(top)) < 0);
        assert_int_equal(finish(&remote->server, top, top_refresh_begin(top)), 1);
        assert_int_equal(top->ui.mode, TOP_MODE_HELP);
        press(top, 'h');
        assert_int_equal(top->ui.mode, TOP_MODE_LIST);
        remote_free(remote);
}

/* A collector of an older build, which may be of the same version, refuses the columns of net per call. */
static void test_older_build(void **state) {
        struct remote *remote = remote_new(*state);
        struct top *top = &remote->top;

        remote->server.unknown = "calls_net_bytes";
        top_model_sort(top->ui.model, TOP_NET_CALL);
        assert_int_equal(finish(&remote->server, top, top_refresh_begin(top)), 1);
        expect_heard(&remote->server, "status ps spans spans ");
        assert_int_equal(top_model_count(top->ui.model), 8);
        assert_int_equal(finish(&remote->server, top, top_refresh_begin(top)), 1);
        expect_heard(&remote->server, "status ps spans ");
        top_ui_key(&top->ui, TOP_KEY_ENTER, 0, "");
        assert_int_equal(finish(&remote->server, top, top_refresh_begin(top)), 1);
        expect_heard(&remote->server, "status ps spans spans tree ");
        assert_non_null(top->ui.details.spans);
        bottom(remote);

        /* The next collector may have them. */
        server_hang_up(&remote->server);
        assert_true(finish(&remote->server, top, top_refresh_begin(top)) < 0);
        remote->server.unknown = NULL;
        assert_int_equal(finish(&remote->server, top, top_refresh_begin(top)), 1);
        assert_false(top->lacks_net);
        expect_heard(&remote->server, "hello status ps spans ");

        /* Details may be the first to have them. */
        top_model_sort(top->ui.model, TOP_ALLOC);
        remote->server.unknown = "net_per_call_histogram";
        top_ui_key(&top->ui, TOP_KEY_ENTER, 0, "");
        assert_int_equal(finish(&remote->server, top, top_refresh_begin(top)), 1);
        expect_heard(&remote->server, "status ps spans spans spans tree ");
        assert_non_null(top->ui.details.spans);

        /* What is refused all the same is an error. */
        remote->server.unknown = "alloc_count";
        assert_true(finish(&remote->server, top, top_refresh_begin(top)) < 0);
        assert_int_equal(top->error.kind, CLIENT_ERROR_REFUSED);
        remote_free(remote);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_silence, setup, teardown),
                cmocka_unit_test_setup_teardown(test_pause, setup, teardown),
                cmocka_unit_test_setup_teardown(test_timing_is_refused, setup, teardown),
                cmocka_unit_test_setup_teardown(test_timing_twice, setup, teardown),
                cmocka_unit_test_setup_teardown(test_late_answers, setup, teardown),
                cmocka_unit_test_setup_teardown(test_numbers_of_another, setup, teardown),
                cmocka_unit_test_setup_teardown(test_older_build, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
