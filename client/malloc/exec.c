/* SPDX-License-Identifier: MIT */
/*
 * exec and posix_spawn, watched for a collector that wants to know of every program that its processes start
 * (`spanallocctl run`), also of those which will never attach: static ones, and ones whose environment was scrubbed.
 *
 * Each function is one branch while no collector asks.  Else it tells, and then does what it would have done.  That a
 * program is about to run is told only where there is an executable file; the exec may still fail, and the collector
 * looks again.  What happens here allocates nothing, keeps errno, and is right in a signal handler and between vfork
 * and exec, where all memory is the parent's: it writes to its own stack only.
 *
 * system(3) and popen(3) are not here: libc does their exec inside, and the shell that they start attaches by itself.
 */
#include <alloca.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/exec_notice.h"
#include "client/malloc/objects.h"
#include "client/thread.h"

#define EXPORT __attribute__((visibility("default")))

/* A path longer than this is told as it was given; the message has room for less. */
#define TOLD_PATH 512

#define OUR_FILE  "libspanalloc-malloc.so"

typedef int spawn_fn(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
                     char *const[], char *const[]);

static struct {
        int (*execve)(const char *, char *const[], char *const[]);
        int (*execvpe)(const char *, char *const[], char *const[]);
        int (*fexecve)(int, char *const[], char *const[]);
        spawn_fn *posix_spawn;
        spawn_fn *posix_spawnp;
} next;

/* Before any program code that could be between fork and exec in a process of many threads, where dlsym may not be
 * called.  An earlier constructor that calls exec comes through resolved(), alone as it is. */
__attribute__((constructor(102))) static void resolve(void) {
        next.execvpe = sa_next_function("execvpe");
        next.fexecve = sa_next_function("fexecve");
        next.posix_spawn = sa_next_function("posix_spawn");
        next.posix_spawnp = sa_next_function("posix_spawnp");
        next.execve = sa_next_function("execve");
}

static inline const __typeof__(next) *resolved(void) {
        if (sa_unlikely(!next.execve))
                resolve();
        return &next;
}

/* --------------------------------------------------------------------------------------------- what is told -- */

static bool scrubbed(char *const environment[]) {
        static const char name[] = "LD_PRELOAD=";

        for (size_t i = 0; environment && environment[i]; i++)
                if (!strncmp(environment[i], name, sizeof name - 1))
                        return !strstr(environment[i] + sizeof name - 1, OUR_FILE);
        return true;
}

/* `directory`/`path` in buf; false where it does not fit. */
static bool join(char buf[TOLD_PATH], const char *directory, size_t directory_length, const char *path) {
        size_t length = strlen(path);

        if (directory_length + 1 + length + 1 > TOLD_PATH)
                return false;
        if (buf != directory)
                memcpy(buf, directory, directory_length);
        buf[directory_length] = '/';
        memcpy(buf + directory_length + 1, path, length + 1);
        return true;
}

/* `path` from the root on, as far as that can be said in buf. */
static const char *absolute(char buf[TOLD_PATH], const char *path) {
        long length;

        if (*path == '/')
                return path;
        /* The system call itself: libc's getcwd may allocate. */
        length = syscall(SYS_getcwd, buf, TOLD_PATH);
        return length > 1 && join(buf, buf, (size_t)length - 1, path) ? buf : path;
}

static void tell(pid_t pid, const char *path, char *const environment[]) {
        char buf[TOLD_PATH];
        int error = errno;

        /* The kernel looks at the pointer before we do. */
        if (!access(path, X_OK))
                sa_root_tell_exec(pid, absolute(buf, path), scrubbed(environment));
        errno = error;
}

/* Where execvp would find `file`; NULL: nowhere. */
static const char *search(char buf[TOLD_PATH], const char *file) {
        const char *directory = getenv("PATH"), *end;

        if (strchr(file, '/'))
                return file;
        for (directory = directory ? directory : "/bin:/usr/bin"; directory; directory = *end ? end + 1 : NULL) {
                end = strchrnul(directory, ':');
                if (end == directory && !access(file, X_OK))
                        return file;
                if (end > directory && join(buf, directory, (size_t)(end - directory), file) && !access(buf, X_OK))
                        return buf;
        }
        return NULL;
}

static void tell_searched(pid_t pid, const char *file, char *const environment[]) {
        char buf[TOLD_PATH];
        int error = errno;
        const char *path = search(buf, file);

        if (path)
                tell(pid, path, environment);
        errno = error;
}

