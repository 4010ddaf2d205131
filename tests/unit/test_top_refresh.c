/* SPDX-License-Identifier: MIT */
/*
 * One refresh of top, from a collector in this process: what is shown, and what when it fails.
 *
 * Labels: valgrind
 * Wrap: top_samples_read top_samples_take top_model_feed
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/nanoseconds.h"
#include "ctl/top/top_refresh.h"
#include "tests/support/query_fixture.h"

static enum { FAIL_NOWHERE, FAIL_READ, FAIL_TAKE, FAIL_FEED } failing;
static int failure;

int __wrap_top_samples_read(struct top_samples *samples, struct wire_cursor answer);
int __real_top_samples_read(struct top_samples *samples, struct wire_cursor answer);
int __wrap_top_samples_take(struct top_samples *samples, const struct table *table);
int __real_top_samples_take(struct top_samples *samples, const struct table *table);
int __wrap_top_model_feed(struct top_model *model, const struct top_samples *samples, struct table *processes,
                          const struct table *status);
int __real_top_model_feed(struct top_model *model, const struct top_samples *samples, struct table *processes,
                          const struct table *status);

int __wrap_top_samples_read(struct top_samples *samples, struct wire_cursor answer) {
        return failing == FAIL_READ ? failure : __real_top_samples_read(samples, answer);
}

int __wrap_top_samples_take(struct top_samples *samples, const struct table *table) {
        return failing == FAIL_TAKE ? failure : __real_top_samples_take(samples, table);
}

int __wrap_top_model_feed(struct top_model *model, const struct top_samples *samples, struct table *processes,
                          const struct table *status) {
        if (failing != FAIL_FEED)
                return __real_top_model_feed(model, samples, processes, status);
        table_free(processes);
        return failure;
}

static int answer(void *userdata, const void *message, size_t size, struct wire_buffer *out) {
        struct fixture *fixture = userdata;

        return query_answer(fixture->query, &all, message, size, out);
}

/* The next answer is the first one of a connection: another collector may number its processes in another way. */
static void come_back(struct fixture *fixture, struct top *top) {
        struct top_row row;

        failing = FAIL_NOWHERE;
        assert_int_equal(client_new_local(&top->ctl->client, answer, fixture), 0);
        assert_int_equal(top_refresh(top), 0);
        assert_true(top->ui.connected);
        assert_int_equal(top_model_count(top->ui.model), 8);
        assert_true(top_model_row(top->ui.model, 0, &row));
        assert_false(row.rates.known);
        assert_true(*row.span);
        assert_false(top_model_summary(top->ui.model)->rates_known);
}

/* A refresh that succeeds, then one that fails: what is said of it. */
static void check(struct fixture *fixture, bool json, int where, int r, enum client_error_kind kind, const char *part) {
        struct ctl ctl = {.options.json = json ? JSON_SHORT : JSON_OFF};
        struct top top = {.ctl = &ctl};

        assert_int_equal(client_new_local(&ctl.client, answer, fixture), 0);
        assert_int_equal(top_model_new(&top.ui.model), 0);
        failing = FAIL_NOWHERE;
        assert_int_equal(top_refresh(&top), 0);
        assert_true(top.ui.connected);
        assert_int_equal(top_model_count(top.ui.model), 8);

        /* An error that was shown long ago. */
        top.error = (struct client_error){1, CLIENT_ERROR_NOT_FOUND, "stale"};
        failing = where;
        failure = r;
        assert_int_equal(top_refresh(&top), r);
        assert_int_equal(top.error.code, -r);
        assert_int_equal(top.error.kind, kind);
        if (!strstr(top.error.text, part))
                fail_msg("'%s' does not say '%s'", top.error.text, part);
        if (where == FAIL_FEED) {
                assert_string_equal(top.ui.message, top.error.text);
        } else {
                assert_false(top.ui.connected);
                assert_null(ctl.client);
                assert_string_equal(top.ui.trouble, top.error.text);
                /* The last answer stays. */
                assert_int_equal(top_model_count(top.ui.model), 8);
                top.ui.processes.selected = 2;
                come_back(fixture, &top);
                assert_int_equal(top.ui.processes.selected, 0);
        }
        client_free(ctl.client);
        top_ui_deinit(&top.ui);
        top_model_free(top.ui.model);
        top_samples_deinit(&top.samples);
        table_free(top.spans);
}

