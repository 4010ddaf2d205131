/* SPDX-License-Identifier: MIT */
/*
 * What becomes of spans: closes that come before, between and after everything else, scopes that others enter, and spans
 * that made room for others.
 *
 * Labels: valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/frames_fixture.h"

/* ----------------------------------------------------------------------------------------------------- closes -- */

static void test_close_while_entered(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(0, 1);

        base(f, 0, 0, 0);
        base(f, 1, 0, 0);
        rec(f, 0, OPEN, 0, s, A, 0);
        rec(f, 0, ENTER, 0, s, A, 0);
        rec(f, 1, ENTER, 0, s, A, 0);
        rec(f, 1, CLOSE, 0, s, A, 0);
        apply(f);
        assert_spans(f, A, 1, 0, 0);
        rec(f, 0, EXIT, 0, s, A, 10);
        assert_int_equal(f->event_count, 0);
        rec(f, 1, EXIT, 0, s, A, 5);
        apply(f);
        assert_event(f, 0, s, 2, 15);
        assert_spans(f, A, 1, 1, 0);
        assert_int_equal(f->books->book->open_spans, 0);
}

/* It was entered on another thread before the last one left; but that lane is read later. */
static void test_enter_before_the_last_exit(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(0, 1);

        base(f, 0, 0, 0);
        base(f, 1, 0, 0);
        rec(f, 0, OPEN, 0, s, A, 0);
        rec(f, 0, ENTER, 0, s, A, 0);
        rec(f, 0, CLOSE, 0, s, A, 0);
        apply(f);
        rec(f, 0, EXIT, 0, s, A, 10);
        rec(f, 1, ENTER, 0, s, A, 0);
        apply(f);
        assert_spans(f, A, 1, 0, 0);
        rec(f, 1, EXIT, 0, s, A, 5);
        apply(f);
        assert_event(f, 0, s, 2, 15);
        assert_spans(f, A, 1, 1, 0);
        assert_int_equal(f->books->book->stale, 0);
}

/* Its end is in the scope's frame, however often it was entered by hand above that. */
static void test_scope_ends_under_its_own_handle(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(0, 1);

        base(f, 0, 0, 0);
        rec(f, 0, ENTER, SCOPE, s, A, 0);
        rec(f, 0, ENTER, SHARED, s, A, 5);
        rec(f, 0, EXIT, SCOPE | SHARED, s, A, 10);
        apply(f);
        assert_spans(f, A, 1, 0, 0);
        rec(f, 0, EXIT, 0, s, A, 20);
        apply(f);
        assert_spans(f, A, 1, 1, 0);
        assert_event(f, 0, s, 2, 20);
        assert_int_equal(f->books->lanes[0].depth, 0);
}

static void test_close_waits_for_the_second_look(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(0, 1);

        base(f, 0, 0, 0);
        rec(f, 0, OPEN, 0, s, A, 0);
        f->pass = SPANS_SECOND_LOOK;
        rec(f, 1, CLOSE, 0, s, A, 0);
        apply(f);
        assert_spans(f, A, 1, 0, 0);
        apply(f);
        assert_spans(f, A, 1, 1, 0);
        assert_int_equal(f->event_count, 0); /* it completed no cycle */
        assert_int_equal(row_of(f, A).per_call.count, 0);
}

/* Lanes are read one after the other: all of B's records may come before the OPEN that A published first. */
static void test_close_before_open_seen(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(3, 1);

        base(f, 1, 0, 0);
        rec(f, 1, ENTER, 0, s, A, 0);
        rec(f, 1, EXIT, 0, s, A, 7);
        rec(f, 1, CLOSE, 0, s, A, 0);
        f->pass = SPANS_SECOND_LOOK;
        rec(f, 3, OPEN, 0, s, A, 0);
        apply(f);
        assert_spans(f, A, 1, 1, 0);
        assert_event(f, 0, s, 1, 7);
        assert_int_equal(f->books->book->stale, 0);

        f->pass = SPANS_FIRST_LOOK;
        rec(f, 1, CLOSE, 0, span_of(3, 2), A, 0);
        f->pass = SPANS_SECOND_LOOK;
        rec(f, 3, OPEN, 0, span_of(3, 2), A, 0);
        apply(f);
        assert_spans(f, A, 2, 2, 0);
        assert_int_equal(f->books->book->stale, 0);
        assert_int_equal(f->books->book->open_spans, 0);
}

