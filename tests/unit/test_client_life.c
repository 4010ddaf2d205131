/* SPDX-License-Identifier: MIT */
/*
 * As test_client.c: threads and processes that come, fork, end and are killed, signals at any moment, and new collectors.
 *
 * Timeout: 900
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/process/counting.h"
#include "tests/unit/client_scenes.h"

SPANALLOC_SITE(site_t, "t");

static spanalloc_span t;

/* ------------------------------------------------------------------------------------------------ life and death -- */

static void forks(void) {
        pid_t child;
        int status;

        s = spanalloc_open(&site_s);
        spanalloc_enter(s);
        work(10);
        child = fork();
        must(child >= 0);
        if (!child) {
                close(control);
                must(!spanalloc_current().instance);
                spanalloc_exit(s); /* the parent's, who must not notice */
                spanalloc_close(s);
                work(1000);
                {
                        SPANALLOC_SCOPE("c");
                        work(3);
                        must(spanalloc_attach(NULL) == 0);
                }
                {
                        SPANALLOC_SCOPE("c");
                        work(3);
                }
                _exit(0);
        }
        must(waitpid(child, &status, 0) == child && status == 0);
        work(1);
        {
                SPANALLOC_SCOPE("b");
                work(2);
        }
        spanalloc_exit(s);
        spanalloc_close(s);
        expect_closed("s", 11, 13, 1);
        expect_closed("b", 2, 2, 1);
        expect("c");
        report->wants[2].calls = 0;
        report->outside = 0;
        report->counters = 13;
        check();

        expect_closed("c", 6, 6, 2);
        expect("s")->calls = 0;
        /* Its thread is a copy of ours: its own snapshot function says what it had counted. */
        report->before = 1010;
        report->counters = 1016;
        report->pid = child;
        look();
        expect_nothing();
        expect_closed("s", 11, 13, 1);
}

static void *leaves_open(void *userdata) {
        spanalloc_enter(s);
        work(10);
        (void)spanalloc_scope_begin(&site_t);
        work(5);
        { SPANALLOC_SCOPE("b"); }
        return NULL;
}

static void thread_ends_with_open_frames(void) {
        s = spanalloc_open(&site_s);
        in_thread(leaves_open, NULL);
        *expect("s") = (struct want){"s", 10, 15, 0, 0, 1, 0, 0, 0, ANY, 0};
        *expect("t") = (struct want){"t", 5, 5, 0, 0, 1, 0, 1, 0, ANY, 0};
        expect_closed("b", 0, 0, 1);
        check();
        spanalloc_close(s);
        *expect("s") = (struct want){"s", 10, 15, 0, 0, 1, 1, 0, 0, ANY, 0};
        *expect("t") = (struct want){"t", 5, 5, 0, 0, 1, 0, 1, 0, ANY, 0};
        check();
}

static void *short_life(void *userdata) {
        work(1);
        a_with_b();
        return NULL;
}

/* As many lanes as a process claims before one takes in more threads than it can remember (FRESH_LANES in client/lanes/lane.c). */
#define LANES_AT_FIRST 64

static void a_thousand_short_threads(void) {
        pthread_t ids[8];

        for (int i = 0; i < 125; i++) {
                for (int k = 0; k < 8; k++)
                        ids[k] = start(short_life, NULL);
                for (int k = 0; k < 8; k++)
                        pthread_join(ids[k], NULL);
                if (i % 10 == 0)
                        look();
        }
        expect_closed("a", 15000, 115000, 1000);
        expect_closed("b", 100000, 100000, 1000);
        report->before = 1000;
        report->outside = report->lost = 0;
        report->counters = 116000;
        report->lanes_max = LANES_AT_FIRST;
        check();
}

static void *untidy_life(void *userdata) {
        (void)spanalloc_scope_begin(&site_t);
        work(1);
        a_with_b();
        return NULL;
}

/* What they left open is settled, and their lanes are free again. */
static void untidy_threads(void) {
        for (int i = 0; i < 200; i++) {
                in_thread(untidy_life, NULL);
                if (i % 4 == 3)
                        look();
        }
        expect_closed("a", 3000, 23000, 200);
        *expect("t") = (struct want){"t", 200, 23200, 0, 0, 200, 0, 200, 0, ANY, 0};
        report->lanes_max = 12;
        check();
}

/* More threads than lanes. */
static void *waits_in_a_span(void *userdata) {
        {
                SPANALLOC_SCOPE("a");
                work(1);
        }
        post(&to_main);
        await(&to_a);
        return NULL;
}