static void test_failures(void **state) {
        check(*state, false, FAIL_READ, -ENOMEM, CLIENT_ERROR_FAILED, "out of memory");
        check(*state, false, FAIL_READ, -EBADMSG, CLIENT_ERROR_UNREACHABLE, "no collector of this version");
        check(*state, true, FAIL_TAKE, -ENOMEM, CLIENT_ERROR_FAILED, "out of memory");
        check(*state, false, FAIL_FEED, -ENOMEM, CLIENT_ERROR_FAILED, "out of memory");
}

/* The columns of the first request are chosen before there is a screen: what was not asked for is not zero. */
static void test_first_screen(void **state) {
        struct ctl ctl = {0};
        struct top top = {.ctl = &ctl};
        struct top_page page = {0};
        struct top_row row;

        assert_int_equal(client_new_local(&ctl.client, answer, *state), 0);
        assert_int_equal(top_model_new(&top.ui.model), 0);
        failing = FAIL_NOWHERE;
        for (int screen = 0; screen < 2; screen++) {
                assert_int_equal(top_refresh(&top), 0);
                assert_int_equal(top_ui_draw(&top.ui, &page, 132, 24), 0);
                assert_non_null(strstr(page.lines[3].text, "P99/CALL"));
                top_model_row(top.ui.model, 0, &row);
                assert_int_equal(row.sums.has_p99, screen);
        }
        client_free(ctl.client);
        top_ui_deinit(&top.ui);
        top_model_free(top.ui.model);
        top_samples_deinit(&top.samples);
        top_page_deinit(&page);
}

/* Selects the row of the span, opens its details, and reads them. */
static void open_row(struct top *top, const char *span) {
        struct top_row row;
        size_t at = 0;

        assert_int_equal(top_refresh(top), 0);
        while (top_model_row(top->ui.model, at, &row) && strcmp(row.span, span))
                at++;
        assert_true(at < top_model_count(top->ui.model));
        top_model_move(top->ui.model, -100);
        top_model_move(top->ui.model, (long)at);
        top_ui_key(&top->ui, TOP_KEY_ENTER, 0, "");
        assert_int_equal(top->ui.mode, TOP_MODE_DETAILS);
        assert_int_equal(top_refresh(top), 0);
        assert_non_null(top->ui.details.spans);
}

/* The details of a row are of the processes that the row sums: those of --pid and --unit. */
static void test_details_of_sums(void **state) {
        static const struct {
                uint64_t pid;
                const char *unit, *title;
                enum top_shape shape;
                size_t processes;
        } cases[] = {
                {0, NULL, "all processes", TOP_BY_NAME, 2},
                {100, NULL, "--pid 100", TOP_BY_NAME, 1},
                {200, NULL, "--pid 200 of no unit", TOP_BY_UNIT, 1},
                {0, "web.service", "all processes of web.service", TOP_BY_NAME, 1},
                {0, "web.service", "all processes of web.service", TOP_BY_UNIT, 1},
                {100, "web.service", "--pid 100 of web.service", TOP_BY_NAME, 1},
        };

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                struct ctl ctl = {.options = {.pid = cases[i].pid, .unit = cases[i].unit}};
                struct top top = {.ctl = &ctl, .ui = {.pid = cases[i].pid, .unit = cases[i].unit}};
                const struct table *spans, *tree;

                failing = FAIL_NOWHERE;
                assert_int_equal(client_new_local(&ctl.client, answer, *state), 0);
                assert_int_equal(top_model_new(&top.ui.model), 0);
                top_model_set_shape(top.ui.model, cases[i].shape);
                open_row(&top, "request");
                spans = top.ui.details.spans;
                tree = top.ui.details.tree;
                assert_string_equal(top.ui.details.title, cases[i].title);
                assert_int_equal(spans->row_count, cases[i].processes);
                assert_int_equal(table_uint(spans, 0, "pid"), cases[i].pid ? cases[i].pid : 100);
                for (size_t row = 0; row < tree->row_count && cases[i].processes == 1; row++)
                        assert_int_equal(table_uint(tree, row, "process"), table_uint(spans, 0, "process"));
                assert_true(tree->row_count > 0);
                client_free(ctl.client);
                top_ui_deinit(&top.ui);
                top_model_free(top.ui.model);
                top_samples_deinit(&top.samples);
        }
}

