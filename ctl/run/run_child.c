/* SPDX-License-Identifier: MIT */
/*
 * fork and exec of the command, and what it inherits.  Waiting for it is in run.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/run/run_child.h"

#define SHELL "/bin/sh"

/* -------------------------------------------------------------------------------------------------- finding -- */

static int check_file(const char *path) {
        struct stat st;

        if (stat(path, &st) < 0)
                return errno == ENOTDIR ? -ENOENT : -errno;
        if (!S_ISREG(st.st_mode))
                return S_ISDIR(st.st_mode) ? -EISDIR : -EACCES;
        return access(path, X_OK) < 0 ? -errno : 0;
}

int child_resolve(char ret_path[PATH_MAX], const char *name) {
        const char *search = getenv("PATH");
        char path[PATH_MAX];
        int result = -ENOENT, r;

        if (!*name)
                return -ENOENT;
        if (strchr(name, '/')) {
                if (snprintf(path, sizeof(path), "%s", name) >= PATH_MAX)
                        return -ENAMETOOLONG;
                r = check_file(path);
                if (r == 0)
                        memcpy(ret_path, path, PATH_MAX);
                return r;
        }
        if (!search)
                search = "/bin:/usr/bin"; /* what execvp takes */
        for (;;) {
                int length = (int)strcspn(search, ":");
                int written = snprintf(path, sizeof(path), "%.*s%s%s", length, search, length ? "/" : "./", name);

                r = written >= PATH_MAX ? -ENAMETOOLONG : check_file(path);
                if (r == 0) {
                        memcpy(ret_path, path, PATH_MAX);
                        return 0;
                }
                if (r == -EACCES)
                        result = r;
                if (!search[length])
                        return result;
                search += length + 1;
        }
}

/* ------------------------------------------------------------------------------------------------- starting -- */

/* From here to exec only async-signal-safe calls: the collector may have threads. */

struct start {
        const char *path;
        char *const *argv;
        char *const *environment;
        char **shell_argv;
        const struct child_inherited *inherited;
        int error_fd;
};

_Noreturn static void become(const struct start *start) {
        int error;

        sigaction(SIGCHLD, &start->inherited->sigchld, NULL);
        setrlimit(RLIMIT_NOFILE, &start->inherited->files);
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (start->inherited->closed_fds & 1u << fd)
                        close(fd);
        sigprocmask(SIG_SETMASK, &start->inherited->mask, NULL);
        execve(start->path, start->argv, start->environment);
        error = errno;
        if (error == ENOEXEC) {
                /* A script without a first line: as execvp does. */
                execve(SHELL, start->shell_argv, start->environment);
        }
        (void)!write(start->error_fd, &error, sizeof(error));
        _exit(127);
}

static char **make_shell_argv(const char *path, char *const *argv) {
        size_t count = 0;
        char **result;

        while (argv[count])
                count++;
        result = calloc(count + 2, sizeof(*result));
        if (!result)
                return NULL;
        result[0] = (char *)SHELL;
        result[1] = (char *)path;
        for (size_t i = 1; i < count; i++)
                result[i + 1] = argv[i];
        return result;
}

/* Waits for exec: 0, or its -errno.  The pipe closes with exec, also if another child was forked meanwhile. */
static int read_error(int fd, pid_t pid) {
        int error = 0;
        ssize_t n;

        do
                n = read(fd, &error, sizeof(error));
        while (n < 0 && errno == EINTR);
        if (n != sizeof(error))
                return 0;
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return -error;
}

int child_start(pid_t *ret_pid, const char *path, char *const *argv, char *const *environment,
                const struct child_inherited *inherited) {
        struct start start = {
                .path = path,
                .argv = argv,
                .environment = environment,
                .inherited = inherited,
        };
        int fds[2], r;
        pid_t pid;

        start.shell_argv = make_shell_argv(path, argv);
        if (!start.shell_argv)
                return -ENOMEM;
        if (pipe2(fds, O_CLOEXEC) < 0) {
                r = -errno;
                free(start.shell_argv);
                return r;
        }
        start.error_fd = fds[1];
        pid = fork();
        if (pid == 0)
                become(&start);
        r = pid < 0 ? -errno : 0;
        close(fds[1]);
        if (r == 0)
                r = read_error(fds[0], pid);
        close(fds[0]);
        free(start.shell_argv);
        if (r == 0)
                *ret_pid = pid;
        return r;
}
