/* SPDX-License-Identifier: MIT */
/*
 * From records to stacks, and the owners of intervals: what each record must change, also when it makes no sense.
 *
 * Labels: valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/frames_fixture.h"

/* --------------------------------------------------------------------------------------- intervals and totals -- */

static void test_before_and_outside(void **state) {
        struct fixture *f = *state;

        base(f, 0, 40, 100);
        assert_lane(f, 0, 40, 60, 0);
        settle(f, 0, 130);
        assert_lane(f, 0, 40, 90, 0);
        /* The next thread of the lane brings 7 along, and finds it at 150. */
        base(f, 0, 47, 160);
        assert_lane(f, 0, 47, 113, 0);
        assert_int_equal(f->books->lanes[0].last[0], 160);
}

static void test_nested(void **state) {
        struct fixture *f = *state;

        base(f, 0, 0, 0);
        rec(f, 0, ENTER, SCOPE, span_of(0, 1), A, 10);
        rec(f, 0, ENTER, SCOPE, span_of(0, 2), A_B, 15);
        assert_total(f, A, 5); /* still open: up to now */
        rec(f, 0, EXIT, SCOPE, span_of(0, 2), A_B, 115);
        rec(f, 0, EXIT, SCOPE, span_of(0, 1), A, 125);
        settle(f, 0, 130);
        assert_self(f, A, 15);
        assert_self(f, A_B, 100);
        assert_total(f, A, 115);
        assert_total(f, A_B, 100);
        assert_lane(f, 0, 0, 15, 0);
        assert_cycles(f, A, 1, 0);
        assert_spans(f, A, 1, 1, 0);
        assert_event(f, 0, span_of(0, 2), 1, 100);
        assert_event(f, 1, span_of(0, 1), 1, 115);
        assert_int_equal(f->books->book->open_spans, 0); /* no scope was ever followed by itself */
}

/* Another span of the same name, on another path even: the name's total counts the outermost only. */
static void test_recursion_counts_once(void **state) {
        struct fixture *f = *state;
        struct books_row row;
        uint32_t path, paths;

        base(f, 0, 0, 0);
        rec(f, 0, ENTER, SCOPE, span_of(0, 1), A, 0);
        rec(f, 0, ENTER, SCOPE, span_of(0, 2), B, 10);
        rec(f, 0, ENTER, SCOPE, span_of(0, 3), B_A, 30); /* "a" again */
        rec(f, 0, EXIT, SCOPE, span_of(0, 3), B_A, 60);
        rec(f, 0, EXIT, SCOPE, span_of(0, 2), B, 100);
        rec(f, 0, EXIT, SCOPE, span_of(0, 1), A, 150);
        assert_total(f, A, 150);
        assert_total(f, B_A, 0);
        assert_self(f, B_A, 30);
        assert_total(f, B, 90);
        books_name_row(f->books, NAME_A, 1, &row, &path, &paths);
        assert_four(row.total, 150);
        assert_four(row.self, 60 + 30);
        assert_int_equal(row.cycles, 2);
        assert_int_equal(paths, 2);
        /* Each call by itself has what it allocated. */
        assert_event(f, 0, span_of(0, 3), 1, 30);
        assert_event(f, 2, span_of(0, 1), 1, 150);
}

static void test_re_entry_counts_once(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(0, 1);

        base(f, 0, 0, 0);
        rec(f, 0, OPEN, 0, s, A, 0);
        rec(f, 0, ENTER, 0, s, A, 0);
        rec(f, 0, ENTER, 0, s, A, 50);
        rec(f, 0, EXIT, 0, s, A, 150);
        assert_total(f, A, 150); /* the outer one goes on */
        rec(f, 0, EXIT, 0, s, A, 201);
        rec(f, 0, CLOSE, 0, s, A, 0);
        apply(f);
        assert_total(f, A, 201);
        assert_self(f, A, 201);
        assert_cycles(f, A, 2, 0);
        assert_event(f, 0, s, 2, 201);
}

