/* SPDX-License-Identifier: MIT */
/*
 * Whether a unit's SystemCallFilter= lets the library's system calls pass, or answers them with an errno.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct syscall_filter {
        bool is_allow_list;
        bool answers; /* with an errno, where it does not let a call pass; else it kills */
        bool listed[32];
};

/* One name of the list, as systemd expands it: "socket", or "socket:EPERM", which answers with that. */
void syscall_filter_add(struct syscall_filter *filter, const char *name);
/* The first call that the filter kills for; NULL: none. */
const char *syscall_filter_kills(const struct syscall_filter *filter);
