/* SPDX-License-Identifier: MIT */
/*
 * The drop-in of `enable`: its text, and writing and removing its file.
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

#include "ctl/unit/dropin.h"

#define HEAD                                                                                                           \
        "# Written by `spanallocctl enable a.service`; `spanallocctl disable a.service` removes it.\n"                 \
        "[Service]\n"

static void says(const char *library, const char *preload, uint64_t ring_kib, const char *wanted) {
        char text[4096];

        assert_int_equal(dropin_text(text, sizeof(text),
                                     &(struct dropin_settings){"a.service", library, preload, ring_kib, false}),
                         0);
        assert_string_equal(text, wanted);
}

static void test_text(void **state) {
        char text[128], filtered[512];

        says("/usr/lib/m.so.0", "", 0, HEAD "Environment=\"LD_PRELOAD=/usr/lib/m.so.0\"\nEnvironment=SPANALLOC=1\n");
        says("/m", "", 64,
             HEAD "Environment=\"LD_PRELOAD=/m\"\nEnvironment=SPANALLOC=1\nEnvironment=SPANALLOC_RING_KIB=64\n");
        /* What was there stays behind, but for what must be first; another of ours does not. */
        says("/m", "/a.so b.so::/c.so", 0,
             HEAD "Environment=\"LD_PRELOAD=/m:/a.so:b.so:/c.so\"\nEnvironment=SPANALLOC=1\n");
        says("/m", "/x/libasan.so.8:libjemalloc.so.2", 0,
             HEAD "Environment=\"LD_PRELOAD=/x/libasan.so.8:/m:libjemalloc.so.2\"\nEnvironment=SPANALLOC=1\n");
        says("/m", "/old/libspanalloc-malloc.so.0:/a.so:libspanalloc-malloc.so", 0,
             HEAD "Environment=\"LD_PRELOAD=/m:/a.so\"\nEnvironment=SPANALLOC=1\n");
        /* What systemd would take apart. */
        says("/a%i\"b\\c", "", 0, HEAD "Environment=\"LD_PRELOAD=/a%%i\\\"b\\\\c\"\nEnvironment=SPANALLOC=1\n");
        assert_int_equal(dropin_text(filtered, sizeof(filtered),
                                     &(struct dropin_settings){
                                             .unit = "a.service", .library = "/m", .preload = "", .calls_pass = true}),
                         0);
        assert_non_null(strstr(filtered, "\nEnvironment=SPANALLOC=1\nEnvironment=SPANALLOC_SECCOMP=allow\n"));
        assert_int_equal(dropin_text(text, sizeof(text), &(struct dropin_settings){"a.service", "/m", "", 0, false}),
                         -ENAMETOOLONG);
}

static void test_file(void **state) {
        char config[] = "/tmp/dropin.XXXXXX", path[256], content[64] = "";
        struct dropin dropin;
        struct stat st;
        FILE *file;

        assert_non_null(mkdtemp(config));
        setenv("XDG_CONFIG_HOME", config, 1);
        assert_int_equal(dropin_init(&dropin, "a.service", true), 0);
        snprintf(path, sizeof(path), "%s/systemd/user/a.service.d/spanalloc.conf", config);
        assert_string_equal(dropin.path, path);
        assert_int_equal(dropin_remove(&dropin), -ENOENT);

        assert_int_equal(dropin_write(&dropin, "# Written by `spanallocctl enable a.service`\none\n"), 0);
        assert_int_equal(dropin_write(&dropin, "# Written by `spanallocctl enable a.service`\ntwo\n"), 0);
        file = fopen(path, "re");
        assert_non_null(file);
        assert_non_null(fgets(content, sizeof(content), file));
        assert_non_null(fgets(content, sizeof(content), file));
        assert_string_equal(content, "two\n");
        fclose(file);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0644);
        assert_int_equal(dropin_remove(&dropin), 0);
        assert_int_equal(stat(dropin.directory, &st), -1);

        /* A file that another program wrote is neither replaced nor removed. */
        assert_int_equal(dropin_write(&dropin, "[Service]\n"), 0);
        assert_int_equal(dropin_write(&dropin, "# Written by `spanallocctl enable a.service`\n"), -EEXIST);
        assert_int_equal(dropin_remove(&dropin), -EEXIST);
        assert_int_equal(unlink(path), 0);
        for (char *slash; strlen(path) > strlen(config); *slash = '\0') {
                slash = strrchr(path, '/');
                if (slash != path + strlen(path))
                        rmdir(path);
        }
        rmdir(config);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_text),
                cmocka_unit_test(test_file),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
