/* SPDX-License-Identifier: MIT */
/*
 * doctor and the sentences on memory, over answers made by hand; and the small drawings.
 */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/output/bars.h"
#include "ctl/output/distribution.h"
#include "ctl/output/memory.h"
#include "ctl/output/text.h"
#include "ctl/verbs/doctor.h"
#include "tests/support/fake_table.h"

#define MIB (UINT64_C(1) << 20)

static const struct doctor_finding *find(const struct doctor *doctor, const char *check, enum doctor_state state) {
        for (size_t i = 0; i < doctor->count; i++)
                if (!strcmp(doctor->findings[i].check, check) && doctor->findings[i].state == state)
                        return &doctor->findings[i];
        return NULL;
}

static size_t problems(const struct doctor *doctor) {
        size_t n = 0;

        for (size_t i = 0; i < doctor->count; i++)
                n += doctor->findings[i].state == DOCTOR_PROBLEM;
        return n;
}

static void test_kernel(void **state) {
        struct doctor doctor = {0};

        doctor_kernel(&doctor, "6.1.0-18-amd64");
        doctor_kernel(&doctor, "5.16.0");
        assert_int_equal(problems(&doctor), 0);
        doctor_kernel(&doctor, "5.15.9");
        doctor_kernel(&doctor, "4.19");
        assert_int_equal(problems(&doctor), 2);
        doctor_kernel(&doctor, "what");
        assert_non_null(find(&doctor, "kernel", DOCTOR_NOTE));
        doctor_deinit(&doctor);
}

static void test_collector(void **state) {
        struct table *status = fake_table("status", 1, 0);
        struct doctor doctor = {0};

        fake_text(status, 0, "version", "1.2.3");
        fake_text(status, 0, "backend", "io_uring");
        doctor_collector(&doctor, status, "1.2.3");
        assert_int_equal(problems(&doctor), 0);
        assert_null(find(&doctor, "backend", DOCTOR_NOTE));
        doctor_deinit(&doctor);

        fake_text(status, 0, "backend", "poll");
        fake_text(status, 0, "backend_why", "Operation not permitted");
        fake_uint(status, 0, "refused", 12);
        fake_uint(status, 0, "lost_alloc_bytes", 3 * MIB);
        fake_uint(status, 0, "ring_fill_ppm", 900000);
        fake_uint(status, 0, "evicted", 1);
        fake_uint(status, 0, "processes", 100);
        doctor_collector(&doctor, status, "1.2.4");
        assert_int_equal(problems(&doctor), 4); /* versions, drops, rings, evicted */
        assert_non_null(strstr(find(&doctor, "versions", DOCTOR_PROBLEM)->text, "spanallocd is 1.2.3"));
        assert_non_null(strstr(find(&doctor, "drops", DOCTOR_PROBLEM)->text, "3.0M"));
        assert_non_null(strstr(find(&doctor, "drops", DOCTOR_PROBLEM)->advice, "ring-kib"));
        assert_non_null(strstr(find(&doctor, "backend", DOCTOR_NOTE)->text, "not permitted"));
        for (size_t i = 0; i < doctor.count; i++) /* each problem comes with an advice */
                assert_true(doctor.findings[i].state == DOCTOR_OK || *doctor.findings[i].advice);
        doctor_descriptors(&doctor, status, 0);
        assert_null(find(&doctor, "files", DOCTOR_OK));
        doctor_descriptors(&doctor, status, 1000);
        assert_non_null(find(&doctor, "files", DOCTOR_OK));
        doctor_descriptors(&doctor, status, 500);
        assert_non_null(find(&doctor, "files", DOCTOR_PROBLEM));
        doctor_deinit(&doctor);
        table_free(status);
}

static struct table *one_process(uint64_t rss, int64_t net, uint64_t unit, uint64_t limit) {
        struct table *ps = fake_table("ps", 1, 0);

        fake_cell(ps, 0, "alive")->b = true;
        fake_cell(ps, 0, "balanced")->b = true;
        fake_text(ps, 0, "comm", "web");
        fake_text(ps, 0, "unit", "web.service");
        fake_text(ps, 0, "counting", "libspanalloc-malloc");
        fake_uint(ps, 0, "pid", 7);
        fake_uint(ps, 0, "coverage_ppm", 1000000);
        fake_uint(ps, 0, "rss_bytes", rss + 500 * MIB); /* shared memory and files: not malloc's */
        fake_uint(ps, 0, "rss_anon_bytes", rss);
        fake_int(ps, 0, "net_bytes", net);
        fake_uint(ps, 0, "unit_memory_bytes", unit);
        fake_uint(ps, 0, "unit_memory_limit_bytes", limit);
        return ps;
}

