/* SPDX-License-Identifier: MIT */
/*
 * Whether memory of the program can be read, where the kernel would have answered a bad pointer with EFAULT.
 *
 * The kernel is asked once a page, by a call of rt_sigprocmask(2) that cannot succeed.  So this is between sa_may_call() and
 * sa_calls_end().  Another thread that unmaps the memory meanwhile is not helped.
 */
#pragma once

#include <stdbool.h>

/* The text up to its end. */
bool sa_can_read_text(const char *text);
/* A list of texts, up to NULL; also none at all, which the kernel takes for an empty one. */
bool sa_can_read_list(char *const list[]);
