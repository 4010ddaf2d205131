/* SPDX-License-Identifier: MIT */
/*
 * The library and the collector together: a scripted program, and every number of its books.
 *
 * Timeout: 900
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/client_scenes.h"

SPANALLOC_SITE(site_t, "t");

static spanalloc_span t, hundred[100];

/* --------------------------------------------------------------------------------------------- on one thread -- */

static void nested(void) {
        work(7);
        a_with_b();
        work(3);
        {
                SPANALLOC_SCOPE("b");
                work(20);
        }
        spanalloc_close(spanalloc_open(&site_s)); /* brings the last 20 to the books; is itself no cycle */
        expect_closed("a", 15, 115, 1)->max_call = 115;
        expect_closed("b", 120, 120, 2)->max_call = 100;
        expect_closed("s", 0, 0, 1)->cycles = 0;
        report->wants[2].calls = 0;
        report->before = 7;
        report->outside = 3;
        report->lost = report->refused = 0;
        report->counters = 145;
        report->lanes_max = 1;
        check();
}

static void recurse(unsigned depth) {
        SPANALLOC_SCOPE("r");
        work(1);
        if (depth > 1)
                recurse(depth - 1);
        work(2);
}

static void recursion(void) {
        recurse(10);
        expect_closed("r", 30, 30, 10);
        report->outside = report->before = report->lost = 0;
        check();
}

static void re_entry(void) {
        s = spanalloc_open(&site_s);
        spanalloc_enter(s);
        work(50);
        spanalloc_enter(s);
        work(101);
        spanalloc_exit(s);
        work(50);
        spanalloc_exit(s);
        spanalloc_close(s);
        *expect_closed("s", 201, 201, 1) = (struct want){"s", 201, 201, 2, 0, 1, 1, 0, 1, 201, 0};
        report->outside = 0;
        check();
}

/* While open: self and total up to the last call, and the span as open. */
static void still_open(void) {
        struct want *want;

        s = spanalloc_open(&site_s);
        spanalloc_enter(s);
        work(10);
        {
                SPANALLOC_SCOPE("b");
                work(5);
        }
        want = expect("s");
        *want = (struct want){"s", 10, 15, 0, 0, 1, 0, 0, 0, ANY, 0};
        expect_closed("b", 5, 5, 1);
        check();
        want = expect("s"); /* for the end */
        *want = (struct want){"s", 10, 15, 0, 0, 1, 0, 1, 0, ANY, 0};
        expect_closed("b", 5, 5, 1);
}

static void out_of_order(void) {
        s = spanalloc_open(&site_s);
        t = spanalloc_open(&site_t);
        spanalloc_enter(s);
        work(1);
        spanalloc_enter(t);
        work(10);
        spanalloc_exit(s);
        work(100);
        spanalloc_exit(t);
        work(1000);
        spanalloc_exit(t); /* nowhere entered */
        must(stats().unmatched_exits == 1);
        spanalloc_close(t);
        spanalloc_close(s);
        expect_closed("s", 1, 11, 1);
        expect_closed("t", 110, 110, 1);
        report->outside = 0; /* an exit of nothing is no record: the last 1000 are not told yet */
        report->counters = 111;
        check();
}

static jmp_buf jump;

static void jumper(unsigned depth);
static void (*volatile deeper)(unsigned) = jumper;

static void jumper(unsigned depth) {
        SPANALLOC_SCOPE("j");
        work(1);
        if (depth > 1)
                deeper(depth - 1);
        else
                longjmp(jump, 1);
}

static void unwinding(void) {
        s = spanalloc_open(&site_s);
        spanalloc_enter(s);
        if (!setjmp(jump))
                jumper(90); /* beyond the stack, too */
        work(5);            /* the library does not see the jump: still in the jumpers */
        spanalloc_exit(s);
        work(1);
        {
                SPANALLOC_SCOPE("b");
                work(2);
        }
        spanalloc_close(s);
        expect_closed("s", 0, 95, 1);
        expect_closed("b", 2, 2, 1);
        expect_closed("j", 63, 95, 63)->refused = 27;
        report->lost = 32;
        report->outside = 1;
        report->refused = 27;
        check();
}

/* Frames 65 to 100 are refused: what runs in them is lost, and nothing else. */
static void too_deep(void) {
        for (int i = 0; i < 3; i++) {
                recurse(100);
                work(1);
        }
        {
                SPANALLOC_SCOPE("b");
                work(2);
        }
        must(stats().refused_depth == 3 * 36);
        expect_closed("r", 3 * 64 * 3, 3 * 300, 3 * 64)->refused = 3 * 36;
        expect_closed("b", 2, 2, 1);
        report->lost = 3 * 36 * 3;
        report->outside = 3;
        report->refused = 3 * 36;
        report->counters = 3 * 301 + 2;
        check();
}