static void too_many_threads(void) {
        pthread_t ids[20];

        init();
        for (int i = 0; i < 20; i++)
                ids[i] = start(waits_in_a_span, NULL);
        for (int i = 0; i < 20; i++)
                await(&to_main);
        must(stats().refused_threads == 12);
        expect_closed("a", 8, 8, 8);
        report->lanes_max = 8;
        check();
        for (int i = 0; i < 20; i++)
                post(&to_a);
        for (int i = 0; i < 20; i++)
                pthread_join(ids[i], NULL);
        in_thread(short_life, NULL);
        expect_closed("a", 23, 123, 9);
        check();
}

/* Killed in the middle of it all: what was published is there. */
static void killed(void) {
        inner(5);
        s = spanalloc_open(&site_s);
        spanalloc_enter(s);
        work(3);
        inner(4);
        expect_closed("i", 9, 9, 2);
        *expect("s") = (struct want){"s", 3, 7, 0, 0, 1, 0, 1, 0, ANY, 0};
        report->counters = 12;
}

/* ---------------------------------------------------------------------------------------------------- signals -- */

static volatile sig_atomic_t handled;

static void on_alarm(int number) {
        SPANALLOC_SCOPE("h");
        work(1);
        handled++;
        (void)spanalloc_current();
}

static void tick(long us) {
        const struct itimerval timer = {{0, us}, {0, us}};
        struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};

        must(sigaction(SIGALRM, &action, NULL) == 0);
        must(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

/* The collector may be late: waits until half of the ring is free. */
static void leave_room(void) {
        const struct shm_lane *lane = sa_self.lane;

        while (atomic_load(&lane->head) - atomic_load(&lane->tail) > 1u << 19)
                pause_ms(1);
}

/* Handlers that open spans, in the middle of calls and beside them.  A snapshot that one interrupts is of no one moment;
 * so which span has what is not certain, but all of it is there, and counts of spans are exact. */
static void signals(void) {
        uint64_t spans = 0;

        tick(50);
        for (int i = 0; i < 400000; i++) {
                if (i % 4096 == 4095)
                        leave_room();
                a_with_b();
                if (i % 16 == 0) {
                        s = spanalloc_open(&site_s);
                        spanalloc_enter(s);
                        spanalloc_exit(s);
                        spanalloc_close(s);
                        spans++;
                }
        }
        tick(0);
        inner(0);
        must(handled > 100);
        must(stats().refused_enters == 0 && stats().unmatched_exits == 0);
        *expect("a") = (struct want){"a", ANY, ANY, 400000, 0, 400000, 400000, 0, 400000, ANY, 0};
        *expect("b") = (struct want){"b", ANY, ANY, 400000, 0, 400000, 400000, 0, 400000, ANY, 0};
        *expect("s") = (struct want){"s", ANY, ANY, spans, 0, spans, spans, 0, spans, ANY, 0};
        *expect("h") = (struct want){"h", ANY, ANY, ANY, 0, ANY, ANY, 0, ANY, ANY, 0};
        report->counters = 400000 * 115 + (uint64_t)handled;
        check();
}

/* The same at each thread's first call. */
static void *first_calls(void *userdata) {
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGALRM);
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
        inner(1);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
        inner(1);
        __atomic_fetch_add((uint64_t *)userdata, own.alloc_count, __ATOMIC_RELAXED);
        return NULL;
}

static void signals_at_first_calls(void) {
        static uint64_t sum;
        sigset_t set;

        sigemptyset(&set);
        sigaddset(&set, SIGALRM);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
        tick(50);
        for (int i = 0; i < 3000; i++)
                in_thread(first_calls, &sum);
        tick(0);
        must(stats().refused_enters == 0 && stats().unmatched_exits == 0);
        *expect("i") = (struct want){"i", ANY, ANY, 6000, 0, 6000, 6000, 0, 6000, ANY, 0};
        report->counters = sum;
        report->lanes_max = LANES_AT_FIRST;
        check();
}

/* ---------------------------------------------------------------------------------------------- new collectors -- */

static void detached(void) {
        inner(1);
        s = spanalloc_open(&site_s);
        spanalloc_enter(s);
        work(10);
        spanalloc_detach();
        must(!stats().attached);
        {
                SPANALLOC_SCOPE("i");
                work(100);
        }
        spanalloc_exit(s);
        must(!spanalloc_open(&site_s).instance);
        must(spanalloc_attach(NULL) == 0);
        work(1000);
        inner(3);
        spanalloc_close(s);
        expect_closed("i", 3, 3, 1);
        expect("s")->calls = 0;
        report->before = 1111;
        report->outside = 0;
        report->counters = 1114;
        check();
        report->skip = 1;
        expect_closed("i", 1, 1, 1);
        *expect("s") = (struct want){"s", 0, 0, 0, 0, 1, 0, 1, 0, ANY, 0};
        report->counters = 1;
        look();
        must(report->end == PROCESS_DETACHED);
        expect_nothing();
}

