/* SPDX-License-Identifier: MIT */
/*
 * What a unit's SystemCallFilter= does with the library's system calls: lets them pass, kills for them, or answers them with
 * an errno.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { SYSCALL_FILTER_CALLS = 36 };

struct syscall_filter {
        bool is_allow_list;
        bool answers; /* with an errno, where it does not let a call pass; else it kills */
        struct {
                bool is_listed;
                bool kills, answers; /* for this call, whatever the filter does else */
        } calls[SYSCALL_FILTER_CALLS];
};

/* One name of the list, as systemd expands it: "socket"; "socket:EPERM", which answers with that; or "socket:kill". */
void syscall_filter_add(struct syscall_filter *filter, const char *name);
/* The first call that the filter kills for; NULL: none. */
const char *syscall_filter_kills(const struct syscall_filter *filter);
/* The first call that the filter answers with an errno, and without which no program attaches; NULL: none. */
const char *syscall_filter_refuses(const struct syscall_filter *filter);
