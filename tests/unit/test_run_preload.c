/* SPDX-License-Identifier: MIT */
/*
 * The environment that `run` gives a command, and which libraries it takes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctl/run/preload_order.h"
#include "ctl/run/run_preload.h"

static const char *value(char **environment, const char *name) {
        size_t length = strlen(name);
        const char *found = NULL;

        for (; *environment; environment++)
                if (!strncmp(*environment, name, length) && (*environment)[length] == '=') {
                        assert_null(found); /* each once */
                        found = *environment + length + 1;
                }
        return found;
}

static void test_environment_empty(void **state) {
        const struct preload_settings settings = {.library = "/l/x.so", .socket = "/s"};
        char *none[] = {NULL}, **environment;

        assert_int_equal(preload_environment(&environment, none, &settings), 0);
        assert_string_equal(value(environment, "LD_PRELOAD"), "/l/x.so");
        assert_string_equal(value(environment, "SPANALLOC"), "1");
        assert_string_equal(value(environment, "SPANALLOC_SOCKET"), "/s");
        assert_null(value(environment, "SPANALLOC_ON_FULL"));
        assert_null(value(environment, "SPANALLOC_RING_KIB"));
        preload_environment_free(environment);
}

static void test_environment_replaces(void **state) {
        const struct preload_settings settings = {
                .library = "/l/x.so", .socket = "/s", .on_full = "wait", .ring_kib = 64};
        char *given[] = {"A=1",
                         "LD_PRELOAD=/a.so /b.so:/c.so",
                         "SPANALLOC=0",
                         "SPANALLOC_SOCKET=/t",
                         "SPANALLOC_ON_FULL=refuse",
                         "SPANALLOC_RING_KIB=1",
                         "B=",
                         "SPANALLOC_X=keep",
                         NULL};
        char **environment;

        assert_int_equal(preload_environment(&environment, given, &settings), 0);
        assert_string_equal(value(environment, "A"), "1");
        assert_string_equal(value(environment, "B"), "");
        assert_string_equal(value(environment, "SPANALLOC_X"), "keep");
        assert_string_equal(value(environment, "LD_PRELOAD"), "/l/x.so:/a.so:/b.so:/c.so");
        assert_string_equal(value(environment, "SPANALLOC"), "1");
        assert_string_equal(value(environment, "SPANALLOC_SOCKET"), "/s");
        assert_string_equal(value(environment, "SPANALLOC_ON_FULL"), "wait");
        assert_string_equal(value(environment, "SPANALLOC_RING_KIB"), "64");
        preload_environment_free(environment);
}

static void test_environment_keeps(void **state) {
        const struct preload_settings settings = {.library = "/l/x.so", .socket = "/s"};
        char *given[] = {"SPANALLOC_ON_FULL=wait", "SPANALLOC_RING_KIB=8", "LD_PRELOAD=", NULL}, **environment;

        assert_int_equal(preload_environment(&environment, given, &settings), 0);
        assert_string_equal(value(environment, "SPANALLOC_ON_FULL"), "wait");
        assert_string_equal(value(environment, "SPANALLOC_RING_KIB"), "8");
        assert_string_equal(value(environment, "LD_PRELOAD"), "/l/x.so");
        preload_environment_free(environment);
}

static void test_environment_once(void **state) {
        static const struct {
                const char *before, *after;
        } cases[] = {
                {"LD_PRELOAD=/l/x.so", "/l/x.so"},
                {"LD_PRELOAD=/a.so:/l/x.so", "/l/x.so:/a.so"},
                {"LD_PRELOAD=/l/x.so /a.so", "/l/x.so:/a.so"},
                {"LD_PRELOAD=/l/x.so.1", "/l/x.so:/l/x.so.1"},
                {"LD_PRELOAD=/k/l/x.so", "/l/x.so:/k/l/x.so"},
                /* Two copies would count twice. */
                {"LD_PRELOAD=/usr/lib/libspanalloc-malloc.so.0:/a.so libspanalloc-malloc.so", "/l/x.so:/a.so"},
        };
        const struct preload_settings settings = {.library = "/l/x.so", .socket = "/s"};

        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                char *given[] = {(char *)cases[i].before, NULL}, **environment;

                assert_int_equal(preload_environment(&environment, given, &settings), 0);
                assert_string_equal(value(environment, "LD_PRELOAD"), cases[i].after);
                preload_environment_free(environment);
        }
}

/* The file of a library that exports some of malloc's functions. */
static void make_library(char *path, const char *functions) {
        char command[512];

        assert_true(snprintf(command, sizeof(command),
                             "printf '%%s' '%s' | cc -w -shared -fPIC -fno-builtin -nostdlib -x c -o %s -", functions,
                             path) < (int)sizeof(command));
        assert_int_equal(system(command), 0);
}

