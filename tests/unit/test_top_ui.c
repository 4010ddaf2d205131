/* SPDX-License-Identifier: MIT */
/*
 * top as a person has it, without a terminal: keys are pressed, and cells looked at.
 */
#include <locale.h>
#include <stdio.h>

#include "ctl/output/format.h"
#include "ctl/output/text.h"
#include "tests/support/top_screen.h"

static enum top_column sorted(struct fake *fake) {
        return top_model_sorted_by(fake->ui.model);
}

static void test_keys_that_sort(void **state) {
        struct fake *fake = *state;

        feed_two(fake);
        draw(fake, 120, 24);
        press(fake, "n");
        assert_int_equal(sorted(fake), TOP_NET_RATE);
        press(fake, "l");
        assert_int_equal(sorted(fake), TOP_ALLOC);
        press(fake, "c");
        assert_int_equal(sorted(fake), TOP_CALLS_RATE);
        press(fake, "a");
        assert_int_equal(sorted(fake), TOP_ALLOC_RATE);
        press(fake, ">");
        assert_int_equal(sorted(fake), TOP_ALLOCS_RATE);
        press(fake, "<<");
        assert_int_equal(sorted(fake), TOP_SPAN);
        press(fake, "<<<");
        assert_int_equal(sorted(fake), TOP_P99);
        press(fake, ">");
        assert_int_equal(sorted(fake), TOP_UNIT);
        assert_false(top_model_is_descending(fake->ui.model));
        press(fake, "I");
        assert_true(top_model_is_descending(fake->ui.model));

        for (int with = 0; with < 2; with++) { /* both keys that open the menu */
                if (with)
                        hit(fake, TOP_KEY_F6);
                else
                        press(fake, "s");
                draw(fake, 80, 20);
                assert_non_null(strstr(line(fake, 3), "Sort by"));
                assert_true(page_has(fake, ">UNIT"));
                press(fake, "jj");
                hit(fake, TOP_KEY_DOWN);
                hit(fake, TOP_KEY_UP);
                draw(fake, 80, 20);
                assert_true(page_has(fake, ">SPAN"));
                hit(fake, with ? TOP_KEY_ESCAPE : TOP_KEY_END);
                if (!with)
                        hit(fake, TOP_KEY_ENTER);
                assert_int_equal(fake->ui.mode, TOP_MODE_LIST);
                assert_int_equal(sorted(fake), with ? TOP_UNIT : TOP_QUALITY);
                top_model_sort(fake->ui.model, TOP_UNIT);
        }
}

static void test_prompts(void **state) {
        struct fake *fake = *state;

        feed_two(fake);
        press(fake, "\\A");
        draw(fake, 80, 12);
        assert_string_equal(line(fake, 11), "Filter: A");
        assert_true(fake->page.has_cursor);
        assert_int_equal(fake->page.cursor_x, 9);
        assert_int_equal(top_model_count(fake->ui.model), 2);
        hit(fake, TOP_KEY_BACKSPACE);
        assert_int_equal(top_model_count(fake->ui.model), 3);
        press(fake, "q"); /* is a letter here */
        assert_false(fake->ui.quit);
        draw(fake, 80, 12);
        assert_true(page_has(fake, "No span matches the filter"));
        hit(fake, TOP_KEY_ESCAPE);
        assert_int_equal(top_model_count(fake->ui.model), 3);
        hit(fake, TOP_KEY_F4);
        top_ui_key(&fake->ui, TOP_KEY_CHARACTER, 0xe9, "é");
        assert_string_equal(top_model_filter_text(fake->ui.model), "é");
        hit(fake, TOP_KEY_BACKSPACE);
        press(fake, "b");
        hit(fake, TOP_KEY_ENTER);
        draw(fake, 80, 12);
        assert_non_null(strstr(line(fake, 11), "filter \"b\"  row 1 of 1"));
        hit(fake, TOP_KEY_ESCAPE); /* closes the filter */
        assert_int_equal(top_model_count(fake->ui.model), 3);
        assert_false(fake->ui.quit);

        press(fake, "/a");
        assert_int_equal(top_model_selected(fake->ui.model), 1);
        hit(fake, TOP_KEY_ENTER);
        hit(fake, TOP_KEY_F3);
        assert_int_equal(top_model_selected(fake->ui.model), 2);
        press(fake, "/zzz");
        hit(fake, TOP_KEY_ENTER);
        draw(fake, 80, 12);
        assert_string_equal(line(fake, 11), "No row has \"zzz\" in its names");
        press(fake, "g");
        draw(fake, 80, 12);
        assert_null(strstr(line(fake, 11), "zzz"));
}

