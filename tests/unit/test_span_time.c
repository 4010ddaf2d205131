/* SPDX-License-Identifier: MIT */
/*
 * Time on paths: which cycles are timed, from when to when, and which path gets the time.
 *
 * The clock has 1000 ticks a second here, so that a tick is a millisecond.
 *
 * Labels: valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/host/tsc_rate.h"
#include "shm/clock.h"
#include "tests/unit/books_fixture.h"

enum { TICK_NS = 1000000, SCOPE = SHM_FLAG_SCOPE };

struct fixture {
        struct books *books;
        struct books_event event; /* the last one */
        unsigned events;
};

static void on_event(void *userdata, const struct books_event *event) {
        struct fixture *f = userdata;

        f->event = *event;
        f->events++;
}

static int setup(void **state) {
        struct fixture *f = calloc(1, sizeof *f);

        f->books = books_small(64);
        books_on_event(f->books, on_event, f);
        books_begin(f->books, 1);
        books_set_clock_rate(f->books, 1000);
        books_set_timing(f->books, true, 1);
        books_commit(f->books);
        *state = f;
        return 0;
}

static int teardown(void **state) {
        struct fixture *f = *state;

        books_free(f->books);
        free(f);
        return 0;
}

/* A record at `ticks`; 0: without a timestamp. */
static void rec(struct fixture *f, uint32_t lane, int kind, int flags, uint64_t span, uint32_t path, uint64_t ticks) {
        struct shm_record record = {.instance = span, .path = path, .kind = (uint16_t)kind, .timestamp = ticks};

        record.flags = (uint16_t)(flags | (ticks ? SHM_FLAG_TIMED : 0));
        books_begin(f->books, 1);
        frames_begin(f->books, lane);
        frames_feed(f->books, lane, &record, SPANS_FIRST_LOOK);
        books_commit(f->books);
        books_assert_balance(f->books);
}

#define enter(f, lane, span, path, ticks) rec(f, lane, SHM_KIND_ENTER, SCOPE, span, path, ticks)
#define leave(f, lane, span, path, ticks) rec(f, lane, SHM_KIND_EXIT, SCOPE, span, path, ticks)

static void settle(struct fixture *f, uint32_t lane, uint64_t ticks) {
        static const uint64_t live[SHM_COUNTERS];

        books_begin(f->books, 1);
        frames_settle(f->books, lane, live, ticks);
        books_commit(f->books);
}

static struct books_time time_of(struct fixture *f, uint32_t path) {
        struct books_row row;

        books_path_row(f->books, path, 1, &row);
        return row.time;
}

static void assert_time(struct fixture *f, uint32_t path, uint64_t self, uint64_t total) {
        struct books_time time = time_of(f, path);

        assert_int_equal(time.self_ns, self * TICK_NS);
        assert_int_equal(time.total_ns, total * TICK_NS);
}

static void assert_calls(struct fixture *f, uint32_t path, uint64_t calls, uint64_t ticks, uint64_t longest) {
        struct books_time time = time_of(f, path);

        assert_int_equal(time.calls, calls);
        assert_int_equal(time.calls_ns, ticks * TICK_NS);
        assert_int_equal(time.longest_ns, longest * TICK_NS);
}

static void test_self_and_total(void **state) {
        struct fixture *f = *state;

        enter(f, 0, span_of(0, 1), A, 100);
        enter(f, 0, span_of(0, 2), A_B, 110);
        leave(f, 0, span_of(0, 2), A_B, 140);
        leave(f, 0, span_of(0, 1), A, 145);
        assert_time(f, A, 15, 45);
        assert_time(f, A_B, 30, 30);
        assert_calls(f, A, 1, 45, 45);
        assert_int_equal(f->events, 2);
        assert_int_equal(books_to_ns(f->books, f->event.ticks), 45 * TICK_NS);
        /* Time outside any span is added to no span. */
        enter(f, 0, span_of(0, 3), A, 500);
        leave(f, 0, span_of(0, 3), A, 501);
        assert_time(f, A, 16, 46);
        assert_calls(f, A, 2, 46, 45);
}

/* As with counters, the outermost frame of a name has the total, and who takes over goes on with it. */
static void test_recursion(void **state) {
        struct fixture *f = *state;

        enter(f, 0, span_of(0, 1), A, 100);
        enter(f, 0, span_of(0, 2), B_A, 110);
        leave(f, 0, span_of(0, 2), B_A, 120);
        assert_time(f, A, 10, 20);
        assert_time(f, B_A, 10, 0);
        leave(f, 0, span_of(0, 1), A, 130);
        assert_time(f, A, 20, 30);
        assert_calls(f, B_A, 1, 10, 10);
}

