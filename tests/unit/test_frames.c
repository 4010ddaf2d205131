/*
 * From records to stacks: hand-written records of up to eight lanes, and what each of them must change.  The books are
 * shown to balance after every single one, also when the records make no sense.
 *
 * Labels: valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/core/interval.h"
#include "daemon/core/live.h"
#include "tests/unit/books_fixture.h"

enum { SCOPE = SHM_FLAG_SCOPE, MIGRATED = SHM_FLAG_MIGRATED, SHARED = SHM_FLAG_SHARED, LATE = SHM_FLAG_LATE };
enum {
        ENTER = SHM_KIND_ENTER,
        EXIT = SHM_KIND_EXIT,
        OPEN = SHM_KIND_OPEN,
        CLOSE = SHM_KIND_CLOSE,
        LOST = SHM_KIND_LOST
};

struct fixture {
        struct books *books;
        struct books_event events[64];
        unsigned event_count;
        enum spans_pass pass;
};

static void on_event(void *userdata, const struct books_event *event) {
        struct fixture *f = userdata;

        if (f->event_count < 64)
                f->events[f->event_count] = *event;
        f->event_count++;
}

static int setup_with(void **state, uint32_t instances) {
        struct fixture *f = calloc(1, sizeof *f);

        f->books = books_small(instances);
        books_on_event(f->books, on_event, f);
        *state = f;
        return 0;
}

static int setup(void **state) {
        return setup_with(state, 64);
}

static int setup_tiny(void **state) {
        return setup_with(state, 3);
}

static int teardown(void **state) {
        struct fixture *f = *state;

        books_free(f->books);
        free(f);
        return 0;
}

/* ------------------------------------------------------------------------------------------------- the script -- */

static void feed(struct fixture *f, uint32_t lane, const struct shm_record *record) {
        books_begin(f->books, 1);
        frames_begin(f->books, lane);
        frames_feed(f->books, lane, record, f->pass);
        books_commit(f->books);
        books_assert_balance(f->books);
}

/* One record, when its thread has counted n. */
static void rec(struct fixture *f, uint32_t lane, int kind, int flags, uint64_t span, uint32_t path, uint64_t n) {
        struct shm_record record = {.instance = span, .path = path, .kind = (uint16_t)kind, .flags = (uint16_t)flags};

        four(record.counters, n);
        feed(f, lane, &record);
}

static void base(struct fixture *f, uint32_t lane, uint64_t before, uint64_t n) {
        rec(f, lane, SHM_KIND_BEFORE, 0, 2, 0, before);
        rec(f, lane, SHM_KIND_BASE, 0, 2, 0, n);
}

static void settle(struct fixture *f, uint32_t lane, uint64_t n) {
        uint64_t live[SHM_COUNTERS];

        four(live, n);
        books_begin(f->books, 1);
        frames_settle(f->books, lane, live, 0);
        books_commit(f->books);
        books_assert_balance(f->books);
}

static void retire(struct fixture *f, uint32_t lane, uint64_t n, uint64_t lost, uint64_t mark) {
        struct frames_remains remains = {.marks = {[5] = mark}};
        uint64_t live[SHM_COUNTERS];

        four(live, n);
        four(remains.lost, lost);
        books_begin(f->books, 1);
        frames_retire(f->books, lane, live, &remains);
        books_commit(f->books);
        books_assert_balance(f->books);
}

/* The second look is over. */
static void apply(struct fixture *f) {
        books_begin(f->books, 1);
        assert_true(spans_apply_closes(f->books));
        books_commit(f->books);
        books_assert_balance(f->books);
}

static void finish(struct fixture *f) {
        uint32_t path = 1;

        books_begin(f->books, 1);
        assert_true(frames_finish(f->books, &path));
        books_commit(f->books);
        books_assert_balance(f->books);
}

static struct books_row row_of(struct fixture *f, uint32_t path) {
        struct books_row row;

        books_path_row(f->books, path, 1, &row);
        return row;
}

static void assert_four(const uint64_t got[SHM_COUNTERS], uint64_t n) {
        for (int c = 0; c < SHM_COUNTERS; c++)
                assert_int_equal(got[c], n * factor[c]);
}

