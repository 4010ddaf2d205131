/* SPDX-License-Identifier: MIT */
/*
 * top's list of processes and the page of one: their order, their cells, and the way to them and back.
 */
#include <locale.h>
#include <stdio.h>

#include "ctl/output/text.h"
#include "tests/support/top_screen.h"

/* Net after the second answer: 40M, 80M and 120M; the largest has ended. */
static void feed_heaps(struct fake *fake) {
        fake->heap = 20 << 20;
        fake->ended = 1u << 3;
        feed(fake, 1 * SECOND, 1);
        feed(fake, 2 * SECOND, 2);
}

static void test_list(void **state) {
        struct fake *fake = *state;

        fake->limit = 100 << 20;
        feed_heaps(fake);
        press(fake, "p");
        assert_int_equal(fake->ui.mode, TOP_MODE_PROCESSES);
        assert_true(fake->ui.ask_now);
        draw(fake, 80, 24);
        assert_string_equal(line(fake, 0), "Processes by heap in use; Enter opens one, Esc closes");
        assert_string_equal(line(fake, 1), "PROCESS  UNIT     HEAP    HEAP/s     PEAK      RSS  ALLOC/s THREADS STATE");
        assert_string_equal(line(fake, 2), "www[102] x       80.0M    +40.0M       0B     3.0M    40.0M       1");
        assert_string_equal(line(fake, 3), "www[101] x       40.0M    +20.0M       0B     3.0M    20.0M       1");
        assert_string_equal(line(fake, 4),
                            "db[103]  y           -         -       0B        -        -       1 exited 1");
        /* What grows has a colour, what ended has less light, and the first row is selected. */
        assert_int_equal(fake->page.lines[2].styles[0], TOP_STYLE_SELECTED);
        assert_int_equal(fake->page.lines[3].styles[30], TOP_STYLE_GROW);
        assert_int_equal(fake->page.lines[3].styles[20], TOP_STYLE_NORMAL);
        assert_int_equal(fake->page.lines[4].styles[0], TOP_STYLE_DIM);
        /* A narrow terminal: the names and the heap. */
        draw(fake, 20, 24);
        assert_string_equal(line(fake, 1), "PROCESS      HEAP");

        press(fake, "e");
        draw(fake, 80, 24);
        assert_false(page_has(fake, "db[103]"));
        assert_true(page_has(fake, "ended hidden"));
        press(fake, "e G");
        draw(fake, 80, 24);
        assert_int_equal(fake->page.lines[4].styles[0], TOP_STYLE_SELECTED);
        assert_true(page_has(fake, "PAUSED"));
        /* The selection stays on its process, and its row in sight. */
        draw(fake, 80, 3);
        assert_memory_equal(line(fake, 2), "db[103] ", 8);
        hit(fake, TOP_KEY_PAGE_UP);
        draw(fake, 80, 3);
        assert_memory_equal(line(fake, 2), "www[101]", 8);
        press(fake, "kkjjjjj");
        hit(fake, TOP_KEY_HOME);
        draw(fake, 80, 3);
        assert_memory_equal(line(fake, 2), "www[102]", 8);
        hit(fake, TOP_KEY_ESCAPE);
        assert_int_equal(fake->ui.mode, TOP_MODE_LIST);
        press(fake, "pq");
        assert_int_equal(fake->ui.mode, TOP_MODE_LIST);
        assert_false(fake->ui.quit);
}

