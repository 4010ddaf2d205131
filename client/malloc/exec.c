/* SPDX-License-Identifier: MIT */
/*
 * exec and posix_spawn, watched for a collector that wants to know of every program that its processes start
 * (`spanallocctl run`), also of those which will never attach: static ones, and ones whose environment was scrubbed.
 *
 * While no collector asks, nothing is told.  That a program is about to run is told only where there is an executable
 * file; the exec may still fail, and the collector looks again.  And a program that does not bear this library, as one
 * with a sanitizer does not, gets an environment without it (target.h).  What happens here allocates nothing, keeps
 * errno, and is right in a signal handler and between vfork and exec, where all memory is the parent's: it writes to its own
 * stack, and marks that it is in a system call.
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
#include <unistd.h>

#include "client/gate/thread.h"
#include "client/malloc/objects.h"
#include "client/malloc/readable.h"
#include "client/malloc/target.h"
#include "client/process/exec_notice.h"
#include "client/segment/lease.h"

#define EXPORT __attribute__((visibility("default")))

/* A path longer than this is told as it was given; the message has room for less. */
#define TOLD_PATH 512

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

/* A system call where the process may make one; -EPERM. */
static long ask(long number, long a, long b, long c, long d) {
        struct sa_thread *self = &sa_self;
        long r;

        if (!sa_may_call(self))
                return -EPERM;
        r = sa_call(number, a, b, c, d, 0, 0);
        sa_calls_end(self);
        return r;
}

/* `path` from the root on, as far as that can be said in buf. */
static const char *absolute(char buf[TOLD_PATH], const char *path) {
        long length;

        if (*path == '/')
                return path;
        /* The system call itself: libc's getcwd may allocate. */
        length = ask(SYS_getcwd, (long)buf, TOLD_PATH, 0, 0);
        return length > 1 && join(buf, buf, (size_t)length - 1, path) ? buf : path;
}

/* True, too, where that may not be asked. */
static bool can_run(const char *path) {
        long r = ask(SYS_faccessat, AT_FDCWD, (long)path, X_OK, 0);

        return r == 0 || (r == -EPERM && path);
}

static void tell(pid_t pid, const char *path, bool scrubbed) {
        char buf[TOLD_PATH];

        /* The kernel looks at the pointer before we do. */
        if (can_run(path))
                sa_root_tell_exec(pid, absolute(buf, path), scrubbed);
}

/* ------------------------------------------------------------------------------------------ what can be read -- */

/* A pointer that the kernel or libc would answer with EFAULT is passed on as it is, and nothing is read or told.  A quiet
 * process makes no system call: it reads its own environment only, and takes a path for readable. */
static bool can_read_environment(char *const environment[]) {
        struct sa_thread *self = &sa_self;
        bool can;

        if (!sa_may_call(self))
                return environment == environ;
        can = sa_can_read_list(environment);
        sa_calls_end(self);
        return can;
}

static bool can_read_path(const char *path) {
        struct sa_thread *self = &sa_self;
        bool can;

        if (!path || !sa_may_call(self))
                return path;
        can = sa_can_read_text(path);
        sa_calls_end(self);
        return can;
}

/* Where execvp would find `file`; NULL: nowhere. */
static const char *search(char buf[TOLD_PATH], const char *file) {
        const char *directory, *end, *found = NULL;

        if (!can_read_path(file) || !can_read_environment(environ))
                return NULL;
        if (strchr(file, '/'))
                return file;
        directory = getenv("PATH");
        for (directory = directory ? directory : "/bin:/usr/bin"; directory && !found;
             directory = *end ? end + 1 : NULL) {
                end = strchrnul(directory, ':');
                if (end == directory && can_run(file))
                        found = file;
                if (end > directory && join(buf, directory, (size_t)(end - directory), file) && can_run(buf))
                        found = buf;
        }
        return found;
}

/* The path of descriptor `fd`, or of `path` beneath it, in buf; NULL where that cannot be said. */
static const char *path_of(char buf[TOLD_PATH], int fd, const char *path) {
        char link[sizeof "/proc/self/fd/" + 3 * sizeof fd];
        int error = errno;
        long length;

        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        length = ask(SYS_readlinkat, AT_FDCWD, (long)link, (long)buf, TOLD_PATH - 1);
        errno = error;
        if (length <= 0)
                return NULL;
        buf[length] = '\0';
        return !*path || join(buf, buf, (size_t)length, path) ? buf : NULL;
}

/* ------------------------------------------------------------------------------------------ what is in its way -- */

