/* SPDX-License-Identifier: MIT */
/*
 * Within the client: what went wrong, in one sentence that says what to do.
 */
#pragma once

#include <stddef.h>

#include "query/client.h"

/* The exit codes of spanallocctl. */
enum { CLIENT_FAILURE = 1, CLIENT_USAGE = 2, CLIENT_UNREACHABLE = 3, CLIENT_NOT_FOUND = 4 };

/* Each fills *ret_error and returns a negative errno. */
int client_fail(struct client_error *ret_error, int code, int exit_code, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
/* Nobody at `path`, nor at `other` ("": only one was tried). */
int client_fail_open(struct client_error *ret_error, int r, const char *path, const char *other);
/* The conversation broke. */
int client_fail_lost(struct client_error *ret_error, int r, const char *path);
/* The collector answered with an error. */
int client_fail_answer(struct client_error *ret_error, struct wire_value error);

/* Copies foreign text for a terminal: cut, terminated, clean (base/clean_text.h). */
void client_copy_clean(char *buf, size_t size, struct wire_value text);