/* Neither are they of processes that the filter leaves out. */
static void test_details_of_filtered(void **state) {
        struct ctl ctl = {0};
        struct top top = {.ctl = &ctl};
        struct top_page page = {0};

        failing = FAIL_NOWHERE;
        assert_int_equal(client_new_local(&ctl.client, answer, *state), 0);
        assert_int_equal(top_model_new(&top.ui.model), 0);
        top_model_set_shape(top.ui.model, TOP_BY_NAME);
        top_model_filter(top.ui.model, "p200");
        open_row(&top, "request");
        assert_int_equal(top.ui.details.spans->row_count, 1);
        assert_int_equal(table_uint(top.ui.details.spans, 0, "pid"), 200);
        assert_true(top.ui.details.tree->row_count > 0);
        for (size_t row = 0; row < top.ui.details.tree->row_count; row++)
                assert_int_equal(table_uint(top.ui.details.tree, row, "process"),
                                 table_uint(top.ui.details.spans, 0, "process"));
        assert_int_equal(top_ui_draw(&top.ui, &page, 80, 24), 0);
        assert_non_null(strstr(page.lines[0].text, "request in all processes, filter \"p200\"   ("));
        client_free(ctl.client);
        top_ui_deinit(&top.ui);
        top_model_free(top.ui.model);
        top_samples_deinit(&top.samples);
        top_page_deinit(&page);
}

/* What threads of one name do outside of spans, over all processes. */
static void test_details_of_outside(void **state) {
        struct ctl ctl = {0};
        struct top top = {.ctl = &ctl};

        failing = FAIL_NOWHERE;
        assert_int_equal(client_new_local(&ctl.client, answer, *state), 0);
        assert_int_equal(top_model_new(&top.ui.model), 0);
        top_model_set_shape(top.ui.model, TOP_BY_NAME);
        open_row(&top, WIRE_OUTSIDE " main");
        assert_int_equal(top.ui.details.spans->row_count, 2);
        assert_string_equal(table_text(top.ui.details.spans, 0, "thread"), "main");
        client_free(ctl.client);
        top_ui_deinit(&top.ui);
        top_model_free(top.ui.model);
        top_samples_deinit(&top.samples);
}

/* The net of calls is asked for where it is shown or sorts, and never of `tree`, which has none. */
static void test_net_per_call(void **state) {
        struct ctl ctl = {0};
        struct top top = {.ctl = &ctl};
        struct top_page page = {0};
        int64_t net;

        process_of(*state, 0)->counting = process_of(*state, 1)->counting = SHM_COUNTING_MALLOC;
        assert_int_equal(client_new_local(&ctl.client, answer, *state), 0);
        assert_int_equal(top_model_new(&top.ui.model), 0);
        failing = FAIL_NOWHERE;
        for (int step = 0; step < 4; step++) {
                struct top_row row;

                if (step == 1)
                        top_model_sort(top.ui.model, TOP_NET_CALL);
                if (step == 2) {
                        top_model_sort(top.ui.model, TOP_ALLOC);
                        assert_int_equal(top_ui_draw(&top.ui, &page, 200, 24), 0);
                }
                if (step == 3) {
                        top_model_sort(top.ui.model, TOP_NET_CALL);
                        top_model_set_shape(top.ui.model, TOP_TREE);
                }
                assert_int_equal(top_refresh(&top), 0);
                assert_true(top.ui.connected);
                assert_true(top_model_row(top.ui.model, 0, &row));
                assert_int_equal(top_sums_net_per_call(&row.sums, &net), step == 1 || step == 2);
        }
        client_free(ctl.client);
        top_ui_deinit(&top.ui);
        top_model_free(top.ui.model);
        top_samples_deinit(&top.samples);
        top_page_deinit(&page);
}

static struct top_slot *put(struct top_store *store, uint64_t second, uint64_t busy_ns, bool has_time) {
        struct top_sums sums = {.busy_ns = busy_ns, .has_time = has_time};
        struct top_slot *slot;

        top_store_begin(store, second * NS_PER_S);
        slot = top_store_put(store, 1, 1, &sums, "span", "span");
        assert_non_null(slot);
        assert_int_equal(top_store_end(store), 0);
        return slot;
}

/* A difference takes two answers that have the time. */
static void test_busy_is_known(void **state) {
        struct top_store store = {0};

        assert_false(put(&store, 1, 0, false)->rates.busy_known);
        assert_false(put(&store, 2, 5000000, true)->rates.busy_known);
        assert_true(put(&store, 3, 105000000, true)->rates.busy_known);
        assert_int_equal(top_store_at(&store, 0)->rates.busy_ns, 100000000);
        top_store_deinit(&store);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
                cmocka_unit_test_setup_teardown(test_first_screen, setup, teardown),
                cmocka_unit_test_setup_teardown(test_details_of_sums, setup, teardown),
                cmocka_unit_test_setup_teardown(test_details_of_filtered, setup, teardown),
                cmocka_unit_test_setup_teardown(test_details_of_outside, setup, teardown),
                cmocka_unit_test_setup_teardown(test_net_per_call, setup, teardown),
                cmocka_unit_test(test_busy_is_known),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