/* What is open is shown up to the last look. */
static void test_open_frames(void **state) {
        struct fixture *f = *state;

        enter(f, 0, span_of(0, 1), A, 100);
        settle(f, 0, 160);
        assert_time(f, A, 60, 60);
        assert_calls(f, A, 0, 0, 0);
        settle(f, 0, 170);
        assert_time(f, A, 70, 70);
        leave(f, 0, span_of(0, 1), A, 180);
        assert_time(f, A, 80, 80);
        assert_calls(f, A, 1, 80, 80);
}

/* Time begins in the midst of a call and ends in the midst of another: it is booked, and the calls are no timed ones. */
static void test_on_and_off(void **state) {
        struct fixture *f = *state;

        enter(f, 0, span_of(0, 1), A, 0);
        settle(f, 0, 100); /* now it is on */
        enter(f, 0, span_of(0, 2), A_B, 110);
        leave(f, 0, span_of(0, 2), A_B, 115);
        leave(f, 0, span_of(0, 1), A, 130);
        assert_time(f, A, 25, 30);
        assert_calls(f, A, 0, 0, 0);
        assert_calls(f, A_B, 1, 5, 5);
        enter(f, 0, span_of(0, 3), A, 200);
        settle(f, 0, 210);
        settle(f, 0, 0); /* and now it is off, since 210 as far as is known */
        assert_time(f, A, 35, 40);
        leave(f, 0, span_of(0, 3), A, 0);
        assert_time(f, A, 35, 40);
        assert_calls(f, A, 0, 0, 0);
        assert_int_equal(f->event.ticks, 0);
        enter(f, 0, span_of(0, 4), A, 0);
        leave(f, 0, span_of(0, 4), A, 300); /* on again */
        assert_time(f, A, 35, 40);
        assert_calls(f, A, 0, 0, 0);
}

/* A span of several cycles on two threads: its time is that of all of them, side by side. */
static void test_cycles_on_two_threads(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(0, 1);

        rec(f, 0, SHM_KIND_OPEN, 0, s, A, 0);
        rec(f, 0, SHM_KIND_ENTER, 0, s, A, 100);
        rec(f, 1, SHM_KIND_ENTER, 0, s, A, 105);
        rec(f, 0, SHM_KIND_EXIT, 0, s, A, 110);
        rec(f, 1, SHM_KIND_EXIT, 0, s, A, 125);
        rec(f, 0, SHM_KIND_CLOSE, 0, s, A, 0);
        books_begin(f->books, 1);
        spans_apply_closes(f->books);
        books_commit(f->books);
        assert_time(f, A, 30, 30);
        assert_calls(f, A, 1, 30, 30);
        assert_int_equal(f->event.ticks, 30);
}

static void test_one_untimed_cycle_of_two(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(0, 1);

        rec(f, 0, SHM_KIND_OPEN, 0, s, A, 0);
        rec(f, 0, SHM_KIND_ENTER, 0, s, A, 0);
        rec(f, 0, SHM_KIND_EXIT, 0, s, A, 0);
        rec(f, 0, SHM_KIND_ENTER, 0, s, A, 100);
        rec(f, 0, SHM_KIND_EXIT, 0, s, A, 110);
        rec(f, 0, SHM_KIND_CLOSE, 0, s, A, 0);
        books_begin(f->books, 1);
        spans_apply_closes(f->books);
        books_commit(f->books);
        assert_time(f, A, 10, 10);
        assert_calls(f, A, 0, 0, 0);
        assert_int_equal(f->event.cycles, 2);
        assert_int_equal(f->event.ticks, 0);
}

/* A look of the collector may be later than a record that was begun before it. */
static void test_a_clock_that_goes_back(void **state) {
        struct fixture *f = *state;

        enter(f, 0, span_of(0, 1), A, 100);
        settle(f, 0, 120);
        enter(f, 0, span_of(0, 2), A_B, 119);
        leave(f, 0, span_of(0, 2), A_B, 125);
        leave(f, 0, span_of(0, 1), A, 130);
        assert_time(f, A, 25, 30);
        assert_time(f, A_B, 5, 5);
}

static void test_death(void **state) {
        static const struct frames_remains nothing;
        static const uint64_t live[SHM_COUNTERS];
        struct fixture *f = *state;

        enter(f, 0, span_of(0, 1), A, 100);
        settle(f, 0, 120);
        books_begin(f->books, 1);
        frames_retire(f->books, 0, live, &nothing);
        books_commit(f->books);
        assert_time(f, A, 20, 20); /* when it died is not known */
        assert_calls(f, A, 0, 0, 0);
}

