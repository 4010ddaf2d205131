/* SPDX-License-Identifier: MIT */
/*
 * Errors of a verb: one sentence on stderr, and an exit status.
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
/* This program's advice after the client's own; "" for none.  Continues the client's sentence. */
const char *ctl_advice(const struct client_error *error);
