/* SPDX-License-Identifier: MIT */
/*
 * Housekeeping while processes come and go: each arrival and each end asks for it soon, and none puts it off.  The clock
 * is the test's own.
 *
 * Wrap: clock_gettime
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/collector/collector_private.h"
#include "daemon/loop/reactor.h"

static uint64_t now_ns = 1000 * NS_PER_S;

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret) {
        if (clock != CLOCK_MONOTONIC)
                return __real_clock_gettime(clock, ret);
        *ret = (struct timespec){.tv_sec = (time_t)(now_ns / NS_PER_S), .tv_nsec = (long)(now_ns % NS_PER_S)};
        return 0;
}

struct scene {
        struct reactor *reactor;
        struct collector *collector;
        unsigned events, housekeepings;
};

static void on_work(void *userdata, enum collector_work work, uint64_t at_ns) {
        struct scene *scene = userdata;

        scene->housekeepings += work == COLLECTOR_HOUSEKEEPING;
}

/* A process comes or goes every 50 ms. */
static void on_turn(void *userdata, int fd, unsigned events) {
        struct scene *scene = userdata;

        if (!scene->events--) {
                reactor_stop(scene->reactor);
                return;
        }
        schedule_tend_soon(scene->collector);
        now_ns += 50 * NS_PER_MS;
}

static void test_events_do_not_put_housekeeping_off(void **state) {
        struct scene scene = {.events = 200};
        struct reactor_watch *watch;
        int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

        assert_int_equal(reactor_new(&scene.reactor, REACTOR_POLL), 0);
        assert_int_equal(collector_new(&scene.collector, scene.reactor, &collector_options_default), 0);
        collector_on_work(scene.collector, on_work, &scene);
        assert_int_equal(reactor_watch(scene.reactor, &watch, fd, REACTOR_IN, on_turn, &scene), 0);
        assert_int_equal(reactor_run(scene.reactor), 0);
        /* 100 ms after the first event that finds it idle: at least with each third of them. */
        assert_in_range(scene.housekeepings, 200 / 3, 200);
        reactor_unwatch(watch);
        close(fd);
        collector_free(scene.collector);
        reactor_free(scene.reactor);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_events_do_not_put_housekeeping_off),
        };

        return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
