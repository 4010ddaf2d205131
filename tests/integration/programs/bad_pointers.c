/* SPDX-License-Identifier: MIT */
/*
 * Gives bad pointers to the functions that spanalloc stands before, each in a child of its own, and prints what comes of it.
 *
 *     bad_pointers
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define TARGET "/bin/true"

static char *arguments[] = {"true", NULL};
static char *bad; /* the case's */

static char *const *bad_list(void) {
        return (char *const *)(void *)bad;
}

/* The ways to use it.  Each returns -1 and sets errno, or an errno. */

static long use_execve_path(void) {
        return execve(bad, arguments, environ);
}

static long use_execve_arguments(void) {
        return execve(TARGET, bad_list(), environ);
}

static long use_execve_environment(void) {
        return execve(TARGET, arguments, bad_list());
}

static long use_execve_entry(void) {
        char *list[] = {"A=b", bad, NULL};

        return execve(TARGET, arguments, list);
}

static long use_execve_entries(void) {
        /* The end of the list is missing. */
        char **list = (char **)(void *)(bad - sizeof *list);

        if ((uintptr_t)bad < 4096)
                return 0;
        *list = "A=b";
        return execve(TARGET, arguments, list);
}

static long use_execv_environ(void) {
        environ = (char **)(void *)bad;
        return execv(TARGET, arguments);
}

static long use_execl(void) {
        return execl(bad, "true", (char *)NULL);
}

static long use_execle(void) {
        return execle(TARGET, "true", bad, (char *)NULL, environ);
}

static long use_execvp(void) {
        return execvp(bad, arguments);
}

static long use_execvpe_environment(void) {
        return execvpe("true", arguments, bad_list());
}

static long use_execveat_path(void) {
        return execveat(AT_FDCWD, bad, arguments, environ, 0);
}

static long use_execveat_relative(void) {
        return execveat(open("/bin", O_RDONLY), bad, arguments, environ, 0);
}

static long use_execveat_empty(void) {
        return execveat(open(TARGET, O_RDONLY), bad, arguments, environ, AT_EMPTY_PATH);
}

static long use_execveat_environment(void) {
        return execveat(AT_FDCWD, TARGET, arguments, bad_list(), 0);
}

static long use_fexecve_environment(void) {
        return fexecve(open(TARGET, O_RDONLY), arguments, bad_list());
}

static long spawned(int error, pid_t pid) {
        int status = 0;

        if (!error && waitpid(pid, &status, 0) == pid)
                printf("(child: %d) ", status);
        return error;
}

static long use_posix_spawn_path(void) {
        pid_t pid = 0;
        int error = posix_spawn(&pid, bad, NULL, NULL, arguments, environ);

        return spawned(error, pid);
}

static long use_posix_spawn_environment(void) {
        pid_t pid = 0;
        int error = posix_spawn(&pid, TARGET, NULL, NULL, arguments, bad_list());

        return spawned(error, pid);
}

static long use_posix_spawnp_environment(void) {
        pid_t pid = 0;
        int error = posix_spawnp(&pid, "true", NULL, NULL, arguments, bad_list());

        return spawned(error, pid);
}

static long use_filter(void) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, bad, 0, 0);
}

static long use_filter_syscall(void) {
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, bad);
}

static long use_name(void) {
        return prctl(PR_SET_NAME, bad, 0, 0, 0);
}

static long use_open(void) {
        return syscall(SYS_openat, AT_FDCWD, bad, O_RDONLY);
}

static long use_exec_syscall(void) {
        return syscall(SYS_execve, TARGET, arguments, bad);
}

static long use_dlsym(void) {
        return dlsym(RTLD_DEFAULT, bad) ? 0 : ENOENT;
}

static long use_posix_memalign(void) {
        return posix_memalign((void **)(void *)bad, 64, 64);
}

static const struct {
        const char *name;
        long (*use)(void);
} uses[] = {
#define USE(name)                                                                                                      \
        { #name, use_##name }
        USE(execve_path),
        USE(execve_arguments),
        USE(execve_environment),
        USE(execve_entry),
        USE(execve_entries),
        USE(execv_environ),
        USE(execl),
        USE(execle),
        USE(execvp),
        USE(execvpe_environment),
        USE(execveat_path),
        USE(execveat_relative),
        USE(execveat_empty),
        USE(execveat_environment),
        USE(fexecve_environment),
        USE(posix_spawn_path),
        USE(posix_spawn_environment),
        USE(posix_spawnp_environment),
        USE(filter),
        USE(filter_syscall),
        USE(name),
        USE(open),
        USE(exec_syscall),
        USE(dlsym),
        USE(posix_memalign),
};

static void try_use(size_t i, const char *kind) {
        int status;
        pid_t pid;

        printf("%s, %s: ", uses[i].name, kind);
        fflush(stdout);
        pid = fork();
        if (!pid) {
                long r;

                errno = 0;
                r = uses[i].use();
                printf("%ld %s ", r, strerror(errno));
                fflush(stdout);
                _exit(0);
        }
        if (waitpid(pid, &status, 0) != pid)
                exit(99);
        printf("%d\n", status);
        fflush(stdout);
}

/* A text without an end, right before memory that cannot be read. */
static char *unended(char *page) {
        memset(page + 4096 - 100, 'x', 100);
        return page + 4096 - 100;
}

int main(void) {
        char *pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        struct {
                const char *name;
                char *pointer;
        } kinds[] = {{"a small number", (char *)8},
                     {"no memory", NULL},
                     {"memory that cannot be read", NULL},
                     {"a text without an end", NULL},
                     {"not an address", (char *)(UINT64_C(1) << 62)}};

        if (pages == MAP_FAILED || mprotect(pages + 4096, 4096, PROT_NONE) < 0)
                return 98;
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        kinds[2].pointer = pages + 4096;
        kinds[3].pointer = unended(pages);
        for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
                bad = kinds[kind].pointer;
                for (size_t i = 0; i < sizeof uses / sizeof *uses; i++)
                        try_use(i, kinds[kind].name);
        }
        return 0;
}