/* An allocator comes behind the library, as a library that is none does; what must be first stays first. */
static void test_order(void **state) {
        char directory[] = "/tmp/sa-unit.XXXXXX", watcher[64], allocator[64], given[512], wanted[512];
        static const struct {
                const char *before, *after;
        } cases[] = {
                {"", "/l/x.so"},
                {" : ", "/l/x.so"},
                {"libjemalloc.so.2", "/l/x.so:libjemalloc.so.2"},
                {"%1$s", "%1$s:/l/x.so"},
                {"%2$s", "/l/x.so:%2$s"},
                {"%1$s:%2$s", "%1$s:/l/x.so:%2$s"},
                {"%2$s:%1$s", "/l/x.so:%2$s:%1$s"},
                {"%2$s:/l/x.so", "/l/x.so:%2$s"},
                {"libasan.so.8", "libasan.so.8:/l/x.so"},
                {"/usr/lib/libtsan.so.2:/a.so", "/usr/lib/libtsan.so.2:/l/x.so:/a.so"},
                {"liblsan.so.0 %1$s", "liblsan.so.0:%1$s:/l/x.so"},
                {"libclang_rt.asan-x86_64.so", "libclang_rt.asan-x86_64.so:/l/x.so"},
                {"libubsan.so.1", "/l/x.so:libubsan.so.1"},
                {"libasan.so.8:/l/x.so:/a.so", "libasan.so.8:/l/x.so:/a.so"},
        };

        assert_non_null(mkdtemp(directory));
        snprintf(watcher, sizeof(watcher), "%s/watcher.so", directory);
        snprintf(allocator, sizeof(allocator), "%s/allocator.so", directory);
        make_library(watcher, "int malloc, free;");
        make_library(allocator, "int malloc, free, malloc_usable_size;");
        for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
                char *text;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
                snprintf(given, sizeof(given), cases[i].before, watcher, allocator);
                snprintf(wanted, sizeof(wanted), cases[i].after, watcher, allocator);
#pragma GCC diagnostic pop
                text = preload_order(given, "/l/x.so");
                assert_string_equal(text, wanted);
                free(text);
        }
        unlink(watcher);
        unlink(allocator);
        rmdir(directory);
}

/* A program that would not bear it gets all but the library. */
static void test_environment_omits(void **state) {
        const struct preload_settings settings = {.library = "/l/x.so", .socket = "/s", .omit_library = true};
        char *none[] = {NULL}, *given[] = {"LD_PRELOAD=/usr/lib/libspanalloc-malloc.so.0:/a.so", NULL}, **environment;

        assert_int_equal(preload_environment(&environment, none, &settings), 0);
        assert_null(value(environment, "LD_PRELOAD"));
        assert_string_equal(value(environment, "SPANALLOC_SOCKET"), "/s");
        preload_environment_free(environment);
        assert_int_equal(preload_environment(&environment, given, &settings), 0);
        assert_string_equal(value(environment, "LD_PRELOAD"), "/a.so");
        preload_environment_free(environment);
}

static void test_find_given(void **state) {
        char directory[] = "/tmp/sa-unit.XXXXXX", path[PATH_MAX], found[PATH_MAX] = "untouched", error[PATH_MAX + 1024];
        static const char *const bad[] = {"with space", "with:colon"};
        FILE *file;

        assert_non_null(mkdtemp(directory));
        assert_int_equal(preload_find(found, directory, error, sizeof(error)), -EINVAL);
        snprintf(path, sizeof(path), "%s/missing", directory);
        assert_int_equal(preload_find(found, path, error, sizeof(error)), -ENOENT);
        assert_non_null(strstr(error, path));
        for (size_t i = 0; i < 2; i++) {
                snprintf(path, sizeof(path), "%s/%s", directory, bad[i]);
                file = fopen(path, "w");
                assert_non_null(file);
                fclose(file);
                assert_int_equal(preload_find(found, path, error, sizeof(error)), -EINVAL);
                assert_non_null(strstr(error, "splits LD_PRELOAD"));
                unlink(path);
        }
        snprintf(path, sizeof(path), "%s/good.so", directory);
        file = fopen(path, "w");
        assert_non_null(file);
        fclose(file);
        assert_int_equal(preload_find(found, path, error, sizeof(error)), 0);
        assert_string_equal(found, path);
        assert_int_equal(chdir(directory), 0);
        assert_int_equal(preload_find(found, "good.so", error, sizeof(error)), 0);
        assert_string_equal(found, path);
        assert_int_equal(preload_find(found, "./good.so", error, sizeof(error)), 0);
        assert_string_equal(found, path);
        unlink(path);
        rmdir(directory);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_environment_empty),
                cmocka_unit_test(test_environment_replaces),
                cmocka_unit_test(test_environment_keeps),
                cmocka_unit_test(test_environment_once),
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_environment_omits),
                cmocka_unit_test(test_find_given),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
