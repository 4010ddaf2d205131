/* SPDX-License-Identifier: MIT */
/*
 * Within the client: the bytes of a connection, out and in, without waiting.
 */
#pragma once

#include <stdbool.h>

#include "daemon/wire/wire.h"

struct client_link {
        int fd;       /* -1: there is no socket, `in` is filled by the caller */
        size_t sent;  /* bytes at the front of `out` */
        size_t taken; /* bytes at the front of `in` that were returned as a message */
        struct wire_buffer out, in;
};

void client_link_init(struct client_link *link);
void client_link_deinit(struct client_link *link);

/* True if bytes of `out` are left to send. */
bool client_link_has_unsent(const struct client_link *link);
/* Sends what the socket takes.  0 or -errno. */
int client_link_send(struct client_link *link);
/* Reads once at most.  1: a whole message, valid until the next call; 0: not yet; -errno. */
int client_link_read(struct client_link *link, const void **ret_message, size_t *ret_size);
/* Empties `out` for the next request. */
void client_link_begin(struct client_link *link);