static void test_close_of_the_unknown(void **state) {
        struct fixture *f = *state;

        rec(f, 1, CLOSE, 0, span_of(3, 9), A, 0);
        apply(f);
        assert_spans(f, A, 0, 0, 0);
        assert_int_equal(f->books->book->stale, 1);
        assert_int_equal(f->books->book->open_spans, 0);
}

static void test_nothing_opens_a_closed_span_again(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(0, 1), scope = span_of(0, 2);

        base(f, 0, 0, 0);
        rec(f, 0, OPEN, 0, s, A, 0);
        rec(f, 0, CLOSE, 0, s, A, 0);
        apply(f);
        rec(f, 0, ENTER, 0, s, A, 10);
        rec(f, 0, EXIT, 0, s, A, 30);
        rec(f, 0, CLOSE, 0, s, A, 0);
        apply(f);
        assert_spans(f, A, 1, 1, 0);
        assert_self(f, A, 20); /* what was done is booked */
        assert_int_equal(f->event_count, 0);
        assert_int_equal(f->books->book->stale, 2);

        rec(f, 0, ENTER, SCOPE, scope, B, 30);
        rec(f, 0, EXIT, SCOPE, scope, B, 40);
        rec(f, 0, ENTER, SHARED, scope, B, 40); /* through a handle that was kept for too long */
        rec(f, 0, EXIT, 0, scope, B, 50);
        rec(f, 0, ENTER, 0, scope, B, 50);
        rec(f, 0, EXIT, 0, scope, B, 60);
        assert_spans(f, B, 1, 1, 0);
        assert_int_equal(f->event_count, 1);
        assert_int_equal(f->books->book->stale, 4);
        assert_int_equal(f->books->book->open_spans, 0);
}

/* Its opening found no room; others on the same lane did. */
static void test_late(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(0, 1);

        base(f, 0, 0, 0);
        rec(f, 0, OPEN, 0, span_of(0, 2), B, 0);
        rec(f, 0, ENTER, LATE, s, A, 10);
        rec(f, 0, EXIT, 0, s, A, 30);
        rec(f, 0, ENTER, LATE, s, A, 30);
        rec(f, 0, EXIT, 0, s, A, 35);
        rec(f, 0, CLOSE, LATE, s, A, 0);
        apply(f);
        assert_spans(f, A, 1, 1, 0);
        assert_int_equal(f->books->book->stale, 0);

        /* Its close is read before its enter; and one that was never entered is no span at all. */
        rec(f, 1, CLOSE, LATE, span_of(0, 0), C, 0);
        base(f, 2, 0, 0);
        rec(f, 2, ENTER, LATE, span_of(0, 0), C, 0);
        rec(f, 2, EXIT, 0, span_of(0, 0), C, 3);
        apply(f);
        assert_spans(f, C, 1, 1, 0);
        rec(f, 0, OPEN, 0, span_of(0, 5), B, 0);
        rec(f, 0, CLOSE, LATE, span_of(0, 4), C, 0);
        apply(f);
        assert_spans(f, C, 1, 1, 0);
        assert_int_equal(f->books->book->stale, 0);
        /* Whether an enter before was refused, too, is not known of either. */
        assert_int_equal(f->event_count, 0);
        assert_int_equal(row_of(f, A).per_call.count + row_of(f, C).per_call.count, 0);
}

/* ------------------------------------------------------------------------------------------- scopes and others -- */

static void test_scope_entered_by_others(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(1, 1);

        base(f, 0, 0, 0);
        base(f, 1, 0, 0);
        /* The other lane is read first. */
        rec(f, 0, ENTER, SHARED, s, A, 0);
        rec(f, 1, ENTER, SCOPE, s, A, 0);
        assert_spans(f, A, 1, 0, 0);
        rec(f, 1, EXIT, SCOPE | SHARED, s, A, 10);
        apply(f);
        assert_spans(f, A, 1, 0, 0); /* its close waits for the other */
        rec(f, 0, EXIT, 0, s, A, 3);
        apply(f);
        assert_spans(f, A, 1, 1, 0);
        assert_event(f, 0, s, 2, 13);
        assert_int_equal(f->books->book->open_spans, 0);
}

static void test_scope_entered_again_by_its_thread(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(0, 1);

        base(f, 0, 0, 0);
        rec(f, 0, ENTER, SCOPE, s, A, 0);
        rec(f, 0, ENTER, SHARED, s, A, 5);
        rec(f, 0, EXIT, 0, s, A, 10);
        rec(f, 0, EXIT, SCOPE | SHARED, s, A, 20);
        apply(f);
        assert_spans(f, A, 1, 1, 0);
        assert_event(f, 0, s, 2, 20);
        assert_int_equal(f->books->book->open_spans, 0);
}

