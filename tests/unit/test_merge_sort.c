/* SPDX-License-Identifier: MIT */
/*
 * Sorting in portions: against the library's, in portions of any size, and with an order that changes meanwhile.
 *
 * Labels: valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/merge_sort.h"

enum { MOST = 700 };

struct entry {
        uint32_t key, came;
        char padding[5];
};

static int by_key(const void *a, const void *b, void *userdata) {
        const struct entry *x = a, *y = b;

        return x->key < y->key ? -1 : x->key > y->key;
}

static int by_key_as_they_came(const void *a, const void *b) {
        const struct entry *x = a, *y = b;
        int order = by_key(a, b, NULL);

        return order != 0 ? order : x->came < y->came ? -1 : x->came > y->came;
}

static void fill(struct entry *entries, size_t count, uint32_t keys) {
        for (size_t i = 0; i < count; i++)
                entries[i] = (struct entry){.key = (uint32_t)random() % keys, .came = (uint32_t)i};
}

static void test_as_the_library(void **state) {
        static const size_t portions[] = {1, 2, 7, 64, 100000};
        static struct entry entries[MOST], spare[MOST], want[MOST];

        srandom(1);
        for (size_t p = 0; p < sizeof portions / sizeof *portions; p++)
                for (size_t count = 0; count <= MOST; count += 1 + count / 3) {
                        struct merge_sort sort;
                        size_t calls = 1;

                        fill(entries, count, p % 2 ? 3 : 100000);
                        memcpy(want, entries, sizeof want);
                        qsort(want, count, sizeof *want, by_key_as_they_came);
                        merge_sort_begin(&sort, entries, spare, count, sizeof *entries);
                        while (!merge_sort_some(&sort, portions[p], by_key, NULL))
                                calls++;
                        assert_memory_equal(merge_sort_result(&sort), want, count * sizeof *want);
                        if (portions[p] == 1 && count > 1)
                                assert_true(calls >= count);
                }
}

static int at_random(const void *a, const void *b, void *userdata) {
        return (int)(random() % 3) - 1;
}

static void test_nothing_is_lost(void **state) {
        static struct entry entries[MOST], spare[MOST];
        static bool seen[MOST];
        const struct entry *sorted;
        struct merge_sort sort;

        fill(entries, MOST, 10);
        merge_sort_begin(&sort, entries, spare, MOST, sizeof *entries);
        while (!merge_sort_some(&sort, 10, at_random, NULL))
                ;
        sorted = merge_sort_result(&sort);
        for (size_t i = 0; i < MOST; i++) {
                assert_false(seen[sorted[i].came]);
                seen[sorted[i].came] = true;
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_as_the_library),
                                           cmocka_unit_test(test_nothing_is_lost)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
