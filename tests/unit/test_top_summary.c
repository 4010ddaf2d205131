/* SPDX-License-Identifier: MIT */
/*
 * The sums of top's first line, from answers made by hand: heap, RSS, the unit's limit, and their growth.
 *
 * Labels: valgrind
 */
#include <limits.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/model/top_list.h"
#include "ctl/output/text.h"
#include "tests/support/top_fixture.h"

static void test_summary(void **state) {
        struct fake *fake = *state;
        struct table *ps = fake_processes(fake);
        struct top_summary summary;

        fake_uint(fake->status, 0, "ring_fill_ppm", 123456);
        fake_uint(fake->status, 0, "processes", 50);
        fake_uint(ps, 0, "alloc_bytes", UINT64_MAX);
        fake_uint(ps, 1, "alloc_bytes", UINT64_MAX);
        summary = top_summary_read(SECOND, ps, fake->status);
        assert_int_equal(summary.coverage_ppm, 1000000);
        assert_int_equal(summary.ring_fill_ppm, 123456);
        /* Of the rows, and not of all that the collector has. */
        assert_int_equal(summary.processes, 3);
        assert_int_equal(summary.all_processes, 50);
        fake_uint(ps, 1, "lost_alloc_bytes", UINT64_MAX);
        assert_int_equal(top_summary_read(SECOND, ps, fake->status).coverage_ppm, 500000);
        table_free(ps);
}

static struct top_summary memory_of(struct fake *fake, const uint64_t limits[3], const uint64_t bytes[3],
                                    const char *other_unit) {
        struct table *ps = fake_processes(fake);
        struct top_summary summary;

        for (size_t i = 0; i < 3; i++) {
                fake_uint(ps, i, "rss_bytes", 1000);
                fake_uint(ps, i, "unit_memory_bytes", bytes[i]);
                fake_uint(ps, i, "unit_memory_limit_bytes", limits[i]);
        }
        fake_text(ps, 2, "unit", other_unit);
        fake_cell(ps, 1, "alive")->b = false;
        summary = top_summary_read(SECOND, ps, fake->status);
        table_free(ps);
        return summary;
}

/* The unit is the one that is nearest its limit; what ended has no memory. */
static void test_unit_of_summary(void **state) {
        struct top_summary summary = memory_of(*state, (uint64_t[]){100, 100, 1000}, (uint64_t[]){90, 90, 800}, "y");

        assert_int_equal(summary.rss_bytes, 2000);
        assert_string_equal(summary.unit, "x");
        assert_int_equal(summary.unit_bytes, 90);
        assert_int_equal(summary.unit_limit, 100);
        assert_false(summary.unit_alone);
        summary = memory_of(*state, (uint64_t[]){100, 100, 1000}, (uint64_t[]){50, 50, 800}, "y");
        assert_string_equal(summary.unit, "y");
        summary = memory_of(*state, (uint64_t[]){100, 100, 100}, (uint64_t[]){50, 50, 50}, "x");
        assert_true(summary.unit_alone);
        summary = memory_of(*state, (uint64_t[]){0, 0, 0}, (uint64_t[]){50, 50, 50}, "x");
        assert_string_equal(summary.unit, "");
}

/* Net and allocated bytes of process 1 to 3 at this time; `alive` a bit each. */
static void feed_processes(struct fake *fake, uint64_t second, const int64_t net[3], const uint64_t alloc[3],
                           unsigned alive, size_t count) {
        struct table *ps = fake_processes(fake), *rows = fake_table("spans", 0, second * SECOND);

        for (size_t i = 0; i < 3; i++) {
                fake_int(ps, i, "net_bytes", net[i]);
                fake_uint(ps, i, "alloc_bytes", alloc[i]);
                fake_uint(ps, i, "before_alloc_bytes", i == 2 ? 5000 : 0);
                fake_cell(ps, i, "alive")->b = alive >> i & 1;
        }
        ps->row_count = count;
        assert_int_equal(top_samples_take(&fake->samples, rows), 0);
        assert_int_equal(top_model_feed(fake->ui.model, &fake->samples, ps, fake->status), 0);
        table_free(rows);
}

static void test_heap_and_its_growth(void **state) {
        struct fake *fake = *state;
        const struct top_summary *summary = top_model_summary(fake->ui.model);
        double value;

        feed_processes(fake, 1, (int64_t[]){100, 1000, 0}, (uint64_t[]){500, 5000, 0}, 3, 2);
        assert_int_equal(summary->heap_bytes, 1100);
        assert_false(summary->rates_known);
        feed_processes(fake, 3, (int64_t[]){300, 1000, 0}, (uint64_t[]){900, 5000, 0}, 3, 2);
        assert_true(summary->rates_known);
        assert_int_equal(summary->heap_rate, 100);
        assert_int_equal(summary->alloc_rate, 200);
        /* What a process had when it attached is no growth, and what it allocated before is no rate. */
        feed_processes(fake, 4, (int64_t[]){300, 1000, 5000}, (uint64_t[]){900, 5000, 6000}, 7, 3);
        assert_int_equal(summary->heap_bytes, 6300);
        assert_int_equal(summary->heap_rate, 0);
        assert_int_equal(summary->alloc_rate, 1000);
        /* A process that ends frees all; sums that fell were reset. */
        feed_processes(fake, 5, (int64_t[]){300, 1000, 5000}, (uint64_t[]){900, 5000, 10}, 5, 3);
        assert_int_equal(summary->heap_bytes, 5300);
        assert_int_equal(summary->heap_rate, -1000);
        assert_int_equal(summary->alloc_rate, 10);
        assert_int_equal(summary->processes, 2);
        /* It leaves the answers without another change. */
        feed_processes(fake, 6, (int64_t[]){300, 0, 0}, (uint64_t[]){900, 0, 0}, 1, 1);
        assert_int_equal(summary->heap_bytes, 300);
        assert_int_equal(summary->heap_rate, -5000);
        assert_true(top_model_total(fake->ui.model, TOP_TOTAL_HEAP, 0, &value) && value == 300);
        assert_true(top_model_total(fake->ui.model, TOP_TOTAL_RATE, 1, &value) && value == 10);
        assert_true(top_model_total(fake->ui.model, TOP_TOTAL_HEAP, 4, &value) && value == 1100);
        assert_false(top_model_total(fake->ui.model, TOP_TOTAL_RATE, 4, &value));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_summary, setup, teardown),
                cmocka_unit_test_setup_teardown(test_unit_of_summary, setup, teardown),
                cmocka_unit_test_setup_teardown(test_heap_and_its_growth, setup, teardown),
        };

        if (!setlocale(LC_CTYPE, "C.UTF-8"))
                return 77;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
