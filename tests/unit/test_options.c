/* SPDX-License-Identifier: MIT */
/*
 * The command line: options before and after the verb, what is refused and how, and that help covers the table.
 *
 * Labels: valgrind
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/options/duration.h"
#include "ctl/options/options.h"
#include "ctl/options/options_table.h"
#include "ctl/output/format.h"
#include "ctl/session/help.h"
#include "daemon/wire/columns.h"

static char error[256];

/* Splits at blanks; argv lives until the next call. */
static int parse(struct options *ret, const char *line) {
        static char words[512];
        static char *argv[32];
        int argc = 0;

        *error = '\0';
        snprintf(words, sizeof(words), "spanallocctl %s", line);
        for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
                argv[argc++] = word;
        argv[argc] = NULL;
        return options_parse(ret, argc, argv, error, sizeof(error));
}

static void refused(const char *line, const char *with) {
        struct options options;

        if (parse(&options, line) != -EINVAL || !strstr(error, with))
                fail_msg("\"%s\" gave: %s", line, error);
}

static void test_verbs(void **state) {
        struct options o;

        assert_int_equal(parse(&o, ""), 0);
        assert_int_equal(o.verb, VERB_STATUS);
        assert_false(o.verb_given);
        for (int i = 0; i < VERB_COUNT; i++) {
                char line[64];

                snprintf(line, sizeof(line), "%s%s", verbs[i].name, verbs[i].arguments_min ? " x" : "");
                assert_int_equal(parse(&o, line), 0);
                assert_int_equal(o.verb, i);
        }
        refused("spam", "no verb \"spam\"; did you mean \"spans\"");
        refused("xyzzy", "`spanallocctl help` lists them");
        refused("show", "needs NAME");
        refused("show a b", "\"b\"");
        refused("status now", "\"now\"");
}

static void test_places(void **state) {
        static const char *const lines[] = {
                "--pid 7 --json=short spans --limit=3",
                "spans --pid=7 --limit 3 --json",
                "--limit 3 spans --json=short -p 7",
                "--json -p7 --limit=3 -- spans",
        };
        struct options o;

        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                assert_int_equal(parse(&o, lines[i]), 0);
                assert_int_equal(o.verb, VERB_SPANS);
                assert_int_equal(o.pid, 7);
                assert_int_equal(o.limit, 3);
                assert_int_equal(o.json, JSON_SHORT);
                assert_int_equal(o.argc, 0);
        }
        assert_int_equal(parse(&o, "show --no-legend parse --json=pretty"), 0);
        assert_int_equal(o.argc, 1);
        assert_string_equal(o.argv[0], "parse");
        assert_true(o.no_legend);
        assert_int_equal(o.json, JSON_PRETTY);
        assert_int_equal(parse(&o, "show -- --odd-name"), 0);
        assert_string_equal(o.argv[0], "--odd-name");
        assert_int_equal(parse(&o, "--user --system"), 0);
        assert_true(o.system && !o.user);
}

static void test_run(void **state) {
        static const char *const lines[] = {
                "run -o file -- ls -l --json",
                "run -o file ls -l --json",
                "-o file run -- ls -l --json",
        };
        struct options o;

        for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
                assert_int_equal(parse(&o, lines[i]), 0);
                assert_int_equal(o.verb, VERB_RUN);
                assert_string_equal(o.output, "file");
                assert_int_equal(o.json, JSON_OFF);
                assert_int_equal(o.argc, 3);
                assert_string_equal(o.argv[0], "ls");
                assert_string_equal(o.argv[1], "-l");
                assert_string_equal(o.argv[2], "--json");
                assert_null(o.argv[3]);
        }
        assert_int_equal(parse(&o, "run -- a -- b"), 0);
        assert_int_equal(o.argc, 3);
        assert_string_equal(o.argv[1], "--");
        refused("run", "COMMAND");
        refused("run --", "COMMAND");
}

