/* SPDX-License-Identifier: MIT */
/*
 * A name in a command that is printed for a person to copy: the shell takes it as one word.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/output/text.h"

static void test_plain(void **state) {
        char buf[TEXT_QUOTED_MAX];

        assert_string_equal(text_quote(buf, sizeof(buf), "request"), "request");
        assert_string_equal(text_quote(buf, sizeof(buf), "GET:/a.b-c_d,e@f%g=h+i"), "GET:/a.b-c_d,e@f%g=h+i");
}

static void test_quoted(void **state) {
        char buf[TEXT_QUOTED_MAX], small[8];

        assert_string_equal(text_quote(buf, sizeof(buf), "GET /"), "'GET /'");
        assert_string_equal(text_quote(buf, sizeof(buf), ""), "''");
        assert_string_equal(text_quote(buf, sizeof(buf), "it's"), "'it'\\''s'");
        assert_string_equal(text_quote(buf, sizeof(buf), "a\\x2db.service"), "'a\\x2db.service'");
        assert_true(strlen(text_quote(small, sizeof(small), "much too long")) < sizeof(small));
}

/* What the shell itself makes of them. */
static void test_shell(void **state) {
        static const char *const names[] = {"a b", "$HOME", "`id`", "it's \"so\"", "*", "a;b|c&d", "~", "#x", "\\n"};
        char quoted[TEXT_QUOTED_MAX], command[TEXT_QUOTED_MAX + 32], got[256];

        for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
                FILE *shell;

                snprintf(command, sizeof(command), "printf %%s %s", text_quote(quoted, sizeof(quoted), names[i]));
                shell = popen(command, "r");
                assert_non_null(shell);
                got[fread(got, 1, sizeof(got) - 1, shell)] = '\0';
                assert_int_equal(pclose(shell), 0);
                assert_string_equal(got, names[i]);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain),
                cmocka_unit_test(test_quoted),
                cmocka_unit_test(test_shell),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