static void test_tree(void **state) {
        struct fake *fake = *state;
        static const char *const wanted[] = {
                "y",          "└─db[103]", "  ├─query",   "  └─(outside) main", "x",
                "└─www[101]", "  └─job",   "    ├─index", "    │ └─forget",     "    └─read",
        };

        feed_two(fake);
        press(fake, "t");
        assert_true(fake->ui.ask_now);
        feed_tree(fake, 3 * SECOND, 1);
        feed_tree(fake, 4 * SECOND, 2);
        draw(fake, 80, 20);
        assert_non_null(strstr(line(fake, 3), "SPAN               ALLOC/s "));
        for (size_t i = 0; i < 10; i++)
                assert_int_equal(strncmp(fake->page.lines[4 + i].text, wanted[i], strlen(wanted[i])), 0);
        assert_non_null(strstr(line(fake, 19), "by ALLOC/s  tree  row 1 of 10"));
        hit(fake, TOP_KEY_END);
        hit(fake, TOP_KEY_LEFT); /* read has nothing below: job folds */
        draw(fake, 80, 20);
        assert_true(page_has(fake, "  └─+job"));
        assert_false(page_has(fake, "─read"));
        hit(fake, TOP_KEY_RIGHT);
        draw(fake, 80, 20);
        assert_true(page_has(fake, "─read"));
        press(fake, "*");
        draw(fake, 80, 20);
        assert_true(page_has(fake, "└─+db[103]"));
        hit(fake, TOP_KEY_F5);
        assert_int_equal(top_model_shape(fake->ui.model), TOP_FLAT);
        assert_true(fake->ui.ask_now);
}

static void feed_outside(struct fake *fake, uint64_t time_ns) {
        struct table *t = fake_table("spans", 3, time_ns);

        for (size_t i = 0; i < 3; i++) {
                set_row(t, i, i + 1, WIRE_OUTSIDE_KEY, WIRE_OUTSIDE, 1000 * (i + 1));
                fake_text(t, i, "thread", i < 2 ? "www" : "main");
        }
        feed_table(fake, t);
}

/* What is outside of spans has no calls; a sum has the thread's name, even that of its first process. */
static void test_outside(void **state) {
        struct fake *fake = *state;
        struct top_row row;

        feed_outside(fake, 1 * SECOND);
        feed_outside(fake, 2 * SECOND);
        draw(fake, 80, 12);
        assert_true(page_has(fake, "www[101] (outside)      "));
        assert_true(page_has(fake, "db[103]  (outside) main "));
        for (int by_name = 0; by_name < 2; by_name++) {
                press(fake, by_name ? "b" : "u");
                draw(fake, 100, 12);
                assert_true(page_has(fake, " (outside) www "));
                assert_true(page_has(fake, " (outside) main "));
                for (size_t y = 3; y < 5; y++)
                        assert_non_null(strstr(line(fake, y), "    -2.9K        -     -       -"));
                row = row_at(fake, 0);
                assert_true(top_row_is_outside(&row));
        }
        /* Its details scroll no further than their end; nor does a view that has nothing to show. */
        hit(fake, TOP_KEY_ENTER);
        for (int known = 1; known >= 0; known--) {
                top_ui_take_details(&fake->ui, fake_table("spans", (size_t)known, SECOND), NULL);
                fake->ui.page_rows = 0;
                hit(fake, TOP_KEY_END);
                draw(fake, 80, 24);
                assert_int_equal(fake->ui.scroll, 0);
                assert_int_equal(fake->ui.page_rows, 23);
                assert_true(page_has(fake, known ? "in no span" : "Nothing is known of it"));
        }
        top_process_open(&fake->ui, 77);
        hit(fake, TOP_KEY_END);
        draw(fake, 80, 24);
        assert_int_equal(fake->ui.scroll, 0);

        top_process_open(&fake->ui, 1);
        draw(fake, 80, 24);
        assert_true(page_has(fake, "  -1000B        0B    1000B       0B       -  (outside) www"));
}