/* scope_end() on another thread: a mark, and a close that may be read long before the migrated exit. */
static void test_scope_ended_elsewhere(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(0, 1), t = span_of(0, 2), u = span_of(3, 1);

        base(f, 0, 0, 0);
        rec(f, 0, ENTER, SCOPE, s, A, 0);
        rec(f, 1, CLOSE, 0, s, A, 0);
        apply(f);
        assert_spans(f, A, 1, 0, 0); /* it is still on its stack */
        rec(f, 0, EXIT, MIGRATED, s, A, 10);
        apply(f);
        assert_spans(f, A, 1, 1, 0);
        assert_event(f, 0, s, 1, 10);
        assert_cycles(f, A, 1, 1);

        /* The other order. */
        rec(f, 0, ENTER, SCOPE, t, A, 10);
        rec(f, 0, EXIT, MIGRATED, t, A, 30);
        rec(f, 1, CLOSE, 0, t, A, 0);
        apply(f);
        assert_spans(f, A, 2, 2, 0);
        assert_event(f, 1, t, 1, 20);

        /* The close is read even before the scope's enter. */
        base(f, 3, 0, 0);
        rec(f, 1, CLOSE, 0, u, A, 0);
        f->pass = SPANS_SECOND_LOOK;
        rec(f, 3, ENTER, SCOPE, u, A, 0);
        apply(f);
        assert_spans(f, A, 3, 2, 0);
        f->pass = SPANS_FIRST_LOOK;
        rec(f, 3, EXIT, MIGRATED, u, A, 4);
        apply(f);
        assert_spans(f, A, 3, 3, 0);
        assert_event(f, 2, u, 1, 4);
        assert_int_equal(f->books->book->open_spans, 0);
        assert_int_equal(f->books->book->stale, 0);
}

static void test_scope_of_a_dead_thread_with_others_in_it(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(0, 1), t = span_of(0, 2);

        base(f, 0, 0, 0);
        base(f, 1, 0, 0);
        rec(f, 0, ENTER, SCOPE, s, A, 0);
        rec(f, 1, ENTER, SHARED, s, A, 0);
        retire(f, 0, 10, 0, 0);
        assert_spans(f, A, 1, 0, 1);
        rec(f, 1, EXIT, 0, s, A, 5);
        assert_spans(f, A, 1, 0, 1);
        assert_self(f, A, 15);

        /* Its close is under way. */
        base(f, 0, 0, 10);
        rec(f, 0, ENTER, SCOPE, t, B, 10);
        rec(f, 1, CLOSE, 0, t, B, 0);
        retire(f, 0, 30, 0, 0);
        apply(f);
        assert_spans(f, B, 1, 0, 1);
        assert_int_equal(f->books->book->open_spans, 0);
        assert_int_equal(f->event_count, 0);
}

/* ---------------------------------------------------------------------------------------------------- eviction -- */

static void test_eviction(void **state) {
        struct fixture *f = *state;
        struct books_process_row process;

        base(f, 0, 0, 0);
        for (uint32_t i = 1; i <= 10; i++)
                rec(f, 0, OPEN, 0, span_of(0, i), A, 0);
        for (uint32_t round = 0; round < 2; round++)
                for (uint32_t i = 1; i <= 10; i++) {
                        rec(f, 0, ENTER, 0, span_of(0, i), A, round * 100 + i * 10);
                        rec(f, 0, EXIT, 0, span_of(0, i), A, round * 100 + i * 10 + 3);
                }
        for (uint32_t i = 1; i <= 10; i++) {
                rec(f, 0, CLOSE, 0, span_of(0, i), A, 0);
                apply(f);
        }
        /* Sums of the path are right all the same; only calls one by one are not. */
        assert_self(f, A, 60);
        assert_total(f, A, 60);
        assert_cycles(f, A, 20, 0);
        assert_spans(f, A, 10, 10, 0);
        assert_int_equal(row_of(f, A).quality, BOOKS_ESTIMATED);
        books_process_row(f->books, &process);
        assert_true(process.evicted >= 7);
        assert_true(process.balanced);
}

