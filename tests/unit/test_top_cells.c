/* SPDX-License-Identifier: MIT */
/*
 * What top shows, without a terminal: its first line, its cells, their styles.
 */
#include <locale.h>
#include <stdio.h>

#include "ctl/output/format.h"
#include "ctl/output/text.h"
#include "tests/support/top_screen.h"

static void test_screen(void **state) {
        struct fake *fake = *state;

        feed_two(fake);
        draw(fake, 80, 12);
        assert_non_null(strstr(line(fake, 0), "  heap 0B 0B/s  RSS 0B  alloc 0B/s  all counted  not timed"));
        assert_memory_equal(line(fake, 1), "heap    ", 8);
        assert_non_null(strstr(line(fake, 1), "  now        0B  max        0B"));
        assert_string_equal(line(fake, 2),
                            "UNIT PROCESS  SPAN ALLOC/s    NET/s   ALLOC      NET NET/CALL  OPEN CALLS/s");
        assert_string_equal(line(fake, 3),
                            "y    db[103]  b       3.9K    -3.9K    7.8K    -7.8K        -     0      40");
        assert_string_equal(line(fake, 5),
                            "x    www[101] a      1000B   -1000B    2.0K    -2.0K        -     0      10");
        assert_string_equal(line(fake, 6), "");
        assert_non_null(strstr(line(fake, 11), "by ALLOC/s  row 1 of 3  h help  q quit"));
        /* The selected row looks so all over, the others do not. */
        assert_int_equal(fake->page.lines[3].styles[0], TOP_STYLE_SELECTED);
        assert_int_equal(fake->page.lines[3].styles[79], TOP_STYLE_SELECTED);
        assert_int_equal(fake->page.lines[4].styles[0], TOP_STYLE_NORMAL);
        assert_int_equal(fake->page.lines[2].styles[19], TOP_STYLE_SORTED);
        assert_int_equal(fake->page.lines[2].styles[9], TOP_STYLE_HEADING);
}

/* The first lines, of three processes of two units whose sums grow. */
static void test_header(void **state) {
        struct fake *fake = *state;
        struct top_summary *summary;
        char text[512];

        fake->heap = 20 << 20;
        fake->limit = 128 << 20;
        feed_two(fake);
        draw(fake, 130, 24);
        assert_string_equal(line(fake, 0) + 8,
                            "  heap 240.0M +120.0M/s  RSS 9.0M  y 60.0M of 128.0M  alloc 120.0M/s  all counted  "
                            "not timed  3 processes, 3 threads");
        assert_non_null(strstr(line(fake, 1), "  now    240.0M  max    240.0M"));
        assert_non_null(strstr(line(fake, 2), "  now  120.0M/s  max  120.0M/s"));
        assert_memory_equal(line(fake, 2), "alloc   ", 8);
        /* Only what grows has a colour. */
        assert_int_equal(fake->page.lines[0].styles[22], TOP_STYLE_GROW);
        assert_int_equal(fake->page.lines[0].styles[10], TOP_STYLE_BOLD);
        /* What matters most stays. */
        draw(fake, 80, 24);
        assert_string_equal(line(fake, 0),
                            "heap 240.0M +120.0M/s  RSS 9.0M  y 60.0M of 128.0M  alloc 120.0M/s  all counted");
        draw(fake, 40, 24);
        assert_string_equal(line(fake, 0), "heap 240.0M +120.0M/s  all counted");

        fake->timed = 1;
        fake->uncounted = 1u << 3;
        fake->lost = 1 << 20;
        feed(fake, 3 * SECOND, 3);
        draw(fake, 200, 24);
        assert_non_null(strstr(line(fake, 0), "  1 not counted  0.8"));
        assert_non_null(strstr(line(fake, 0), "% lost  timed 1 of 3  "));
        assert_int_equal(top_model_summary(fake->ui.model)->heap_bytes, 180 << 20);
        /* The view of w says more: of each process what is lost, and why one is not counted. */
        assert_int_equal(top_warnings(&fake->ui, 0, text, sizeof(text)), 4);
        assert_string_equal(text,
                            "www[101]: 1.0M of the 60.0M that it allocated is lost, since no collector had booked it; "
                            "nothing to do.");
        summary = (struct top_summary *)top_model_summary(fake->ui.model);
        summary->timed = 3;
        summary->unit_alone = true;
        draw(fake, 200, 24);
        assert_non_null(strstr(line(fake, 0), "% lost  timed  "));
        assert_non_null(strstr(line(fake, 0), "  unit 90.0M of 128.0M"));
        summary->heap_estimated = true;
        summary->heap_rate = -1024;
        draw(fake, 200, 24);
        assert_non_null(strstr(line(fake, 0), "  heap ~180.0M -1.0K/s"));
        assert_int_equal(fake->page.lines[0].styles[23], TOP_STYLE_NORMAL);
}