static void test_memory(void **state) {
        static const struct {
                uint64_t rss;
                int64_t net;
                uint64_t unit, limit;
                const char *process, *service; /* "": nothing is said */
        } cases[] = {
                {100 * MIB, (int64_t)(80 * MIB), 120 * MIB, 1000 * MIB, "", ""},
                {100 * MIB, (int64_t)(80 * MIB), 0, 0, "", ""},
                {500 * MIB, (int64_t)(80 * MIB), 510 * MIB, 0,
                 "500.0M resident, without files and shared memory, and 80.0M of it", "uses 510.0M, and 80.0M"},
                {100 * MIB, (int64_t)(300 * MIB), 120 * MIB, 0, "300.0M in its books, and only 100.0M resident", ""},
                {100 * MIB, (int64_t)(80 * MIB), 950 * MIB, 1000 * MIB, "", "uses 950.0M of the 1000.0M that it may"},
                {100 * MIB, -(int64_t)(80 * MIB), 0, 0,
                 "100.0M resident, without files and shared memory, and 0B of it", ""},
        };
        char text[MEMORY_TEXT_MAX];

        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                struct table *ps = one_process(cases[i].rss, cases[i].net, cases[i].unit, cases[i].limit);

                memory_of_process(ps, 0, text);
                assert_true(*cases[i].process ? strstr(text, cases[i].process) != NULL : !*text);
                memory_of_unit(ps, 0, text);
                assert_true(*cases[i].service ? strstr(text, cases[i].service) != NULL : !*text);
                fake_text(ps, 0, "counting", "nothing: libspanalloc-malloc is not loaded");
                assert_string_equal(memory_of_process(ps, 0, text), "");
                table_free(ps);
        }
}

static void test_processes(void **state) {
        struct table *ps = one_process(100 * MIB, (int64_t)(80 * MIB), 0, 0), *none = fake_table("ps", 0, 0);
        struct doctor doctor = {0};

        doctor_processes(&doctor, ps);
        assert_int_equal(problems(&doctor), 0);
        assert_non_null(strstr(find(&doctor, "process", DOCTOR_OK)->text, "web[7]"));
        fake_text(ps, 0, "counting",
                  "libspanalloc-malloc; in a seccomp filter: threads and processes that it starts there may not be "
                  "counted");
        doctor_processes(&doctor, ps);
        assert_int_equal(problems(&doctor), 0);
        assert_non_null(strstr(find(&doctor, "process", DOCTOR_NOTE)->text, "in a seccomp filter"));
        assert_non_null(strstr(find(&doctor, "process", DOCTOR_NOTE)->advice, "restart the program"));
        fake_text(ps, 0, "counting", "nothing: libspanalloc-malloc is not loaded");
        fake_cell(ps, 0, "balanced")->b = false;
        fake_uint(ps, 0, "coverage_ppm", 500000);
        fake_uint(ps, 0, "lost_alloc_bytes", 1);
        doctor_processes(&doctor, ps);
        assert_int_equal(problems(&doctor), 3);
        assert_non_null(strstr(find(&doctor, "coverage", DOCTOR_PROBLEM)->text, "since no collector had booked it"));
        assert_string_equal(find(&doctor, "coverage", DOCTOR_PROBLEM)->advice, "nothing to do");
        doctor_processes(&doctor, none);
        assert_non_null(find(&doctor, "process", DOCTOR_NOTE));
        doctor_deinit(&doctor);
        table_free(ps);
        table_free(none);
}

static void test_drawings(void **state) {
        struct distribution d = {0};
        struct table *t = fake_table("spans", 1, 0);
        char buf[BARS_MAX], line[DISTRIBUTION_LINE_MAX], *text = NULL;
        size_t size;
        FILE *stream;

        assert_string_equal(bars_fill(buf, 1, 3), "███");
        assert_string_equal(bars_fill(buf, 0.5, 3), "█▌");
        assert_string_equal(bars_fill(buf, 0, 3), "");
        assert_string_equal(bars_fill(buf, 1e-9, 3), "▏");
        assert_string_equal(bars_fill(buf, 7, 2), "██");
        assert_string_equal(bars_level(0), "▁");
        assert_string_equal(bars_level(1e-9), "▂");
        assert_string_equal(bars_level(1), "█");
        assert_string_equal(bars_level(2), "█");

        distribution_add(&d, NULL);
        assert_int_equal(d.total, 0);
        fake_entry(t, 0, "per_call_histogram", "0", 1);
        fake_entry(t, 0, "per_call_histogram", "8", 3);
        distribution_add(&d, table_map(t, 0, "per_call_histogram"));
        assert_int_equal(d.first, 0);
        assert_int_equal(d.last, 3);
        assert_string_equal(distribution_line(&d, 3, 4, line), "      8B  ████        3  75.0%");
        assert_string_equal(distribution_line(&d, 0, 4, line), "      0B  █▍          1  25.0%");
        table_free(t);

        stream = open_memstream(&text, &size);
        text_print_wrapped(stream, "one two three four", 2, 9);
        text_print_wrapped(stream, "one two", 2, 0);
        text_print_wrapped(stream, "longerthanall x", 0, 4);
        fclose(stream);
        assert_string_equal(text, "one two\n  three\n  four\none two\nlongerthanall\nx\n");
        free(text);
}

/* ------------------------------------------------------------------------------------------- one program -- */

