/* SPDX-License-Identifier: MIT */
/*
 * See run_usage.h.
 */
#include "ctl/run/run_usage.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/nanoseconds.h"

static uint64_t processor_ns(const struct rusage *usage) {
        return (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * NS_PER_S +
               (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1000;
}

static uint64_t own_ns(void) {
        struct rusage usage;

        return getrusage(RUSAGE_SELF, &usage) < 0 ? 0 : processor_ns(&usage);
}

/* A kernel without the file, or a child more than there is room for: its times are added. */
static void find_strangers(struct run_usage *usage) {
        FILE *file = fopen("/proc/thread-self/children", "re");
        int pid;

        if (!file)
                return;
        while (usage->n_strangers < RUN_USAGE_STRANGERS && fscanf(file, "%d", &pid) == 1)
                usage->strangers[usage->n_strangers++] = pid;
        fclose(file);
}

void run_usage_begin(struct run_usage *usage) {
        *usage = (struct run_usage){.before_ns = own_ns()};
        find_strangers(usage);
}

static bool take_stranger(struct run_usage *usage, pid_t pid) {
        for (size_t i = 0; i < usage->n_strangers; i++)
                if (usage->strangers[i] == pid) {
                        usage->strangers[i] = usage->strangers[--usage->n_strangers];
                        return true;
                }
        return false;
}

void run_usage_reap(struct run_usage *usage, pid_t pid) {
        struct rusage own;
        uint64_t rss;

        if (wait4(pid, NULL, 0, &own) != pid || take_stranger(usage, pid))
                return;
        usage->cpu_ns += processor_ns(&own);
        rss = (uint64_t)own.ru_maxrss * 1024;
        if (rss > usage->max_rss_bytes)
                usage->max_rss_bytes = rss;
}

uint64_t run_usage_own_ns(const struct run_usage *usage) {
        return own_ns() - usage->before_ns;
}