/* The readable part of an environment. */
struct given {
        char *const *environment;
        bool is_known;
        bool has_us;    /* in LD_PRELOAD; false, too, where it is not known */
        bool is_wanted; /* The path of the program is needed, which `path_of` and `search` cost something to find. */
};

static struct given given(char *const environment[]) {
        struct given g = {.environment = environment, .is_known = can_read_environment(environment)};

        g.has_us = g.is_known && sa_target_preload(environment);
        g.is_wanted = g.has_us || sa_root_is_eager();
        return g;
}

/* Whether the program at `path`, if there is one, must be started without this library. */
static bool is_in_the_way(const struct given *g, const char *path) {
        struct sa_thread *self = &sa_self;
        bool is;

        if (!path || !g->has_us || !sa_may_call(self))
                return false;
        is = sa_target_is_sanitized(path);
        sa_calls_end(self);
        return is;
}

/* Puts into `g`, where the program at `path` needs it, a copy of the environment on the caller's stack. */
#define CLEAR_THE_WAY(g, path)                                                                                         \
        do {                                                                                                           \
                if (is_in_the_way(g, path)) {                                                                          \
                        (g)->environment = sa_target_environment(alloca(sa_target_environment_size((g)->environment)), \
                                                                 (g)->environment);                                    \
                        (g)->has_us = false;                                                                           \
                }                                                                                                      \
        } while (0)

/* `pid`: 0, this process.  `path`: NULL, unknown. */
static void tell_if_asked(const struct given *g, pid_t pid, const char *path) {
        if (path && sa_unlikely(sa_root_is_eager()))
                tell(pid, path, g->is_known && !g->has_us);
}

/* ----------------------------------------------------------------------------------------------------- exec -- */

static int do_execve(const char *path, char *const arguments[], char *const environment[]) {
        struct given g = given(environment);

        CLEAR_THE_WAY(&g, path);
        tell_if_asked(&g, 0, path);
        return resolved()->execve(path, arguments, g.environment);
}

static int do_execvpe(const char *file, char *const arguments[], char *const environment[]) {
        struct given g = given(environment);
        char buf[TOLD_PATH];
        const char *path = g.is_wanted ? search(buf, file) : NULL;

        CLEAR_THE_WAY(&g, path);
        tell_if_asked(&g, 0, path);
        return resolved()->execvpe(file, arguments, g.environment);
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
        struct given g = given(environment);
        char buf[TOLD_PATH];
        const char *path = g.is_wanted ? path_of(buf, fd, "") : NULL;

        CLEAR_THE_WAY(&g, path);
        tell_if_asked(&g, 0, path);
        return resolved()->fexecve(fd, arguments, g.environment);
}

/* Straight to the kernel, as libc's does: not every libc has one to pass on to. */
EXPORT int execveat(int fd, const char *path, char *const arguments[], char *const environment[], int flags) {
        struct given g = given(environment);
        char buf[TOLD_PATH];
        const char *file = NULL;
        long r;

        if (g.is_wanted && can_read_path(path))
                file = fd == AT_FDCWD || *path == '/' ? path : path_of(buf, fd, path);
        CLEAR_THE_WAY(&g, file);
        tell_if_asked(&g, 0, file);
        r = sa_raw_call(SYS_execveat, fd, (long)path, (long)arguments, (long)g.environment, flags, 0);
        errno = (int)-r;
        return -1;
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

/* `path`: the program's path, or NULL if it is not known. */
static int do_spawn(spawn_fn *spawn, struct given *g, pid_t *ret_pid, const char *file, const char *path,
                    const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                    char *const arguments[]) {
        pid_t pid = 0;
        int error;

        CLEAR_THE_WAY(g, path);
        error = spawn(ret_pid ? ret_pid : &pid, file, actions, attributes, arguments, g->environment);
        if (!error)
                tell_if_asked(g, ret_pid ? *ret_pid : pid, path);
        return error;
}

EXPORT int posix_spawn(pid_t *ret_pid, const char *path, const posix_spawn_file_actions_t *actions,
                       const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[]) {
        struct given g = given(environment);

        return do_spawn(resolved()->posix_spawn, &g, ret_pid, path, path, actions, attributes, arguments);
}

EXPORT int posix_spawnp(pid_t *ret_pid, const char *file, const posix_spawn_file_actions_t *actions,
                        const posix_spawnattr_t *attributes, char *const arguments[], char *const environment[]) {
        struct given g = given(environment);
        char buf[TOLD_PATH];
        const char *path = g.is_wanted ? search(buf, file) : NULL;

        return do_spawn(resolved()->posix_spawnp, &g, ret_pid, file, path, actions, attributes, arguments);
}
