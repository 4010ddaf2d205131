/* SPDX-License-Identifier: MIT */
/*
 * A listening socket in the reactor: accepts a few connections in each turn, and pauses while no descriptor is free.
 *
 * What does not live here: which connection is admitted, and what it may ask for; the owner's function decides that.
 */
#pragma once

#include "daemon/loop/reactor.h"

struct listener;

/* Owns `fd` from now on: close-on-exec, non-blocking. */
typedef void (*listener_accept_fn)(void *userdata, int fd);

/* Consumes `listen_fd`, on failure too. */
int listener_new(struct listener **ret, struct reactor *reactor, int listen_fd, listener_accept_fn fn, void *userdata);
struct listener *listener_free(struct listener *listener);
