/* SPDX-License-Identifier: MIT */
/*
 * Leaves its user or its root directory.
 *
 *     run_leaves user                becomes user 65534, forks a child that allocates
 *     run_leaves root DIR [PROGRAM]  the same after chroot to DIR; runs PROGRAM there
 *     run_leaves shut                forks a child that can open no descriptor, and so cannot attach
 *     run_leaves wait                waits for a byte from stdin
 */
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void *volatile sink;

static int become_nobody(void) {
        return setgroups(0, NULL) || setgid(65534) || setuid(65534);
}

static int fork_one(void) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                sink = malloc(12345);
                _exit(0);
        }
        return pid < 0 || waitpid(pid, &status, 0) != pid || status;
}

int main(int argc, char **argv) {
        const char *mode = argc > 1 ? argv[1] : "";
        char byte;

        sink = malloc(1000);
        if (!strcmp(mode, "wait"))
                return read(STDIN_FILENO, &byte, 1) != 1;
        if (!strcmp(mode, "shut"))
                return setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, 0}) || fork_one();
        if (!strcmp(mode, "root") && (argc < 3 || chroot(argv[2]) || chdir("/")))
                return 3;
        if (become_nobody() || fork_one())
                return 4;
        if (argc > 3) {
                execl(argv[3], argv[3], NULL);
                return 5;
        }
        return 0;
}
