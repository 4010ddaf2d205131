/* SPDX-License-Identifier: MIT */
/*
 * Which signals are not blocked in the stretches of the client in which no handler may run (lease.h).
 */
#pragma once

#include <signal.h>
#include <stdint.h>

/* What an instruction or a system call raises: blocked, it would end the process. */
#define SA_SYNCHRONOUS                                                                                                 \
        (UINT64_C(1) << (SIGSEGV - 1) | UINT64_C(1) << (SIGBUS - 1) | UINT64_C(1) << (SIGFPE - 1) |                    \
         UINT64_C(1) << (SIGILL - 1) | UINT64_C(1) << (SIGTRAP - 1) | UINT64_C(1) << (SIGSYS - 1))
