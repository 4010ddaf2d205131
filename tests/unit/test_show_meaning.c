/* SPDX-License-Identifier: MIT */
/*
 * The sentences of `show`, over answers made by hand: each is there when its case is, and no other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/verbs/show_meaning.h"
#include "tests/support/fake_table.h"

#define KIB 1024

struct fake {
        struct ctl ctl;
        struct show show;
        char *text;
};

static void set_up(struct fake *fake, size_t rows) {
        *fake = (struct fake){.show = {.name = "job"}};
        fake->show.ctl = &fake->ctl;
        fake->ctl.options.full = true; /* one line each, on a terminal too */
        fake->show.spans = fake_table("spans", rows, 0);
        fake->show.ps = fake_table("ps", rows, 0);
        for (size_t row = 0; row < rows; row++) {
                fake_text(fake->show.spans, row, "quality", "exact");
                fake_uint(fake->show.spans, row, "process", 10 + row);
                fake_uint(fake->show.ps, row, "process", 10 + row);
        }
}

static void tear_down(struct fake *fake) {
        table_free(fake->show.spans);
        table_free(fake->show.ps);
        free(fake->text);
}

static const char *meaning(struct fake *fake) {
        size_t size;
        FILE *stream;

        free(fake->text);
        stream = open_memstream(&fake->text, &size);
        assert_non_null(stream);
        show_meaning(&fake->show, stream);
        fclose(stream);
        return fake->text;
}

static void test_net(void **state) {
        struct fake fake;

        set_up(&fake, 1);
        fake_uint(fake.show.spans, 0, "calls", 4);
        fake_int(fake.show.spans, 0, "calls_net_bytes", 8 * KIB);
        fake_int(fake.show.spans, 0, "net_bytes", 8 * KIB);
        fake_int(fake.show.spans, 0, "process_net_bytes", 9 * KIB);
        assert_string_equal(
                meaning(&fake),
                "\nWith its children it allocates 8.0K more than it frees, about 2.0K per call that closed.\n"
                "Its process grew by 9.0K in the same time.\n"
                "What is kept may be in use on purpose, or be freed later, by another span or thread.\n"
                "If the growth goes on, look at what the code of this span keeps.\n");
        /* A span that has not closed has no number per call. */
        fake_uint(fake.show.spans, 0, "calls", 0);
        fake_int(fake.show.spans, 0, "calls_net_bytes", 0);
        assert_non_null(strstr(meaning(&fake), "it allocates 8.0K more than it frees.\n"));
        fake_int(fake.show.spans, 0, "process_net_bytes", -KIB);
        assert_string_equal(meaning(&fake), "\nWith its children it allocates 8.0K more than it frees.\n"
                                            "Its process does not grow by that: net -1.0K in the same time.\n"
                                            "So the rest of the process freed more than it allocated, perhaps blocks "
                                            "of this span, after its end.\n");
        fake_int(fake.show.spans, 0, "net_bytes", -8 * KIB);
        assert_string_equal(meaning(&fake), "\nWith its children it frees 8.0K more than it allocates: the blocks are "
                                            "from other spans, from outside of spans, or older.\n");
        fake_int(fake.show.spans, 0, "net_bytes", 0);
        assert_string_equal(meaning(&fake), "\nWith its children it frees as much as it allocates.\n");
        tear_down(&fake);
}

static void test_several(void **state) {
        struct fake fake;

        set_up(&fake, 2);
        for (size_t row = 0; row < 2; row++) {
                fake_uint(fake.show.spans, row, "calls", 1);
                fake_int(fake.show.spans, row, "calls_net_bytes", 4 * KIB);
                fake_int(fake.show.spans, row, "net_bytes", 4 * KIB);
                fake_int(fake.show.spans, row, "process_net_bytes", row ? 4 * KIB : 0);
        }
        assert_non_null(strstr(meaning(&fake),
                               "about 4.0K per call that closed.\nIts processes grew by 4.0K in the same time.\n"));
        fake_int(fake.show.spans, 1, "process_net_bytes", KIB);
        assert_non_null(strstr(meaning(&fake), "Its processes do not grow by that: net +1.0K in the same time.\n"));
        tear_down(&fake);
}