static void test_eviction_of_entered_ones(void **state) {
        struct fixture *f = *state;

        base(f, 0, 0, 0);
        for (uint32_t i = 1; i <= 10; i++) {
                rec(f, 0, OPEN, 0, span_of(0, i), A, 0);
                rec(f, 0, ENTER, 0, span_of(0, i), A, i);
        }
        for (uint32_t i = 10; i >= 1; i--)
                rec(f, 0, EXIT, 0, span_of(0, i), A, 30 - i);
        for (uint32_t i = 1; i <= 10; i++)
                rec(f, 1, CLOSE, 0, span_of(0, i), A, 0);
        apply(f);
        assert_total(f, A, 28); /* 1 to 29 */
        assert_spans(f, A, 10, 10, 0);
        assert_cycles(f, A, 10, 0);
}

/* A close is seen before the enter that it came after: the entry that it makes must not pass for the whole of a span that
 * was evicted. */
static void test_close_of_an_evicted_one_before_its_last_cycle(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(0, 1);

        base(f, 0, 0, 0);
        rec(f, 0, OPEN, 0, s, A, 0);
        rec(f, 0, ENTER, 0, s, A, 10);
        rec(f, 0, EXIT, 0, s, A, 60);
        for (uint32_t i = 2; i <= 10; i++)
                rec(f, 0, OPEN, 0, span_of(0, i), B, 60);
        assert_null(open_spans_find(f->books, s));
        rec(f, 1, CLOSE, 0, s, A, 0);
        rec(f, 0, ENTER, 0, s, A, 70);
        rec(f, 0, EXIT, 0, s, A, 75);
        apply(f);
        assert_spans(f, A, 1, 1, 0);
        assert_total(f, A, 55);
        assert_int_equal(f->event_count, 0); /* an event with 5 would be wrong */
        assert_int_equal(row_of(f, A).per_call.count, 0);
        assert_int_equal(row_of(f, A).quality, BOOKS_ESTIMATED);
}

/* Of one span as many frames can be open as there are, which is more than 16 bits count. */
static void test_entered_more_often_than_16_bits_count(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(0, 1);
        struct instance *entry;

        base(f, 1, 0, 0);
        rec(f, 0, OPEN, 0, s, A, 0);
        entry = open_spans_find(f->books, s);
        entry->entered = UINT16_MAX;
        rec(f, 1, ENTER, 0, s, A, 10);
        assert_int_equal(entry->entered, 0);
        assert_true(instance_is_entered(entry));
        rec(f, 0, CLOSE, 0, s, A, 0);
        apply(f);
        assert_spans(f, A, 1, 0, 0); /* and no event yet */
        rec(f, 1, EXIT, 0, s, A, 20);
        assert_int_equal(entry->entered, UINT16_MAX);
        assert_spans(f, A, 1, 0, 0);
        entry->entered = 0;
        rec(f, 1, ENTER, 0, s, A, 30);
        rec(f, 1, EXIT, 0, s, A, 40);
        apply(f);
        assert_spans(f, A, 1, 1, 0);
}

/* One more cycle than 32 bits count is no reason for a span without an event. */
static void test_more_cycles_than_32_bits_count(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(0, 1);

        base(f, 0, 0, 0);
        rec(f, 0, OPEN, 0, s, A, 0);
        open_spans_find(f->books, s)->cycles = UINT32_MAX - 1;
        for (uint64_t n = 10; n < 40; n += 10) {
                rec(f, 0, ENTER, 0, s, A, n);
                rec(f, 0, EXIT, 0, s, A, n + 5);
        }
        rec(f, 0, CLOSE, 0, s, A, 40);
        apply(f);
        assert_int_equal(f->event_count, 1);
        assert_int_equal(f->events[0].cycles, UINT32_MAX);
        assert_int_equal(row_of(f, A).per_call.count, 1);
}

/* A scope was taken up again after a switch of stacks, and its span entered by its handle above: each exit ends its own. */
static void test_taken(void **state) {
        struct fixture *f = *state;
        uint64_t scope = span_of(0, 1), other = span_of(0, 2);

        base(f, 0, 0, 0);
        rec(f, 0, OPEN, 0, other, B, 0);
        rec(f, 0, ENTER, SCOPE, scope, A, 0);
        rec(f, 0, EXIT, 0, scope, A, 1);
        rec(f, 0, ENTER, SCOPE | SHARED, scope, A, 10);
        rec(f, 0, ENTER, 0, other, B, 12);
        rec(f, 0, ENTER, SHARED, scope, A, 15);
        rec(f, 0, EXIT, SCOPE | SHARED, scope, A, 20);
        apply(f);
        assert_spans(f, A, 1, 0, 0); /* entered by its handle */
        settle(f, 0, 50);
        assert_self(f, A, 1 + 2 + 5 + 30);
        assert_self(f, B, 3);
        rec(f, 0, EXIT, 0, scope, A, 60);
        apply(f);
        assert_spans(f, A, 1, 1, 0);
        assert_cycles(f, A, 3, 0);
        rec(f, 0, EXIT, 0, other, B, 100);
        assert_self(f, B, 3 + 40);
        assert_int_equal(f->books->book->stale, 0);
}

