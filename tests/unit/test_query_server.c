/* SPDX-License-Identifier: MIT */
/*
 * The query socket while one peer is always busy: the deadlines of other peers still expire.  The clock is the test's
 * own, and sockets are real.
 *
 * Wrap: clock_gettime accept4
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/query/query_server.h"
#include "tests/support/query_fixture.h"

#define BLOCK_FRAMES   128
#define MORE_PROCESSES 32

static uint64_t now_ns = 1000 * NS_PER_S;
static uint64_t step_ns; /* that pass with each look at the clock */

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret) {
        if (clock != CLOCK_MONOTONIC)
                return __real_clock_gettime(clock, ret);
        now_ns += step_ns;
        *ret = (struct timespec){.tv_sec = (time_t)(now_ns / NS_PER_S), .tv_nsec = (long)(now_ns % NS_PER_S)};
        return 0;
}

int __real_accept4(int listen_fd, struct sockaddr *address, socklen_t *size, int flags);
int __wrap_accept4(int listen_fd, struct sockaddr *address, socklen_t *size, int flags);
/* The least room for what is sent, so that one answer does not fit. */
int __wrap_accept4(int listen_fd, struct sockaddr *address, socklen_t *size, int flags) {
        int fd = __real_accept4(listen_fd, address, size, flags), least = 1;

        if (fd >= 0)
                assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &least, sizeof least), 0);
        return fd;
}

struct scene {
        struct fixture *fixture;
        struct query_server *server;
        struct sockaddr_un address;
        socklen_t address_size;
        int turn_fd;
        struct reactor_watch *turn_watch;
        unsigned turns; /* of the reactor, until it stops */
};

/* A connection that asks without end.  A send may take a part of a frame: the next one goes on there. */
struct peer {
        int fd;
        struct wire_buffer block;
        size_t at;
};

static void on_turn(void *userdata, int fd, unsigned events) {
        struct scene *scene = userdata;

        if (!--scene->turns)
                reactor_stop(scene->fixture->reactor);
}

static void run_turns(struct scene *scene, unsigned n) {
        scene->turns = n;
        assert_int_equal(reactor_run(scene->fixture->reactor), 0);
}

static void begin(struct scene *scene, void **state) {
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

        *scene = (struct scene){.fixture = *state, .address_size = sizeof scene->address};
        /* Rows enough that an answer does not fit into the socket. */
        for (int i = 0; i < MORE_PROCESSES; i++) {
                struct process *process = new_process(scene->fixture->collector, 1000 + i, 1000, "web.service");

                new_books(process);
                play(scene->fixture, process->books);
        }
        scene->address.sun_family = AF_UNIX;
        /* Without a path the kernel gives it a name of its own. */
        assert_int_equal(bind(fd, (struct sockaddr *)&scene->address, sizeof scene->address.sun_family), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&scene->address, &scene->address_size), 0);
        assert_int_equal(listen(fd, 8), 0);
        assert_int_equal(query_server_new(&scene->server, scene->fixture->reactor, scene->fixture->query, fd,
                                          query_server_limits_default),
                         0);
        scene->turn_fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
        assert_int_equal(
                reactor_watch(scene->fixture->reactor, &scene->turn_watch, scene->turn_fd, REACTOR_IN, on_turn, scene),
                0);
}

static void end(struct scene *scene) {
        reactor_unwatch(scene->turn_watch);
        close(scene->turn_fd);
        query_server_free(scene->server);
}

static void put_frame(struct wire_buffer *block, const char *message, size_t size) {
        const unsigned char header[4] = {(unsigned char)size, 0, 0, 0};

        assert_int_equal(wire_buffer_append(block, header, sizeof header), 0);
        assert_int_equal(wire_buffer_append(block, message, size), 0);
}

static void send_hello(const struct peer *peer) {
        static const char hello[] = "\x94\x00\x01\xa5hello\x82\xa8protocol\x01\xa6"
                                    "client\xa1t";
        struct wire_buffer frame = WIRE_BUFFER_INIT(256);

        put_frame(&frame, hello, sizeof hello - 1);
        assert_int_equal(send(peer->fd, frame.data, frame.size, MSG_NOSIGNAL), frame.size);
        wire_buffer_deinit(&frame);
}

static void peer_begin(struct peer *peer) {
        static const char spans[] = "\x94\x00\x02\xa5spans\x80";

        *peer = (struct peer){.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
                              .block = WIRE_BUFFER_INIT(1 << 16)};
        for (int i = 0; i < BLOCK_FRAMES; i++)
                put_frame(&peer->block, spans, sizeof spans - 1);
}

static void peer_connect(struct peer *peer, const struct scene *scene) {
        assert_int_equal(connect(peer->fd, (const struct sockaddr *)&scene->address, scene->address_size), 0);
        send_hello(peer);
}

static void peer_end(struct peer *peer) {
        close(peer->fd);
        wire_buffer_deinit(&peer->block);
}

static void ask(struct peer *peer) {
        ssize_t n;

        while ((n = send(peer->fd, peer->block.data + peer->at, peer->block.size - peer->at,
                         MSG_NOSIGNAL | MSG_DONTWAIT)) > 0)
                peer->at = (peer->at + (size_t)n) % peer->block.size;
}

