/* SPDX-License-Identifier: MIT */
/* Descriptors: what read, write and close leave to each caller. */
#pragma once

#include <stddef.h>

/* Writes all of `n` bytes, however often the kernel takes a part.  0 or -errno. */
int write_all(int fd, const void *bytes, size_t n);
/* Closes `fd` unless it is negative; errno stays. */
void close_fd(int fd);
/* The same for __attribute__((cleanup)). */
void close_fd_at(const int *fd);