static void test_cells(void **state) {
        struct fake *fake = *state;

        for (uint64_t i = 1; i <= 2; i++) {
                struct table *t = fake_table("spans", 1, i * SECOND);

                set_row(t, 0, 1, 1, "日本語の長い長い長い名前", 0);
                fake_uint(t, 0, "alloc_bytes", i * 1536);
                fake_uint(t, 0, "alloc_count", i * 20000);
                fake_uint(t, 0, "closed", i * 7);
                fake_uint(t, 0, "open", 2);
                fake_int(t, 0, "net_bytes", -(int64_t)i * 512);
                fake_text(t, 0, "quality", "lost");
                fake_entry(t, 0, "per_call", "p99", 4096);
                feed_table(fake, t);
        }
        draw(fake, 127, 4);
        assert_string_equal(line(fake, 1),
                            "UNIT PROCESS  SPAN                     ALLOC/s BLOCKS/s    NET/s   ALLOC      "
                            "NET NET/CALL  OPEN CALLS/s P99/CALL QUALITY");
        assert_string_equal(line(fake, 2),
                            "x    www[101] 日本語の長い長い長い名前    1.5K    20.0k    -512B    3.0K    "
                            "-1.0K        -     2       7     4.0K lost");
        fake->ui.raw = true;
        format_set_raw(true);
        draw(fake, 108, 4);
        assert_string_equal(
                line(fake, 1),
                "PROCESS  SPAN                          ALLOC/s         NET/s             NET      NET/CALL "
                "CALLS/s QUALITY");
        assert_string_equal(
                line(fake, 2),
                "www[101] 日本語の長い長い長い名前         1536          -512           -1024             - "
                "      7 lost");
        format_set_raw(false);
}

/* The net of a call, and - where no call has closed; not in the tree, whose rows have no calls. */
static void test_net_per_call(void **state) {
        struct fake *fake = *state;
        struct table *t = fake_table("spans", 3, SECOND);

        set_row(t, 0, 1, 1, "leak", 3000);
        fake_uint(t, 0, "calls", 4);
        fake_int(t, 0, "calls_net_bytes", 8192);
        set_row(t, 1, 2, 1, "frees", 2000);
        fake_uint(t, 1, "calls", 2);
        fake_int(t, 1, "calls_net_bytes", -1024);
        set_row(t, 2, 3, 1, "none", 1000);
        feed_table(fake, t);
        top_model_sort(fake->ui.model, TOP_NET_CALL);
        draw(fake, 100, 8);
        assert_string_equal(line(fake, 1), "UNIT PROCESS  SPAN  ALLOC/s BLOCKS/s    NET/s   ALLOC      NET NET/CALL  "
                                           "OPEN CALLS/s P99/CALL");
        assert_non_null(strstr(line(fake, 2), "leak        -        -        -    2.9K    -2.9K    +2.0K     0"));
        assert_non_null(strstr(line(fake, 3), "   -2.0K    -512B     0"));
        assert_non_null(strstr(line(fake, 4), "  -1000B        -     0"));
        assert_non_null(strstr(line(fake, 7), "by NET/CALL  "));
        fake->ui.ask_now = false;
        press(fake, "s");
        hit(fake, TOP_KEY_ENTER);
        assert_true(fake->ui.ask_now);

        press(fake, "t");
        feed_tree(fake, 2 * SECOND, 1);
        draw(fake, 132, 20);
        assert_non_null(strstr(line(fake, 3), "     NET  OPEN "));
}