/* Reads all that is there.  False: the other side has closed. */
static bool take(const struct peer *peer, size_t *ret_size) {
        char bytes[65536];
        ssize_t n;

        *ret_size = 0;
        while ((n = recv(peer->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
                *ret_size += (size_t)n;
        return n < 0 && errno == EAGAIN;
}

/* Asks until the answers fill the socket, so that output waits in the server. */
static void fill(struct scene *scene, struct peer *peer) {
        int before, now = -1;

        do {
                before = now;
                ask(peer);
                run_turns(scene, 16);
                assert_int_equal(ioctl(peer->fd, FIONREAD, &now), 0);
        } while (now != before);
        assert_true(now > 1024);
}

static bool is_closed(const struct peer *peer) {
        struct pollfd poll_fd = {.fd = peer->fd, .events = POLLRDHUP};

        return poll(&poll_fd, 1, 0) == 1;
}

/* Time passes, in which `busy` takes what there is and asks for more than it takes. */
static void pass(struct scene *scene, struct peer *busy, uint64_t ns) {
        size_t size;

        now_ns += ns;
        assert_true(take(busy, &size));
        assert_true(size > 0);
        fill(scene, busy);
}

static void test_a_deaf_peer_is_dropped_beside_a_busy_one(void **state) {
        struct peer busy, deaf;
        struct scene scene;

        begin(&scene, state);
        peer_begin(&busy);
        peer_begin(&deaf);
        peer_connect(&busy, &scene);
        peer_connect(&deaf, &scene);
        fill(&scene, &deaf);
        fill(&scene, &busy);
        for (int i = 0; i < 29; i++)
                pass(&scene, &busy, NS_PER_S);
        assert_false(is_closed(&deaf));
        for (int i = 0; i < 6; i++)
                pass(&scene, &busy, NS_PER_S);
        assert_true(is_closed(&deaf));
        assert_false(is_closed(&busy));
        peer_end(&busy);
        peer_end(&deaf);
        end(&scene);
}

static void test_a_pause_ends_beside_a_busy_peer(void **state) {
        struct rlimit limit, none;
        struct peer busy, late;
        struct scene scene;
        size_t size;

        begin(&scene, state);
        peer_begin(&busy);
        peer_begin(&late);
        peer_connect(&busy, &scene);
        fill(&scene, &busy);

        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        none = limit;
        none.rlim_cur = (rlim_t)dup(0); /* the lowest number that is free */
        close((int)none.rlim_cur);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
        peer_connect(&late, &scene);
        run_turns(&scene, 8);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        run_turns(&scene, 8);
        assert_true(take(&late, &size));
        assert_int_equal(size, 0); /* the pause: descriptors are free again, and nothing is accepted yet */

        for (int i = 0; i < 5; i++)
                pass(&scene, &busy, 100 * NS_PER_MS);
        assert_true(take(&late, &size));
        assert_true(size > 0);
        peer_end(&busy);
        peer_end(&late);
        end(&scene);
}

static void send_request(const struct peer *peer, const char *message, size_t size) {
        struct wire_buffer frame = WIRE_BUFFER_INIT(256);

        put_frame(&frame, message, size);
        assert_int_equal(send(peer->fd, frame.data, frame.size, MSG_NOSIGNAL), frame.size);
        wire_buffer_deinit(&frame);
}

/* One peer has taken nothing, so that its socket has no room, and asks for what is made in slices: the others do not wait
 * for its room. */
static void test_an_answer_in_slices_does_not_wait_for_room(void **state) {
        static const char status[] = "\x94\x00\x02\xa6status\x80", spans[] = "\x94\x00\x03\xa5spans\x80";
        struct pollfd room = {.events = POLLIN};
        struct peer deaf, other;
        struct scene scene;
        size_t size;

        begin(&scene, state);
        peer_begin(&deaf);
        peer_begin(&other);
        peer_connect(&deaf, &scene);
        run_turns(&scene, 16);
        send_request(&deaf, status, sizeof status - 1);
        run_turns(&scene, 16);
        room.fd = deaf.fd;
        assert_int_equal(poll(&room, 1, 0), 1);
        peer_connect(&other, &scene);
        run_turns(&scene, 16);
        assert_true(take(&other, &size));

        step_ns = REACTOR_SLICE_NS; /* each look at the clock finds the slice to be over */
        send_request(&deaf, spans, sizeof spans - 1);
        run_turns(&scene, 4);
        send_request(&other, spans, sizeof spans - 1);
        run_turns(&scene, 20 * MORE_PROCESSES);
        step_ns = 0;
        assert_true(take(&other, &size));
        assert_true(size > 0);
        peer_end(&deaf);
        peer_end(&other);
        end(&scene);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_a_deaf_peer_is_dropped_beside_a_busy_one, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_pause_ends_beside_a_busy_peer, setup, teardown),
                cmocka_unit_test_setup_teardown(test_an_answer_in_slices_does_not_wait_for_room, setup, teardown),
        };

        return cmocka_run_group_tests_name("query_server", tests, NULL, NULL);
}