static void test_refused(void **state) {
        struct fake fake;

        set_up(&fake, 1);
        fake_uint(fake.show.spans, 0, "closed", 9);
        fake_int(fake.show.spans, 0, "net_bytes", 90 * KIB);
        fake_uint(fake.show.spans, 0, "calls", 2);
        fake_int(fake.show.spans, 0, "calls_net_bytes", 4 * KIB);
        fake_int(fake.show.spans, 0, "process_net_bytes", 4 * KIB);
        fake_uint(fake.show.spans, 0, "refused", 3);
        fake_uint(fake.show.ps, 0, "refused", 3);
        fake_uint(fake.show.ps, 0, "refused_depth", 3);
        assert_non_null(strstr(meaning(&fake),
                               "\nWith its children, in calls of which no part was refused, it allocates "
                               "4.0K more than it frees, about 2.0K per call that closed.\n"));
        assert_non_null(strstr(fake.text,
                               "\n3 enters or opens were refused, since a thread was in 64 spans at once: what "
                               "was allocated in them is lost, and not in these sums.\nTo avoid this, nest "
                               "its spans less than 64 deep, "));
        fake_uint(fake.show.ps, 0, "refused_depth", 0);
        assert_non_null(strstr(meaning(&fake), "since a ring was full: "));
        assert_non_null(strstr(fake.text, "\nTo avoid this, give it larger rings "));
        tear_down(&fake);
}

static void test_quality(void **state) {
        struct fake fake;

        set_up(&fake, 1);
        fake_uint(fake.show.spans, 0, "cycles", 5);
        fake_uint(fake.show.spans, 0, "migrated", 2);
        fake_uint(fake.show.spans, 0, "aborted", 1);
        assert_string_equal(meaning(&fake),
                            "\nWith its children it frees as much as it allocates.\n"
                            "2 of 5 cycles ended on another thread than they began on: their counts are those of the "
                            "thread that began them, up to that thread's next span call.\n"
                            "1 were open when their process or thread ended: their bytes are in the sums, and not in "
                            "the numbers per call.\n");
        fake_text(fake.show.spans, 0, "quality", "estimated");
        assert_non_null(strstr(meaning(&fake),
                               "\nThe numbers per call lack some calls, since too many spans were open at "
                               "once, or the histogram had no room. The sums have all calls.\n"));
        fake_text(fake.show.spans, 0, "quality", "mixed");
        assert_non_null(strstr(meaning(&fake), "\nCounts of other spans may be in these sums, "));
        assert_non_null(strstr(fake.text, "`spanallocctl doctor` says what to do.\n"));
        tear_down(&fake);
}

static void test_interval(void **state) {
        struct fake fake;
        char *text = NULL;
        size_t size;
        FILE *stream;

        set_up(&fake, 1);
        fake.ctl.options.since_ns = UINT64_C(60000000000);
        assert_non_null(strstr(meaning(&fake), "\nOver the last 1min:\nWith its children"));
        fake.show.spans->complete = false;
        assert_non_null(
                strstr(meaning(&fake), "\nSince the process attached, or since the last reset:\nWith its children"));
        stream = open_memstream(&text, &size);
        assert_non_null(stream);
        show_print_interval(&fake.show, stream);
        fake.show.spans->complete = true;
        show_print_interval(&fake.show, stream);
        fake.ctl.options.since_ns = 0;
        show_print_interval(&fake.show, stream);
        fclose(stream);
        assert_string_equal(text,
                            "Since the process attached, or since the last reset: no sums are kept from 1min ago.\n"
                            "Over the last 1min, or up to a minute more:\n");
        free(text);
        tear_down(&fake);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_net),     cmocka_unit_test(test_several),  cmocka_unit_test(test_refused),
                cmocka_unit_test(test_quality), cmocka_unit_test(test_interval),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
