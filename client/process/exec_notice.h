/* SPDX-License-Identifier: MIT */
/*
 * Notices of exec for `spanallocctl run`, which wants to know each program that a child becomes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* True if the collector wants to be told of children at once. */
bool sa_root_is_eager(void);

/* Tells the collector that process `pid` (0: this one) is about to run `path`; only if sa_root_is_eager().  Does not
 * allocate, keeps errno.  Async-signal-safe, also between vfork and exec. */
void sa_root_tell_exec(int32_t pid, const char *path, bool scrubbed);