/* By hand, with a span of another thread exited in between: it is that thread's. */
static void *b_enters_and_waits(void *userdata) {
        spanalloc_enter(t);
        post(&to_a);
        await(&to_b);
        work(4);
        spanalloc_enter(s);
        spanalloc_exit(s);
        return NULL;
}

static void too_deep_by_hand(void) {
        spanalloc_span spans[80];
        pthread_t b;

        init();
        t = spanalloc_open(&site_t);
        s = spanalloc_open(&site_s);
        b = start(b_enters_and_waits, NULL);
        await(&to_a);
        for (int i = 0; i < 80; i++) {
                spans[i] = spanalloc_open(&site_s);
                spanalloc_enter(spans[i]);
                work(1);
        }
        spanalloc_exit(t);
        post(&to_b);
        pthread_join(b, NULL);
        for (int i = 80; i-- > 0;) {
                work(1);
                spanalloc_exit(spans[i]);
                spanalloc_close(spans[i]);
        }
        spanalloc_close(s);
        spanalloc_close(t);
        must(stats().unmatched_exits == 0);
        *expect("t") = (struct want){"t", 4, 4, 1, 1, 1, 1, 0, 1, 4, 0};
        *expect("s") = (struct want){"s", 2 * 64, 2 * 80, 65, 0, 81, 81, 0, 65, ANY, 16};
        report->lost = 2 * 16;
        report->outside = report->before = 0;
        check();
}

/* ------------------------------------------------------------------------------------------------- on several -- */

static void *many_cycles(void *userdata) {
        for (int i = 0; i < 2000; i++) {
                SPANALLOC_SITE(site, "m");
                spanalloc_span span = spanalloc_open(&site);

                for (int k = 0; k < 3; k++) {
                        spanalloc_enter(span);
                        work(2);
                        spanalloc_exit(span);
                        work(1);
                }
                spanalloc_close(span);
                a_with_b();
        }
        return NULL;
}

static void threads(void) {
        pthread_t ids[6];

        for (int i = 0; i < 6; i++)
                ids[i] = start(many_cycles, NULL);
        for (int i = 0; i < 6; i++)
                pthread_join(ids[i], NULL);
        must(stats().waits == 0);
        must(stats().refused_enters == 0);
        *expect("m") = (struct want){"m", 72000, 72000, 36000, 0, 12000, 12000, 0, 12000, 6, 0};
        expect_closed("a", 12000 * 15, 12000 * 115, 12000);
        expect_closed("b", 12000 * 100, 12000 * 100, 12000)->max_call = 100;
        report->outside = 6 * 2000 * 3;
        report->before = 0;
        report->lanes_max = 6;
        check();
}

static void *enters(void *userdata) {
        spanalloc_enter(s);
        work(10);
        post(&to_b);
        await(&to_a);
        work(7); /* between the exit elsewhere and our next call: still in it */
        {
                SPANALLOC_SCOPE("b");
                work(1);
        }
        return NULL;
}

static void *exits(void *userdata) {
        await(&to_b);
        work(1000);
        spanalloc_exit(s);
        spanalloc_close(s);
        work(500);
        post(&to_a);
        return NULL;
}

static void migrated(void) {
        pthread_t a, b;

        init();
        s = spanalloc_open(&site_s);
        a = start(enters, NULL);
        b = start(exits, NULL);
        pthread_join(a, NULL);
        pthread_join(b, NULL);
        *expect("s") = (struct want){"s", 17, 17, 1, 1, 1, 1, 0, 1, 17, 0};
        expect_closed("b", 1, 1, 1);
        report->before = 1000;
        report->outside = 0; /* the last 500 were not told */
        report->counters = 1018;
        check();
}

/* The thread that entered it never calls again. */
static void *enters_and_ends(void *userdata) {
        spanalloc_enter(s);
        work(10);
        post(&to_b);
        await(&to_a);
        return NULL;
}

static void migrated_from_the_dead(void) {
        pthread_t a, b;

        init();
        s = spanalloc_open(&site_s);
        a = start(enters_and_ends, NULL);
        b = start(exits, NULL);
        pthread_join(a, NULL);
        pthread_join(b, NULL);
        *expect("s") = (struct want){"s", 0, 0, 1, 1, 1, 1, 0, 1, 0, 0}; /* a snapshot is taken in calls only */
        check();
}

