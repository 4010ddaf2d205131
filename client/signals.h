/* SPDX-License-Identifier: MIT */
/*
 * Stretches of the client in which no signal handler may run, and no cancellation, which libc makes a signal, may end the
 * thread.  pthread_sigmask(3) would leave libc's own signals out.
 */
#pragma once

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What an instruction or a system call raises: blocked, it would end the process. */
#define SA_SYNCHRONOUS                                                                                                 \
        (UINT64_C(1) << (SIGSEGV - 1) | UINT64_C(1) << (SIGBUS - 1) | UINT64_C(1) << (SIGFPE - 1) |                    \
         UINT64_C(1) << (SIGILL - 1) | UINT64_C(1) << (SIGTRAP - 1) | UINT64_C(1) << (SIGSYS - 1))

/* Returns the mask for sa_signals_restore(). */
static inline uint64_t sa_signals_block(uint64_t all_but) {
        uint64_t blocked = ~all_but, old = 0;

        syscall(SYS_rt_sigprocmask, SIG_SETMASK, &blocked, &old, sizeof old);
        return old;
}

static inline void sa_signals_restore(uint64_t old) {
        syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old);
}
