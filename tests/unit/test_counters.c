/* SPDX-License-Identifier: MIT */
/*
 * Four counters at once, against one by one: differences that are 0 where a counter went back, sums, and whether there is
 * anything.  Values lie where a vector without an unsigned comparison might be wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "daemon/books/counters.h"

static uint64_t any_value(void) {
        static const uint64_t edges[] = {
                0, 1, UINT64_C(1) << 31, UINT64_C(1) << 32, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX};
        uint64_t bits = (uint64_t)random() << 33 ^ (uint64_t)random() << 11 ^ (uint64_t)random();

        switch (random() % 4) {
        case 0:
                return edges[random() % 7];
        case 1:
                return edges[random() % 7] + bits % 5 - 2;
        case 2:
                return bits;
        default:
                return bits >> random() % 64;
        }
}

/* Mostly a little more than before, as counters are; else anything. */
static uint64_t value_after(uint64_t before) {
        return random() % 8 ? before + (uint64_t)random() % 3 : any_value();
}

static void test_against_one_by_one(void **state) {
        unsigned back = 0, zeros = 0, high = 0;

        srandom(7);
        for (int round = 0; round < 1000000; round++) {
                uint64_t a[SHM_COUNTERS], b[SHM_COUNTERS], since[SHM_COUNTERS], sum[SHM_COUNTERS];
                struct counters difference;
                uint64_t any = 0;

                for (int i = 0; i < SHM_COUNTERS; i++) {
                        b[i] = any_value();
                        a[i] = value_after(b[i]);
                        sum[i] = b[i];
                }
                difference = counters_since(counters_load(a), counters_load(b));
                counters_store(since, difference);
                counters_add(sum, difference);
                for (int i = 0; i < SHM_COUNTERS; i++) {
                        uint64_t expected = a[i] > b[i] ? a[i] - b[i] : 0;

                        assert_int_equal(since[i], expected);
                        assert_int_equal(sum[i], b[i] + expected);
                        any |= expected;
                        back += a[i] < b[i];
                        high += a[i] >> 63;
                }
                assert_int_equal(counters_are_zero(difference), !any);
                assert_int_equal(counters_alloc_bytes(difference), since[SHM_ALLOC_BYTES]);
                zeros += !any;
        }
        assert_true(back > 100000 && high > 100000 && zeros > 1000);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_against_one_by_one),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
