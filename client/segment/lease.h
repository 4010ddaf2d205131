/* SPDX-License-Identifier: MIT */
/*
 * The lease: whether the library may make system calls now.
 *
 * A filter that is installed by way of libc first makes the process quiet (interposed.c).  The library does not see one
 * that is installed by a raw system call.  So the collector checks for filters, writes the result into the segment, and
 * the library reads that before each of its system calls.
 */
#pragma once

#include "client/gate/quiet_process.h"

/* sa_calls_begin(), and false, too, where the collector has seen a filter, or a filter is to be expected.  Ends by
 * sa_calls_end(). */
bool sa_may_call(struct sa_thread *self);

/* The same; until the end no handler runs and no cancellation ends the thread. */
bool sa_may_call_undisturbed(struct sa_thread *self, uint64_t *ret_signals);
void sa_calls_end_undisturbed(struct sa_thread *self, uint64_t signals);

/* The program installs a filter next (`reason`), and the process becomes quiet.  Or it has set no_new_privs by itself, as
 * programs do before that (SA_NOT_QUIET): then the library makes no system call until the collector has looked twice more,
 * and has seen none. */
void sa_filter_comes(enum sa_quiet reason);
/* Before a fork: a child reads no lease. */
void sa_settle_lease(void);
