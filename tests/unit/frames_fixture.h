/* SPDX-License-Identifier: MIT */
/*
 * For tests of frames and spans: books of up to eight lanes, records written by hand in an order of their own, and after
 * every single one the law that the books balance.  cmocka.h and what it needs are to be included before.
 */
#pragma once

#include "daemon/attribution/interval.h"
#include "daemon/books/open_spans.h"
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

static inline void on_event(void *userdata, const struct books_event *event) {
        struct fixture *f = userdata;

        if (f->event_count < 64)
                f->events[f->event_count] = *event;
        f->event_count++;
}

static inline int setup_with(void **state, uint32_t instances) {
        struct fixture *f = calloc(1, sizeof *f);

        f->books = books_small(instances);
        books_on_event(f->books, on_event, f);
        *state = f;
        return 0;
}

static inline int setup(void **state) {
        return setup_with(state, 64);
}

static inline int setup_tiny(void **state) {
        return setup_with(state, 3);
}

static inline int teardown(void **state) {
        struct fixture *f = *state;

        books_free(f->books);
        free(f);
        return 0;
}

/* ------------------------------------------------------------------------------------------------- the script -- */

static inline void feed(struct fixture *f, uint32_t lane, const struct shm_record *record) {
        books_begin(f->books, 1);
        frames_begin(f->books, lane);
        frames_feed(f->books, lane, record, f->pass);
        books_commit(f->books);
        books_assert_balance(f->books);
}

/* One record, when its thread has counted n. */
static inline void rec(struct fixture *f, uint32_t lane, int kind, int flags, uint64_t span, uint32_t path,
                       uint64_t n) {
        struct shm_record record = {.instance = span, .path = path, .kind = (uint16_t)kind, .flags = (uint16_t)flags};

        four(record.counters, n);
        feed(f, lane, &record);
}

static inline void base(struct fixture *f, uint32_t lane, uint64_t before, uint64_t n) {
        rec(f, lane, SHM_KIND_BEFORE, 0, 2, 0, before);
        rec(f, lane, SHM_KIND_BASE, 0, 2, 0, n);
}

static inline void settle(struct fixture *f, uint32_t lane, uint64_t n) {
        uint64_t live[SHM_COUNTERS];

        four(live, n);
        books_begin(f->books, 1);
        frames_settle(f->books, lane, live, 0);
        books_commit(f->books);
        books_assert_balance(f->books);
}

static inline void retire(struct fixture *f, uint32_t lane, uint64_t n, uint64_t lost, uint64_t mark) {
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
static inline void apply(struct fixture *f) {
        books_begin(f->books, 1);
        assert_true(spans_apply_closes(f->books));
        books_commit(f->books);
        books_assert_balance(f->books);
}

static inline void finish(struct fixture *f) {
        struct frames_finishing at = {0};

        books_begin(f->books, 1);
        assert_true(frames_finish(f->books, &at));
        books_commit(f->books);
        books_assert_balance(f->books);
}

static inline struct books_row row_of(struct fixture *f, uint32_t path) {
        struct books_row row;

        books_path_row(f->books, path, 1, &row);
        return row;
}

static inline void assert_four(const uint64_t got[SHM_COUNTERS], uint64_t n) {
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

static inline void assert_cycles(struct fixture *f, uint32_t path, uint64_t cycles, uint64_t migrated) {
        assert_int_equal(row_of(f, path).cycles, cycles);
        assert_int_equal(row_of(f, path).migrated, migrated);
}

static inline void assert_lane(struct fixture *f, uint32_t lane, uint64_t before, uint64_t outside, uint64_t lost) {
        assert_four(f->books->lanes[lane].before, before);
        assert_four(f->books->lanes[lane].outside, outside);
        assert_four(f->books->lanes[lane].lost, lost);
}

static inline void assert_event(struct fixture *f, unsigned i, uint64_t span, uint32_t cycles, uint64_t n) {
        assert_true(i < f->event_count);
        assert_int_equal(f->events[i].instance, span);
        assert_int_equal(f->events[i].cycles, cycles);
        assert_four(f->events[i].sums, n);
}