static void test_values(void **state) {
        struct options o;

        assert_int_equal(parse(&o, "spans --since 1m30s"), 0);
        assert_true(o.since_ns == UINT64_C(90000000000));
        assert_int_equal(parse(&o, "top -n 5 -d 0.25"), 0);
        assert_true(o.batch);
        assert_int_equal(o.count, 5);
        assert_int_equal(o.delay_ns, 250000000);
        assert_int_equal(parse(&o, "top -b1"), 0);
        assert_int_equal(o.count, 1);
        assert_int_equal(parse(&o, "spans --limit 18446744073709551615"), 0);
        assert_true(o.limit == UINT64_MAX);
        refused("spans --limit 18446744073709551616", "whole number");
        refused("spans --limit -1", "whole number");
        refused("spans --limit=", "whole number");
        refused("spans --pid 0", "from 1");
        refused("spans --pid 12x", "not \"12x\"");
        refused("spans --since later", "30s or 5m");
        refused("spans --since 0s", "30s or 5m");
        refused("top -d nan", "a time");
        refused("top -d -3", "a time");
        refused("--json=long", "off, short or pretty");
        refused("--socket", "needs an argument");
        refused("--no-pager=no", "takes no argument");
        refused("--sock", "needs an argument");
        refused("-Z", "no option -Z");
        refused("--limitt 3", "did you mean --limit");
        refused("status --limit 3", "not an option of status");
        refused("--since 3s ps", "not an option of ps");
        assert_int_equal(parse(&o, "tree --min-percent 2.5"), 0);
        assert_int_equal(o.min_ppm, 25000);
        assert_int_equal(parse(&o, "tree"), 0);
        assert_int_equal(o.min_ppm, 10000);
        refused("tree --min-percent 101", "from 0 to 100");
        refused("tree --min-percent -1", "from 0 to 100");
        refused("tree --min-percent nan", "from 0 to 100");
        assert_int_equal(parse(&o, "--raw --color=never top"), 0);
        assert_true(o.raw && o.color == COLOR_NEVER);
        refused("--color=green", "auto, always or never");
}

static void test_columns(void **state) {
        struct options o;

        assert_int_equal(parse(&o, "spans --columns=span,alloc_bytes,per_call --sort=-net_bytes"), 0);
        assert_int_equal(o.n_columns, 3);
        assert_string_equal(o.columns[0], "span");
        assert_string_equal(o.columns[2], "per_call");
        assert_string_equal(o.sort, "-net_bytes");
        assert_int_equal(parse(&o, "tree --sort=-self_alloc_bytes --limit 5"), 0);
        assert_string_equal(o.sort, "-self_alloc_bytes");
        assert_int_equal(o.limit, 5);
        refused("tree --sort=-self_aloc_bytes", "did you mean \"self_alloc_bytes\"");
        refused("tree --sort=pid,span", "no column \"pid,span\"");
        assert_int_equal(parse(&o, "ps --filter shop"), 0);
        assert_string_equal(o.filter, "shop");
        refused("status --filter shop", "not an option of status");
        refused("top --since 10m", "not an option of top");
        assert_int_equal(parse(&o, "ps --columns all"), 0);
        assert_int_equal(o.n_columns, wire_columns("ps")->count);
        refused("spans --columns span,aloc_bytes", "did you mean \"alloc_bytes\"");
        refused("spans --columns span,,pid", "no column \"\"");
        refused("ps --columns per_call", "no column \"per_call\"");
        refused("spans --sort=-nett_bytes", "did you mean \"net_bytes\"");
        refused("spans --sort=-", "no column");
}

static void test_help(void **state) {
        char *text = NULL;
        size_t size;
        FILE *stream = open_memstream(&text, &size);

        help_print(stream, 0);
        for (int i = 0; i < VERB_COUNT; i++)
                help_print_verb(stream, (enum verb_id)i, 0);
        fclose(stream);
        for (int i = 0; i < VERB_COUNT; i++)
                assert_non_null(strstr(text, verbs[i].help));
        for (size_t i = 0; i < options_table_size; i++) {
                assert_non_null(options_table[i].help);
                assert_non_null(strstr(text, options_table[i].help));
        }
        free(text);
}

