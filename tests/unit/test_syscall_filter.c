/* SPDX-License-Identifier: MIT */
/* Which SystemCallFilter= kills a program for a system call of the library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/unit/syscall_filter.h"

static const char *const all[] = {
        "access",     "close",          "connect",  "faccessat",       "fcntl",   "fstat",      "fstatfs",
        "futex",      "getcwd",         "geteuid",  "get_robust_list", "getpid",  "getsockopt", "gettid",
        "madvise",    "mmap",           "mprotect", "mremap",          "munlock", "munmap",     "nanosleep",
        "newfstatat", "openat",         "ppoll",    "prctl",           "pread64", "read",       "readlinkat",
        "recvmsg",    "rt_sigprocmask", "sendto",   "sigaltstack",     "socket",  "tgkill",
};
#define ALL (sizeof(all) / sizeof(*all))

static struct syscall_filter all_but(size_t left_out) {
        struct syscall_filter filter = {.is_allow_list = true};

        for (size_t i = 0; i < ALL; i++)
                if (i != left_out)
                        syscall_filter_add(&filter, all[i]);
        return filter;
}

static void test_allow_list(void **state) {
        struct syscall_filter filter = all_but(ALL);

        assert_null(syscall_filter_kills(&filter));
        for (size_t i = 1; i < ALL; i++) {
                filter = all_but(i);
                assert_string_equal(syscall_filter_kills(&filter), all[i]);
                filter.answers = true;
                assert_null(syscall_filter_kills(&filter));
                if (syscall_filter_refuses(&filter))
                        assert_string_equal(syscall_filter_refuses(&filter), all[i]);
        }
        /* What is answered with an errno in a list that kills for all else. */
        filter = all_but(ALL);
        syscall_filter_add(&filter, "sendto:EACCES");
        assert_null(syscall_filter_kills(&filter));
        assert_string_equal(syscall_filter_refuses(&filter), "sendto");
        syscall_filter_add(&filter, "connect:kill");
        filter.answers = true;
        assert_string_equal(syscall_filter_kills(&filter), "connect");
}

static void test_deny_list(void **state) {
        struct syscall_filter filter = {0};

        syscall_filter_add(&filter, "mount");
        syscall_filter_add(&filter, "sendto:EPERM");
        syscall_filter_add(&filter, "sock");
        syscall_filter_add(&filter, "sockets");
        assert_null(syscall_filter_kills(&filter));
        assert_string_equal(syscall_filter_refuses(&filter), "sendto");
        syscall_filter_add(&filter, "socket:kill");
        assert_string_equal(syscall_filter_kills(&filter), "socket");
        filter.answers = true;
        assert_string_equal(syscall_filter_kills(&filter), "socket");
        filter = (struct syscall_filter){0};
        syscall_filter_add(&filter, "futex");
        assert_string_equal(syscall_filter_kills(&filter), "futex");
        filter.answers = true;
        assert_null(syscall_filter_kills(&filter));
        /* A program attaches without it. */
        assert_null(syscall_filter_refuses(&filter));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_allow_list),
                cmocka_unit_test(test_deny_list),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
