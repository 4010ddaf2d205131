/* SPDX-License-Identifier: MIT */
/* Reads how many filters the threads of a process have; see sandbox_look.h. */
#include "daemon/processes/sandbox_look.h"

#include "daemon/drain/drain.h"
#include "daemon/host/procinfo.h"
#include "daemon/processes/process_private.h"

#define THREADS_PER_LOOK 8u
#define LOOKS_PER_TURN   128u /* of about 30 us each */

static bool has_filter(const struct process *process, uint32_t tid) {
        struct procinfo_seccomp seccomp;

        if (procinfo_seccomp(process->pid, tid, &seccomp) < 0)
                return false;
        return seccomp.mode == 1 || (seccomp.mode && seccomp.filters > drain_filters(process->drain));
}

/* A filter holds for one thread, or for all. */
static bool threads_have_filter(struct process *process) {
        struct sandbox_look *own = &process->inside->sandbox_look;
        uint32_t tid;

        for (unsigned n = 0; n < THREADS_PER_LOOK && !process->inside->other_pidns; n++) {
                if (!drain_thread(process->drain, own->next_lane, &tid)) {
                        own->next_lane = 0;
                        return false;
                }
                own->next_lane++;
                if (tid && has_filter(process, tid))
                        return true;
        }
        return false;
}

static bool may_look(struct processes *processes, uint64_t now_ns) {
        struct sandbox_budget *budget = &processes->sandbox_budget;

        if (budget->turn_ns != now_ns)
                *budget = (struct sandbox_budget){now_ns, LOOKS_PER_TURN};
        if (!budget->left)
                return false;
        budget->left--;
        return true;
}

void process_look_for_filters(struct process *process, uint64_t now_ns, uint64_t age_ns) {
        struct sandbox_look *own = &process->inside->sandbox_look;

        if (!process->drain || own->seen || now_ns - own->looked_ns < age_ns ||
            !may_look(process->inside->processes, now_ns))
                return;
        own->looked_ns = now_ns;
        own->seen = has_filter(process, 0) || threads_have_filter(process);
        drain_tell_look(process->drain, own->seen);
}

bool process_is_in_filter(const struct process *process) {
        return process->inside->sandbox_look.seen;
}