/* The outermost leaves first: the next takes over from that moment, and nothing counts twice. */
static void test_outermost_passes_on(void **state) {
        struct fixture *f = *state;
        uint64_t one = span_of(0, 1), two = span_of(0, 2), three = span_of(0, 3);

        base(f, 0, 0, 0);
        rec(f, 0, ENTER, 0, one, A, 0);
        rec(f, 0, ENTER, 0, two, A, 10);
        rec(f, 0, ENTER, 0, three, A, 20);
        rec(f, 0, ENTER, 0, two, A, 30);
        rec(f, 0, EXIT, 0, one, A, 100);
        assert_total(f, A, 100);
        rec(f, 0, EXIT, 0, two, A, 150); /* the topmost of it */
        assert_total(f, A, 150);
        rec(f, 0, EXIT, 0, two, A, 170); /* the one that took over */
        assert_total(f, A, 170);
        rec(f, 0, EXIT, 0, three, A, 200);
        settle(f, 0, 210);
        assert_total(f, A, 200);
        assert_self(f, A, 200);
        assert_cycles(f, A, 4, 0);
        for (uint32_t i = 1; i <= 3; i++)
                rec(f, 0, CLOSE, 0, span_of(0, i), A, 0);
        apply(f);
        assert_event(f, 0, one, 1, 100);
        assert_event(f, 1, two, 2, 160);
        assert_event(f, 2, three, 1, 180);
}

static void test_out_of_order(void **state) {
        struct fixture *f = *state;

        base(f, 0, 0, 0);
        rec(f, 0, ENTER, 0, span_of(0, 1), A, 10);
        rec(f, 0, ENTER, 0, span_of(0, 2), B, 20);
        rec(f, 0, EXIT, 0, span_of(0, 1), A, 50);
        rec(f, 0, EXIT, 0, span_of(0, 2), B, 90);
        assert_self(f, A, 10);
        assert_self(f, B, 70);
        assert_total(f, A, 40);
        assert_total(f, B, 70);
}

static void test_one_span_on_two_threads(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(0, 1);

        base(f, 0, 0, 1000);
        base(f, 1, 0, 5);
        rec(f, 0, OPEN, 0, s, A, 0);
        rec(f, 1, ENTER, 0, s, A, 7);
        rec(f, 0, ENTER, 0, s, A, 1000);
        rec(f, 1, EXIT, 0, s, A, 9);
        rec(f, 0, EXIT, 0, s, A, 1003);
        rec(f, 0, CLOSE, 0, s, A, 0);
        apply(f);
        assert_self(f, A, 5);
        assert_total(f, A, 5);
        assert_cycles(f, A, 2, 0);
        assert_event(f, 0, s, 2, 5);
        assert_spans(f, A, 1, 1, 0);
}

static void test_migrated_exit(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(0, 1);

        base(f, 0, 0, 0);
        rec(f, 0, OPEN, 0, s, A, 0);
        rec(f, 0, ENTER, 0, s, A, 10);
        rec(f, 0, ENTER, SCOPE, span_of(0, 2), B, 20); /* stays on top */
        rec(f, 0, EXIT, MIGRATED, s, A, 60);
        rec(f, 0, EXIT, SCOPE, span_of(0, 2), B, 100);
        assert_total(f, A, 50);
        assert_self(f, A, 10);
        assert_self(f, B, 80);
        assert_cycles(f, A, 1, 1);
        assert_int_equal(row_of(f, A).quality, BOOKS_MIGRATED);
        assert_int_equal(row_of(f, B).quality, BOOKS_EXACT);
}

/* ------------------------------------------------------------------------------------------------------ lost -- */

static void test_lost_takes_from_its_interval_only(void **state) {
        struct fixture *f = *state;

        base(f, 0, 0, 0);
        rec(f, 0, ENTER, SCOPE, span_of(0, 1), A, 10);
        /* A did 5, a refused frame 30, A another 5. */
        rec(f, 0, LOST, 0, 1, 0, 30);
        rec(f, 0, ENTER, SCOPE, span_of(0, 3), A_B, 50);
        rec(f, 0, EXIT, SCOPE, span_of(0, 3), A_B, 60);
        rec(f, 0, EXIT, SCOPE, span_of(0, 1), A, 70);
        assert_self(f, A, 20);
        assert_self(f, A_B, 10);
        assert_lane(f, 0, 0, 10, 30);
        assert_total(f, A, 60); /* of the outer span: exact */
        assert_int_equal(row_of(f, A).quality, BOOKS_LOST);
        assert_int_equal(row_of(f, A_B).quality, BOOKS_EXACT);
}

static void test_lost_outside(void **state) {
        struct fixture *f = *state;

        base(f, 0, 0, 0);
        rec(f, 0, LOST, 0, 2, 0, 8);
        settle(f, 0, 10); /* a look at the live counters ends the interval as well */
        rec(f, 0, ENTER, SCOPE, span_of(0, 1), A, 30);
        assert_lane(f, 0, 0, 22, 8);
}