/* Keys of the list of processes, and the line that names them. */
static void test_keys_of_list(void **state) {
        struct fake *fake = *state;

        feed_heaps(fake);
        press(fake, "p");
        draw(fake, 80, 24);
        assert_memory_equal(line(fake, 23), "h help  Esc close", 17);
        for (const char *key = "h?w"; *key; key++) {
                press(fake, (char[]){*key, '\0'});
                assert_int_equal(fake->ui.mode, *key == 'w' ? TOP_MODE_WARNINGS : TOP_MODE_HELP);
                hit(fake, TOP_KEY_ESCAPE);
                assert_int_equal(fake->ui.mode, TOP_MODE_PROCESSES);
        }
        hit(fake, TOP_KEY_F1);
        assert_int_equal(fake->ui.mode, TOP_MODE_HELP);
        press(fake, "h");
        press(fake, "jT");
        assert_true(fake->ui.timing.wanted && fake->ui.timing.on);
        assert_int_equal(fake->ui.timing.process, 1);
        fake->ui.timing.wanted = false;
        press(fake, "GT");
        assert_false(fake->ui.timing.wanted);
        draw(fake, 80, 24);
        assert_string_equal(line(fake, 23), "This process has ended");
}

/* The list's filter and its hiding of ended processes hold in the other lists. */
static void test_narrowed(void **state) {
        struct fake *fake = *state;

        feed_heaps(fake);
        top_model_filter(fake->ui.model, "DB"); /* a process */
        press(fake, "p");
        draw(fake, 100, 24);
        assert_string_equal(line(fake, 0), "Processes by heap in use, filter \"DB\"; Enter opens one, Esc closes");
        assert_memory_equal(line(fake, 2), "db[103] ", 8);
        assert_string_equal(line(fake, 3), "");
        press(fake, "e");
        draw(fake, 100, 24);
        assert_string_equal(line(fake, 0),
                            "Processes by heap in use, filter \"DB\", ended hidden; Enter opens one, Esc closes");
        assert_string_equal(line(fake, 2), "No process matches the filter.");
        hit(fake, TOP_KEY_ENTER); /* there is none */
        assert_int_equal(fake->ui.mode, TOP_MODE_PROCESSES);
        assert_false(top_model_sums(fake->ui.model, 3, "b", "b"));
        press(fake, "e");
        assert_true(top_model_sums(fake->ui.model, 3, "b", "b"));
        assert_false(top_model_sums(fake->ui.model, 1, "a", "a"));

        top_model_filter(fake->ui.model, "a"); /* a span of two of them */
        draw(fake, 100, 24);
        assert_true(page_has(fake, "www[101]") && page_has(fake, "www[102]"));
        assert_false(page_has(fake, "db[103]"));
        hit(fake, TOP_KEY_ENTER);
        draw(fake, 100, 24);
        assert_true(page_has(fake, "its spans, by NET, filter \"a\""));
        assert_true(page_has(fake, "  a"));
        top_model_filter(fake->ui.model, "zz");
        draw(fake, 100, 24);
        assert_true(page_has(fake, "   Spans  none that the filter has; Esc in the list clears it"));

        top_model_filter(fake->ui.model, "");
        hit(fake, TOP_KEY_ESCAPE);
        fake->ended = 7u << 1;
        feed(fake, 3 * SECOND, 3);
        press(fake, "e");
        draw(fake, 100, 24);
        assert_true(page_has(fake, "All processes have ended; e shows them."));
}

static void test_exec_has_no_row(void **state) {
        struct fake *fake = *state;

        feed_heaps(fake);
        fake->how = "exec";
        feed(fake, 3 * SECOND, 3);
        press(fake, "p");
        draw(fake, 80, 24);
        assert_true(page_has(fake, "www[101]"));
        assert_false(page_has(fake, "db[103]"));
}