#define assert_self(f, path, n)  assert_four(row_of(f, path).self, n)
#define assert_total(f, path, n) assert_four(row_of(f, path).total, n)

#define assert_spans(f, path, o, c, a)                                                                                 \
        do {                                                                                                           \
                struct books_row row_ = row_of(f, path);                                                               \
                assert_int_equal(row_.opened, o);                                                                      \
                assert_int_equal(row_.closed, c);                                                                      \
                assert_int_equal(row_.aborted, a);                                                                     \
                assert_int_equal(row_.open, (o) - (c) - (a));                                                          \
        } while (0)

static void assert_cycles(struct fixture *f, uint32_t path, uint64_t cycles, uint64_t migrated) {
        assert_int_equal(row_of(f, path).cycles, cycles);
        assert_int_equal(row_of(f, path).migrated, migrated);
}

static void assert_lane(struct fixture *f, uint32_t lane, uint64_t before, uint64_t outside, uint64_t lost) {
        assert_four(f->books->lanes[lane].before, before);
        assert_four(f->books->lanes[lane].outside, outside);
        assert_four(f->books->lanes[lane].lost, lost);
}

static void assert_event(struct fixture *f, unsigned i, uint64_t span, uint32_t cycles, uint64_t n) {
        assert_true(i < f->event_count);
        assert_int_equal(f->events[i].instance, span);
        assert_int_equal(f->events[i].cycles, cycles);
        assert_four(f->events[i].sums, n);
}

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
        assert_int_equal(f->books->book->live, 0); /* no scope was ever followed by itself */
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
        assert_int_equal(f->books->book->live, 0);
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
        assert_int_equal(f->books->book->live, 0);
}