/* Another lane takes the scope up before its own lane's EXIT was read. */
static void test_taken_early(void **state) {
        struct fixture *f = *state;
        uint64_t scope = span_of(1, 1);

        base(f, 0, 0, 0);
        base(f, 1, 0, 0);
        rec(f, 1, ENTER, SCOPE, scope, A, 0);
        rec(f, 0, ENTER, SCOPE | SHARED, scope, A, 0);
        rec(f, 0, EXIT, SCOPE | SHARED, scope, A, 7);
        rec(f, 1, EXIT, 0, scope, A, 3);
        apply(f);
        assert_spans(f, A, 1, 1, 0);
        assert_self(f, A, 10);
        assert_event(f, 0, scope, 2, 10);
        assert_int_equal(f->books->book->stale, 0);
}

static bool note_partial(struct fixture *f, uint64_t span) {
        bool r;

        books_begin(f->books, 1);
        r = spans_note_partial(f->books, span);
        books_commit(f->books);
        return r;
}

/* Of one span a cycle was refused: it is no call, and its neighbour's net is its own. */
static void test_partial(void **state) {
        struct fixture *f = *state;
        uint64_t whole = span_of(0, 1), partial = span_of(0, 2), scope = span_of(0, 3);

        base(f, 0, 0, 0);
        assert_false(note_partial(f, partial)); /* not opened yet */
        rec(f, 0, OPEN, 0, whole, A, 0);
        rec(f, 0, OPEN, 0, partial, A, 0);
        assert_true(note_partial(f, partial));
        rec(f, 0, ENTER, 0, whole, A, 0);
        rec(f, 0, EXIT, 0, whole, A, 10);
        rec(f, 0, ENTER, 0, partial, A, 10);
        rec(f, 0, EXIT, 0, partial, A, 17);
        rec(f, 0, CLOSE, 0, whole, A, 0);
        rec(f, 0, CLOSE, 0, partial, A, 0);
        apply(f);
        assert_true(note_partial(f, partial)); /* closed: too late, and no entry for ever */
        assert_spans(f, A, 2, 2, 0);
        assert_total(f, A, 17);
        assert_event(f, 0, whole, 1, 10);
        assert_int_equal(f->event_count, 1);
        assert_int_equal(row_of(f, A).per_call.count, 1);
        assert_int_equal(row_of(f, A).calls_net, 10 * (factor[SHM_ALLOC_BYTES] - factor[SHM_DEALLOC_BYTES]));
        assert_int_equal(row_of(f, A).quality, BOOKS_EXACT); /* the client's count of refusals says the rest */

        /* A scope that another thread was to enter by its handle. */
        rec(f, 0, ENTER, SCOPE, scope, B, 17);
        assert_true(note_partial(f, scope));
        rec(f, 0, EXIT, SCOPE | SHARED, scope, B, 20);
        apply(f);
        assert_spans(f, B, 1, 1, 0);
        assert_int_equal(row_of(f, B).per_call.count, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TINY(name) cmocka_unit_test_setup_teardown(name, setup_tiny, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_close_while_entered),
                TEST(test_enter_before_the_last_exit),
                TEST(test_scope_ends_under_its_own_handle),
                TEST(test_close_waits_for_the_second_look),
                TEST(test_close_before_open_seen),
                TEST(test_close_of_the_unknown),
                TEST(test_nothing_opens_a_closed_span_again),
                TEST(test_late),
                TEST(test_scope_entered_by_others),
                TEST(test_scope_entered_again_by_its_thread),
                TEST(test_scope_ended_elsewhere),
                TEST(test_scope_of_a_dead_thread_with_others_in_it),
                TEST(test_entered_more_often_than_16_bits_count),
                TEST(test_more_cycles_than_32_bits_count),
                TINY(test_eviction),
                TINY(test_eviction_of_entered_ones),
                TINY(test_close_of_an_evicted_one_before_its_last_cycle),
                cmocka_unit_test_setup_teardown(test_partial, setup, teardown),
                cmocka_unit_test_setup_teardown(test_taken, setup, teardown),
                cmocka_unit_test_setup_teardown(test_taken_early, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
