/* SPDX-License-Identifier: MIT */
/*
 * A seccomp filter with which the program came by exec, as under systemd's SystemCallFilter= or in a container.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* True if there is one that may kill the program for a system call.  Else *ret_filters is the number of filters that let the
 * library's calls pass, or answer them with an errno.  It makes only system calls that the loader has just made: openat,
 * read, close.  Once, when the library starts. */
bool sa_filter_may_kill(uint32_t *ret_filters);