static void test_reset_and_since(void **state) {
        struct fixture *f = *state;
        struct books_row row;
        uint32_t path, paths;

        enter(f, 0, span_of(0, 1), A, 100);
        leave(f, 0, span_of(0, 1), A, 150);
        enter(f, 0, span_of(0, 2), A, 200);
        settle(f, 0, 210);
        books_reset(f->books, 1000);
        assert_time(f, A, 0, 0);
        assert_calls(f, A, 0, 0, 0);
        leave(f, 0, span_of(0, 2), A, 230);
        assert_time(f, A, 20, 20);
        assert_calls(f, A, 1, 30, 30);
        books_begin(f->books, 2000);
        books_mark(f->books, 2000);
        books_commit(f->books);
        enter(f, 0, span_of(0, 3), A, 300);
        leave(f, 0, span_of(0, 3), A, 307);
        assert_time(f, A, 27, 27);
        assert_true(books_name_row_since(f->books, NAME_A, 3000, 1000, &row, &path, &paths));
        assert_int_equal(row.time.total_ns, 7 * TICK_NS);
        assert_int_equal(row.time.calls, 1);
        assert_int_equal(row.time.calls_ns, 7 * TICK_NS);
}

static double rate_at(struct fixture *f, uint64_t now_ns) {
        struct books_row row;

        books_path_row(f->books, A, now_ns, &row);
        return row.time.calls_rate;
}

/* A hundred calls a second for 20 s, then none. */
static void test_calls_rate(void **state) {
        const uint64_t second = 1000000000;
        struct fixture *f = *state;
        uint64_t now = second;

        for (uint32_t i = 1; i <= 2000; i++, now += second / 100) {
                const struct shm_record both[2] = {
                        {.instance = span_of(0, i), .path = A, .kind = SHM_KIND_ENTER, .timestamp = i * 10},
                        {.instance = span_of(0, i), .path = A, .kind = SHM_KIND_EXIT, .timestamp = i * 10 + 1},
                };

                for (int k = 0; k < 2; k++) {
                        struct shm_record record = both[k];

                        record.flags = SCOPE | SHM_FLAG_TIMED;
                        books_begin(f->books, now);
                        frames_begin(f->books, 0);
                        frames_feed(f->books, 0, &record, SPANS_FIRST_LOOK);
                        books_commit(f->books);
                }
                if (i == 500)
                        assert_float_equal(rate_at(f, now), 100, 20); /* a young one is not told too low */
        }
        assert_float_equal(rate_at(f, now), 100, 2);
        /* S = 1000 (1 - e^-2) calls, a time constant ago, in a window of 30 s */
        assert_float_equal(rate_at(f, now + 10 * second), 33.5, 1);
        /* Off and on again: what was before is no rate of now. */
        books_begin(f->books, now + second);
        books_set_timing(f->books, false, now + second);
        books_set_timing(f->books, true, now + second);
        books_commit(f->books);
        assert_float_equal(rate_at(f, now + second), 0, 0.001);
}

/* The clock's rate, measured twice: the same within a thousandth, on whatever machine. */
static void test_rate(void **state) {
        struct rate rate;
        uint64_t first, second;
        char why[192];

        if (rate_check(why, sizeof why) < 0)
                skip();
        rate_begin(&rate);
        first = rate_measure(&rate);
        second = rate_measure(&rate);
        assert_true(first > 1000000);
        assert_true(second > first - first / 1000 && second < first + first / 1000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_self_and_total, setup, teardown),
                cmocka_unit_test_setup_teardown(test_recursion, setup, teardown),
                cmocka_unit_test_setup_teardown(test_open_frames, setup, teardown),
                cmocka_unit_test_setup_teardown(test_on_and_off, setup, teardown),
                cmocka_unit_test_setup_teardown(test_cycles_on_two_threads, setup, teardown),
                cmocka_unit_test_setup_teardown(test_one_untimed_cycle_of_two, setup, teardown),
                cmocka_unit_test_setup_teardown(test_a_clock_that_goes_back, setup, teardown),
                cmocka_unit_test_setup_teardown(test_death, setup, teardown),
                cmocka_unit_test_setup_teardown(test_reset_and_since, setup, teardown),
                cmocka_unit_test_setup_teardown(test_calls_rate, setup, teardown),
                cmocka_unit_test(test_rate),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
