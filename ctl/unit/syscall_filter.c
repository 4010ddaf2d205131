/* SPDX-License-Identifier: MIT */
/* Holds a filter against what the library calls; see syscall_filter.h. */
#include "ctl/unit/syscall_filter.h"

#include <string.h>

/* All that client/ calls, also by way of libc.  tests/integration/filters.sh holds it against what is called. */
static const struct {
        const char *name;
        bool is_optional; /* A program attaches and counts where it is answered with an errno. */
} needed[] = {
        {"close", false},          {"connect", false},
        {"faccessat", true},       {"fcntl", false},
        {"fstat", false},          {"fstatfs", false},
        {"futex", true},           {"getcwd", true},
        {"geteuid", false},        {"get_robust_list", false},
        {"getpid", true},          {"getsockopt", false},
        {"gettid", true},          {"madvise", false},
        {"mmap", false},           {"mprotect", false},
        {"mremap", true},          {"munlock", true},
        {"munmap", true},          {"nanosleep", true},
        {"newfstatat", false},     {"openat", false},
        {"ppoll", false},          {"prctl", true},
        {"pread64", false},        {"read", false},
        {"readlinkat", true},      {"recvmsg", false},
        {"rt_sigprocmask", false}, {"sendto", false},
        {"sigaltstack", true},     {"socket", false},
        {"tgkill", true},
#if defined(__x86_64__)
        {"access", true},
#endif
};
#define NEEDED (sizeof(needed) / sizeof(*needed))
_Static_assert(NEEDED <= SYSCALL_FILTER_CALLS, "each has a place");

void syscall_filter_add(struct syscall_filter *filter, const char *name) {
        size_t length = strcspn(name, ":");
        const char *answer = name[length] ? name + length + 1 : NULL;

        for (size_t i = 0; i < NEEDED; i++) {
                if (strlen(needed[i].name) != length || strncmp(needed[i].name, name, length) != 0)
                        continue;
                filter->calls[i].is_listed = true;
                filter->calls[i].kills = answer && !strcmp(answer, "kill");
                filter->calls[i].answers = answer && !filter->calls[i].kills;
        }
}

enum outcome { PASSES, KILLS, ANSWERS };

static enum outcome outcome_of(const struct syscall_filter *filter, size_t i) {
        if (filter->calls[i].kills)
                return KILLS;
        if (filter->calls[i].answers)
                return ANSWERS;
        if (filter->calls[i].is_listed == filter->is_allow_list)
                return PASSES;
        return filter->answers ? ANSWERS : KILLS;
}

const char *syscall_filter_kills(const struct syscall_filter *filter) {
        for (size_t i = 0; i < NEEDED; i++)
                if (outcome_of(filter, i) == KILLS)
                        return needed[i].name;
        return NULL;
}

const char *syscall_filter_refuses(const struct syscall_filter *filter) {
        for (size_t i = 0; i < NEEDED; i++)
                if (!needed[i].is_optional && outcome_of(filter, i) == ANSWERS)
                        return needed[i].name;
        return NULL;
}
