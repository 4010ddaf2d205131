/* SPDX-License-Identifier: MIT */
/*
 * Shared by the scenarios of the client's tests: two spans, three ways to wait for one another, and the description of
 * a scenario.  Include cmocka.h and its headers first.
 */
#pragma once

#include <semaphore.h>
#include <sys/time.h>
#include <time.h>

#include "tests/unit/client_fixture.h"

SPANALLOC_SITE(site_s, "s");

static spanalloc_span s;
static sem_t to_a, to_b, to_main;

static inline void post(sem_t *sem) {
        must(sem_post(sem) == 0);
}

static inline void await(sem_t *sem) {
        while (sem_wait(sem) < 0)
                must(errno == EINTR);
}

static inline void init(void) {
        must(sem_init(&to_a, 0, 0) == 0 && sem_init(&to_b, 0, 0) == 0 && sem_init(&to_main, 0, 0) == 0);
}

static inline void pause_ms(long ms) {
        struct timespec time = {ms / 1000, ms % 1000 * 1000000};

        while (nanosleep(&time, &time) < 0)
                ;
}

static inline struct spanalloc_stats stats(void) {
        struct spanalloc_stats out = {.size = sizeof out};

        spanalloc_stats(&out);
        return out;
}

static inline void a_with_b(void) {
        SPANALLOC_SCOPE("a");
        work(10);
        {
                SPANALLOC_SCOPE("b");
                work(100);
        }
        work(5);
}

static inline void inner(uint64_t n) {
        SPANALLOC_SCOPE("i");
        work(n);
}

static inline void *joins_in(void *userdata) {
        spanalloc_enter(s);
        work(5);
        post(&to_a);
        await(&to_b);
        work(6);
        spanalloc_exit(s);
        return NULL;
}

static inline void *exits_s(void *userdata) {
        spanalloc_exit(s);
        return NULL;
}

static inline int end_scenes(int failed) {
        fixture_end();
        return failed;
}

/* What main() returns: all, or those that its argument names. */
#define RUN_SCENES(argc, argv, tests)                                                                                  \
        (fixture_begin(argv), cmocka_set_test_filter((argc) > 1 ? (argv)[1] : NULL),                                   \
         end_scenes(cmocka_run_group_tests(tests, NULL, NULL)))

#define SCENARIO(name, ...)                                                                                            \
        {                                                                                                              \
#name, test_scenario, NULL, scenario_teardown, &(struct scenario) {                                    \
                        .child = name, __VA_ARGS__                                                                     \
                }                                                                                                      \
        }
