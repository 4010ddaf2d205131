/* SPDX-License-Identifier: MIT */
/*
 * A program that is killed at any moment: what it published is in the books, and `lost` is exact.
 *
 * Scopes count in units of 2^20, the code around them in units of 1; so at any moment the counters show how much of
 * each there must be.  The ring is small: scopes are accepted and refused in turns.
 *
 * Timeout: 900
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/client_fixture.h"

#define ROUNDS 250
#define UNIT   (UINT64_C(1) << 20)

static void leaf(unsigned depth) {
        SPANALLOC_SCOPE("leaf");

        work(UNIT);
        if (depth) {
                leaf(depth - 1);
                work(UNIT);
        }
}

static void child(void) {
        SPANALLOC_SITE(site, "root");
        spanalloc_span root = spanalloc_open(&site);
        unsigned n = 0;

        spanalloc_enter(root);
        for (;;) {
                work(1);
                leaf(n++ % 5 ? 0 : 70); /* beyond the stack, too */
        }
}

static const struct books_row *row_of(const struct books *books, const char *name) {
        static struct books_row row;
        uint32_t path, paths;

        row = (struct books_row){0};
        for (uint32_t id = 1; id <= books_name_count(books); id++)
                if (!strcmp(books_name(books, id), name))
                        books_name_row(books, id, 0, &row, &path, &paths);
        return &row;
}

static void test_lost_is_exact(void **state) {
        uint64_t lost = 0, rounds = 0;

        srandom(1);
        /* On a busy machine most are killed before they attach: then more of them. */
        for (int i = 0; i < ROUNDS || ((rounds <= ROUNDS / 2 || !lost) && i < 50 * ROUNDS); i++) {
                const struct scenario scenario = {
                        .child = child, .ring_records = 256, .kill_after_ns = 1000000 + (uint64_t)random() % 20000000};
                const struct process *process;
                struct books_process_row row;
                struct books_row root, leaf;
                int status = serve(&scenario);

                assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
                process = collector_process_count(server.collector) ? collector_process(server.collector, 0) : NULL;
                if (process) { /* else it had not attached yet */
                        assert_int_equal(process->end, PROCESS_KILLED);
                        books_process_row(process->books, &row);
                        root = *row_of(process->books, "root");
                        leaf = *row_of(process->books, "leaf");
                        assert_true(row.balanced);
                        for (int c = 0; c < SHM_COUNTERS; c++) {
                                uint64_t counted = row.counters[c] / factor[c];

                                assert_int_equal(row.counters[c] % factor[c], 0);
                                assert_int_equal(root.self[c], counted % UNIT * factor[c]);
                                assert_int_equal(leaf.self[c] + row.lost[c], counted / UNIT * UNIT * factor[c]);
                                assert_int_equal(row.lost[c] % (UNIT * factor[c]), 0);
                                assert_int_equal(row.outside[c] + row.before[c], 0);
                                assert_int_equal(root.total[c], row.counters[c]);
                        }
                        assert_int_equal(root.aborted, root.opened);
                        assert_int_equal(leaf.opened, leaf.closed + leaf.aborted);
                        assert_int_equal(leaf.cycles, leaf.closed);
                        lost += row.lost[0];
                        rounds++;
                }
                scenario_teardown(NULL);
        }
        assert_true(rounds > ROUNDS / 2);
        assert_true(lost > 0);
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_lost_is_exact, scenario_teardown),
        };
        int failed;

        (void)argc;
        fixture_begin(argv);
        failed = cmocka_run_group_tests(tests, NULL, NULL);
        fixture_end();
        return failed;
}
