/* SPDX-License-Identifier: MIT */
/* Which settings of a unit hide a path from its programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/unit/unit_paths.h"

static void test_depth(void **state) {
        static const struct {
                const char *hides, *shows;
                bool is_hidden;
        } cases[] = {
                {"/run/spanalloc", NULL, true},
                {"/run", NULL, true},
                {"/", NULL, true},
                {"-/run/", NULL, true},
                {"+/run", NULL, true},
                {"", NULL, false},
                {"/run/span", NULL, false},
                {"/run/spanalloc/ingest.sock", NULL, false},
                {"/ru", NULL, false},
                {"/run", "/run/spanalloc", false},
                {"/run", "/run", false},
                {"/run/spanalloc", "/run", true},
                {"/run", "/run/other", true},
        };

        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                struct unit_paths paths = {.path = "/run/spanalloc"};

                if (cases[i].shows)
                        unit_paths_show(&paths, cases[i].shows);
                unit_paths_hide(&paths, "TemporaryFileSystem", cases[i].hides, false);
                assert_int_equal(unit_paths_is_hidden(&paths), cases[i].is_hidden);
        }
}

static void test_deepest_is_named(void **state) {
        struct unit_paths paths = {.path = "/run/user/1000/spanalloc"};

        unit_paths_hide(&paths, "NoExecPaths", "/run", false);
        unit_paths_hide(&paths, "ProtectHome", "/run/user", false);
        unit_paths_hide(&paths, "TemporaryFileSystem", "/", false);
        assert_true(unit_paths_is_hidden(&paths));
        assert_string_equal(paths.by, "ProtectHome");
        unit_paths_show(&paths, "/run/user/1000");
        assert_false(unit_paths_is_hidden(&paths));
        unit_paths_hide(&paths, "InaccessiblePaths", "/srv", true);
        assert_false(unit_paths_is_hidden(&paths));
        unit_paths_hide(&paths, "InaccessiblePaths", "/run", true);
        unit_paths_hide(&paths, "TemporaryFileSystem", "/run/user/1000/spanalloc", false);
        assert_true(unit_paths_is_hidden(&paths));
        assert_string_equal(paths.by, "InaccessiblePaths");
}

static void test_file(void **state) {
        char path[] = "/tmp/unit_paths.XXXXXX";
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        assert_int_equal(dprintf(fd, "# LD_PRELOAD=a\nLD_PRELOAD_PATH=b\n  NAME = c\nMALLOC_ARENA_MAX=1\n"), 63);
        assert_false(unit_file_sets(path, "LD_PRELOAD"));
        assert_true(unit_file_sets(path, "NAME"));
        assert_true(unit_file_sets(path, "MALLOC_ARENA_MAX"));
        assert_false(unit_file_sets("/nowhere/at/all", "NAME"));
        close(fd);
        unlink(path);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_depth),
                cmocka_unit_test(test_deepest_is_named),
                cmocka_unit_test(test_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
