/* SPDX-License-Identifier: MIT */
/* Keeps the word, counts the threads in system calls of the library, and makes those calls; see quiet_process.h. */
#include "client/gate/quiet_process.h"

#include <errno.h>
#include <time.h>

/* In the low bits of sa_thread.busy, which a stack pointer leaves 0. */
#define BRACKETED     1u /* sa_calls_begin() itself has marked the thread as busy */
#define IN_CALLS      2u /* for each sa_calls_begin() */
#define IN_CALLS_MASK 6u

/* How long a filter waits for the other threads: longer than a collector may take to answer a requested attach. */
#define WAIT_PAUSE_NS 500000l
#define WAIT_PAUSES   20000u

_Atomic uint32_t sa_quiet_word;
static _Atomic uint32_t
        waiting; /* threads that are about to install a filter, and wait for the system calls of others */

long sa_raw_call(long number, long a, long b, long c, long d, long e, long f) {
#if defined(__x86_64__)
        register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;

        __asm__ volatile("syscall"
                         : "+a"(number)
                         : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                         : "rcx", "r11", "memory");
        return number;
#elif defined(__aarch64__)
        register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
        register long x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;

        __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory", "cc");
        return x0;
#else
#error "the instruction that enters the kernel is missing for this processor"
#endif
}

__attribute__((noinline)) long sa_call(long number, long a, long b, long c, long d, long e, long f) {
        /* Once more: a handler on this thread may have installed a filter since sa_calls_begin(). */
        return sa_quiet() ? -EPERM : sa_raw_call(number, a, b, c, d, e, f);
}

bool sa_calls_begin(struct sa_thread *self) {
        if (!self->busy)
                self->busy = ((uint32_t)(uintptr_t)__builtin_frame_address(0) & ~(IN_CALLS_MASK | BRACKETED)) |
                             BRACKETED;
        self->busy += IN_CALLS;
        /* [Q1] seq_cst: raises `calls`, then reads the word; pairs with wait_for_calls(), which reads `calls` after the
         * word was stored.  Without it: a system call of this thread meets the filter. */
        atomic_fetch_add(&sa_gate.calls, 1);
        if (!atomic_load(&sa_quiet_word))
                return true;
        sa_calls_end(self);
        return false;
}

void sa_calls_abandon(struct sa_thread *self) {
        while (self->busy & IN_CALLS_MASK)
                sa_calls_end(self);
}

void sa_calls_end(struct sa_thread *self) {
        uint32_t calls = atomic_load(&sa_gate.calls);

        /* Both are 0 already in a child that a handler forked in between. */
        while (calls && !atomic_compare_exchange_weak(&sa_gate.calls, &calls, calls - 1))
                ;
        if (self->busy & IN_CALLS_MASK)
                self->busy -= IN_CALLS;
        if ((self->busy & (IN_CALLS_MASK | BRACKETED)) == BRACKETED)
                self->busy = 0;
}

/* The calls of the thread itself are not waited for: a handler of it installs the filter. */
static void wait_for_calls(void) {
        const struct timespec pause = {.tv_nsec = WAIT_PAUSE_NS};
        uint32_t own = (sa_self.busy & IN_CALLS_MASK) / IN_CALLS;

        /* [Q1] seq_cst: `calls` is read after the word was stored; pairs with sa_calls_begin(). */
        for (unsigned i = 0; atomic_load(&sa_gate.calls) > own && i < WAIT_PAUSES; i++)
                sa_raw_call(SYS_nanosleep, (long)&pause, 0, 0, 0, 0, 0);
}

void sa_set_quiet(enum sa_quiet reason) {
        uint32_t found = SA_NOT_QUIET;
        bool installs = reason == SA_QUIET_INSTALLED || reason == SA_QUIET_STRICT;

        if (installs)
                atomic_fetch_add(&waiting, 1);
        if (!atomic_compare_exchange_strong(&sa_quiet_word, &found, reason) && reason == SA_QUIET_STRICT)
                atomic_store(&sa_quiet_word, reason);
        /* A process that was quiet before may be in a filter, in which to wait kills; unless a thread that made it quiet
         * still waits, and has not installed its filter. */
        if (installs && (!found || atomic_load(&waiting) > 1))
                wait_for_calls();
        if (installs)
                atomic_fetch_sub(&waiting, 1);
}