static void *shares(void *userdata) {
        int n = userdata ? 2 : 3;

        spanalloc_enter(s);
        post(&to_main);
        await(&to_a);
        work((uint64_t)n);
        spanalloc_exit(s);
        return NULL;
}

static void one_span_on_two_threads(void) {
        pthread_t a, b;

        init();
        s = spanalloc_open(&site_s);
        a = start(shares, NULL);
        b = start(shares, &s);
        await(&to_main);
        await(&to_main);
        post(&to_a);
        post(&to_a);
        pthread_join(a, NULL);
        pthread_join(b, NULL);
        spanalloc_close(s);
        *expect("s") = (struct want){"s", 5, 5, 2, 0, 1, 1, 0, 1, 5, 0};
        check();
}

static void *closes(void *userdata) {
        for (int i = 0; i < 100; i++)
                spanalloc_close(hundred[i]);
        return NULL;
}

static void closed_elsewhere(void) {
        for (int i = 0; i < 100; i++) {
                hundred[i] = spanalloc_open(&site_s);
                spanalloc_enter(hundred[i]);
                work(2);
                spanalloc_exit(hundred[i]);
        }
        in_thread(closes, NULL);
        expect_closed("s", 200, 200, 100)->max_call = 2;
        check();
}

static void closed_while_entered(void) {
        hundred[0] = spanalloc_open(&site_s);
        for (int i = 1; i < 100; i++)
                hundred[i] = SPANALLOC_NONE;
        spanalloc_enter(hundred[0]);
        work(1);
        in_thread(closes, NULL);
        *expect("s") = (struct want){"s", 0, 0, 0, 0, 1, 0, 0, 0, ANY, 0};
        check();
        work(1);
        spanalloc_exit(hundred[0]);
        expect_closed("s", 2, 2, 1);
        check();
}

/* Others come to a scope through spanalloc_current(). */
static void scope_of_others(void) {
        pthread_t b;

        init();
        for (int i = 0; i < 50; i++) {
                {
                        SPANALLOC_SCOPE("a");
                        s = spanalloc_current();
                        b = start(joins_in, NULL);
                        await(&to_a);
                        work(1);
                }
                post(&to_b);
                pthread_join(b, NULL);
        }
        *expect("a") = (struct want){"a", 600, 600, 100, 0, 50, 50, 0, 50, 12, 0};
        check();
}

static void *ends_a_scope(void *userdata) {
        spanalloc_scope_end(s);
        return NULL;
}

static void scope_ended_elsewhere(void) {
        for (int i = 0; i < 20; i++) {
                s = spanalloc_scope_begin(&site_s);
                work(3);
                in_thread(ends_a_scope, NULL);
                if (i % 2)
                        look(); /* the close is there long before the exit */
                work(1);
                { SPANALLOC_SCOPE("b"); }
        }
        *expect("s") = (struct want){"s", 80, 80, 20, 20, 20, 20, 0, 20, 4, 0};
        expect_closed("b", 0, 0, 20);
        check();
}

/* An open right after another thread's exit is not its child. */
static void parent_after_a_foreign_exit(void) {
        s = spanalloc_open(&site_s);
        spanalloc_enter(s);
        in_thread(exits_s, NULL);
        must(!spanalloc_current().instance);
        t = spanalloc_open(&site_t);
        must(t.path && s.path);
        spanalloc_close(t);
        must(spanalloc_open_under(&site_t, SPANALLOC_NONE).path == t.path);
        spanalloc_close(s);
        *expect("s") = (struct want){"s", 0, 0, 1, 1, 1, 1, 0, 1, 0, 0};
        *expect("t") = (struct want){"t", 0, 0, 0, 0, 2, 1, 0, 0, ANY, 0};
        check();
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                SCENARIO(nested),
                SCENARIO(recursion),
                SCENARIO(re_entry),
                SCENARIO(still_open),
                SCENARIO(out_of_order),
                SCENARIO(unwinding),
                SCENARIO(too_deep),
                SCENARIO(too_deep_by_hand),
                SCENARIO(threads, .ring_records = 262144),
                SCENARIO(migrated),
                SCENARIO(migrated_from_the_dead),
                SCENARIO(one_span_on_two_threads),
                SCENARIO(closed_elsewhere),
                SCENARIO(closed_while_entered),
                SCENARIO(scope_of_others),
                SCENARIO(scope_ended_elsewhere),
                SCENARIO(parent_after_a_foreign_exit),
        };

        return RUN_SCENES(argc, argv, tests);
}