/* More than there is: a client's lie.  The books still balance, nothing falls. */
static void test_lost_beyond_its_interval(void **state) {
        struct fixture *f = *state;

        base(f, 0, 0, 0);
        rec(f, 0, ENTER, SCOPE, span_of(0, 1), A, 10);
        rec(f, 0, LOST, 0, 1, 0, 1000);
        rec(f, 0, EXIT, SCOPE, span_of(0, 1), A, 30);
        rec(f, 0, ENTER, SCOPE, span_of(0, 2), A, 30);
        rec(f, 0, EXIT, SCOPE, span_of(0, 2), A, 70);
        assert_lane(f, 0, 0, 10, 20);
        assert_self(f, A, 40);
}

static void test_before_first_record_is_lost_too(void **state) {
        struct fixture *f = *state;

        /* The ring was full of its predecessor's when the thread came with 100, lost 20, and did 5. */
        rec(f, 0, LOST, 0, 1, 0, 20);
        base(f, 0, 100, 125);
        assert_lane(f, 0, 100, 5, 20);
}

/* ------------------------------------------------------------------------------------------------- odd records -- */

static void test_unknown_exits(void **state) {
        struct fixture *f = *state;

        base(f, 0, 0, 0);
        rec(f, 0, ENTER, SCOPE, span_of(0, 1), A, 10);
        rec(f, 0, EXIT, 0, span_of(0, 7), B, 30);
        rec(f, 0, EXIT, SCOPE, span_of(0, 1), A, 40);
        assert_self(f, A, 30);
        assert_total(f, A, 30);
        assert_cycles(f, B, 0, 0);
        assert_int_equal(f->books->book->stale, 1);
}

static void test_too_deep(void **state) {
        struct fixture *f = *state;

        base(f, 0, 0, 0);
        for (uint32_t i = 1; i <= SHM_DEPTH; i++)
                rec(f, 0, ENTER, SCOPE, span_of(0, i), A, i);
        rec(f, 0, ENTER, SCOPE, span_of(0, 100), B, 70);
        rec(f, 0, SHM_KIND_RESYNC, 0, span_of(0, 101), B, 70);
        assert_int_equal(f->books->lanes[0].depth, SHM_DEPTH);
        assert_int_equal(f->books->book->stale, 2);
        for (uint32_t i = SHM_DEPTH; i >= 1; i--)
                rec(f, 0, EXIT, SCOPE, span_of(0, i), A, 70 + SHM_DEPTH - i);
        assert_total(f, A, 132); /* 1 to 70 + 63 */
        assert_spans(f, A, SHM_DEPTH, SHM_DEPTH, 0);
}

/* That the check can fail. */
static void test_check_notices(void **state) {
        struct fixture *f = *state;
        struct lane *lane = &f->books->lanes[0];
        char why[160];

        base(f, 0, 0, 100);
        rec(f, 0, ENTER, SCOPE, span_of(0, 1), A, 150);
        rec(f, 0, EXIT, SCOPE, span_of(0, 1), A, 190);
        assert_true(books_check(f->books, why, sizeof why));
        f->books->tallies[A].self[SHM_ALLOC_BYTES]++;
        assert_false(books_check(f->books, why, sizeof why));
        f->books->tallies[A].self[SHM_ALLOC_BYTES]--;
        lane->lost[SHM_DEALLOC_COUNT]++;
        assert_false(books_check(f->books, why, sizeof why));
        lane->lost[SHM_DEALLOC_COUNT]--;
        if (!BOOKS_ARE_CHECKED)
                return;
        /* What one lane has too much and another too little. */
        lane->outside[SHM_ALLOC_COUNT]++;
        f->books->lanes[1].outside[SHM_ALLOC_COUNT]--;
        assert_false(books_check(f->books, why, sizeof why));
        lane->outside[SHM_ALLOC_COUNT]--;
        f->books->lanes[1].outside[SHM_ALLOC_COUNT]++;
        assert_true(books_check(f->books, why, sizeof why));
}

static void test_counters_that_go_back(void **state) {
        struct fixture *f = *state;

        base(f, 0, 0, 100);
        rec(f, 0, ENTER, SCOPE, span_of(0, 1), A, 50);
        rec(f, 0, EXIT, SCOPE, span_of(0, 1), A, 90);
        rec(f, 0, ENTER, SCOPE, span_of(0, 2), A, 120);
        assert_self(f, A, 0);
        assert_lane(f, 0, 0, 120, 0);
}

