/* SPDX-License-Identifier: MIT */
/*
 * Preloaded, fails one call of many: the Nth from now of those that can find no memory, no descriptor or no space.
 *
 * The file named by FAULTS holds four 32-bit words: N (0: none fails), how many calls there were since it was set, how
 * many failed, and how many fail from the Nth on (0 is 1).  The writer of N sets the others to 0.  What fails with
 * which error: malloc and its like ENOMEM, what makes descriptors EMFILE or ENFILE, memfd_create and ftruncate ENOSPC,
 * mmap ENOMEM, pthread_create EAGAIN, sendmsg ENOBUFS.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct control { uint32_t at, calls, failed, length; } * control;

#pragma GCC visibility push(default)

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

__attribute__((constructor)) static void begin(void) {
        const char *path = getenv("FAULTS");
        int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
        void *map;

        if (fd < 0)
                return;
        map = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        if (map != MAP_FAILED)
                __atomic_store_n(&control, map, __ATOMIC_SEQ_CST);
}

/* Whether this call is to fail; errno is set then. */
static int fails(int error) {
        struct control *c = __atomic_load_n(&control, __ATOMIC_SEQ_CST);
        uint32_t at, n;

        if (!c || !(at = __atomic_load_n(&c->at, __ATOMIC_SEQ_CST)))
                return 0;
        n = __atomic_add_fetch(&c->calls, 1, __ATOMIC_SEQ_CST);
        if (n < at || n - at >= (c->length ? c->length : 1))
                return 0;
        __atomic_add_fetch(&c->failed, 1, __ATOMIC_SEQ_CST);
        errno = error;
        return 1;
}

static void *next(const char *name) {
        return dlsym(RTLD_NEXT, name);
}

/* ----------------------------------------------------------------------------------------------------- memory -- */

void *malloc(size_t n) {
        return fails(ENOMEM) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size) {
        return fails(ENOMEM) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n) {
        return fails(ENOMEM) ? NULL : __libc_realloc(p, n);
}

void *reallocarray(void *p, size_t n, size_t size) {
        size_t bytes;

        if (__builtin_mul_overflow(n, size, &bytes)) {
                errno = ENOMEM;
                return NULL;
        }
        return fails(ENOMEM) ? NULL : __libc_realloc(p, bytes);
}

void *mmap(void *p, size_t n, int prot, int flags, int fd, off_t offset) {
        if (fails(ENOMEM))
                return MAP_FAILED;
        return (void *)syscall(SYS_mmap, p, n, prot, flags, fd, offset);
}

int pthread_create(pthread_t *ret, const pthread_attr_t *attributes, void *(*fn)(void *), void *userdata) {
        int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = next("pthread_create");

        return fails(EAGAIN) ? EAGAIN : real(ret, attributes, fn, userdata);
}

/* ------------------------------------------------------------------------------------------------- descriptors -- */

int memfd_create(const char *name, unsigned flags) {
        return fails(ENOSPC) ? -1 : (int)syscall(SYS_memfd_create, name, flags);
}

int ftruncate(int fd, off_t size) {
        return fails(ENOSPC) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

int socket(int domain, int type, int protocol) {
        return fails(ENFILE) ? -1 : (int)syscall(SYS_socket, domain, type, protocol);
}

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags) {
        return fails(EMFILE) ? -1 : (int)syscall(SYS_accept4, fd, address, size, flags);
}

int eventfd(unsigned n, int flags) {
        return fails(EMFILE) ? -1 : (int)syscall(SYS_eventfd2, n, flags);
}

int pipe2(int fds[2], int flags) {
        return fails(EMFILE) ? -1 : (int)syscall(SYS_pipe2, fds, flags);
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *size) {
        /* SO_PEERPIDFD makes one. */
        if (level == SOL_SOCKET && option == 77 && fails(EMFILE))
                return -1;
        return (int)syscall(SYS_getsockopt, fd, level, option, value, size);
}

int fcntl(int fd, int command, ...) {
        va_list args;
        void *argument;

        va_start(args, command);
        argument = va_arg(args, void *);
        va_end(args);
        if ((command == F_DUPFD_CLOEXEC || command == F_DUPFD || command == F_ADD_SEALS) && fails(EMFILE))
                return -1;
        return (int)syscall(SYS_fcntl, fd, command, argument);
}

int open(const char *path, int flags, ...) {
        va_list args;
        unsigned mode;

        va_start(args, flags);
        mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, unsigned) : 0;
        va_end(args);
        return fails(EMFILE) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

FILE *fopen(const char *path, const char *mode) {
        FILE *(*real)(const char *, const char *) = next("fopen");

        return fails(ENFILE) ? NULL : real(path, mode);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
        return fails(ENOBUFS) ? -1 : syscall(SYS_sendmsg, fd, message, flags);
}
