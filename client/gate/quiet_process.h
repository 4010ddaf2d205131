/* SPDX-License-Identifier: MIT */
/*
 * The quiet process, in which the library makes no system call: a seccomp filter could kill the program for it.
 *
 * Quiet is one word in ordinary memory, which a forked child inherits, and it is never cleared.  Each system call of
 * the library after its start lies between sa_calls_begin() and sa_calls_end(), which lease.h calls for its callers.
 * interposed.c, inherited_filter.h and lease.h decide when a process becomes quiet.
 */
#pragma once

#include <sys/syscall.h>

#include "client/gate/gate.h"

enum sa_quiet {
        SA_NOT_QUIET,
        SA_QUIET_INSTALLED, /* the process installed a filter */
        SA_QUIET_STRICT,    /* it entered the strict mode, in which reading the processor's clock kills, too */
        SA_QUIET_INHERITED, /* it came by exec with a filter that may kill */
        SA_QUIET_SEEN,      /* the collector has seen a filter */
};
extern _Atomic uint32_t sa_quiet_word __attribute__((visibility("hidden")));

/* Relaxed: where an order matters, sa_calls_begin() has it. */
static inline enum sa_quiet sa_quiet(void) {
        return (enum sa_quiet)atomic_load_explicit(&sa_quiet_word, memory_order_relaxed);
}

/* Makes the process quiet.  Before the process installs a filter, it also waits until no other thread is in a system call of
 * the library.  A later reason changes nothing, except for strict mode. */
void sa_set_quiet(enum sa_quiet reason);

/* False in a quiet process.  Else no filter is installed by way of libc until sa_calls_end(), except by a handler on this
 * thread.  Marks the thread as busy. */
bool sa_calls_begin(struct sa_thread *self);
void sa_calls_end(struct sa_thread *self);
/* Ends all system calls of this thread that a handler has jumped out of. */
void sa_calls_abandon(struct sa_thread *self);

/* A system call, between the two.  It returns -errno, and leaves errno alone. -EPERM in a quiet process. */
long sa_call(long number, long a, long b, long c, long d, long e, long f);
/* The same in any process. */
long sa_raw_call(long number, long a, long b, long c, long d, long e, long f);
