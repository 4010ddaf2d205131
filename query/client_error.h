/* SPDX-License-Identifier: MIT */
/*
 * Within the client: errors, each as one sentence that says what happened and what to do.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "query/client.h"

/* Each fills *ret_error and returns a negative errno. */
int client_fail(struct client_error *ret_error, int code, enum client_error_kind kind, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
/* No collector at `path`, nor at `other` ("": only one was tried).  `is_given`: the user named the path. */
int client_fail_open(struct client_error *ret_error, int r, const char *path, const char *other, bool is_given);
/* The connection ended, or a message was malformed. */
int client_fail_lost(struct client_error *ret_error, int r, const char *path);
/* The collector answered with an error. */
int client_fail_answer(struct client_error *ret_error, struct wire_value error);

/* Copies foreign text for a terminal: cut, terminated, clean (base/clean_text.h). */
void client_copy_clean(char *buf, size_t size, struct wire_value text);