static void test_page(void **state) {
        struct fake *fake = *state;

        fake->limit = 100 << 20;
        feed_heaps(fake);
        press(fake, "pj");
        hit(fake, TOP_KEY_ENTER);
        assert_int_equal(fake->ui.mode, TOP_MODE_PROCESS);
        draw(fake, 80, 24);
        assert_string_equal(line(fake, 0), "www[101] of x   (j k scroll, Esc closes)");
        assert_string_equal(line(fake, 1), "    Heap  40.0M, +20.0M/s, at most 0B");
        assert_string_equal(line(fake, 2), "   Alloc  20.0M/s, 40.0M in all");
        assert_string_equal(line(fake, 3), "     RSS  3.0M, of that 0B without files and shared memory");
        assert_string_equal(line(fake, 4), "    Unit  x, 20.0M of 100.0M");
        assert_true(page_has(fake, " Threads  1, not timed"));
        assert_true(page_has(fake, " Counted  all"));
        assert_true(page_has(fake, "   -2.0K    -1000B     2.0K    1000B      10  a"));
        hit(fake, TOP_KEY_ESCAPE);
        assert_int_equal(fake->ui.mode, TOP_MODE_PROCESSES);

        press(fake, "G");
        fake->counting = "nothing: libspanalloc-malloc is not loaded";
        fake->ended = 0;
        fake->lost = 1 << 20;
        feed(fake, 3 * SECOND, 3);
        press(fake, "gG");
        hit(fake, TOP_KEY_ENTER);
        draw(fake, 80, 24);
        assert_string_equal(line(fake, 0), "db[103] of y   (j k scroll, Esc closes)");
        assert_string_equal(line(fake, 1), "    Heap  not counted");
        assert_string_equal(line(fake, 2), "          nothing: libspanalloc-malloc is not loaded");
        assert_false(page_has(fake, "Counted"));
        assert_true(page_has(fake, "       -         -        -        -      40  b"));
        press(fake, "q");

        /* It is gone while its page is open. */
        fake->ui.processes.page = 77;
        fake->ui.mode = TOP_MODE_PROCESS;
        draw(fake, 80, 24);
        assert_string_equal(line(fake, 0), "The collector has forgotten this process; Esc closes");
}

/* From a span's details, and from the row of a process in the tree. */
static void test_ways(void **state) {
        struct fake *fake = *state;

        feed_heaps(fake);
        hit(fake, TOP_KEY_ENTER);
        assert_int_equal(fake->ui.mode, TOP_MODE_DETAILS);
        draw(fake, 80, 24);
        assert_true(page_has(fake, "p its process"));
        press(fake, "p");
        assert_int_equal(fake->ui.mode, TOP_MODE_PROCESS);
        assert_int_equal(fake->ui.processes.page, fake->ui.details.process);
        hit(fake, TOP_KEY_ESCAPE);
        assert_int_equal(fake->ui.mode, TOP_MODE_DETAILS);
        hit(fake, TOP_KEY_ESCAPE);
        assert_int_equal(fake->ui.mode, TOP_MODE_LIST);

        press(fake, "t");
        feed_tree(fake, 3 * SECOND, 1);
        hit(fake, TOP_KEY_ENTER);
        assert_int_equal(fake->ui.mode, TOP_MODE_LIST);
        draw(fake, 80, 24);
        assert_true(page_has(fake, "Details are of a process or a span"));
        press(fake, "j");
        hit(fake, TOP_KEY_ENTER);
        assert_int_equal(fake->ui.mode, TOP_MODE_PROCESS);
        draw(fake, 80, 24);
        assert_string_equal(line(fake, 0), "www[101] of x   (j k scroll, Esc closes)");
        assert_true(page_has(fake, "  job/index/forget"));
        hit(fake, TOP_KEY_ENTER);
        assert_int_equal(fake->ui.mode, TOP_MODE_LIST);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_list, setup, teardown),
                cmocka_unit_test_setup_teardown(test_keys_of_list, setup, teardown),
                cmocka_unit_test_setup_teardown(test_narrowed, setup, teardown),
                cmocka_unit_test_setup_teardown(test_exec_has_no_row, setup, teardown),
                cmocka_unit_test_setup_teardown(test_page, setup, teardown),
                cmocka_unit_test_setup_teardown(test_ways, setup, teardown),
        };

        if (!setlocale(LC_CTYPE, "C.UTF-8"))
                return 77;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