static void expect_program(const struct program_facts *facts, enum doctor_state wanted, const char *text,
                           const char *advice) {
        struct doctor doctor = {0};

        doctor_program(&doctor, facts);
        assert_int_equal(doctor.count, 1);
        assert_int_equal(doctor.findings[0].state, wanted);
        assert_non_null(strstr(doctor.findings[0].text, text));
        assert_non_null(strstr(doctor.findings[0].advice, advice));
        doctor_deinit(&doctor);
}

static void test_spans(void **state) {
        struct table *t = fake_table("spans", 3, 0);
        struct doctor doctor = {0};

        fake_text(t, 0, "quality", "lost");
        doctor_spans(&doctor, t);
        assert_int_equal(doctor.count, 0);
        for (size_t row = 1; row < 3; row++) {
                fake_text(t, row, "span", "job");
                fake_text(t, row, "quality", "mixed");
        }
        doctor_spans(&doctor, t);
        assert_int_equal(doctor.count, 1);
        assert_non_null(strstr(find(&doctor, "spans", DOCTOR_NOTE)->text, "2 rows of spans are mixed, \"job\""));
        doctor_deinit(&doctor);
        table_free(t);
}

/* Of several reasons the first that the program itself would meet. */
static void test_program(void **state) {
        struct program_facts facts = {
                .pid = 7, .comm = "job", .socket = "/x/ingest.sock", .collector = 900, .uid = 1000, .owner = (uid_t)-1};

        expect_program(&facts, DOCTOR_NOTE, "no permission to read its files in /proc", "as root");
        facts.seen = true;
        expect_program(&facts, DOCTOR_PROBLEM, "neither libspanalloc nor", "spanallocctl run -- COMMAND");
        strcpy(facts.unit, "job.service");
        expect_program(&facts, DOCTOR_PROBLEM, "neither libspanalloc nor", "enable --now job.service");
        facts.names_counters = true;
        expect_program(&facts, DOCTOR_PROBLEM, "was not loaded", "static");
        facts.has_counters = facts.is_off = true;
        expect_program(&facts, DOCTOR_PROBLEM, "SPANALLOC=0", "without");
        facts.is_off = false;
        facts.seccomp_mode = 2;
        expect_program(&facts, DOCTOR_PROBLEM, "seccomp filter could kill it",
                       "`spanallocctl enable job.service` says");
        facts.calls_pass = true;
        /* A filter that lets calls pass is named where nothing else is known to keep it. */
        expect_program(&facts, DOCTOR_PROBLEM, "/x/ingest.sock, where none is", "SPANALLOC_SOCKET=");
        facts.socket_exists = true;
        expect_program(&facts, DOCTOR_PROBLEM, "does not trust the collector", "/run/spanalloc");
        facts.owner = facts.collector;
        expect_program(&facts, DOCTOR_NOTE, "has a seccomp filter: either", "enable job.service` says");
        *facts.unit = 0;
        expect_program(&facts, DOCTOR_NOTE, "has a seccomp filter: either", "restart it while the collector runs");
        facts.calls_pass = facts.socket_exists = false;
        facts.owner = (uid_t)-1;
        expect_program(&facts, DOCTOR_PROBLEM, "seccomp filter could kill it", "SPANALLOC_SECCOMP=allow");
        facts.seccomp_mode = 1;
        expect_program(&facts, DOCTOR_PROBLEM, "strict mode", "before it enters the mode");
        facts.seccomp_mode = 0;
        expect_program(&facts, DOCTOR_PROBLEM, "/x/ingest.sock, where none is", "SPANALLOC_SOCKET=");
        facts.socket_exists = facts.socket_is_other = true;
        expect_program(&facts, DOCTOR_NOTE, "another one, at /x/ingest.sock", "--socket");
        facts.socket_is_other = false;
        expect_program(&facts, DOCTOR_PROBLEM, "the collector is user 900, and a program trusts", "/run/spanalloc");
        facts.other_user_namespace = true;
        expect_program(&facts, DOCTOR_PROBLEM, "(it is in a user namespace)", "/run/spanalloc");

        /* Root, the program's own user, the owner of its /run/spanalloc. */
        facts.owner = 900;
        expect_program(&facts, DOCTOR_NOTE, "it is able to attach", "64 allocations");
        facts.owner = 0;
        facts.collector = 1000;
        expect_program(&facts, DOCTOR_NOTE, "it is able to attach", "64 allocations");
        facts.collector = 0;
        expect_program(&facts, DOCTOR_NOTE, "it is able to attach", "64 allocations");
        facts.no_new_privs = true;
        expect_program(&facts, DOCTOR_NOTE, "set no_new_privs", "restart it while the collector runs");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_kernel), cmocka_unit_test(test_program),   cmocka_unit_test(test_collector),
                cmocka_unit_test(test_memory), cmocka_unit_test(test_processes), cmocka_unit_test(test_drawings),
                cmocka_unit_test(test_spans),
        };

        if (!setlocale(LC_CTYPE, "C.UTF-8"))
                return 77;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
