/* SPDX-License-Identifier: MIT */
/* See process_text.h. */
#include "daemon/processes/process_text.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "daemon/host/procinfo.h"
#include "daemon/processes/process.h"
#include "daemon/processes/sandbox_look.h"

static const char *counting_by(const struct process *process, char *buf, size_t size) {
        if (process->unattached) {
                snprintf(buf, size, "not counted: %s", process->why);
                return buf;
        }
        switch (process->counting) {
        case SHM_COUNTING_MALLOC:
                if (*process->allocator)
                        snprintf(buf, size, "libspanalloc-malloc over %s", process->allocator);
                else
                        snprintf(buf, size, "libspanalloc-malloc");
                return buf;
        case SHM_COUNTING_SNAPSHOT:
                snprintf(buf, size, "the program's own snapshot function (no live part)");
                return buf;
        case SHM_COUNTING_BYPASSED:
                if (*process->allocator)
                        snprintf(buf, size, "nothing: %s stands before libspanalloc-malloc", process->allocator);
                else
                        snprintf(buf, size,
                                 "nothing: the executable, or a library before libspanalloc-malloc, has a "
                                 "malloc of its own");
                return buf;
        case SHM_COUNTING_NONE:
                break;
        }
        snprintf(buf, size, "nothing: libspanalloc-malloc is not loaded");
        return buf;
}

const char *process_counting(const struct process *process, char *buf, size_t size) {
        size_t n;

        counting_by(process, buf, size);
        n = strlen(buf);
        if (process->refused_threads && n < size)
                snprintf(buf + n, size - n, "; %llu threads have no place in the books",
                         (unsigned long long)process->refused_threads);
        n = strlen(buf);
        if (process->end == PROCESS_ALIVE && process_is_in_filter(process) && n < size)
                snprintf(buf + n, size - n,
                         "; in a seccomp filter: threads and processes that it starts there may not be counted");
        return buf;
}

const char *process_end_text(const struct process *process, char *buf, size_t size) {
        const char *signal_name;

        switch (process->end) {
        case PROCESS_ALIVE:
                snprintf(buf, size, "%s", "");
                break;
        case PROCESS_EXITED:
                snprintf(buf, size, "exited");
                break;
        case PROCESS_EXIT_CODE:
                snprintf(buf, size, "exited %d", process->end_status);
                break;
        case PROCESS_KILLED:
                signal_name = sigabbrev_np(process->end_status);
                if (process->out_of_memory)
                        snprintf(buf, size, "killed by SIGKILL: out of memory");
                else if (signal_name)
                        snprintf(buf, size, "killed by SIG%s", signal_name);
                else
                        snprintf(buf, size, "killed by signal %d", process->end_status);
                break;
        case PROCESS_EXEC:
                snprintf(buf, size, "exec");
                break;
        case PROCESS_DETACHED:
                snprintf(buf, size, "detached");
                break;
        case PROCESS_EXPELLED:
                snprintf(buf, size, "expelled: %s", process->why);
                break;
        }
        return buf;
}

void process_memory(const struct process *process, struct process_memory *ret) {
        *ret = (struct process_memory){0};
        if (process->end == PROCESS_ALIVE && !process_is_ending(process)) /* else its pid may be another program's */
                ret->rss = procinfo_rss(process->pid, &ret->rss_anon);
        procinfo_cgroup_memory(process->cgroup, &ret->unit, &ret->unit_limit);
}
