/* SPDX-License-Identifier: MIT */
/*
 * Errors of a verb: one line on stderr, and an exit status.
 *
 * All error texts have the style of the daemon's log: no capital and no full stop; what happened, a colon and the reason, a
 * semicolon and what to do; commands in backticks, words of the user in double quotes.
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

/* One line on stderr: "spanallocctl: " and the text.  Returns `code`, so that a verb can return it. */
int ctl_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with the client's text, and this program's advice after it.  Returns the exit status of its kind. */
int ctl_fail_client(const struct client_error *error);

/* The exit status that goes with a kind of error. */
int ctl_exit_of(const struct client_error *error);
/* This program's advice after the client's own; "" for none. */
const char *ctl_advice(const struct client_error *error);