static void *opens_before(void *unused) {
        (void)unused;
        for (int i = 0; i < 40; i++)
                must(!spanalloc_open(&site_s).instance);
        post(&to_main);
        await(&to_b);
        inner(5);
        return NULL;
}

/* A thread that may go on for some opens without a look for a collector: one that another thread has attached to meanwhile,
 * it sees with its next. */
static void attached_elsewhere(void) {
        pthread_t thread;

        init();
        spanalloc_detach();
        thread = start(opens_before, NULL);
        await(&to_main);
        must(spanalloc_attach(NULL) == 0);
        post(&to_b);
        must(pthread_join(thread, NULL) == 0);
        expect_closed("i", 5, 5, 1);
        report->counters = 5;
        check();
}

/* Until the thread has a lane of the new collector's. */
static uint64_t go_on_until_attached(void) {
        uint64_t before = stats().threads, n = 0;

        while (stats().threads == before) {
                inner(1);
                n++;
                pause_ms(5);
                must(n < 40000); /* only a hang counts */
        }
        return n;
}

static void replaced(void) {
        uint64_t n;

        s = spanalloc_open(&site_s);
        t = spanalloc_open(&site_t);
        work(7);
        spanalloc_enter(s);
        work(10);
        spanalloc_enter(t);
        inner(2);
        look(); /* so far it is booked */
        collector_is_replaced();
        n = go_on_until_attached();
        /* The last of these was counted there already, the others by no collector. */
        work(3);
        spanalloc_exit(t);
        work(4);
        spanalloc_exit(s);
        spanalloc_close(s);
        spanalloc_close(t);
        expect_closed("i", 1, 1, 1);
        expect_closed("t", 3, 2 + n + 3, 1);
        expect_closed("s", 4, 10 + 2 + n + 3 + 4, 1);
        report->before = 7 + 10 + 2 + n - 1;
        report->lost = 0;
        report->outside = 0;
        report->counters = 7 + 10 + 2 + n + 3 + 4;
        check();
}

/* Threads that never call again keep what they have; others move. */
static void *idles(void *userdata) {
        inner(1);
        post(&to_main);
        await(&to_a);
        inner(1);
        return NULL;
}

static void replaced_again_and_again(void) {
        pthread_t ids[4];
        uint64_t n = 0, last = 0;

        init();
        inner(1);
        for (int i = 0; i < 4; i++) {
                ids[i] = start(idles, NULL);
                await(&to_main);
                look();
                collector_is_replaced();
                last = go_on_until_attached();
                n += last;
        }
        for (int i = 0; i < 4; i++)
                post(&to_a);
        for (int i = 0; i < 4; i++)
                pthread_join(ids[i], NULL);
        expect_closed("i", 5, 5, 5);
        report->before = 5 + n - 1; /* the last one is in the new books */
        report->lost = 0;
        report->counters = 9 + n;
        check();
}

/* With handlers that may be the first to meet the new one. */
static void replaced_under_signals(void) {
        tick(100);
        for (int i = 0; i < 3; i++) {
                uint64_t before = stats().threads, n = 0;

                collector_is_replaced();
                while (stats().threads == before) {
                        for (int k = 0; k < 1000; k++)
                                a_with_b();
                        must(n++ < 4000000); /* at most once a second; only a hang counts */
                }
        }
        tick(0);
        for (int k = 0; k < 10; k++)
                a_with_b();
        must(stats().unmatched_exits == 0);
        *expect("a") = (struct want){"a", ANY, ANY, ANY, 0, ANY, ANY, 0, ANY, ANY, ANY};
        report->counters = own.alloc_count;
        check();
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                SCENARIO(forks, .processes = 2),
                SCENARIO(thread_ends_with_open_frames),
                SCENARIO(a_thousand_short_threads),
                SCENARIO(untidy_threads),
                SCENARIO(too_many_threads, .lane_capacity = 8),
                SCENARIO(killed),
                SCENARIO(signals, .ring_records = 1u << 20),
                SCENARIO(signals_at_first_calls),
                SCENARIO(detached, .processes = 2),
                SCENARIO(attached_elsewhere, .processes = 2),
                SCENARIO(replaced),
                SCENARIO(replaced_again_and_again),
                SCENARIO(replaced_under_signals, .ring_records = 1u << 20),
        };

        return RUN_SCENES(argc, argv, tests);
}
