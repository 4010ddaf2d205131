/* SPDX-License-Identifier: MIT */
/*
 * Runs a program through one function of the exec and spawn family, with an environment that has nothing in it.
 *
 *     malloc_exec FUNCTION PATH
 *
 * An exec function is called in a child made by vfork, except execveat, which is called in place.  The end is PATH's.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *none[] = {NULL};
static char *arguments[] = {"malloc_exec_target", "one", "two", NULL};

static int by_function(const char *function, char *path) {
        char *file = strrchr(path, '/') + 1;

        if (!strcmp(function, "execve"))
                return execve(path, arguments, none);
        if (!strcmp(function, "execv"))
                return execv(path, arguments);
        if (!strcmp(function, "execvp"))
                return execvp(file, arguments);
        if (!strcmp(function, "execvpe"))
                return execvpe(file, arguments, none);
        if (!strcmp(function, "execl"))
                return execl(path, arguments[0], "one", "two", (char *)NULL);
        if (!strcmp(function, "execlp"))
                return execlp(file, arguments[0], "one", "two", (char *)NULL);
        if (!strcmp(function, "execle"))
                return execle(path, arguments[0], "one", "two", (char *)NULL, none);
        if (!strcmp(function, "fexecve"))
                return fexecve(open(path, O_RDONLY | O_CLOEXEC), arguments, none);
        if (!strcmp(function, "execveat"))
                return execveat(AT_FDCWD, path, arguments, none, 0);
        return -1;
}

static int spawned(const char *function, char *path, pid_t *ret_pid) {
        if (!strcmp(function, "posix_spawn"))
                return posix_spawn(ret_pid, path, NULL, NULL, arguments, none);
        if (!strcmp(function, "posix_spawnp"))
                return posix_spawnp(ret_pid, strrchr(path, '/') + 1, NULL, NULL, arguments, none);
        return -1;
}

int main(int argc, char **argv) {
        char *function = argv[1], *path = argv[2], *search;
        int status = -1;
        pid_t pid;

        if (argc != 3 || *path != '/')
                return 99;
        /* What must fail, fails, and as it does without us. */
        errno = 0;
        if (execl("/nonexistent/program", "program", (char *)NULL) != -1 || errno != ENOENT)
                return 98;
        if (posix_spawn(&pid, "/nonexistent/program", NULL, NULL, arguments, none) != ENOENT)
                return 97;
        clearenv();
        search = strdup(path);
        if (strchr("pP", function[strlen(function) - 1]) || !strcmp(function, "execvpe"))
                setenv("PATH", dirname(search), 1);

        if (!strcmp(function, "execveat"))
                return by_function(function, path) ? 96 : 0;
        if (!strncmp(function, "posix", 5)) {
                if (spawned(function, path, &pid))
                        return 95;
        } else {
                pid = vfork();
                if (!pid) {
                        by_function(function, path);
                        _exit(94);
                }
        }
        if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
                return 93;
        return WEXITSTATUS(status);
}
