/* SPDX-License-Identifier: MIT */
/*
 * The reactor, each test on both backends: levels, removal from within callbacks, timers, wake-ups.
 *
 * Labels: tsan
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "daemon/loop/reactor.h"

#define MS UINT64_C(1000000)

struct scene {
        struct reactor *reactor;
        struct reactor_watch *watch, *other;
        struct reactor_timer *timer, *until;
        int fds[2];
        unsigned calls, events, idles, turns;
        uint64_t at;
};

static int setup(void **state, enum reactor_backend backend) {
        static struct scene scene;

        scene = (struct scene){0};
        if (reactor_new(&scene.reactor, backend) < 0)
                return 1; /* the test begins with a skip */
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, scene.fds), 0);
        *state = &scene;
        return 0;
}

static int setup_poll(void **state) {
        return setup(state, REACTOR_POLL);
}

static int setup_uring(void **state) {
        if (setup(state, REACTOR_URING) == 0)
                return 0;
        *state = NULL;
        return 0;
}

static int teardown(void **state) {
        struct scene *scene = *state;

        if (!scene)
                return 0;
        reactor_free(scene->reactor);
        close(scene->fds[0]);
        if (scene->fds[1] >= 0)
                close(scene->fds[1]);
        return 0;
}

/* Where io_uring is refused there is nothing to test. */
#define SCENE(state)                                                                                                   \
        struct scene *scene = *(state);                                                                                \
        if (!scene)                                                                                                    \
        skip()

static void stop_timer(void *userdata, uint64_t now_ns) {
        struct scene *scene = userdata;

        scene->at = now_ns;
        reactor_stop(scene->reactor);
}

/* All that time may pass before the first turn looks at the watches: some turns more. */
static void stop_later(void *userdata, uint64_t now_ns) {
        struct scene *scene = userdata;

        if (scene->turns++ < 3)
                reactor_timer_set(scene->until, now_ns + MS / 10);
        else
                reactor_stop(scene->reactor);
}

static void run_for(struct scene *scene, uint64_t ns) {
        scene->turns = 0;
        assert_int_equal(reactor_timer(scene->reactor, &scene->until, stop_later, scene), 0);
        reactor_timer_set(scene->until, reactor_now(scene->reactor) + ns);
        assert_int_equal(reactor_run(scene->reactor), 0);
        scene->until = reactor_timer_free(scene->until);
}

static void count_three(void *userdata, int fd, unsigned events) {
        struct scene *scene = userdata;

        scene->events |= events;
        if (++scene->calls == 3)
                reactor_stop(scene->reactor);
}

static void test_level(void **state) {
        SCENE(state);

        assert_int_equal(reactor_watch(scene->reactor, &scene->watch, scene->fds[0], REACTOR_IN, count_three, scene),
                         0);
        assert_int_equal(write(scene->fds[1], "x", 1), 1);
        assert_int_equal(reactor_run(scene->reactor), 0); /* the callback does not read, so it is called again */
        assert_int_equal(scene->calls, 3);
        assert_int_equal(scene->events, REACTOR_IN);
}

static void read_one(void *userdata, int fd, unsigned events) {
        struct scene *scene = userdata;
        char c;

        scene->calls++;
        scene->events |= events;
        (void)!read(fd, &c, 1);
}

static void test_quiet_when_read(void **state) {
        SCENE(state);

        assert_int_equal(reactor_watch(scene->reactor, &scene->watch, scene->fds[0], REACTOR_IN, read_one, scene), 0);
        assert_int_equal(write(scene->fds[1], "x", 1), 1);
        run_for(scene, 20 * MS);
        assert_int_equal(scene->calls, 1);
        assert_int_equal(write(scene->fds[1], "x", 1), 1);
        run_for(scene, 20 * MS);
        assert_int_equal(scene->calls, 2);
}

static void test_change_of_events(void **state) {
        SCENE(state);

        assert_int_equal(reactor_watch(scene->reactor, &scene->watch, scene->fds[0], REACTOR_IN, count_three, scene),
                         0);
        run_for(scene, 5 * MS);
        assert_int_equal(scene->calls, 0);
        reactor_watch_set(scene->watch, REACTOR_IN | REACTOR_OUT); /* while it is armed for less */
        assert_int_equal(reactor_run(scene->reactor), 0);
        assert_int_equal(scene->events, REACTOR_OUT);
        reactor_watch_set(scene->watch, 0);
        scene->calls = 0;
        run_for(scene, 5 * MS);
        assert_int_equal(scene->calls, 0);
}

