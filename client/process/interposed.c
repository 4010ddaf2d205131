/* SPDX-License-Identifier: MIT */
/*
 * prctl() and syscall() in front of libc's: before a call that installs a seccomp filter the process becomes quiet.
 *
 * By these two names programs and libseccomp install one.  Each other call is passed on as it is, and the rest of the
 * arguments with it: both jump to the next definition, so that the stack is the caller's.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>

#include "client/process/library.h"
#include "client/segment/lease.h"

#define EXPORT __attribute__((visibility("default")))

/* Variadic functions, by the arguments that they take at most: the calling conventions of the supported processors put both
 * in the same places. */
typedef int prctl_fn(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
typedef long syscall_fn(long number, long a, long b, long c, long d, long e, long f);
EXPORT int sa_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) __asm__("prctl");
EXPORT long sa_syscall(long number, long a, long b, long c, long d, long e, long f) __asm__("syscall");

/* A static program has none. */
extern __typeof__(dlsym) dlsym __attribute__((weak));

static long own_syscall(long number, long a, long b, long c, long d, long e, long f) {
        long r = sa_raw_call(number, a, b, c, d, e, f);

        if (r >= 0 || r < -4095)
                return r;
        errno = (int)-r;
        return -1;
}

static int own_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
        return (int)own_syscall(SYS_prctl, option, (long)a, (long)b, (long)c, (long)d, 0);
}

static struct {
        prctl_fn *prctl;
        syscall_fn *syscall;
} next = {own_prctl, own_syscall};

__attribute__((constructor)) static void find_next(void) {
        void *found;

        if (!dlsym)
                return;
        found = dlsym(RTLD_NEXT, "prctl");
        if (found && found != (void *)sa_prctl)
                next.prctl = (prctl_fn *)found;
        found = dlsym(RTLD_NEXT, "syscall");
        if (found && found != (void *)sa_syscall)
                next.syscall = (syscall_fn *)found;
}

static void tell(enum sa_quiet reason) {
        const struct sa_api *leader = sa_forward();

        if (leader)
                leader->filter_comes(reason);
        else
                sa_filter_comes(reason);
}

/* Without the filter's program these calls only ask what the kernel knows. */
static void before_seccomp(unsigned long mode, unsigned long filter) {
        if (mode == SECCOMP_MODE_STRICT)
                tell(SA_QUIET_STRICT);
        else if (mode == SECCOMP_MODE_FILTER && filter)
                tell(SA_QUIET_INSTALLED);
}

static void before_prctl(int option, unsigned long a, unsigned long b) {
        if (option == PR_SET_SECCOMP)
                before_seccomp(a, b);
        else if (option == PR_SET_NO_NEW_PRIVS && a)
                tell(SA_NOT_QUIET);
}

int sa_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
        if (sa_unlikely(option == PR_SET_SECCOMP || option == PR_SET_NO_NEW_PRIVS))
                before_prctl(option, a, b);
        return next.prctl(option, a, b, c, d);
}

long sa_syscall(long number, long a, long b, long c, long d, long e, long f) {
        if (sa_unlikely(number == SYS_seccomp))
                before_seccomp(a == SECCOMP_SET_MODE_STRICT   ? SECCOMP_MODE_STRICT
                               : a == SECCOMP_SET_MODE_FILTER ? SECCOMP_MODE_FILTER
                                                              : SECCOMP_MODE_DISABLED,
                               (unsigned long)c);
        else if (sa_unlikely(number == SYS_prctl))
                before_prctl((int)a, (unsigned long)b, (unsigned long)c);
        return next.syscall(number, a, b, c, d, e, f);
}
