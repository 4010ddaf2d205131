/*
 * The library and the collector together: a scripted program, and every number of its books.
 *
 * Timeout: 240
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <semaphore.h>
#include <sys/time.h>
#include <time.h>

#include "tests/unit/client_fixture.h"

SPANALLOC_SITE(site_s, "s");
SPANALLOC_SITE(site_t, "t");

static spanalloc_span s, t, hundred[100];
static sem_t to_a, to_b, to_main;

static void post(sem_t *sem) {
        must(sem_post(sem) == 0);
}

static void await(sem_t *sem) {
        while (sem_wait(sem) < 0)
                must(errno == EINTR);
}

static void init(void) {
        must(sem_init(&to_a, 0, 0) == 0 && sem_init(&to_b, 0, 0) == 0 && sem_init(&to_main, 0, 0) == 0);
}

static void pause_ms(long ms) {
        struct timespec time = {ms / 1000, ms % 1000 * 1000000};

        while (nanosleep(&time, &time) < 0)
                ;
}

static struct spanalloc_stats stats(void) {
        struct spanalloc_stats out = {.size = sizeof out};

        spanalloc_stats(&out);
        return out;
}

/* --------------------------------------------------------------------------------------------- on one thread -- */

static void a_with_b(void) {
        SPANALLOC_SCOPE("a");
        work(10);
        {
                SPANALLOC_SCOPE("b");
                work(100);
        }
        work(5);
}

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
        work(5);            /* as far as anybody can know, still in the jumpers */
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
static void *joins_in(void *userdata) {
        spanalloc_enter(s);
        work(5);
        post(&to_a);
        await(&to_b);
        work(6);
        spanalloc_exit(s);
        return NULL;
}

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
static void *exits_s(void *userdata) {
        spanalloc_exit(s);
        return NULL;
}

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

/* ----------------------------------------------------------------------------------------------- a full ring -- */

static void inner(uint64_t n) {
        SPANALLOC_SCOPE("i");
        work(n);
}

/* 1000 pairs while nobody drains: as many as the ring holds are told, the others are lost, exactly. */
static void full_ring(void) {
        uint64_t accepted;

        s = spanalloc_open(&site_s);
        spanalloc_enter(s);
        collector_stops();
        for (int i = 0; i < 1000; i++) {
                inner(3);
                work(2);
        }
        accepted = 1000 - stats().refused_enters;
        must(accepted > 100 && accepted < 128);
        collector_goes_on();
        look();
        work(1);
        inner(5);
        work(1);
        spanalloc_exit(s);
        spanalloc_close(s);
        *expect("s") = (struct want){"s", 2002, 5007, 1, 0, 1, 1, 0, 1, 5007, 0};
        expect_closed("i", 3 * accepted + 5, 3 * accepted + 5, accepted + 1)->refused = 1000 - accepted;
        report->lost = 3 * (1000 - accepted);
        report->outside = report->before = 0;
        report->refused = 1000 - accepted;
        check();
}

static void inner_tree(unsigned depth) {
        SPANALLOC_SCOPE("d");
        work(1);
        if (depth > 1) {
                inner_tree(depth - 1);
                work(1);
                inner_tree(depth - 1);
        }
        work(1);
}

/* Refused and accepted ones below each other, as the collector comes and goes. */
static void full_ring_now_and_then(void) {
        uint64_t refused;

        s = spanalloc_open(&site_s);
        spanalloc_enter(s);
        for (int i = 0; i < 20; i++) {
                if (i % 2)
                        collector_stops();
                inner_tree(9); /* 511 spans, 1277 in all */
                if (i % 2)
                        collector_goes_on();
                work(1);
        }
        look();
        work(1);
        spanalloc_exit(s);
        spanalloc_close(s);
        refused = stats().refused_enters;
        must(refused > 1000 && refused < 20 * 511);
        *expect("s") = (struct want){"s", ANY, 20 * 1277 + 21, 1, 0, 1, 1, 0, 1, ANY, 0};
        *expect("d") = (struct want){
                "d", ANY,    ANY, 20 * 511 - refused, 0, 20 * 511 - refused, 20 * 511 - refused, 0, 20 * 511 - refused,
                ANY, refused};
        report->refused = refused;
        report->outside = report->before = 0;
        report->counters = 20 * 1277 + 21;
        check();
}

