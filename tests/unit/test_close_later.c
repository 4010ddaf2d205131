/* SPDX-License-Identifier: MIT */
/*
 * Large files in memory are closed in a thread, small ones at once.
 *
 * Labels: tsan
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/host/close_later.h"

enum { LARGE = 8 << 20, COUNT = 12 };

static int file_of(size_t size) {
        int fd = memfd_create("file", MFD_CLOEXEC);

        assert_true(fd >= 0);
        assert_int_equal(posix_fallocate(fd, 0, (off_t)size), 0);
        return fd;
}

static int is_open(int fd) {
        return fcntl(fd, F_GETFD) >= 0;
}

static void test_small(void **state) {
        int fd = file_of(4096);

        close_later(fd);
        assert_false(is_open(fd));
}

static void test_large(void **state) {
        int fds[COUNT];

        for (int round = 0; round < 3; round++) {
                for (int i = 0; i < COUNT; i++)
                        fds[i] = file_of(LARGE);
                for (int i = 0; i < COUNT; i++)
                        close_later(fds[i]);
                for (int i = 0; i < COUNT; i++)
                        for (int waited = 0; is_open(fds[i]); waited++) {
                                assert_true(waited < 60000);
                                usleep(1000);
                        }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_small), cmocka_unit_test(test_large)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