static void test_resync(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(5, 9);

        /* A thread that had counted 1000 in its life, and entered s when it was at 300. */
        base(f, 0, 1000, 1000);
        rec(f, 0, SHM_KIND_RESYNC, 0, s, A, 300);
        rec(f, 0, SHM_KIND_RESYNC, SCOPE, span_of(5, 10), B, 400);
        rec(f, 0, EXIT, SCOPE, span_of(5, 10), B, 1010);
        rec(f, 0, EXIT, 0, s, A, 1100);
        rec(f, 0, CLOSE, 0, s, A, 0);
        apply(f);
        assert_total(f, A, 800); /* the cycle goes on over the change */
        assert_total(f, B, 610);
        assert_self(f, A, 90);
        assert_self(f, B, 10);
        assert_lane(f, 0, 1000, 0, 0);
        assert_spans(f, A, 1, 1, 0);
        assert_spans(f, B, 1, 1, 0);
}

/* ------------------------------------------------------------------------------------------------------- death -- */

static void test_retire(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(0, 1), t = span_of(0, 2), u = span_of(0, 3);

        base(f, 0, 0, 0);
        rec(f, 0, OPEN, 0, s, A, 0);
        rec(f, 0, ENTER, 0, s, A, 10);
        rec(f, 0, OPEN, 0, t, B, 0);
        rec(f, 0, ENTER, 0, t, B, 20);
        rec(f, 0, ENTER, SCOPE, u, C, 30);
        /* Another thread had ended t; a refused frame had spent 5 when the thread died at 50. */
        retire(f, 0, 50, 5, t);
        assert_int_equal(f->books->lanes[0].depth, 0);
        assert_lane(f, 0, 0, 10, 5);
        assert_self(f, C, 15);
        assert_cycles(f, B, 1, 1);
        assert_total(f, B, 30);
        assert_cycles(f, A, 0, 0);
        assert_total(f, A, 40);
        assert_spans(f, A, 1, 0, 0); /* others may go on with it */
        assert_spans(f, C, 1, 0, 1);
        rec(f, 1, CLOSE, 0, s, A, 0);
        rec(f, 1, CLOSE, 0, t, B, 0);
        apply(f);
        assert_spans(f, A, 1, 1, 0);
        assert_int_equal(f->event_count, 1); /* s completed no cycle */
        assert_event(f, 0, t, 1, 30);
}

/* A close came while it was entered, then its thread died. */
static void test_retire_ends_a_closing_span(void **state) {
        struct fixture *f = *state;
        uint64_t s = span_of(0, 1);

        base(f, 0, 0, 0);
        rec(f, 0, OPEN, 0, s, A, 0);
        rec(f, 0, ENTER, 0, s, A, 10);
        rec(f, 1, CLOSE, 0, s, A, 0);
        apply(f);
        retire(f, 0, 50, 0, 0);
        assert_spans(f, A, 1, 1, 0);
        assert_int_equal(f->books->book->open_spans, 0);
}

static void test_the_next_thread_finds_an_open_stack(void **state) {
        struct fixture *f = *state;

        base(f, 0, 0, 0);
        rec(f, 0, ENTER, SCOPE, span_of(0, 1), A, 10);
        base(f, 0, 7, 57); /* it came when the lane stood at 50 */
        assert_self(f, A, 40);
        assert_spans(f, A, 1, 0, 1);
        assert_lane(f, 0, 7, 10, 0);
        rec(f, 0, ENTER, SCOPE, span_of(0, 2), B, 60);
        assert_lane(f, 0, 7, 13, 0);
}

static void test_finish(void **state) {
        struct fixture *f = *state;

        base(f, 0, 0, 0);
        rec(f, 0, OPEN, 0, span_of(0, 1), A, 0);
        rec(f, 0, OPEN, 0, span_of(0, 2), A, 0);
        rec(f, 0, ENTER, 0, span_of(0, 2), A, 5);
        rec(f, 0, ENTER, SCOPE, span_of(0, 3), B, 6);
        retire(f, 0, 9, 0, 0);
        finish(f);
        assert_spans(f, A, 2, 0, 2);
        assert_spans(f, B, 1, 0, 1);
        finish(f); /* again: nothing */
        assert_spans(f, A, 2, 0, 2);
}

/* --------------------------------------------------------------------------------------------------- nonsense -- */

