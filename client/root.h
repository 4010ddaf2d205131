/* SPDX-License-Identifier: MIT */
/*
 * The library as one thing in a process: its settings, which of several copies leads, and start-up.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "shm/layout.h"

/* Makes the copy ready: settings from the environment, the gate's page, the leader.  Any number of times; cheap after
 * the first.  Runs as a constructor, and from any call that comes before it. */
void sa_root_init(void);

/* For libspanalloc-malloc, from its own constructor, before sa_root_attach_early: that it counts, or that another
 * malloc stands before its own, in the executable or in a library loaded earlier (SHM_COUNTING_BYPASSED). */
void sa_root_set_counting(enum shm_counting counting);

/* For libspanalloc-malloc, before sa_root_attach_early, too: that it may count the quick way where this copy leads. */
void sa_root_set_quick(void);

/* Attaches at load time, for a process that may never open a span; does nothing with SPANALLOC=0.  Then children
 * that are forked attach by themselves when they first allocate. */
void sa_root_attach_early(void);

/* Whether the collector wants to hear of children at once (`spanallocctl run`). */
bool sa_root_is_eager(void);

/* Tells the collector that process `pid` (0: this one) is about to run `path`; only when sa_root_is_eager().  Does not
 * allocate, keeps errno.  Async-signal-safe, also between vfork and exec. */
void sa_root_tell_exec(int32_t pid, const char *path, bool scrubbed);
