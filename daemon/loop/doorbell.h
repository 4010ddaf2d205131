/* SPDX-License-Identifier: MIT */
/*
 * Waiting on the doorbells of many processes at once, and waking the reactor when one rings.
 *
 * What lives here: the threads that sleep in futex_waitv.  What does not: when a client rings (docs/shm-format.md), and
 * what the collector does then.
 *
 * A bell lies in a client's memory and may hold any value at any time.  It is only compared.  A client that rings
 * without end wakes its waiter at most a thousand times a second.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/loop/reactor.h"

struct waker;
struct waker_bell;

int waker_new(struct waker **ret, struct reactor *reactor);
struct waker *waker_free(struct waker *waker);
/* False if the kernel lacks futex_waitv or a filter refuses it: then no bell wakes the reactor, and sleeps must be
 * short. */
bool waker_works(const struct waker *waker);

/* `word` must stay mapped until it was removed. */
int waker_add(struct waker *waker, struct waker_bell **ret, const uint32_t *word);
struct waker_bell *waker_remove(struct waker_bell *bell);

/* True if a bell rang since the last call. */
bool waker_rang(struct waker *waker);
