/* SPDX-License-Identifier: MIT */
/*
 * The rates of a path: a decayed sum at a moment, independent of earlier queries.
 *
 * Labels: valgrind
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/books/tally.h"
#include "tests/unit/books_fixture.h"

#define NS UINT64_C(1000000000)

static void assert_rates(const struct books *books, uint32_t path, uint64_t now_ns) {
        static const double window[3] = {10, 60, 600};
        const struct tally *t = &books->tallies[path];
        uint64_t tick = now_ns >> DECAYED_TICK_SHIFT;
        double since = tick > t->tick ? (double)((tick - t->tick) << DECAYED_TICK_SHIFT) / 1e9 : 0, got[3];
        double age = now_ns > t->born_ns + NS ? (double)(now_ns - t->born_ns) / 1e9 : 1;

        tally_rates(books, t, now_ns, got);
        for (int i = 0; i < 3; i++) {
                double sum = t->decayed[i] + (double)t->this_tick;
                double want = sum * exp(-since / window[i]) / (window[i] * (1 - exp(-age / window[i])));

                assert_true(fabs(got[i] - want) <= 1e-12 * want);
        }
}

/* Of paths in turn, of which some are as old as the one before, or were as busy: what they share is worked out once. */
static void test_rates(void **state) {
        static const uint64_t ages_ns[] = {0, 1, NS / 2, NS, NS + 1, 7 * NS, 600 * NS, 86400 * NS};
        static const uint64_t since_ns[] = {0, NS / 8, NS, 59 * NS, 3600 * NS};
        struct books *books = books_small(4);
        uint64_t now_ns = 100000 * NS;

        srandom(1);
        for (int round = 0; round < 5000; round++) {
                struct tally *t = &books->tallies[1 + (uint32_t)random() % PATHS];

                t->born_ns = now_ns - ages_ns[random() % 8];
                t->tick = (now_ns - since_ns[random() % 5]) >> DECAYED_TICK_SHIFT;
                t->this_tick = (uint64_t)random();
                for (int i = 0; i < 3; i++)
                        t->decayed[i] = (double)random();
                for (uint32_t path = 1; path <= PATHS; path++)
                        assert_rates(books, path, now_ns);
                now_ns += random() % 2 ? 0 : (uint64_t)random();
        }
        books_free(books);
}

/* A query with an earlier time than the books: no age, and nothing decays. */
static void test_before_its_birth(void **state) {
        struct books *books = books_small(4);

        books->tallies[A].born_ns = 50 * NS;
        books->tallies[A].tick = 60 * NS >> DECAYED_TICK_SHIFT;
        books->tallies[A].this_tick = 1000;
        assert_rates(books, A, 40 * NS);
        books_free(books);
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_rates), cmocka_unit_test(test_before_its_birth)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
