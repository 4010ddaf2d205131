/* SPDX-License-Identifier: MIT */
/*
 * Bells: a ring wakes, a removed bell may be unmapped at once, and a client that rings without end does not keep the
 * collector busy.
 *
 * Labels: tsan
 */
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/loop/doorbell.h"

#define MS UINT64_C(1000000)

static struct reactor *reactor;
static struct waker *waker;
static unsigned rung;

static bool on_idle(void *userdata) {
        rung += waker_rang(waker);
        return false;
}

static void stop(void *userdata, uint64_t now_ns) {
        reactor_stop(reactor);
}

static void run_for(uint64_t ns) {
        struct reactor_timer *timer;

        assert_int_equal(reactor_timer(reactor, &timer, stop, NULL), 0);
        reactor_timer_set(timer, reactor_now(reactor) + ns);
        assert_int_equal(reactor_run(reactor), 0);
        reactor_timer_free(timer);
        rung += waker_rang(waker);
}

/* Until a bell was heard, or in vain: how long that takes, a loaded machine decides. */
static void run_until_rung(void) {
        for (int i = 0; i < 1000 && !rung; i++)
                run_for(10 * MS);
}

static void ring(uint32_t *word) {
        __atomic_add_fetch(word, 1, __ATOMIC_SEQ_CST);
        syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static uint32_t *map_word(void) {
        uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        assert_ptr_not_equal(word, MAP_FAILED);
        return word;
}

static int setup(void **state) {
        rung = 0;
        if (reactor_new(&reactor, REACTOR_POLL) < 0 || waker_new(&waker, reactor) < 0)
                return 1;
        reactor_on_idle(reactor, on_idle, NULL);
        return 0;
}

static int teardown(void **state) {
        waker = waker_free(waker);
        reactor = reactor_free(reactor);
        return 0;
}

static void test_ring(void **state) {
        struct waker_bell *bell;
        uint32_t *word = map_word();

        if (!waker_works(waker))
                skip();
        assert_int_equal(waker_add(waker, &bell, word), 0);
        run_for(20 * MS);
        assert_int_equal(rung, 0);
        ring(word);
        run_until_rung();
        assert_int_equal(rung, 1);
        waker_remove(bell);
        ring(word);
        run_for(20 * MS);
        assert_int_equal(rung, 1);
        munmap(word, 4096);
}

/* More than one futex_waitv can hold. */
static void test_many(void **state) {
        struct waker_bell *bells[300];
        uint32_t *words[300];

        if (!waker_works(waker))
                skip();
        for (int i = 0; i < 300; i++) {
                words[i] = map_word();
                assert_int_equal(waker_add(waker, &bells[i], words[i]), 0);
        }
        for (int i = 0; i < 300; i += 50) {
                rung = 0;
                ring(words[i]);
                run_until_rung();
                assert_int_equal(rung, 1);
        }
        for (int i = 0; i < 300; i++) {
                waker_remove(bells[i]);
                munmap(words[i], 4096);
        }
        run_for(20 * MS);
}

static void test_come_and_go(void **state) {
        for (int i = 0; i < 2000; i++) {
                struct waker_bell *bell;
                uint32_t *word = map_word();

                assert_int_equal(waker_add(waker, &bell, word), 0);
                if (i % 3 == 0)
                        ring(word);
                waker_remove(bell);
                munmap(word, 4096);
        }
}

static void *ring_on(void *userdata) {
        uint32_t *word = userdata;

        while (__atomic_load_n(word + 1, __ATOMIC_RELAXED) == 0)
                ring(word);
        return NULL;
}

static void test_storm(void **state) {
        struct waker_bell *bell;
        uint32_t *word = map_word();
        pthread_t thread;

        if (!waker_works(waker))
                skip();
        assert_int_equal(waker_add(waker, &bell, word), 0);
        assert_int_equal(pthread_create(&thread, NULL, ring_on, word), 0);
        run_for(200 * MS);
        run_until_rung();
        __atomic_store_n(word + 1, 1, __ATOMIC_RELAXED);
        pthread_join(thread, NULL);
        assert_in_range(rung, 1, 201);
        waker_remove(bell);
        munmap(word, 4096);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_ring, setup, teardown),
                cmocka_unit_test_setup_teardown(test_many, setup, teardown),
                cmocka_unit_test_setup_teardown(test_come_and_go, setup, teardown),
                cmocka_unit_test_setup_teardown(test_storm, setup, teardown),
        };

        return cmocka_run_group_tests_name("waker", tests, NULL, NULL);
}
