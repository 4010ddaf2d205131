/* SPDX-License-Identifier: MIT */
/*
 * How a verb fails: one sentence on stderr, and an exit status.
 */
#pragma once

#include "query/client.h"

enum ctl_exit {
        CTL_OK = 0,
        CTL_FAILURE = 1,
        CTL_USAGE = 2,
        CTL_UNREACHABLE = 3,
        CTL_NOT_FOUND = 4,
};

/* One sentence on stderr: what happened and what to do.  Returns `code`, so that a verb can return it. */
int ctl_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with the client's sentence, and this program's advice after it.  Returns the exit status of its kind. */
int ctl_fail_client(const struct client_error *error);

/* The exit status that goes with a kind of error. */
int ctl_exit_of(const struct client_error *error);
/* What of this program helps beside what the client advises; "" for nothing.  Continues the client's sentence. */
const char *ctl_advice(const struct client_error *error);
