/* SPDX-License-Identifier: MIT */
/*
 * Housekeeping while processes come and go: each arrival and each end asks for it soon, and none puts it off.  And when
 * nothing is attached any more, it brings a user below the limit of memory.  The clock is the test's own.
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
#include "daemon/processes/arrival.h"
#include "daemon/processes/process_private.h"
#include "shm/handshake.h"

enum { USER = 61001, ROWS = 12, ROWS_KEPT = 3 };

static uint64_t now_ns = 1000 * NS_PER_S;
static uint64_t step_ns; /* by which each look at the clock moves it */

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret) {
        if (clock != CLOCK_MONOTONIC)
                return __real_clock_gettime(clock, ret);
        now_ns += step_ns;
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

/* Nothing happens, but for time that goes by. */
static void on_quiet_turn(void *userdata, int fd, unsigned events) {
        struct scene *scene = userdata;

        if (!scene->events--)
                reactor_stop(scene->reactor);
        now_ns += 50 * NS_PER_MS;
}

static uint64_t memory(const struct processes *processes) {
        const struct process *process = processes_at(processes, 0);

        return process ? limits_quota(process)->used[QUOTA_MEMORY] : 0;
}

/* A process of another user, without a pidfd. */
static struct process *attach(struct scene *scene, pid_t pid) {
        const struct shm_hello hello = {.magic = SHM_HELLO_MAGIC, .version = SHM_VERSION, .kind = SHM_HELLO_ATTACH};
        const struct newcomer newcomer = {.pid = pid, .uid = USER, .pidfd = -1};
        struct process *process;
        int memfd;

        assert_int_equal(process_attach(scene->collector->processes, &newcomer, &hello, &process, &memfd), 0);
        close(memfd);
        return process;
}

/* `rows` of its ended processes, and `living` others, have more memory than it may have.  A slice has time for one. */
static void run_above_the_limit(unsigned rows, unsigned living) {
        struct scene scene = {.events = 2000};
        struct collector_options options = collector_options_default;
        struct reactor_watch *watch;
        struct processes *processes;
        int fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);

        options.keep_ns = UINT64_MAX;
        assert_int_equal(reactor_new(&scene.reactor, REACTOR_POLL), 0);
        assert_int_equal(collector_new(&scene.collector, scene.reactor, &options), 0);
        processes = scene.collector->processes;
        for (unsigned i = 0; i < rows; i++)
                process_end(attach(&scene, getpid()), PROCESS_EXITED, 0);
        for (unsigned i = 0; i < living; i++)
                limits_measure(attach(&scene, (pid_t)(1 + i)));
        options.uid_max[QUOTA_MEMORY] = memory(processes) / (rows + living) * ROWS_KEPT;
        assert_true(options.uid_max[QUOTA_MEMORY] > 0);
        collector_set_options(scene.collector, &options);

        assert_int_equal(reactor_watch(scene.reactor, &watch, fd, REACTOR_IN, on_quiet_turn, &scene), 0);
        step_ns = REACTOR_SLICE_NS / 2;
        assert_int_equal(reactor_run(scene.reactor), 0);
        step_ns = 0;
        assert_true(memory(processes) < options.uid_max[QUOTA_MEMORY]);
        assert_in_range(processes_count(processes), 1, ROWS_KEPT);
        assert_null(processes->buried);
        reactor_unwatch(watch);
        close(fd);
        collector_free(scene.collector);
        reactor_free(scene.reactor);
}

static void test_the_limit_is_kept_when_nothing_is_attached(void **state) {
        run_above_the_limit(ROWS, 0);
}

static void test_the_limit_is_kept_when_the_last_one_is_expelled(void **state) {
        run_above_the_limit(0, ROWS);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_events_do_not_put_housekeeping_off),
                cmocka_unit_test(test_the_limit_is_kept_when_nothing_is_attached),
                cmocka_unit_test(test_the_limit_is_kept_when_the_last_one_is_expelled),
        };

        return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
