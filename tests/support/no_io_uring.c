/* SPDX-License-Identifier: MIT */
/*
 * no_io_uring COMMAND…: runs it, and all that it starts, under a seccomp filter that refuses io_uring_setup with EPERM,
 * as many containers do.  no_io_uring --probe: 0 when io_uring can be had here, 1 when not.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int refuse_io_uring(void) {
        struct sock_filter code[] = {
                BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
                BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = {sizeof code / sizeof *code, code};

        /* Without no_new_privs where we may: with it, tests of setuid programs would show nothing. */
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0)
                return 0;
        if (errno != EACCES || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

static int probe(void) {
        struct io_uring_params params = {0};

        return syscall(SYS_io_uring_setup, 2, &params) < 0 ? 1 : 0;
}

int main(int argc, char **argv) {
        int r;

        if (argc < 2) {
                fprintf(stderr, "usage: no_io_uring COMMAND... | --probe\n");
                return 2;
        }
        if (strcmp(argv[1], "--probe") == 0)
                return probe();
        r = refuse_io_uring();
        if (r < 0) {
                fprintf(stderr, "no_io_uring: cannot install the filter: %s\n", strerror(-r));
                return 125;
        }
        setenv("SPANALLOC_TEST_FILTER", "errno", 1);
        execvp(argv[1], argv + 1);
        fprintf(stderr, "no_io_uring: %s: %s\n", argv[1], strerror(errno));
        return 127;
}