/* What the collector answers about one span. */
static void take_details(struct fake *fake) {
        struct table *spans = fake_table("spans", 1, SECOND), *tree = fake_table("tree", 4, SECOND);

        set_row(spans, 0, 1, 3, "index", 4096);
        fake_text(spans, 0, "path", "job/index");
        fake_text(spans, 0, "site", "jobs.c:7");
        fake_uint(spans, 0, "migrated", 2);
        fake_entry(spans, 0, "per_call_histogram", "1024", 3);
        fake_entry(spans, 0, "per_call_histogram", "4096", 1);
        fake_entry(spans, 0, "net_per_call_histogram", "0", 1);
        fake_entry(spans, 0, "net_per_call_histogram", "64", 3);
        fake_uint(spans, 0, "calls", 4);
        fake_int(spans, 0, "calls_net_bytes", 832);
        fake_entry(spans, 0, "threads", "worker", 2);
        set_node(tree, 0, 1, 1, 0, "job", 9000);
        set_node(tree, 1, 1, 2, 1, "job/index", 4096);
        fake_uint(tree, 1, "depth", 1);
        set_node(tree, 2, 1, 3, 2, "job/index/forget", 1);
        fake_uint(tree, 2, "depth", 2);
        set_node(tree, 3, 1, 4, 1, "job/sibling", 1);
        strcpy(fake->ui.details.span, "index");
        top_ui_take_details(&fake->ui, spans, tree);
}

static void test_details(void **state) {
        struct fake *fake = *state;

        feed_two(fake);
        hit(fake, TOP_KEY_END);
        hit(fake, TOP_KEY_ENTER);
        assert_int_equal(fake->ui.mode, TOP_MODE_DETAILS);
        assert_true(fake->ui.ask_now);
        assert_int_equal(fake->ui.details.process, 1);
        draw(fake, 80, 40);
        assert_non_null(strstr(line(fake, 0), "a in www[101] of x"));
        assert_true(page_has(fake, "One moment"));
        take_details(fake);
        draw(fake, 80, 50);
        assert_true(page_has(fake, "    Path  job/index"));
        assert_true(page_has(fake, "jobs.c:7"));
        assert_true(page_has(fake, "2 cycles ended by another thread"));
        assert_true(page_has(fake, "History, one column for each of the last 1 answers"));
        assert_true(page_has(fake, "    1.0K  ████████████████████████████████████████        3  75.0%"));
        assert_true(page_has(fake, "    2.0K                                                  0   0.0%"));
        assert_true(page_has(fake, "    4.0K  █████████████▍                                  1  25.0%"));
        assert_true(page_has(fake, "Net bytes per call, in powers of four"));
        assert_true(page_has(fake, "          +208B on average"));
        assert_true(page_has(fake, "      0B  █████████████▍                                  1  25.0%"));
        assert_true(page_has(fake, "    +16B                                                  0   0.0%"));
        assert_true(page_has(fake, "    +64B  ████████████████████████████████████████        3  75.0%"));
        assert_true(page_has(fake, "       2  worker"));
        assert_true(page_has(fake, "    4.0K    index"));
        assert_true(page_has(fake, "      1B      forget"));
        assert_false(page_has(fake, "sibling"));
        press(fake, "jj");
        draw(fake, 80, 12);
        assert_false(page_has(fake, "jobs.c:7"));
        hit(fake, TOP_KEY_ESCAPE);
        assert_int_equal(fake->ui.mode, TOP_MODE_LIST);
}

static void test_states(void **state) {
        struct fake *fake = *state;

        feed_two(fake);
        press(fake, " ");
        assert_true(fake->ui.paused);
        draw(fake, 80, 12);
        assert_non_null(strstr(line(fake, 11), "PAUSED"));
        press(fake, " F");
        draw(fake, 80, 12);
        assert_non_null(strstr(line(fake, 11), "following"));
        press(fake, "u");
        draw(fake, 80, 12);
        assert_non_null(strstr(line(fake, 11), "summed by unit"));
        assert_memory_equal(line(fake, 4), "x    2 processes a ", 19);

        strcpy(fake->ui.restarted, "the collector was started again");
        draw(fake, 80, 12);
        assert_string_equal(line(fake, 11), "the collector was started again");
        press(fake, "j");
        draw(fake, 80, 12);
        assert_null(strstr(line(fake, 11), "started"));
        press(fake, "q");
        assert_true(fake->ui.quit);
}