static uint64_t random64(void) {
        return (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();
}

static void random_counters(uint64_t ret[SHM_COUNTERS], const struct lane *lane) {
        for (int c = 0; c < SHM_COUNTERS; c++)
                switch (random() % 8) {
                case 0:
                        ret[c] = random64() >> (random() % 64);
                        break;
                case 1:
                        ret[c] = lane->last[c] - (uint64_t)random() % 100;
                        break;
                default:
                        ret[c] = lane->last[c] + (uint64_t)random() % 1000;
                }
}

static void random_step(struct fixture *f) {
        struct books *books = f->books;
        struct frames_finishing at = {0};
        uint32_t i = (uint32_t)random() % 4;
        struct lane *lane = &books->lanes[i];
        struct frames_remains remains = {0};
        struct shm_record record = {
                .instance = span_of((uint32_t)random() % 4, (uint32_t)random() % 20),
                .path = 1 + (uint32_t)random() % PATHS,
                .kind = (uint16_t)(1 + random() % SHM_KIND_MAX),
                .flags = (uint16_t)(random() % (SHM_FLAGS_ALL + 1)),
        };

        random_counters(record.counters, lane);
        f->pass = random() % 2 ? SPANS_FIRST_LOOK : SPANS_SECOND_LOOK;
        switch (random() % 24) {
        case 0:
                frames_settle(books, i, record.counters, 0);
                break;
        case 1:
                random_counters(remains.lost, lane);
                for (int m = 0; m < 5; m++)
                        remains.marks[random() % SHM_DEPTH] = span_of((uint32_t)random() % 4, (uint32_t)random() % 20);
                frames_retire(books, i, record.counters, &remains);
                break;
        case 2:
                interval_before(books, &books->lanes[i], record.counters);
                break;
        case 3:
        case 4:
                assert_true(spans_apply_closes(books));
                break;
        case 5:
                spans_close(books, record.instance, record.path, record.flags & LATE, f->pass);
                break;
        case 6:
                if (random() % 20 == 0)
                        frames_finish(books, &at);
                break;
        case 7:
                if (random() % 20 == 0)
                        books_mark(books, 5);
                break;
        default:
                frames_begin(books, i);
                frames_feed(books, i, &record, f->pass);
        }
}

static void run_nonsense(struct fixture *f, unsigned seed) {
        struct books_process_row process;

        srandom(seed);
        for (int i = 0; i < 40000; i++) {
                uint64_t lines;

                books_begin(f->books, 1);
                random_step(f);
                lines = atomic_load(&f->books->arena.header->undo_length);
                assert_true(lines < BOOKS_LINES_PER_STEP);
                books_commit(f->books);
                books_assert_balance(f->books);
                assert_true(f->books->book->open_spans <= f->books->limits.instances);
        }
        books_process_row(f->books, &process);
        assert_true(process.balanced);
}

static void test_nonsense_balances(void **state) {
        run_nonsense(*state, 1);
}

static void test_nonsense_balances_with_evictions(void **state) {
        run_nonsense(*state, 2);
}

/* A full stack of spans, each with closes, all ended by one record: the largest step. */
static void test_the_largest_step_fits_the_log(void **state) {
        struct fixture *f = *state;
        struct frames_remains remains = {0};
        uint64_t live[SHM_COUNTERS];

        base(f, 0, 0, 0);
        for (uint32_t i = 1; i <= SHM_DEPTH; i++) {
                uint32_t path = 1 + i % PATHS;

                rec(f, 0, OPEN, 0, span_of(0, i), path, 0);
                rec(f, 0, ENTER, 0, span_of(0, i), path, (uint64_t)1 << i % 40);
                rec(f, 1, CLOSE, 0, span_of(0, i), path, 0);
                apply(f);
                remains.marks[i - 1] = span_of(0, i);
        }
        four(live, UINT64_C(1) << 41);
        books_begin(f->books, 1);
        frames_retire(f->books, 0, live, &remains);
        assert_true(atomic_load(&f->books->arena.header->undo_length) < BOOKS_LINES_PER_STEP);
        books_commit(f->books);
        books_assert_balance(f->books);
        assert_int_equal(f->event_count, SHM_DEPTH);
        assert_int_equal(f->books->book->open_spans, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TINY(name) cmocka_unit_test_setup_teardown(name, setup_tiny, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_before_and_outside),
                TEST(test_nested),
                TEST(test_recursion_counts_once),
                TEST(test_re_entry_counts_once),
                TEST(test_outermost_passes_on),
                TEST(test_out_of_order),
                TEST(test_one_span_on_two_threads),
                TEST(test_migrated_exit),
                TEST(test_lost_takes_from_its_interval_only),
                TEST(test_lost_outside),
                TEST(test_lost_beyond_its_interval),
                TEST(test_before_first_record_is_lost_too),
                TEST(test_unknown_exits),
                TEST(test_too_deep),
                TEST(test_check_notices),
                TEST(test_counters_that_go_back),
                TEST(test_resync),
                TEST(test_retire),
                TEST(test_retire_ends_a_closing_span),
                TEST(test_the_next_thread_finds_an_open_stack),
                TEST(test_finish),
                TEST(test_nonsense_balances),
                TINY(test_nonsense_balances_with_evictions),
                TEST(test_the_largest_step_fits_the_log),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