/* To the last slot: an open needs one, an enter three.  Returns how many scopes "i" there were; one span "x" more was
 * refused than accepted, and all of them are in `hundred`. */
static uint64_t fill_ring(unsigned *ret_opens) {
        SPANALLOC_SITE(site, "x");

        for (int i = 0; i < 300; i++)
                inner(0);
        *ret_opens = 0;
        while (!stats().refused_opens)
                hundred[(*ret_opens)++] = spanalloc_open(&site);
        must(*ret_opens <= 4);
        return 300 - stats().refused_enters;
}

/* Opens and closes that find no room: the span is known from its first enter on, the close takes another way. */
static void full_ring_opens_and_closes(void) {
        spanalloc_span early[3], late[3];
        uint64_t filled;
        unsigned opens;

        for (int i = 0; i < 3; i++) {
                early[i] = spanalloc_open(&site_s);
                spanalloc_enter(early[i]);
                work(1);
                spanalloc_exit(early[i]);
        }
        collector_stops();
        filled = fill_ring(&opens);
        for (int i = 0; i < 3; i++) {
                late[i] = spanalloc_open(&site_t);
                must(late[i].instance && late[i].path);
                spanalloc_close(early[i]);
        }
        must(stats().refused_opens == 4 && stats().refused_closes == 0);
        collector_goes_on();
        look();
        inner(0); /* spans opened in between make no difference */
        for (int i = 0; i < 2; i++) {
                spanalloc_enter(late[i]);
                work(10);
                spanalloc_exit(late[i]);
                spanalloc_enter(late[i]);
                work(1);
                spanalloc_exit(late[i]);
        }
        for (int i = 0; i < 3; i++)
                spanalloc_close(late[i]);
        expect_closed("s", 3, 3, 3)->max_call = 1;
        *expect("t") = (struct want){"t", 22, 22, 4, 0, 2, 2, 0, 2, 11, 3};
        expect_closed("i", 0, 0, filled + 1)->refused = 300 - filled;
        *expect("x") = (struct want){"x", 0, 0, 0, 0, opens - 1, 0, 0, 0, ANY, 1};
        report->refused = 300 - filled + 4;
        report->lost = 0;
        report->stale = 0; /* the close of the one that was never entered is nobody's mistake */
        check();
        report->stale = 0;
}

/* More closes than the overflow list holds. */
static void too_many_closes(void) {
        spanalloc_span spans[10];
        uint64_t filled;
        unsigned opens;

        for (int i = 0; i < 10; i++)
                spans[i] = spanalloc_open(&site_s);
        collector_stops();
        filled = fill_ring(&opens);
        for (int i = 0; i < 10; i++)
                spanalloc_close(spans[i]);
        must(stats().refused_closes == 6);
        collector_goes_on();
        *expect("s") = (struct want){"s", 0, 0, 0, 0, 10, 4, 0, 0, ANY, 0};
        expect_closed("i", 0, 0, filled)->refused = 300 - filled;
        report->refused = 300 - filled + 7;
        check();
        *expect("s") = (struct want){"s", 0, 0, 0, 0, 10, 4, 6, 0, ANY, 0};
        report->refused = 300 - filled + 7;
}