static void test_hangup(void **state) {
        SCENE(state);

        assert_int_equal(reactor_watch(scene->reactor, &scene->watch, scene->fds[0], 0, count_three, scene), 0);
        close(scene->fds[1]);
        scene->fds[1] = -1;
        assert_int_equal(reactor_run(scene->reactor), 0);
        assert_int_equal(scene->events, REACTOR_HUP);
}

static void remove_both(void *userdata, int fd, unsigned events) {
        struct scene *scene = userdata;

        scene->calls++;
        scene->watch = reactor_unwatch(scene->watch);
        scene->other = reactor_unwatch(scene->other);
}

static void test_removal_in_callback(void **state) {
        SCENE(state);

        /* Both are ready in the same turn; whichever is served first silences both. */
        for (int i = 0; i < 50; i++) {
                scene->calls = 0;
                assert_int_equal(
                        reactor_watch(scene->reactor, &scene->watch, scene->fds[0], REACTOR_OUT, remove_both, scene),
                        0);
                assert_int_equal(
                        reactor_watch(scene->reactor, &scene->other, scene->fds[1], REACTOR_OUT, remove_both, scene),
                        0);
                run_for(scene, 1 * MS);
                assert_int_equal(scene->calls, 1);
        }
}

static void test_peer_sees_close_after_unwatch(void **state) {
        SCENE(state);
        char c;

        assert_int_equal(reactor_watch(scene->reactor, &scene->watch, scene->fds[1], REACTOR_IN, count_three, scene),
                         0);
        run_for(scene, 2 * MS);
        reactor_unwatch(scene->watch);
        close(scene->fds[1]);
        scene->fds[1] = -1;
        run_for(scene, 5 * MS); /* a backend that holds the file longer would keep the peer waiting */
        assert_int_equal(read(scene->fds[0], &c, 1), 0);
}

static void fire(void *userdata, uint64_t now_ns) {
        struct scene *scene = userdata;

        if (++scene->calls < 5)
                reactor_timer_set(scene->timer, now_ns + 2 * MS);
        else
                reactor_stop(scene->reactor);
}

static void test_timer(void **state) {
        SCENE(state);
        uint64_t begin;

        assert_int_equal(reactor_timer(scene->reactor, &scene->timer, fire, scene), 0);
        begin = reactor_now(scene->reactor);
        reactor_timer_set(scene->timer, begin + 2 * MS);
        assert_int_equal(reactor_run(scene->reactor), 0);
        assert_int_equal(scene->calls, 5);
        assert_true(reactor_now(scene->reactor) - begin >= 10 * MS);
}

/* An earlier time is taken, a later one is not; idle takes any. */
static void test_timer_is_brought_forward(void **state) {
        SCENE(state);
        uint64_t begin;

        scene->calls = 4; /* the next call is the last */
        assert_int_equal(reactor_timer(scene->reactor, &scene->timer, fire, scene), 0);
        begin = reactor_now(scene->reactor);
        reactor_timer_bring_forward(scene->timer, begin + UINT64_C(3600000) * MS);
        reactor_timer_bring_forward(scene->timer, begin + 2 * MS);
        reactor_timer_bring_forward(scene->timer, begin + UINT64_C(3600000) * MS);
        assert_int_equal(reactor_run(scene->reactor), 0);
        assert_int_equal(scene->calls, 5);
        assert_true(reactor_now(scene->reactor) - begin >= 2 * MS);
}

static bool on_idle(void *userdata) {
        struct scene *scene = userdata;

        if (++scene->idles < 10)
                return true;
        reactor_timer_set(scene->timer, reactor_now(scene->reactor));
        return false;
}

static void test_idle_refuses_sleep(void **state) {
        SCENE(state);

        assert_int_equal(reactor_timer(scene->reactor, &scene->timer, stop_timer, scene), 0);
        reactor_on_idle(scene->reactor, on_idle, scene);
        assert_int_equal(reactor_run(scene->reactor), 0);
        assert_int_equal(scene->idles, 10);
}

