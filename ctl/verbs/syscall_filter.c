/* SPDX-License-Identifier: MIT */
/* Holds a filter against what the library calls; see syscall_filter.h. */
#include "ctl/verbs/syscall_filter.h"

#include <string.h>

/* All that client/ calls, also by way of libc. */
static const char *const needed[] = {
        "close",      "connect",    "faccessat",       "fcntl",      "fstat",   "fstatfs", "futex",
        "getcwd",     "geteuid",    "get_robust_list", "getsockopt", "madvise", "mmap",    "munmap",
        "nanosleep",  "newfstatat", "openat",          "ppoll",      "prctl",   "pread64", "read",
        "readlinkat", "recvmsg",    "rt_sigprocmask",  "sendto",     "socket",
#if defined(__x86_64__)
        "access",
#endif
};
#define NEEDED (sizeof(needed) / sizeof(*needed))
_Static_assert(NEEDED <= sizeof(((struct syscall_filter *)0)->listed), "each has a place");

void syscall_filter_add(struct syscall_filter *filter, const char *name) {
        size_t length = strcspn(name, ":");
        const char *answer = name[length] ? name + length + 1 : NULL;

        /* A call that a list of refused ones answers with an errno of its own does not kill. */
        if (answer && !filter->is_allow_list && strcmp(answer, "kill") != 0)
                return;
        for (size_t i = 0; i < NEEDED; i++)
                if (strlen(needed[i]) == length && !strncmp(needed[i], name, length))
                        filter->listed[i] = true;
}

const char *syscall_filter_kills(const struct syscall_filter *filter) {
        for (size_t i = 0; i < NEEDED && !filter->answers; i++)
                if (filter->listed[i] != filter->is_allow_list)
                        return needed[i];
        return NULL;
}
