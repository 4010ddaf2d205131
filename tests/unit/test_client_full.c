/* SPDX-License-Identifier: MIT */
/*
 * As test_client.c, where rings, overflow lists and waiting are full.
 *
 * Timeout: 900
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/segment/attachments.h"
#include "tests/unit/client_scenes.h"

SPANALLOC_SITE(site_t, "t");

static spanalloc_span hundred[100];

/* 1000 pairs without a drain: as many as the ring holds are recorded, the others are lost, exactly. */
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
        *expect("t") = (struct want){"t", 22, 22, 4, 0, 2, 2, 0, 0, 0, 3}; /* whether they are whole is not known */
        expect_closed("i", 0, 0, filled + 1)->refused = 300 - filled;
        *expect("x") = (struct want){"x", 0, 0, 0, 0, opens - 1, 0, 0, 0, ANY, 1};
        report->refused = 300 - filled + 4;
        report->lost = 0;
        report->stale = 0; /* the close of a span that was never entered is not stale */
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
        *expect("a") = (struct want){"a", 11, 11, 1, 0, 1, 1, 0, 0, 0, 1}; /* no call: 100 are lost */
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

/* The collector looks at the process once a second, and drains other rings; for three seconds longer than a thread waits
 * for a dead one. */
static void *is_busy_elsewhere(void *userdata) {
        uint32_t epoch;
        struct sa_attachment *a = sa_attachment_get(&epoch);

        for (int i = 0; i < 13; i++) {
                sleep(1);
                atomic_fetch_add(&a->header->looks, 1);
        }
        sa_attachment_put(a);
        collector_goes_on();
        return NULL;
}

static void waiting_for_a_busy_one(void) {
        pthread_t thread;

        inner(1);
        collector_stops();
        thread = start(is_busy_elsewhere, NULL);
        for (int i = 1; i < 1000; i++)
                inner(1);
        pthread_join(thread, NULL);
        must(stats().refused_enters == 0);
        expect_closed("i", 1000, 1000, 1000);
        report->lost = report->refused = 0;
        check();
}

/* It does nothing: the thread waits once, and no more. */
static void waiting_for_a_dead_one(void) {
        uint64_t accepted;

        inner(1);
        collector_stops();
        for (int i = 1; i < 1000; i++)
                inner(1);
        accepted = 1000 - stats().refused_enters;
        must(accepted > 30 && accepted < 200);
        collector_goes_on();
        look();
        inner(1);
        expect_closed("i", accepted + 1, accepted + 1, accepted + 1)->refused = 1000 - accepted;
        report->lost = 1000 - accepted;
        report->refused = 1000 - accepted;
        check();
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                SCENARIO(full_ring, .ring_records = 256),
                SCENARIO(full_ring_now_and_then, .ring_records = 256),
                SCENARIO(full_ring_opens_and_closes, .ring_records = 256),
                SCENARIO(too_many_closes, .ring_records = 256, .close_capacity = 4),
                SCENARIO(full_ring_shared_scope, .ring_records = 256),
                SCENARIO(full_ring_migrated, .ring_records = 256),
                SCENARIO(waiting, .ring_records = 256, .on_full = SPANALLOC_WAIT),
                SCENARIO(waiting_for_a_busy_one, .ring_records = 256, .on_full = SPANALLOC_WAIT),
                SCENARIO(waiting_for_a_dead_one, .ring_records = 256, .on_full = SPANALLOC_WAIT),
        };

        return RUN_SCENES(argc, argv, tests);
}