/* The path of descriptor `fd`, or of `path` beneath it. */
static void tell_fd(int fd, const char *path, char *const environment[]) {
        char link[sizeof "/proc/self/fd/" + 3 * sizeof fd], buf[TOLD_PATH];
        int error = errno;
        ssize_t length;

        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        length = readlink(link, buf, sizeof buf - 1);
        if (length > 0) {
                buf[length] = '\0';
                if (!*path || join(buf, buf, (size_t)length, path))
                        tell(0, buf, environment);
        }
        errno = error;
}

/* ----------------------------------------------------------------------------------------------------- exec -- */

static int do_execve(const char *path, char *const arguments[], char *const environment[]) {
        if (sa_unlikely(sa_root_is_eager()))
                tell(0, path, environment);
        return resolved()->execve(path, arguments, environment);
}

static int do_execvpe(const char *file, char *const arguments[], char *const environment[]) {
        if (sa_unlikely(sa_root_is_eager()))
                tell_searched(0, file, environment);
        return resolved()->execvpe(file, arguments, environment);
}

EXPORT int execve(const char *path, char *const arguments[], char *const environment[]) {
        return do_execve(path, arguments, environment);
}

EXPORT int execv(const char *path, char *const arguments[]) {
        return do_execve(path, arguments, environ);
}

EXPORT int execvpe(const char *file, char *const arguments[], char *const environment[]) {
        return do_execvpe(file, arguments, environment);
}

EXPORT int execvp(const char *file, char *const arguments[]) {
        return do_execvpe(file, arguments, environ);
}

EXPORT int fexecve(int fd, char *const arguments[], char *const environment[]) {
        if (sa_unlikely(sa_root_is_eager()))
                tell_fd(fd, "", environment);
        return resolved()->fexecve(fd, arguments, environment);
}

/* Straight to the kernel, as libc's does: not every libc has one to pass on to. */
EXPORT int execveat(int fd, const char *path, char *const arguments[], char *const environment[], int flags) {
        if (sa_unlikely(sa_root_is_eager())) {
                if (fd == AT_FDCWD || *path == '/')
                        tell(0, path, environment);
                else
                        tell_fd(fd, path, environment);
        }
        return (int)syscall(SYS_execveat, fd, path, arguments, environment, flags);
}

/* The length of a variadic exec's list, with the NULL at its end. */
static size_t list_length(const char *first, va_list list) {
        size_t length = 1;

        for (const char *argument = first; argument; argument = va_arg(list, const char *))
                length++;
        return length;
}

static void list_copy(char *array[], const char *first, va_list *list) {
        array[0] = (char *)first;
        for (size_t i = 0; array[i]; i++)
                array[i + 1] = va_arg(*list, char *);
}

/* Makes `array`, on the caller's stack, of the list after `first`, and leaves `list` behind its end. */
#define LIST_BEGIN(array, list, first)                                                                                 \
        do {                                                                                                           \
                va_start(list, first);                                                                                 \
                array = alloca(list_length(first, list) * sizeof *array);                                              \
                va_end(list);                                                                                          \
                va_start(list, first);                                                                                 \
                list_copy(array, first, &list);                                                                        \
        } while (0)

EXPORT int execl(const char *path, const char *first, ...) {
        char **arguments;
        va_list list;

        LIST_BEGIN(arguments, list, first);
        va_end(list);
        return do_execve(path, arguments, environ);
}

EXPORT int execlp(const char *file, const char *first, ...) {
        char **arguments;
        va_list list;

        LIST_BEGIN(arguments, list, first);
        va_end(list);
        return do_execvpe(file, arguments, environ);
}

EXPORT int execle(const char *path, const char *first, ...) {
        char **arguments, *const *environment;
        va_list list;

        LIST_BEGIN(arguments, list, first);
        environment = va_arg(list, char *const *);
        va_end(list);
        return do_execve(path, arguments, environment);
}

/* ---------------------------------------------------------------------------------------------------- spawn -- */

EXPORT int posix_spawn(pid_t *ret_pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[]) {
        bool eager = sa_root_is_eager();
        pid_t pid;
        int error;

        error = resolved()->posix_spawn(eager && !ret_pid ? &pid : ret_pid, path, actions, attributes, arguments,
                                        environment);
        if (sa_unlikely(eager) && !error)
                tell(ret_pid ? *ret_pid : pid, path, environment);
        return error;
}

EXPORT int posix_spawnp(pid_t *ret_pid, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[]) {
        bool eager = sa_root_is_eager();
        pid_t pid;
        int error;

        error = resolved()->posix_spawnp(eager && !ret_pid ? &pid : ret_pid, file, actions, attributes, arguments,
                                         environment);
        if (sa_unlikely(eager) && !error)
                tell_searched(ret_pid ? *ret_pid : pid, file, environment);
        return error;
}
