/* SPDX-License-Identifier: MIT */
/* Descriptors: what read, write and close leave to each caller. */
#pragma once

#include <stddef.h>

/* Writes all of `n` bytes, however often the kernel takes a part.  0 or -errno. */
int write_all(int fd, const void *bytes, size_t n);
/* Opens /dev/null on each of 0, 1 and 2 that is closed, so that no descriptor which the program opens is taken for them.
 * Call it first of all.  Returns those that were closed: bit N is descriptor N. */
unsigned open_standard_fds(void);
/* Closes `fd` unless it is negative; errno stays. */
void close_fd(int fd);
/* The same for __attribute__((cleanup)). */
void close_fd_at(const int *fd);
