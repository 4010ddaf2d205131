/* SPDX-License-Identifier: MIT */
/*
 * One query of top to a collector in this process: what is shown when it fails.
 *
 * Labels: valgrind
 * Wrap: top_samples_read top_samples_take top_model_feed
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

/* A refresh that succeeds, then one that fails: what is said of it. */
static void check(struct fixture *fixture, bool json, int where, int r, enum client_error_kind kind, const char *part) {
        struct ctl ctl = {.options.json = json ? JSON_SHORT : JSON_OFF};
        struct top top = {.ctl = &ctl};

        assert_int_equal(client_new_local(&ctl.client, answer, fixture), 0);
        assert_int_equal(top_model_new(&top.ui.model), 0);
        failing = FAIL_NOWHERE;
        assert_int_equal(top_refresh(&top), 0);
        assert_true(top.ui.connected);
        assert_int_equal(top_model_count(top.ui.model), 6);

        /* An error that was shown long ago. */
        top.error = (struct client_error){1, CLIENT_ERROR_NOT_FOUND, "stale"};
        failing = where;
        failure = r;
        assert_int_equal(top_refresh(&top), r);
        assert_int_equal(top.error.code, -r);
        assert_int_equal(top.error.kind, kind);
        if (!strstr(top.error.text, part))
                fail_msg("'%s' does not say '%s'", top.error.text, part);
        if (where != FAIL_FEED) {
                assert_false(top.ui.connected);
                assert_null(ctl.client);
                assert_string_equal(top.ui.trouble, top.error.text);
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

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