static void test_close_of_the_unknown(void **state) {
        struct fixture *f = *state;

        rec(f, 1, CLOSE, 0, span_of(3, 9), A, 0);
        apply(f);
        assert_spans(f, A, 0, 0, 0);
        assert_int_equal(f->books->book->stale, 1);
        assert_int_equal(f->books->book->live, 0);
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
        assert_int_equal(f->books->book->live, 0);
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
        assert_event(f, 0, s, 2, 25);
        assert_int_equal(f->books->book->stale, 0);

        /* Its close is read before its enter; and one that was never entered is no span at all. */
        rec(f, 1, CLOSE, LATE, span_of(0, 0), C, 0);
        base(f, 2, 0, 0);
        rec(f, 2, ENTER, LATE, span_of(0, 0), C, 0);
        rec(f, 2, EXIT, 0, span_of(0, 0), C, 3);
        apply(f);
        assert_spans(f, C, 1, 1, 0);
        assert_event(f, 1, span_of(0, 0), 1, 3);
        rec(f, 0, OPEN, 0, span_of(0, 5), B, 0);
        rec(f, 0, CLOSE, LATE, span_of(0, 4), C, 0);
        apply(f);
        assert_spans(f, C, 1, 1, 0);
        assert_int_equal(f->books->book->stale, 0);
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
        assert_int_equal(f->books->book->live, 0);
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
        assert_int_equal(f->books->book->live, 0);
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
        assert_int_equal(f->books->book->live, 0);
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
        assert_int_equal(f->books->book->live, 0);
        assert_int_equal(f->event_count, 0);
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
        assert_int_equal(f->books->book->live, 0);
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
        assert_null(live_find(f->books, s));
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

/* -------------------------------------------------------------------------------------------- resets and marks -- */

static void test_reset_and_marks(void **state) {
        struct fixture *f = *state;
        struct books_process_row process;
        struct books_row row;
        uint32_t path, paths;
        const char *name;
        uint64_t outside[SHM_COUNTERS];

        base(f, 0, 50, 60);
        rec(f, 0, ENTER, SCOPE, span_of(0, 1), A, 70);
        rec(f, 0, LOST, 0, 1, 0, 3);
        settle(f, 0, 80);
        books_begin(f->books, 1000);
        books_mark(f->books, 1000);
        books_commit(f->books);
        settle(f, 0, 90);
        books_reset(f->books, 2000);
        books_assert_balance(f->books);
        books_process_row(f->books, &process);
        assert_true(process.balanced);
        assert_four(process.counters, 0);
        assert_four(process.before, 0);
        assert_four(process.lost, 0);
        assert_total(f, A, 0);
        assert_self(f, A, 0);
        assert_int_equal(row_of(f, A).open, 1);
        assert_true(books_thread_row(f->books, 0, &name, outside));
        assert_four(outside, 0);

        settle(f, 0, 100);
        rec(f, 0, EXIT, SCOPE, span_of(0, 1), A, 120);
        settle(f, 0, 125);
        books_process_row(f->books, &process);
        assert_true(process.balanced);
        assert_four(process.counters, 35);
        assert_four(process.outside, 5);
        assert_self(f, A, 30);
        assert_total(f, A, 30);
        assert_int_equal(row_of(f, A).open, 0);
        assert_int_equal(row_of(f, A).closed, 1);

        /* The reset is younger than the mark: it counts. */
        assert_true(books_name_row_since(f->books, NAME_A, 2500, 1500, &row, &path, &paths));
        assert_four(row.self, 30);
        assert_four(row.total, 30);
        books_begin(f->books, 3000);
        books_mark(f->books, 3000);
        books_commit(f->books);
        rec(f, 0, ENTER, SCOPE, span_of(0, 2), A, 125);
        settle(f, 0, 129);
        assert_true(books_name_row_since(f->books, NAME_A, 3500, 500, &row, &path, &paths));
        assert_four(row.self, 4);
        assert_four(row.total, 4);
        assert_int_equal(row.opened, 1);
        books_assert_balance(f->books);
}

/* A reset in the middle of a cycle during which nothing else ends: the mark before it must not count. */
static void test_reset_after_a_mark_without_an_event(void **state) {
        struct fixture *f = *state;
        struct books_row row;
        uint32_t path, paths;

        base(f, 0, 0, 0);
        rec(f, 0, ENTER, SCOPE, span_of(0, 1), A, 0);
        settle(f, 0, 10);
        books_begin(f->books, 1000);
        books_mark(f->books, 1000);
        books_commit(f->books);
        settle(f, 0, 30);
        books_reset(f->books, 2000);
        settle(f, 0, 35);
        books_name_row_since(f->books, NAME_A, 2500, 1500, &row, &path, &paths);
        assert_four(row.self, 5);
        assert_four(row.total, 5);
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
        uint32_t i = (uint32_t)random() % 4, path = 1;
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
                        frames_finish(books, &path);
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
                lines = atomic_load(&f->books->state.header->undo_length);
                assert_true(lines < BOOKS_LINES_PER_STEP);
                books_commit(f->books);
                books_assert_balance(f->books);
                assert_true(f->books->book->live <= f->books->limits.instances);
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
        assert_true(atomic_load(&f->books->state.header->undo_length) < BOOKS_LINES_PER_STEP);
        books_commit(f->books);
        books_assert_balance(f->books);
        assert_int_equal(f->event_count, SHM_DEPTH);
        assert_int_equal(f->books->book->live, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
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
                TEST(test_unknown_exits),
                TEST(test_too_deep),
                TEST(test_check_notices),
                TEST(test_counters_that_go_back),
                TEST(test_resync),
                TEST(test_retire),
                TEST(test_retire_ends_a_closing_span),
                TEST(test_the_next_thread_finds_an_open_stack),
                TEST(test_finish),
                cmocka_unit_test_setup_teardown(test_eviction, setup_tiny, teardown),
                cmocka_unit_test_setup_teardown(test_eviction_of_entered_ones, setup_tiny, teardown),
                cmocka_unit_test_setup_teardown(test_close_of_an_evicted_one_before_its_last_cycle, setup_tiny,
                                                teardown),
                TEST(test_reset_and_marks),
                TEST(test_reset_after_a_mark_without_an_event),
                TEST(test_nonsense_balances),
                cmocka_unit_test_setup_teardown(test_nonsense_balances_with_evictions, setup_tiny, teardown),
                TEST(test_the_largest_step_fits_the_log),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
