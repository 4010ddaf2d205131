/* SPDX-License-Identifier: MIT */
/*
 * Stacks that change without a word: which records show it, and what is marked; and what is none of it.
 *
 * Labels: valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/frames_fixture.h"

#define KIB 1024
/* Two stacks that are neighbours, and one that is far away. */
#define LOW  (UINT64_C(0x7f0000000000) + 60 * KIB)
#define HIGH (LOW + 64 * KIB)
#define FAR  UINT64_C(0x555500000000)

enum { UNWOUND = SHM_FLAG_UNWOUND, TIMED = SHM_FLAG_TIMED };

/* One record with the stack pointer, or the time, `at`. */
static void rec_at(struct fixture *f, int kind, int flags, uint32_t path, uint64_t at) {
        struct shm_record record = {.instance = span_of(0, path),
                                    .path = path,
                                    .kind = (uint16_t)kind,
                                    .flags = (uint16_t)flags,
                                    .timestamp = at};

        feed(f, 0, &record);
}

#define assert_mixed(f, path, is) assert_int_equal(row_of(f, path).quality == BOOKS_MIXED, is)
#define assert_none_mixed(f)      (assert_mixed(f, A, false), assert_mixed(f, A_B, false), assert_mixed(f, C, false))

static void begin(struct fixture *f) {
        base(f, 0, 0, 0);
}

/* A returns to its own stack while the other's scope is on top. */
static void expect_return(struct fixture *f, uint64_t first, uint64_t second) {
        begin(f);
        rec_at(f, ENTER, SCOPE, A, first);
        rec_at(f, ENTER, SCOPE, C, second);
        assert_none_mixed(f);
        rec_at(f, ENTER, SCOPE, A_B, first - 200);
        assert_mixed(f, A, true);
        assert_mixed(f, C, true);
        assert_mixed(f, A_B, true);
}

static void test_upwards(void **state) {
        expect_return(*state, LOW, HIGH);
}

static void test_downwards(void **state) {
        expect_return(*state, HIGH, LOW);
}

static void test_far(void **state) {
        expect_return(*state, LOW, FAR);
}

static void test_by_hand(void **state) {
        struct fixture *f = *state;

        begin(f);
        rec_at(f, OPEN, 0, A, 0);
        rec_at(f, OPEN, 0, C, 0);
        rec_at(f, ENTER, 0, A, LOW);
        rec_at(f, ENTER, 0, C, FAR);
        rec_at(f, ENTER, SCOPE, A_B, LOW);
        assert_mixed(f, A, true);
        assert_mixed(f, C, true);
}

/* Deeper and deeper, also by much; on a signal's stack; a coroutine that ends its scopes before it yields. */
static void test_ordinary(void **state) {
        struct fixture *f = *state;

        begin(f);
        for (int i = 0; i < 3; i++) {
                rec_at(f, ENTER, SCOPE, A, HIGH);
                rec_at(f, ENTER, SCOPE, A_B, HIGH - (uint64_t)i * 40 * KIB - 500);
                rec_at(f, ENTER, SCOPE, C, FAR);
                rec_at(f, EXIT, SCOPE, C, FAR + 100);
                rec_at(f, EXIT, SCOPE, A_B, HIGH - (uint64_t)i * 40 * KIB - 600);
                rec_at(f, EXIT, SCOPE, A, HIGH - 1000 * KIB); /* after an alloca() */
        }
        assert_none_mixed(f);
        /* A stack between those of two others. */
        rec_at(f, ENTER, SCOPE, A, HIGH + 128 * KIB);
        rec_at(f, ENTER, SCOPE, A_B, LOW);
        rec_at(f, ENTER, SCOPE, C, HIGH);
        assert_none_mixed(f);
}

/* Each switch is made on the stack that is left. */
static void test_taken(void **state) {
        struct fixture *f = *state;

        begin(f);
        rec_at(f, ENTER, SCOPE, A, LOW);
        rec_at(f, EXIT, 0, A, LOW);
        rec_at(f, ENTER, SCOPE | SHARED, A, FAR);
        rec_at(f, ENTER, SCOPE, A_B, LOW);
        rec_at(f, EXIT, SCOPE, A_B, LOW);
        rec_at(f, EXIT, SCOPE, A, LOW);
        apply(f);
        assert_none_mixed(f);
        assert_spans(f, A, 1, 1, 0);
        assert_cycles(f, A, 2, 0);
}

/* Of what has no stack pointer nothing is said. */
static void test_unknown(void **state) {
        struct fixture *f = *state;

        begin(f);
        rec_at(f, ENTER, SCOPE, A, 0);
        rec_at(f, ENTER, SCOPE, C, FAR);
        rec_at(f, ENTER, SCOPE | TIMED, A_B, LOW);
        rec_at(f, EXIT, SCOPE | TIMED, A_B, FAR);
        rec_at(f, EXIT, SCOPE, C, 0);
        rec_at(f, EXIT, SCOPE, A, FAR);
        assert_none_mixed(f);
}

static void test_end_elsewhere(void **state) {
        struct fixture *f = *state;

        begin(f);
        rec_at(f, ENTER, SCOPE, A, LOW);
        rec_at(f, ENTER, SCOPE, C, LOW - 100);
        rec_at(f, EXIT, SCOPE, C, FAR);
        assert_mixed(f, C, true);
        assert_mixed(f, A, false);
        rec_at(f, EXIT, SCOPE, A, HIGH + 64 * KIB);
        assert_mixed(f, A, true);
}

static void test_unwound(void **state) {
        struct fixture *f = *state;

        begin(f);
        rec_at(f, ENTER, SCOPE, A, 0);
        rec_at(f, ENTER, SCOPE, A_B, 0);
        rec_at(f, ENTER, SCOPE, C, 0);
        rec_at(f, EXIT, SCOPE | UNWOUND, C, 0);
        assert_mixed(f, C, true);
        assert_mixed(f, A_B, true);
        assert_mixed(f, A, false);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_upwards, setup, teardown),
                cmocka_unit_test_setup_teardown(test_downwards, setup, teardown),
                cmocka_unit_test_setup_teardown(test_far, setup, teardown),
                cmocka_unit_test_setup_teardown(test_by_hand, setup, teardown),
                cmocka_unit_test_setup_teardown(test_ordinary, setup, teardown),
                cmocka_unit_test_setup_teardown(test_taken, setup, teardown),
                cmocka_unit_test_setup_teardown(test_unknown, setup, teardown),
                cmocka_unit_test_setup_teardown(test_end_elsewhere, setup, teardown),
                cmocka_unit_test_setup_teardown(test_unwound, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
