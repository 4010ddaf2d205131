/* SPDX-License-Identifier: MIT */
/*
 * Within the client: finding the socket, connecting, and moving bytes before a deadline.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "query/client.h"

#define CLIENT_SYSTEM_PATH "/run/spanalloc/query.sock"
/* Longer than a socket's path can be, so that an error can name a path that is too long. */
#define CLIENT_PATH_BYTES 256

/* Tries what the options allow, in order.  ret_path: the one connected to, or the last that was tried.  timeout_ms 0: does
 * not wait for a collector that has no room for another connection. */
int client_socket_open(int *ret_fd, char ret_path[CLIENT_PATH_BYTES], const struct client_options *options,
                       int timeout_ms, struct client_error *ret_error);

/* A deadline is absolute, CLOCK_MONOTONIC; UINT64_MAX: never. */
uint64_t client_deadline(int timeout_ms);
/* 0, -ETIMEDOUT, -EINTR (only with `interruptible`), or another -errno. */
int client_socket_wait(int fd, short events, uint64_t deadline, bool interruptible);