/* Help and the other views: they scroll, say when top is paused, and close by Esc, q, Enter and their own keys. */
static void test_views(void **state) {
        struct fake *fake = *state;

        feed_two(fake);
        press(fake, "h");
        draw(fake, 80, 60);
        assert_true(page_has(fake, "this help"));
        for (size_t y = 0; y < 60; y++)
                assert_null(strstr(fake->page.lines[y].text, "…")); /* it fits 80 columns */
        assert_false(page_has(fake, "PAUSED"));
        press(fake, " ");
        draw(fake, 80, 24);
        assert_non_null(strstr(line(fake, 0), "PAUSED"));
        press(fake, "w ");
        assert_int_equal(fake->ui.mode, TOP_MODE_HELP);

        /* On 40 columns all words are there, on as many screens as it takes. */
        draw(fake, 40, 10);
        for (size_t y = 0; y < 10; y++)
                assert_null(strstr(fake->page.lines[y].text, "…"));
        assert_false(page_has(fake, "come last."));
        press(fake, "G");
        draw(fake, 40, 10);
        assert_string_equal(line(fake, 9), "are dim, and come last.");
        for (int i = 0; i < 3; i++)
                hit(fake, TOP_KEY_PAGE_DOWN);
        draw(fake, 40, 10);
        assert_string_equal(line(fake, 9), "are dim, and come last.");
        press(fake, "g");
        draw(fake, 40, 10);
        assert_string_equal(line(fake, 1), "Up Down k j   select a row");

        press(fake, "h");
        assert_int_equal(fake->ui.mode, TOP_MODE_LIST);
        hit(fake, TOP_KEY_F1);
        assert_int_equal(fake->ui.mode, TOP_MODE_HELP);
        hit(fake, TOP_KEY_ESCAPE);
        press(fake, "w ");
        draw(fake, 80, 24);
        assert_non_null(strstr(line(fake, 0), "0 warnings; Esc closes  PAUSED"));
        press(fake, " w");
        assert_int_equal(fake->ui.mode, TOP_MODE_LIST);
}

/* Without a collector the last answer stays: dim, and with its time. */
static void test_away(void **state) {
        struct fake *fake = *state;

        feed_two(fake);
        fake->ui.connected = false;
        strcpy(fake->ui.trouble, "no collector answers");
        draw(fake, 80, 12);
        assert_memory_equal(line(fake, 0), "as of ", 6);
        assert_non_null(strstr(line(fake, 0), "  heap 0B 0B/s  "));
        assert_non_null(strstr(line(fake, 4), "www[102] a       2.0K"));
        assert_string_equal(line(fake, 11), "Trying again: no collector answers");
        for (size_t x = 0; x < 80; x++) {
                assert_int_equal(fake->page.lines[0].styles[x], TOP_STYLE_DIM);
                assert_int_equal(fake->page.lines[1].styles[x], TOP_STYLE_DIM);
                assert_int_equal(fake->page.lines[4].styles[x], TOP_STYLE_DIM);
        }
        draw(fake, 80, 5); /* no line for it at the bottom */
        assert_string_equal(line(fake, 0), "Trying again: no collector answers");
        press(fake, "h");
        draw(fake, 80, 12);
        assert_non_null(strstr(line(fake, 0), "  as of "));
        hit(fake, TOP_KEY_ESCAPE);
        fake->ui.connected = true;
        draw(fake, 80, 12);
        assert_null(strstr(line(fake, 0), "as of"));
        assert_int_equal(fake->page.lines[4].styles[0], TOP_STYLE_NORMAL);
}

