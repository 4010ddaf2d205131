/* SPDX-License-Identifier: MIT */
/* Coroutines that report each switch to the library: each has its own stack of spans, on any thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ucontext.h>

#include "tests/unit/client_scenes.h"

/* The address sanitizer takes another thread's use of a coroutine's frame for one after its function has returned. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void) {
        return "detect_stack_use_after_return=0";
}

static ucontext_t home, contexts[2];
static char stacks[2][65536];
static struct spanalloc_stack spans_of[2], home_spans;

static void resume(int which) {
        spanalloc_stack_switch(&home_spans, &spans_of[which]);
        must(swapcontext(&home, &contexts[which]) == 0);
}

static void yield(int which) {
        spanalloc_stack_switch(&spans_of[which], &home_spans);
        must(swapcontext(&contexts[which], &home) == 0);
}

static void first(void) {
        SPANALLOC_SCOPE("first");
        for (int i = 0; i < 10; i++) {
                SPANALLOC_SCOPE("inner");
                work(100);
                yield(0);
        }
}

static void second(void) {
        SPANALLOC_SCOPE("second");
        for (int i = 0; i < 10; i++) {
                work(1);
                yield(1);
        }
}

/* A coroutine that ends is not saved. */
static void run_first(void) {
        first();
        spanalloc_stack_switch(NULL, &home_spans);
}

static void run_second(void) {
        second();
        spanalloc_stack_switch(NULL, &home_spans);
}

static void start_coroutines(void) {
        void (*const functions[])(void) = {run_first, run_second};

        for (volatile int i = 0; i < 2; i++) {
                must(getcontext(&contexts[i]) == 0);
                contexts[i].uc_stack.ss_sp = stacks[i];
                contexts[i].uc_stack.ss_size = sizeof stacks[i];
                contexts[i].uc_link = &home;
                makecontext(&contexts[i], functions[i], 0);
                spans_of[i] = (struct spanalloc_stack){.private_ = {0}};
        }
}

static void expect_coroutines(uint64_t spans) {
        *expect("first") = (struct want){"first", 0, 1000 * spans, ANY, 0, spans, spans, 0, spans, ANY, 0};
        *expect("second") = (struct want){"second", 10 * spans, 10 * spans, ANY, 0, spans, spans, 0, spans, ANY, 0};
        *expect("inner") = (struct want){"inner", 1000 * spans, 1000 * spans, ANY, 0, 10 * spans, 10 * spans,
                                         0,       10 * spans,   ANY,          0};
}

static void turns(void) {
        SPANALLOC_SCOPE("loop");
        start_coroutines();
        for (int i = 0; i < 11; i++) {
                resume(0);
                work(3);
                resume(1);
        }
}

static void one_thread(void) {
        turns();
        turns();
        expect_coroutines(2);
        *expect("loop") = (struct want){"loop", 66, 66, ANY, 0, 2, 2, 0, 2, ANY, 0};
        report->counters = 2086;
        report->outside = report->lost = 0;
        check();
}

/* Each coroutine goes from one thread to the next, with its spans. */
static void *one_turn(void *userdata) {
        resume(0);
        resume(1);
        return NULL;
}

static void many_threads(void) {
        start_coroutines();
        for (int i = 0; i < 11; i++)
                in_thread(one_turn, NULL);
        expect_coroutines(1);
        report->counters = 1010;
        report->outside = report->lost = 0;
        check();
}

/* A coroutine that is never resumed leaves its spans open, until the process ends. */
static void left_behind(void) {
        s = spanalloc_open(&site_s); /* a span is not a scope: it is in no frame */
        spanalloc_enter(s);
        start_coroutines();
        resume(0);
        inner(5);
        spanalloc_exit(s);
        spanalloc_close(s);
        expect_closed("s", 0, 5, 1)->cycles = ANY;
        expect_closed("i", 5, 5, 1);
        *expect("first") = (struct want){"first", 0, 100, ANY, 0, 1, 0, 0, ANY, ANY, 0};
        *expect("inner") = (struct want){"inner", 100, 100, ANY, 0, 1, 0, 0, ANY, ANY, 0};
        report->counters = 105;
        check();
        report->counters = 105;
}

/* Without room, what would go to the spans is lost; then they are entered again as if nothing had been. */
static void full_ring(void) {
        uint64_t lost;

        start_coroutines();
        collector_stops();
        for (int i = 0; i < 200; i++)
                inner(1);
        for (int i = 0; i < 5; i++) {
                resume(0);
                resume(1);
        }
        collector_goes_on();
        look();
        for (int i = 0; i < 6; i++) {
                resume(0);
                resume(1);
        }
        inner(7);
        must(stats().unmatched_exits == 0 && stats().refused_enters > 10);
        look();
        lost = report->lost_now;
        must(lost >= 505);
        report->counters = 1010 + 200 + 7;
        check();
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                SCENARIO(one_thread),
                SCENARIO(many_threads),
                SCENARIO(left_behind),
                SCENARIO(full_ring, .ring_records = 256),
        };

        return RUN_SCENES(argc, argv, tests);
}