/* A scope that was refused, entered by others through its handle. */
static void full_ring_shared_scope(void) {
        uint64_t filled;
        pthread_t b;

        init();
        collector_stops();
        for (int i = 0; i < 300; i++)
                inner(0);
        filled = 300 - stats().refused_enters;
        {
                SPANALLOC_SCOPE("a");
                s = spanalloc_current();
                work(100);
                b = start(joins_in, NULL);
                await(&to_a);
        }
        post(&to_b);
        pthread_join(b, NULL);
        collector_goes_on();
        look();
        inner(0);
        *expect("a") = (struct want){"a", 11, 11, 1, 0, 1, 1, 0, 1, 11, 1};
        expect_closed("i", 0, 0, filled + 1)->refused = 300 - filled;
        report->lost = 100;
        report->refused = 301 - filled;
        check();
}

/* A frame exited elsewhere while the ring is full: its exit fits. */
static void full_ring_migrated(void) {
        uint64_t filled;

        s = spanalloc_open(&site_s);
        spanalloc_enter(s);
        collector_stops();
        for (int i = 0; i < 300; i++)
                inner(1);
        filled = 300 - stats().refused_enters;
        in_thread(exits_s, NULL);
        work(7);
        for (int i = 0; i < 10; i++)
                inner(1);
        must(stats().refused_enters == 310 - filled);
        collector_goes_on();
        look();
        inner(1);
        spanalloc_close(s);
        *expect("s") = (struct want){"s", 7, 307, 1, 1, 1, 1, 0, 1, 307, 0};
        expect_closed("i", filled + 1, filled + 1, filled + 1)->refused = 310 - filled;
        report->lost = 310 - filled;
        report->outside = 0;
        report->refused = 310 - filled;
        check();
}

/* With `wait` nothing is refused. */
static void waiting(void) {
        for (int i = 0; i < 100000; i++)
                inner(1);
        must(stats().refused_enters == 0);
        expect_closed("i", 100000, 100000, 100000);
        report->lost = report->refused = 0;
        check();
}

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

/* As many lanes as a process claims before one takes in more threads than it can remember (client/lane.c). */
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

/* Handlers that open spans, in the middle of calls and beside them.  A snapshot that one interrupts is of no one moment;
 * so which span has what is not certain, but all of it is there, and counts of spans are exact. */
static void signals(void) {
        uint64_t spans = 0;

        tick(50);
        for (int i = 0; i < 400000; i++) {
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
                must(n < 4000);
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
        /* The last of these was counted there already, the others by nobody. */
        work(3);
        spanalloc_exit(t);
        work(4);
        spanalloc_exit(s);
        spanalloc_close(s);
        spanalloc_close(t);
        expect_closed("i", 1, 1, 1);
        expect_closed("t", 3, 2 + n + 3, 1);
        expect_closed("s", 4, 10 + 2 + n + 3 + 4, 1);
        report->before = 7 + 10 + 2;
        report->lost = n - 1;
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
        report->before = 5 + n - last;
        report->lost = last - 1; /* the last one is in the new books */
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

/* ----------------------------------------------------------------------------------------------------------- */

#define SCENARIO(name, ...)                                                                                            \
        {                                                                                                              \
#name, test_scenario, NULL, scenario_teardown, &(struct scenario) {                                    \
                        .child = name, __VA_ARGS__                                                                     \
                }                                                                                                      \
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
                SCENARIO(full_ring, .ring_records = 256),
                SCENARIO(full_ring_now_and_then, .ring_records = 256),
                SCENARIO(full_ring_opens_and_closes, .ring_records = 256),
                SCENARIO(too_many_closes, .ring_records = 256, .close_capacity = 4),
                SCENARIO(full_ring_shared_scope, .ring_records = 256),
                SCENARIO(full_ring_migrated, .ring_records = 256),
                SCENARIO(waiting, .ring_records = 256, .on_full = SPANALLOC_WAIT),
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
        int failed;

        (void)argc;
        fixture_begin(argv);
        if (argc > 1)
                cmocka_set_test_filter(argv[1]);
        failed = cmocka_run_group_tests(tests, NULL, NULL);
        fixture_end();
        return failed;
}