/* On a narrow screen a process is cut in its name, not in its pid. */
static void test_narrow_process(void **state) {
        struct fake *fake = *state;

        fake->comm = "a-long-name";
        feed_two(fake);
        draw(fake, 50, 12);
        assert_memory_equal(line(fake, 2), "PROCESS     SPAN", 16);
        assert_true(page_has(fake, "a-lon…[101] a "));
        assert_true(page_has(fake, "a-lon…[102] a "));
        press(fake, "t");
        feed_tree(fake, 3 * SECOND, 1);
        draw(fake, 20, 20);
        assert_true(page_has(fake, "└─a-lo…[101]"));
}

/* Between two answers 40 calls of 2 ms each, on two threads: 8 % of a processor's second.  A row that is not timed has none. */
static void test_times(void **state) {
        struct fake *fake = *state;

        top_model_sort(fake->ui.model, TOP_BUSY);
        for (uint64_t i = 1; i <= 2; i++) {
                struct table *t = fake_table("spans", 2, i * SECOND);

                set_row(t, 0, 1, 1, "timed", 0);
                fake_uint(t, 0, "alloc_bytes", i * 1536);
                fake_uint(t, 0, "busy_ns", 1000 + i * 80000000);
                fake_uint(t, 0, "timed_calls", i * 40);
                fake_uint(t, 0, "timed_calls_ns", i * 80000000);
                set_row(t, 1, 2, 2, "other", 0);
                fake_uint(t, 1, "alloc_bytes", i * 1000);
                feed_table(fake, t);
        }
        draw(fake, 70, 6);
        assert_string_equal(line(fake, 1), "PROCESS  SPAN  ALLOC/s      NET NET/CALL CALLS/s TIME/CALL BUSY%");
        assert_non_null(strstr(line(fake, 2), "   2.00ms   8.0"));
        assert_non_null(strstr(line(fake, 3), "        -     -"));
        assert_non_null(strstr(line(fake, 0), "not timed"));

        press(fake, "T");
        assert_true(fake->ui.timing.wanted && fake->ui.timing.on && fake->ui.ask_now);
        assert_int_equal(fake->ui.timing.process, 1);
}

static void expect_refusal(struct fake *fake) {
        fake->ui.timing.wanted = fake->ui.ask_now = false;
        press(fake, "T");
        assert_false(fake->ui.timing.wanted || fake->ui.ask_now);
        assert_non_null(strstr(fake->ui.message, "select a row of one process"));
}

/* T is for one process or a whole unit: never for a process that is not in the row. */
static void test_timing_of_sums(void **state) {
        struct fake *fake = *state;

        feed_two(fake);
        press(fake, "u");
        expect_refusal(fake);
        press(fake, "b");
        expect_refusal(fake);
        press(fake, "t");
        feed_tree(fake, 3 * SECOND, 1);
        press(fake, "T");
        assert_true(fake->ui.timing.wanted && fake->ui.timing.on);
        assert_int_equal(fake->ui.timing.process, 0);
        assert_string_equal(fake->ui.timing.unit, "y");
        fake->ui.pid = 103;
        expect_refusal(fake);
        press(fake, "jT");
        assert_true(fake->ui.timing.wanted);
        assert_int_equal(fake->ui.timing.process, 3);
}

/* Rows: a colour for what grows alone, and less light for what ended. */
static void test_styles(void **state) {
        struct fake *fake = *state;

        fake->ended = 1u << 3;
        for (uint64_t i = 1; i <= 2; i++) {
                struct table *t = fake_table("spans", 3, i * SECOND);

                set_row(t, 0, 1, 1, "grows", i * 3000);
                fake_int(t, 0, "net_bytes", (int64_t)i * 1000);
                set_row(t, 1, 2, 1, "falls", i * 2000);
                set_row(t, 2, 3, 1, "ended", i * 9000);
                feed_table(fake, t);
        }
        press(fake, "G");
        draw(fake, 60, 12);
        assert_string_equal(line(fake, 2), "PROCESS  SPAN  ALLOC/s    NET/s      NET NET/CALL CALLS/s");
        assert_non_null(strstr(line(fake, 3), "www[101] grows    2.9K   +1000B    +2.0K        -"));
        for (size_t x = 0; x < 60; x++) {
                assert_int_equal(fake->page.lines[3].styles[x], x >= 23 && x < 31 ? TOP_STYLE_GROW : TOP_STYLE_NORMAL);
                assert_int_equal(fake->page.lines[4].styles[x], TOP_STYLE_NORMAL);
        }
        press(fake, "g");
        draw(fake, 60, 12);
        assert_non_null(strstr(line(fake, 5), "db[103]  ended"));
        assert_int_equal(fake->page.lines[5].styles[1], TOP_STYLE_DIM);
        assert_int_equal(fake->page.lines[5].styles[20], TOP_STYLE_DIM);
        press(fake, "e");
        draw(fake, 60, 12);
        assert_false(page_has(fake, "ended  "));
        assert_non_null(strstr(line(fake, 11), "ended hidden"));
        press(fake, "e");
        draw(fake, 60, 12);
        assert_true(page_has(fake, "db[103]  ended"));
}

