/* SPDX-License-Identifier: MIT */
/* See housekeeping.h. */
#include "daemon/processes/housekeeping.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/drain/drain.h"
#include "daemon/host/procinfo.h"
#include "daemon/loop/reactor.h"
#include "daemon/processes/announced.h"
#include "daemon/processes/process_private.h"

#define BURIED_NS      (10 * NS_PER_MS)  /* from a row's removal until it is freed */
#define ABANDONED_NS   (100 * NS_PER_MS) /* time without a thread, until a check for an exec */
#define NAMES_PER_TURN 128u
#define NAMES_NS       NS_PER_MS /* the time limit of a turn */
#define NAMES_LEAST    8u
#define NAME_COST      128u           /* reading one name counts as this many records */
#define ACTIVE_LOOKS   2              /* seconds for which a process counts as active after it did something */
#define IDLE_NS        (8 * NS_PER_S) /* time between two settlings of an idle process */
#define AUTOPSY_NS     (5 * NS_PER_S) /* for the kernel's report of an end, which the parent has to wait for first */

/* The beginning of Linux's struct pidfd_info (6.13, exit status since 6.15), which older headers lack. */
struct exit_info {
        uint64_t mask, cgroup;
        uint32_t ids[11];
        int32_t status;
};
_Static_assert(sizeof(struct exit_info) == 64, "the size is part of the request's number");
#define EXIT_INFO_ASK    _IOWR(0xff, 11, struct exit_info)
#define EXIT_INFO_STATUS (UINT64_C(1) << 3)

/* No thread with a lane is left: its one counted thread ended, or it became another program. */
static void look_whether_exec(struct process *process, uint64_t now_ns) {
        struct housekeeping *own = &process->inside->housekeeping;
        char exe[sizeof process->exe];

        if (!drain_is_abandoned(process->drain)) {
                own->abandoned_ns = 0;
                return;
        }
        if (!own->abandoned_ns)
                own->abandoned_ns = now_ns;
        if (now_ns - own->abandoned_ns < ABANDONED_NS)
                return;
        if (procinfo_exe(process->pid, exe, sizeof exe) != 0 || strcmp(exe, process->exe) == 0)
                return;
        announced_hear(process->inside->processes->announced, process);
        process_end_soon(process, PROCESS_EXEC);
}

void process_name_threads(struct process *process, uint64_t now_ns, uint64_t age_ns) {
        struct housekeeping *own = &process->inside->housekeeping;
        struct drain *drain = process->drain;
        char comm[16];
        uint64_t activity, end_ns;
        uint32_t tid;

        if (now_ns - own->named_ns < age_ns || process_is_ending(process))
                return;
        activity = drain_activity(drain);
        own->named_ns = now_ns;
        /* A name that changes while its thread does nothing moves nothing in the books. */
        if (process->inside->other_pidns || (activity == own->named_activity && !own->next_lane))
                return;
        own->named_activity = activity;
        reactor_work(process->inside->processes->reactor, "names of threads");
        end_ns = clock_monotonic_ns() + NAMES_NS;
        for (uint32_t n = 0; n < NAMES_PER_TURN && limits_may_work(process->inside->processes, process->uid); n++) {
                if (n >= NAMES_LEAST && clock_monotonic_ns() >= end_ns)
                        break;
                if (!drain_thread(drain, own->next_lane, &tid)) {
                        own->next_lane = 0;
                        break;
                }
                if (tid)
                        limits_charge(process, NAME_COST);
                if (tid && procinfo_thread_comm(process->pid, tid, comm) == 0)
                        drain_name_thread(drain, own->next_lane, tid, comm);
                own->next_lane++;
        }
        reactor_work(process->inside->processes->reactor, "housekeeping");
}

/* A number that changes when a thread comes, goes, allocates or writes a record. */
static uint64_t activity_of(const struct drain *drain) {
        return drain_activity(drain) + drain_refused_threads(drain);
}

bool process_is_active(const struct process *process) {
        return process->inside->housekeeping.active_looks > 0;
}