/* No line is broken by the terminal, and nothing but blanks changes. */
static void test_help_on_a_terminal(void **state) {
        char *text[2] = {NULL}, *line, *word, *rest[2];
        size_t size;

        for (int i = 0; i < 2; i++) {
                FILE *stream = open_memstream(&text[i], &size);

                help_print(stream, i ? 80 : 0);
                for (int verb = 0; verb < VERB_COUNT; verb++)
                        help_print_verb(stream, (enum verb_id)verb, i ? 80 : 0);
                fclose(stream);
        }
        for (line = text[1]; *line; line += strcspn(line, "\n") + 1)
                if (strcspn(line, "\n") > 80)
                        fail_msg("too long: %.*s", (int)strcspn(line, "\n"), line);
        assert_true(strlen(text[1]) > strlen(text[0]));
        line = strtok_r(text[1], " \n", &rest[1]);
        for (word = strtok_r(text[0], " \n", &rest[0]); word; word = strtok_r(NULL, " \n", &rest[0])) {
                assert_non_null(line);
                assert_string_equal(line, word);
                line = strtok_r(NULL, " \n", &rest[1]);
        }
        assert_null(line);
        free(text[0]);
        free(text[1]);
}

static void test_durations(void **state) {
        static const char *const bad[] = {"", "s", "1x", "0x10", "inf", "1s ", " 1s", "1e99", "-1", "1h1"};
        uint64_t ns;

        assert_int_equal(duration_parse("2", &ns), 0);
        assert_true(ns == UINT64_C(2000000000));
        assert_int_equal(duration_parse("10min", &ns), 0);
        assert_true(ns == UINT64_C(600000000000));
        assert_int_equal(duration_parse("1h30m", &ns), 0);
        assert_true(ns == UINT64_C(5400000000000));
        assert_int_equal(duration_parse("250ms", &ns), 0);
        assert_int_equal(ns, 250000000);
        for (size_t i = 0; i + 1 < sizeof(bad) / sizeof(bad[0]); i++)
                if (duration_parse(bad[i], &ns) == 0)
                        fail_msg("\"%s\" passed", bad[i]);
}

static void test_numbers(void **state) {
        static const struct {
                uint64_t value;
                const char *bytes, *count;
        } cases[] = {
                {0, "0B", "0"},
                {999, "999B", "999"},
                {1023, "1023B", "1023"},
                {1024, "1.0K", "1024"},
                {1536, "1.5K", "1536"},
                {9999, "9.8K", "9999"},
                {10000, "9.8K", "10.0k"},
                {UINT64_C(1048575), "1.0M", "1.0M"},
                {UINT64_C(1047000), "1022.5K", "1.0M"},
                {UINT64_C(999949), "976.5K", "999.9k"},
                {UINT64_C(999950), "976.5K", "1.0M"},
                {UINT64_MAX, "16.0E", "18.4E"},
        };
        char buf[FORMAT_MAX];

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                assert_string_equal(format_bytes(buf, cases[i].value), cases[i].bytes);
                assert_string_equal(format_short_count(buf, cases[i].value), cases[i].count);
        }
        assert_string_equal(format_net_bytes(buf, -1536), "-1.5K");
        assert_string_equal(format_net_bytes(buf, 1536), "+1.5K");
        assert_string_equal(format_net_bytes(buf, 0), "0B");
        assert_string_equal(format_net_bytes(buf, INT64_MIN), "-8.0E");
        assert_string_equal(format_ppm(buf, 999999), "99.99%");
        assert_string_equal(format_ppm(buf, 1000000), "100%");
        assert_string_equal(format_duration(buf, UINT64_C(7384000000000)), "2h 3min");
        assert_string_equal(format_duration(buf, 5000000), "5ms");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_verbs),
                cmocka_unit_test(test_places),
                cmocka_unit_test(test_run),
                cmocka_unit_test(test_values),
                cmocka_unit_test(test_columns),
                cmocka_unit_test(test_help),
                cmocka_unit_test(test_help_on_a_terminal),
                cmocka_unit_test(test_durations),
                cmocka_unit_test(test_numbers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