/* A process that ended has no NET, nor has a unit of such ones. */
static void test_net_of_ended(void **state) {
        struct fake *fake = *state;

        fake->ended = 1u << 3;
        press(fake, "t");
        feed_tree(fake, 1 * SECOND, 1);
        feed_tree(fake, 2 * SECOND, 2);
        draw(fake, 80, 20);
        assert_string_equal(line(fake, 4),
                            "x                     1.1K    +550B    2.1K    +1.1K     0      10       0B");
        assert_non_null(strstr(line(fake, 10), "y     "));
        assert_non_null(strstr(line(fake, 10), "   11.3K        - "));
        assert_non_null(strstr(line(fake, 11), "   11.3K        - "));
}

/* Where nothing counts the heap, no cell says zero. */
static void test_uncounted(void **state) {
        struct fake *fake = *state;
        char text[512];

        fake->counting = "nothing: libspanalloc-malloc is not loaded";
        feed(fake, 1 * SECOND, 0);
        feed(fake, 2 * SECOND, 0);
        top_model_filter(fake->ui.model, "db");
        draw(fake, 60, 4);
        assert_null(strstr(line(fake, 2), "0B"));
        assert_non_null(strstr(line(fake, 2), " uncounted"));
        assert_int_equal(top_model_summary(fake->ui.model)->uncounted, 1);
        assert_int_equal(top_warnings(&fake->ui, 0, text, sizeof(text)), 1);
        assert_string_equal(text, "db[103]: its heap is not counted. nothing: libspanalloc-malloc is not loaded");
        press(fake, "w");
        draw(fake, 30, 8);
        assert_string_equal(line(fake, 0), "1 warning; Esc closes");
        assert_string_equal(line(fake, 1), "! db[103]: its heap is not");
        assert_string_equal(line(fake, 2), "  counted. nothing:");
        fake_uint(fake->status, 0, "processes", 30);
        fake_uint(fake->status, 0, "threads", 1);
        fake_uint(fake->status, 0, "records_rate", 12345);
        fake_uint(fake->status, 0, "ring_fill_ppm", 25000);
        feed(fake, 3 * SECOND, 0);
        draw(fake, 80, 8);
        assert_string_equal(line(fake, 2), "Of the allocated bytes of these processes 100% are counted.");
        assert_string_equal(line(fake, 3),
                            "The collector, over all processes: 30 processes, 1 thread, 12.3k records/s, 0");
        assert_string_equal(line(fake, 4), "refused, rings at most 3% full.");
        hit(fake, TOP_KEY_ESCAPE);
        assert_int_equal(fake->ui.mode, TOP_MODE_LIST);
        assert_false(fake->ui.quit);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_screen, setup, teardown),
                cmocka_unit_test_setup_teardown(test_header, setup, teardown),
                cmocka_unit_test_setup_teardown(test_cells, setup, teardown),
                cmocka_unit_test_setup_teardown(test_net_per_call, setup, teardown),
                cmocka_unit_test_setup_teardown(test_narrow_process, setup, teardown),
                cmocka_unit_test_setup_teardown(test_times, setup, teardown),
                cmocka_unit_test_setup_teardown(test_timing_of_sums, setup, teardown),
                cmocka_unit_test_setup_teardown(test_styles, setup, teardown),
                cmocka_unit_test_setup_teardown(test_net_of_ended, setup, teardown),
                cmocka_unit_test_setup_teardown(test_uncounted, setup, teardown),
        };

        if (!setlocale(LC_CTYPE, "C.UTF-8"))
                return 77;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