/* To settle is to visit every lane, and some of the paths.  An idle process has nothing to settle but threads that were refused, and
 * those can wait.  After activity it is settled twice, since the first time leaves out a lane that is busy. */
static bool is_to_settle(struct process *process, uint64_t now_ns) {
        struct housekeeping *own = &process->inside->housekeeping;
        uint64_t activity = activity_of(process->drain);

        if (now_ns - own->settled_ns < NS_PER_S)
                return false;
        if (activity != own->activity)
                own->active_looks = ACTIVE_LOOKS + 1;
        own->activity = activity;
        if (own->active_looks)
                own->active_looks--;
        return own->active_looks || now_ns - own->settled_ns >= IDLE_NS;
}

/* The undo log is as long as the largest batch was: the first, which brought every name and path. */
static void trim_idle(struct process *process) {
        struct housekeeping *own = &process->inside->housekeeping;

        if (!process_is_active(process) && !own->idle)
                books_trim(process->books);
        own->idle = !process_is_active(process);
}

void process_end_search(struct process *process) {
        struct housekeeping *own = &process->inside->housekeeping;

        own->maps = procinfo_maps_close(own->maps);
}

/* False: the search goes on. */
static bool search(struct process *process) {
        const char *allocator = procinfo_maps_search(process->inside->housekeeping.maps);

        if (!allocator)
                return false;
        process->allocator = allocator;
        process_end_search(process);
        return true;
}

void process_find_allocator(struct process *process) {
        struct housekeeping *own = &process->inside->housekeeping;

        process_end_search(process);
        if (procinfo_maps_open(&own->maps, process->pid) == 0)
                (void)search(process);
}

/* It attached before main: since then it may have taken a name, and loaded an allocator. */
static void recheck(struct process *process) {
        const struct processes *processes = process->inside->processes;
        struct procinfo_stat stat;

        process->inside->housekeeping.rechecked = true;
        if (procinfo_stat(process->pid, &stat) == 0)
                memcpy(process->comm, stat.comm, sizeof stat.comm);
        process_find_allocator(process);
        processes->owner->label_changed(processes->userdata, process);
}

static void look_at(struct process *process, uint64_t now_ns) {
        struct process_inside *inside = process->inside;

        if (!inside->housekeeping.rechecked && now_ns - inside->attached_ns >= NS_PER_S)
                recheck(process);
        else if (inside->housekeeping.maps && search(process))
                inside->processes->owner->label_changed(inside->processes->userdata, process);
        process_look_for_filters(process, now_ns, NS_PER_S);
        process_name_threads(process, now_ns, NS_PER_S);
        inside->housekeeping.is_settling = is_to_settle(process, now_ns);
        inside->housekeeping.settled = drain_settled_from_now(process->drain);
}

/* A portion of its lanes: frees those of dead threads, and applies the closes that waited for them.  A query may settle
 * the rest between two calls. */
static void settle(struct process *process, uint64_t now_ns) {
        struct housekeeping *own = &process->inside->housekeeping;
        uint64_t before = drain_settled(process->drain);
        int r = before < own->settled ? drain_settle(process->drain, now_ns) : 0;

        own->settled_ns = now_ns;
        /* 0, and no round is at its end: the process's own end has begun. */
        own->is_settling = drain_settled(process->drain) < own->settled &&
                           (r > 0 || (r == 0 && drain_settled(process->drain) != before));
        if (r < 0)
                process_expel(process, r);
}

bool process_tend(struct process *process, uint64_t now_ns) {
        struct housekeeping *own = &process->inside->housekeeping;

        /* Of one that is ending, what /proc has is another program's. */
        if (!process->drain || process_is_ending(process))
                return true;
        /* One of the two in a call: both visit very many lanes. */
        if (own->is_settling)
                settle(process, now_ns);
        else
                look_at(process, now_ns);
        if (own->is_settling)
                return false;
        if (!process->drain)
                return true;
        trim_idle(process);
        process_alert(process, now_ns, false);
        look_whether_exec(process, now_ns);
        return true;
}

