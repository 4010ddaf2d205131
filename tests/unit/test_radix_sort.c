/* SPDX-License-Identifier: MIT */
/*
 * Sorting by key: against the library's, with few keys and many, near and far from one another.
 *
 * Labels: valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/radix_sort.h"

enum { MOST = 3000 };

/* Equal keys as they came: `at` says how. */
static int compare(const void *a, const void *b) {
        const struct radix_item *x = a, *y = b;

        if (x->key != y->key)
                return x->key < y->key ? -1 : 1;
        return x->at < y->at ? -1 : x->at > y->at;
}

static void test_as_the_library(void **state) {
        static const uint64_t masks[] = {0,      1,         0xff, 0xffff, 0xff00ff, UINT64_MAX, UINT64_C(0xff) << 56,
                                         0x0100, 0xf0f0f0f0};
        static struct radix_item rows[MOST], spare[MOST], want[MOST];

        srandom(1);
        for (unsigned m = 0; m < sizeof masks / sizeof *masks; m++)
                for (size_t count = 0; count <= MOST; count += 1 + count * 2) {
                        for (size_t i = 0; i < count; i++) {
                                uint64_t key = (uint64_t)random() << 33 ^ (uint64_t)random() << 11 ^ (uint64_t)random();

                                rows[i] = (struct radix_item){.key = key & masks[m], .at = (uint32_t)i, .size = 7};
                                want[i] = rows[i];
                        }
                        qsort(want, count, sizeof *want, compare);
                        radix_sort(rows, spare, count);
                        for (size_t i = 0; i < count; i++) {
                                assert_int_equal(rows[i].key, want[i].key);
                                assert_int_equal(rows[i].at, want[i].at);
                                assert_int_equal(rows[i].size, 7);
                        }
                }
}

static void test_signed_keys(void **state) {
        assert_true(radix_key_of_int(INT64_MIN) < radix_key_of_int(-1));
        assert_true(radix_key_of_int(-1) < radix_key_of_int(0));
        assert_true(radix_key_of_int(0) < radix_key_of_int(INT64_MAX));
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_the_library), cmocka_unit_test(test_signed_keys)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