static void *wake_later(void *userdata) {
        usleep(10000);
        reactor_wake(userdata);
        return NULL;
}

static bool stop_second(void *userdata) {
        struct scene *scene = userdata;

        if (++scene->idles == 2)
                reactor_stop(scene->reactor);
        return scene->idles == 2;
}

static void test_wake(void **state) {
        SCENE(state);
        pthread_t thread;

        /* Without any timer: only the wake-up can end this. */
        reactor_on_idle(scene->reactor, stop_second, scene);
        assert_int_equal(pthread_create(&thread, NULL, wake_later, scene->reactor), 0);
        assert_int_equal(reactor_run(scene->reactor), 0);
        pthread_join(thread, NULL);
        assert_int_equal(scene->idles, 2);
}

/* More watches than the ring of requests has entries. */
static void test_many(void **state) {
        SCENE(state);
        struct reactor_watch *watches[700];
        int fds[700];

        for (int i = 0; i < 700; i++) {
                fds[i] = dup(scene->fds[0]);
                assert_true(fds[i] >= 0);
                assert_int_equal(reactor_watch(scene->reactor, &watches[i], fds[i], REACTOR_IN, read_one, scene), 0);
        }
        run_for(scene, 5 * MS);
        assert_int_equal(scene->calls, 0);
        assert_int_equal(write(scene->fds[1], "x", 1), 1);
        run_for(scene, 20 * MS);
        assert_true(scene->calls >= 1);
        for (int i = 0; i < 700; i++) {
                reactor_unwatch(watches[i]);
                close(fds[i]);
        }
        scene->calls = 0;
        assert_int_equal(write(scene->fds[1], "x", 1), 1);
        run_for(scene, 5 * MS);
        assert_int_equal(scene->calls, 0);
}

static void spin(uint64_t ns) {
        uint64_t end = clock_monotonic_ns() + ns;

        while (clock_monotonic_ns() < end)
                ;
}

static uint64_t much_ns;

static void work_then_read(void *userdata, int fd, unsigned events) {
        struct scene *scene = userdata;

        reactor_work(scene->reactor, "little");
        spin(MS / 10);
        reactor_work(scene->reactor, "much");
        spin(much_ns);
        read_one(scene, fd, events);
}

/* By processor time, so that only what the thread itself did counts. */
static void test_longest_turn(void **state) {
        SCENE(state);

        assert_string_equal(reactor_longest(scene->reactor).work, "");
        run_for(scene, 1 * MS);
        assert_int_equal(reactor_watch(scene->reactor, &scene->watch, scene->fds[0], REACTOR_IN, work_then_read, scene),
                         0);
        /* Where another program takes the processor in the middle of a turn, the name may be that of another work. */
        for (unsigned n = 1; n <= 20 && strcmp(reactor_longest(scene->reactor).work, "much") != 0; n++) {
                much_ns = n * 3 * MS;
                assert_int_equal(write(scene->fds[1], "x", 1), 1);
                run_for(scene, 20 * MS + much_ns);
                assert_int_equal(scene->calls, n);
        }
        assert_string_equal(reactor_longest(scene->reactor).work, "much");
        assert_true(reactor_longest(scene->reactor).ns > 0);
}

static void spin_and_count(void *userdata, int fd, unsigned events) {
        struct scene *scene = userdata;

        spin(1 * MS);
        scene->calls++;
}

static void stop_at_second(void *userdata, uint64_t now_ns) {
        struct scene *scene = userdata;

        if (++scene->idles % 2)
                reactor_timer_set(scene->timer, 1);
        else
                reactor_stop(scene->reactor);
}