/* ------------------------------------------------------------------------------------------------ the ended -- */

void process_set_status(struct process *process, int wait_status) {
        if (process->end != PROCESS_EXITED)
                return;
        if (WIFEXITED(wait_status)) {
                process->end = PROCESS_EXIT_CODE;
                process->end_status = WEXITSTATUS(wait_status);
        } else if (WIFSIGNALED(wait_status)) {
                process->end = PROCESS_KILLED;
                process->end_status = WTERMSIG(wait_status);
        }
}

/* Newer kernels tell a pidfd's holder how the process ended, once its parent has waited for it. */
void process_autopsy(struct process *process, uint64_t now_ns) {
        struct process_inside *inside = process->inside;
        const struct processes *processes = inside->processes;
        struct exit_info info = {.mask = EXIT_INFO_STATUS};
        bool refused;

        if (process->end == PROCESS_ALIVE || (inside->pidfd < 0 && post_mortem_is_reported(process)))
                return;
        if (process->end == PROCESS_EXITED && inside->pidfd >= 0) {
                refused = ioctl(inside->pidfd, EXIT_INFO_ASK, &info) < 0;
                if (!refused && (info.mask & EXIT_INFO_STATUS))
                        process_set_status(process, info.status);
                else if ((!refused || errno == ESRCH) && now_ns - process->ended_ns < AUTOPSY_NS)
                        return; /* its parent has not waited for it yet */
        }
        if (inside->pidfd >= 0)
                close(inside->pidfd);
        inside->pidfd = -1;
        post_mortem_report(process);
        if (process->books)
                processes->owner->label_changed(processes->userdata, process);
        processes->owner->pidfd_closed(processes->userdata, process);
}

void process_forget(struct process *process) {
        struct processes *processes = process->inside->processes;

        if (process->books) {
                processes_add(&processes->stats.forgotten, process, reactor_now(processes->reactor));
                processes->owner->forgotten(processes->userdata, process);
        }
        processes_remove(process);
        process_bury(process);
}

static size_t count_ended_of(const struct processes *processes, uid_t uid) {
        size_t n = 0;

        for (const struct process *process = processes->first_ended; process; process = process->inside->next_ended)
                n += process->uid == uid;
        return n;
}

struct process *processes_oldest_ended(const struct processes *processes, uid_t uid) {
        struct process *process = processes->first_ended;

        while (process && process->uid != uid)
                process = process->inside->next_ended;
        return process;
}

/* Of too many, the oldest of the user whose process ended last, if that user has more than its share: no user drives
 * out the rows of another.  False: there are still too many. */
static bool forget_too_many(struct processes *processes, uint64_t end_ns) {
        uid_t uid = processes->last_ended ? processes->last_ended->uid : 0;
        size_t of_uid = count_ended_of(processes, uid);
        struct process *process;

        while (processes->stats.ended > processes->options.keep_max) {
                if (reactor_slice_is_over(end_ns))
                        return false;
                process = of_uid > processes->options.keep_max / 4 ? processes_oldest_ended(processes, uid)
                                                                   : processes->first_ended;
                of_uid -= process->uid == uid;
                process_forget(process);
        }
        return true;
}

uint64_t processes_forget(struct processes *processes, uint64_t now_ns) {
        uint64_t keep_ns = processes->options.keep_ns, end_ns = reactor_slice_end();
        struct process *oldest;

        if (!forget_too_many(processes, end_ns))
                return now_ns;
        if (!processes_free_buried(processes, end_ns))
                return processes->reader ? now_ns + BURIED_NS : now_ns;
        if (keep_ns == UINT64_MAX)
                return 0;
        while ((oldest = processes->first_ended) && oldest->ended_ns + keep_ns <= now_ns) {
                if (reactor_slice_is_over(end_ns))
                        return now_ns;
                process_forget(oldest);
        }
        if (processes->buried)
                return now_ns + BURIED_NS;
        return oldest ? oldest->ended_ns + keep_ns : 0;
}