/* What needs an answer is refused while no collector answers, and the rows stay. */
static void test_keys_while_away(void **state) {
        struct fake *fake = *state;

        feed_two(fake);
        fake->ui.connected = false;
        strcpy(fake->ui.trouble, "no collector answers");
        press(fake, "t");
        assert_string_equal(fake->ui.message, "No collector answers: the tree needs an answer");
        assert_int_equal(top_model_shape(fake->ui.model), TOP_FLAT);
        hit(fake, TOP_KEY_F5);
        assert_int_equal(top_model_count(fake->ui.model), 3);
        hit(fake, TOP_KEY_ENTER);
        assert_int_equal(fake->ui.mode, TOP_MODE_LIST);
        draw(fake, 80, 12);
        assert_string_equal(line(fake, 11), "No collector answers: the details of a span need an answer");
        assert_false(fake->ui.ask_now);
        press(fake, "u"); /* of the same answer */
        assert_int_equal(top_model_shape(fake->ui.model), TOP_BY_UNIT);
        assert_int_equal(top_model_count(fake->ui.model), 2);
        press(fake, "b");
        assert_int_equal(top_model_shape(fake->ui.model), TOP_BY_NAME);

        fake->ui.connected = true;
        press(fake, "t");
        feed_tree(fake, 3 * SECOND, 1);
        fake->ui.connected = false;
        for (const char *key = "tub"; *key; key++) {
                press(fake, (char[]){*key, '\0'});
                assert_string_equal(fake->ui.message, "No collector answers: rows without the tree need an answer");
                assert_int_equal(top_model_shape(fake->ui.model), TOP_TREE);
                assert_int_equal(top_model_count(fake->ui.model), 10);
        }
        press(fake, "j");
        hit(fake, TOP_KEY_ENTER); /* the page of a process needs none */
        assert_int_equal(fake->ui.mode, TOP_MODE_PROCESS);
        hit(fake, TOP_KEY_ESCAPE);

        top_model_forget(fake->ui.model);
        draw(fake, 80, 12);
        assert_true(page_has(fake, "No collector answers."));
        assert_false(page_has(fake, "No spans yet"));
}

/* Every view at every size, in UTF-8 and plain: nothing is wider than the page, nothing is missing of it. */
static void draw_all_sizes(struct fake *fake) {
        static const size_t sizes[][2] = {{1, 1},   {2, 2},   {3, 1},   {7, 5},    {20, 3},  {19, 4},
                                          {40, 10}, {80, 24}, {132, 6}, {200, 50}, {999, 2}, {1, 60}};

        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
                for (int mode = TOP_MODE_LIST; mode < TOP_MODES; mode++) {
                        fake->ui.mode = (enum top_mode)mode;
                        draw(fake, sizes[i][0], sizes[i][1]);
                        for (size_t y = 0; y < fake->page.height; y++) {
                                assert_int_equal(text_width(fake->page.lines[y].text), fake->page.lines[y].used);
                                assert_true(fake->page.lines[y].used <= sizes[i][0]);
                        }
                        if (mode != TOP_MODE_SORT && mode != TOP_MODE_PROCESS)
                                assert_true(*line(fake, 0) || sizes[i][0] < 12);
                }
        fake->ui.mode = TOP_MODE_LIST;
}

static void test_sizes(void **state) {
        struct fake *fake = *state;

        feed_two(fake);
        take_details(fake);
        draw_all_sizes(fake);
        draw(fake, 20, 3);
        assert_string_equal(line(fake, 1), "SPAN ALLOC/s");
        assert_string_equal(line(fake, 2), "b       3.9K");
        press(fake, "t");
        feed_tree(fake, 3 * SECOND, 1);
        feed_tree(fake, 4 * SECOND, 2);
        draw_all_sizes(fake);
        assert_non_null(setlocale(LC_CTYPE, "C"));
        draw_all_sizes(fake);
        draw(fake, 80, 20);
        for (size_t y = 0; y < 20; y++)
                for (const char *c = fake->page.lines[y].text; *c; c++)
                        assert_true(*c >= ' ' && *c <= '~');
        assert_true(page_has(fake, "  `-job"));
        assert_true(page_has(fake, "    | `-forget"));
        setlocale(LC_CTYPE, "C.UTF-8");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_keys_that_sort, setup, teardown),
                cmocka_unit_test_setup_teardown(test_prompts, setup, teardown),
                cmocka_unit_test_setup_teardown(test_tree, setup, teardown),
                cmocka_unit_test_setup_teardown(test_outside, setup, teardown),
                cmocka_unit_test_setup_teardown(test_details, setup, teardown),
                cmocka_unit_test_setup_teardown(test_states, setup, teardown),
                cmocka_unit_test_setup_teardown(test_views, setup, teardown),
                cmocka_unit_test_setup_teardown(test_away, setup, teardown),
                cmocka_unit_test_setup_teardown(test_keys_while_away, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
        };

        if (!setlocale(LC_CTYPE, "C.UTF-8"))
                return 77;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
