/* SPDX-License-Identifier: MIT */
/* See files.h. */
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int write_all(int fd, const void *bytes, size_t n) {
        const char *at = bytes;

        while (n) {
                ssize_t written = write(fd, at, n);

                if (written < 0 && errno == EINTR)
                        continue;
                if (written < 0)
                        return -errno;
                at += written;
                n -= (size_t)written;
        }
        return 0;
}

unsigned open_standard_fds(void) {
        unsigned closed = 0;
        int fd;

        /* open() takes the lowest free one. */
        while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
                closed |= 1u << fd;
        close_fd(fd);
        return closed;
}

void close_fd(int fd) {
        int saved = errno;

        if (fd >= 0)
                close(fd);
        errno = saved;
}

void close_fd_at(const int *fd) {
        close_fd(*fd);
}