/* Many ready watches do not make a long turn: a timer has its time between them, and each watch has its own. */
static void test_turn_is_cut(void **state) {
        SCENE(state);
        struct reactor_watch *watches[64];
        struct scene each[64];
        int fds[64];

        for (int i = 0; i < 64; i++) {
                fds[i] = dup(scene->fds[0]);
                assert_true(fds[i] >= 0);
                each[i] = (struct scene){.calls = 0};
                assert_int_equal(
                        reactor_watch(scene->reactor, &watches[i], fds[i], REACTOR_OUT, spin_and_count, &each[i]), 0);
        }
        assert_int_equal(reactor_timer(scene->reactor, &scene->timer, stop_at_second, scene), 0);
        for (int round = 0; round < 64; round++) {
                unsigned before = 0, after = 0;

                for (int i = 0; i < 64; i++)
                        before += each[i].calls;
                reactor_timer_set(scene->timer, 1);
                assert_int_equal(reactor_run(scene->reactor), 0);
                for (int i = 0; i < 64; i++)
                        after += each[i].calls;
                assert_true(after - before <= 2 * REACTOR_TURN_NS / MS);
        }
        for (int i = 0; i < 64; i++) {
                assert_true(each[i].calls > 0);
                reactor_unwatch(watches[i]);
                close(fds[i]);
        }
}

enum { TIMERS = 8, IN_A_TURN = 3 };

struct busy {
        struct reactor *reactor;
        struct reactor_timer *timers[TIMERS];
        unsigned calls[TIMERS], all, of_turn;
        uint64_t turn_ns; /* the time of the turn, the same for all that it fires */
};

static void fire_again(struct busy *busy, int i, uint64_t now_ns) {
        busy->of_turn = now_ns == busy->turn_ns ? busy->of_turn + 1 : 1;
        busy->turn_ns = now_ns;
        assert_true(busy->of_turn <= IN_A_TURN);
        spin(REACTOR_TURN_NS / IN_A_TURN + 1);
        busy->calls[i]++;
        if (++busy->all == 8 * TIMERS)
                reactor_stop(busy->reactor);
        reactor_timer_set(busy->timers[i], 1);
}

static struct busy busy;

static void spin_and_fire_again(void *userdata, uint64_t now_ns) {
        fire_again(&busy, (int)(intptr_t)userdata, now_ns);
}

/* Nor do many timers that are due: each turn has as many as fit, and each timer its turn. */
static void test_turn_is_cut_between_timers(void **state) {
        SCENE(state);

        busy = (struct busy){.reactor = scene->reactor};
        for (int i = 0; i < TIMERS; i++) {
                assert_int_equal(
                        reactor_timer(scene->reactor, &busy.timers[i], spin_and_fire_again, (void *)(intptr_t)i), 0);
                reactor_timer_set(busy.timers[i], 1);
        }
        assert_int_equal(reactor_run(scene->reactor), 0);
        for (int i = 0; i < TIMERS; i++) {
                assert_in_range(busy.calls[i], 7, 9);
                reactor_timer_free(busy.timers[i]);
        }
}

static void test_names(void **state) {
        struct reactor *reactor;

        assert_int_equal(reactor_new(&reactor, REACTOR_POLL), 0);
        assert_string_equal(reactor_backend_name(reactor), "poll");
        assert_true(strlen(reactor_backend_why(reactor)) > 0);
        reactor_free(reactor);
        assert_int_equal(reactor_new(&reactor, REACTOR_AUTO), 0);
        if (strcmp(reactor_backend_name(reactor), "io_uring") == 0)
                assert_string_equal(reactor_backend_why(reactor), "");
        else
                assert_true(strlen(reactor_backend_why(reactor)) > 0);
        reactor_free(reactor);
}

#define BOTH(test)                                                                                                     \
        {#test " (poll)", test, setup_poll, teardown, NULL}, {                                                         \
#test " (io_uring)", test, setup_uring, teardown, NULL                                                 \
        }

int main(void) {
        const struct CMUnitTest tests[] = {
                BOTH(test_level),
                BOTH(test_quiet_when_read),
                BOTH(test_change_of_events),
                BOTH(test_hangup),
                BOTH(test_removal_in_callback),
                BOTH(test_peer_sees_close_after_unwatch),
                BOTH(test_timer),
                BOTH(test_timer_is_brought_forward),
                BOTH(test_idle_refuses_sleep),
                BOTH(test_wake),
                BOTH(test_many),
                BOTH(test_longest_turn),
                BOTH(test_turn_is_cut),
                BOTH(test_turn_is_cut_between_timers),
                cmocka_unit_test(test_names),
        };

        return cmocka_run_group_tests_name("reactor", tests, NULL, NULL);
}
