/* SPDX-License-Identifier: MIT */
/*
 * A rate becomes a whole number, whatever a client has counted: doubles that no uint64_t can hold are held at its ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "daemon/query/query_private.h"

static void test_rounded(void **unused) {
        assert_int_equal(query_whole_number(0), 0);
        assert_int_equal(query_whole_number(0.4), 0);
        assert_int_equal(query_whole_number(0.5), 1);
        assert_int_equal(query_whole_number(1e15), UINT64_C(1000000000000000));
}

static void test_held(void **unused) {
        assert_int_equal(query_whole_number(-1), 0);
        assert_int_equal(query_whole_number(-INFINITY), 0);
        assert_int_equal(query_whole_number(NAN), 0);
        assert_true(query_whole_number(0x1p64 - 2048) == UINT64_MAX - 2047);
        assert_true(query_whole_number(0x1p64) == UINT64_MAX);
        assert_true(query_whole_number(1e300) == UINT64_MAX);
        assert_true(query_whole_number(INFINITY) == UINT64_MAX);
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_rounded), cmocka_unit_test(test_held)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
