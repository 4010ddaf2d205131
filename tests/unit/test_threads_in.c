/* SPDX-License-Identifier: MIT */
/*
 * Which threads are in spans of a name: right for each name, and for all names together no more work than one pass over the
 * lanes, as a client chooses how many names and threads there are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "tests/unit/books_fixture.h"

enum { LANES = 1024, DEPTH = 16, TEXTS = 16000, THREADS = 256 };

static uint32_t name_at(uint32_t lane, uint32_t f) {
        return 2 + (lane * 7 + f * 31) % TEXTS;
}

static uint32_t thread_of(uint32_t lane) {
        return lane % THREADS;
}

static void feed(struct books *books, uint32_t lane, int kind, uint32_t f) {
        struct shm_record record = {.instance = span_of(lane, f + 1),
                                    .path = name_at(lane, f),
                                    .kind = (uint16_t)kind,
                                    .flags = SHM_FLAG_SCOPE};

        books_begin(books, 1);
        frames_begin(books, lane);
        frames_feed(books, lane, &record, SPANS_BETWEEN_LOOKS);
        books_commit(books);
}

/* Each lane is in DEPTH names of its own, and below them once more in the first. */
static struct books *make(void) {
        const struct books_limits limits = {
                .names = TEXTS + 2, .paths = TEXTS + 2, .lanes = LANES, .instances = 16, .threads = THREADS};
        struct books *books;
        char text[16];

        assert_int_equal(books_new(&books, &limits, 1), 0);
        for (uint32_t i = 2; i < TEXTS + 2; i++) {
                snprintf(text, sizeof text, "n%u", i);
                books_put_name(books, i, text);
                books_put_path(books, i, 0, i);
        }
        books->book->threads = THREADS;
        books->book->lanes = LANES;
        for (uint32_t i = 0; i < LANES; i++) {
                books_lane(books, i)->thread = thread_of(i);
                for (uint32_t f = 0; f < DEPTH; f++)
                        feed(books, i, SHM_KIND_ENTER, f);
                feed(books, i, SHM_KIND_ENTER, 0);
        }
        return books;
}

/* The same by looking everywhere. */
static uint64_t search(uint32_t name, uint32_t thread) {
        uint64_t n = 0;

        for (uint32_t lane = thread; lane < LANES; lane += THREADS)
                for (uint32_t f = 0; f < DEPTH; f++)
                        n += name_at(lane, f) == name;
        return n;
}

/* Of an answer that is begun now. */
static uint32_t threads_in(const struct books *books, uint32_t name, const struct books_threads **ret) {
        static uint64_t now_ns;

        now_ns++;
        while (!books_threads_in_some(books, now_ns))
                ;
        return books_threads_in(books, name, ret);
}

static void check(const struct books *books, uint32_t name) {
        const struct books_threads *threads;
        uint32_t n = threads_in(books, name, &threads);

        for (uint32_t thread = 0, i = 0; thread < THREADS; thread++) {
                uint64_t want = search(name, thread);

                if (!want)
                        continue;
                assert_true(i < n);
                assert_int_equal(threads[i].thread, thread);
                assert_int_equal(threads[i].count, want);
                i++;
        }
}

static void test_each_name(void **state) {
        const struct books_threads *threads;
        uint64_t sum = 0;

        for (uint32_t name = 2; name < 1000; name += 37)
                check(*state, name);
        check(*state, TEXTS + 1);
        for (uint32_t name = 0; name < TEXTS + 2; name++) {
                uint32_t n = threads_in(*state, name, &threads);

                for (uint32_t i = 0; i < n; i++)
                        sum += threads[i].count;
        }
        assert_int_equal(sum, LANES * DEPTH);
}

static void test_follows_the_books(void **state) {
        struct books *books = *state;
        const struct books_threads *threads;
        uint32_t name = name_at(5, DEPTH - 1);
        uint64_t before = 0, after = 0;

        for (uint32_t n = threads_in(books, name, &threads), i = 0; i < n; i++)
                before += threads[i].count;
        feed(books, 5, SHM_KIND_EXIT, DEPTH - 1);
        for (uint32_t n = threads_in(books, name, &threads), i = 0; i < n; i++)
                after += threads[i].count;
        assert_int_equal(after, before - 1);
}

static uint64_t sum_of(const struct books *books, uint32_t name) {
        const struct books_threads *threads;
        uint64_t sum = 0;

        for (uint32_t n = books_threads_in(books, name, &threads), i = 0; i < n; i++)
                sum += threads[i].count;
        return sum;
}

/* Two answers, whose steps take turns: the books change between them, and neither begins for ever anew. */
static void test_books_that_change_between_the_steps(void **state) {
        const uint32_t name = name_at(7, DEPTH - 1);
        struct books *books = make();
        uint64_t before;
        int steps = 0;

        while (!books_threads_in_some(books, 1))
                ;
        before = sum_of(books, name);
        feed(books, 7, SHM_KIND_EXIT, DEPTH - 1);
        for (bool is_made = false; !is_made; steps++) {
                assert_true(steps < 100);
                /* The last table is there until the next one is made. */
                assert_in_range(sum_of(books, name), before - 1, before);
                feed(books, 0, SHM_KIND_RESYNC, DEPTH - 1);
                is_made = books_threads_in_some(books, 2) & books_threads_in_some(books, 3);
        }
        assert_int_equal(sum_of(books, name), before - 1);
        assert_true(books_threads_in_some(books, 2));
        books_free(books);
}

/* For each name by itself a search of all lanes for each thread's name would take a minute. */
static void test_all_names_take_one_pass(void **state) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        const struct books_threads *threads;
        struct timespec begin, end;
        uint64_t n = 0;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
        for (uint32_t name = 2; name < TEXTS + 2; name++)
                n += threads_in(*state, name, &threads);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
        assert_true(n > 0);
        assert_true(end.tv_sec - begin.tv_sec <= 1);
#endif
}

static int setup(void **state) {
        *state = make();
        return 0;
}

static int teardown(void **state) {
        books_free(*state);
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_name), cmocka_unit_test(test_all_names_take_one_pass),
                cmocka_unit_test(test_follows_the_books), cmocka_unit_test(test_books_that_change_between_the_steps)};

        return cmocka_run_group_tests(tests, setup, teardown);
}
