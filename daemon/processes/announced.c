/* SPDX-License-Identifier: MIT */
/*
 * See announced.h.
 *
 * `run` owes a row to every process.  A program that attaches has a row by its attach.  For one that cannot attach (static,
 * setuid, without the preload in its environment) the program that starts it sends a notice before exec.  A notice waits for
 * the attach or the end of the process.  An exec can fail after its notice, so an end does not prove that the program ran.
 */
#include "daemon/processes/announced.h"
#include "base/clean_text.h"
#include "base/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/drain/drain.h"
#include "daemon/host/elf_obstacle.h"
#include "daemon/host/procinfo.h"
#include "daemon/loop/reactor.h"
#include "daemon/processes/arrival.h"
#include "daemon/processes/process_private.h"
#include "shm/handshake.h"

#define NOTICES_MAX 1024u
#define FILTERED    "it came with a system-call filter, and a call that the filter does not know would kill it"
#define SHOWN_NS    NS_PER_S /* what runs for so long without having attached is shown while it runs */

struct notice {
        struct announced *announced;
        struct notice *next;
        struct reactor_watch *death;
        int pidfd; /* -1: it had ended and been waited for when we heard of it */
        pid_t pid, parent;
        uid_t uid;
        uint64_t start_ticks;
        uint64_t since_ns;
        unsigned round; /* of announced_tend(), in which it was looked at last */
        char path[256];
        const char *why; /* NULL: the file could not be read */
};

struct announced {
        struct processes *processes;
        struct notice *first; /* newest first */
        unsigned count;
        unsigned round; /* of announced_tend(), from 1 */
};

static struct notice **find(struct announced *announced, pid_t pid) {
        struct notice **at = &announced->first;

        while (*at && (*at)->pid != pid)
                at = &(*at)->next;
        return at;
}

static void notice_free(struct notice **at) {
        struct notice *notice = *at;

        *at = notice->next;
        notice->announced->count--;
        reactor_unwatch(notice->death);
        close_fd(notice->pidfd);
        free(notice);
}

int announced_new(struct announced **ret, struct processes *processes) {
        struct announced *announced = calloc(1, sizeof *announced);

        if (!announced)
                return -ENOMEM;
        announced->processes = processes;
        announced->round = 1;
        *ret = announced;
        return 0;
}

struct announced *announced_free(struct announced *announced) {
        if (!announced)
                return NULL;
        while (announced->first)
                notice_free(&announced->first);
        free(announced);
        return NULL;
}

bool announced_is_empty(const struct announced *announced) {
        return !announced->first;
}

bool announced_drop(struct announced *announced, pid_t pid) {
        struct notice **at = find(announced, pid);

        if (!*at)
                return false;
        notice_free(at);
        return true;
}

/* What in the file stands in the way; looked up through the process's own root where that is to be seen. */
static const char *obstacle(pid_t pid, const char *path) {
        char seen[512];
        const char *why;

        snprintf(seen, sizeof seen, "/proc/%d/%s%s%s", (int)pid, *path == '/' ? "root" : "cwd", *path == '/' ? "" : "/",
                 path);
        if (elfinfo_obstacle(seen, &why) == 0 || elfinfo_obstacle(path, &why) == 0)
                return why;
        return NULL;
}

/* The name that the kernel gives a process which runs `path`. */
static bool is_named_after(const char *comm, const char *path) {
        const char *base = strrchr(path, '/');
        char name[16];

        snprintf(name, sizeof name, "%.15s", base ? base + 1 : path);
        text_clean_in_place(name, strlen(name));
        return strcmp(comm, name) == 0;
}

/* Whether the announced exec took place.  While the dead process is not waited for, it bears the program's name;
 * after that, there is only the file to go by: one that can be read and run is run. */
static bool did_run(const struct notice *notice) {
        struct procinfo_stat stat;

        if (procinfo_stat(notice->pid, &stat) == 0 && (!notice->start_ticks || stat.start_ticks == notice->start_ticks))
                return is_named_after(stat.comm, notice->path);
        return notice->why != NULL;
}

/* The library of a program that comes with a filter makes no system call: client/process/inherited_filter.h. */
static bool is_filtered(pid_t pid) {
        struct procinfo_seccomp seccomp;

        return procinfo_seccomp(pid, 0, &seccomp) == 0 && seccomp.mode;
}

static int make_row(struct notice *notice, bool alive, struct process **ret) {
        struct newcomer newcomer = {notice->pid, notice->uid, -1, notice->start_ticks};
        const char *why = notice->why;

        if (alive) {
                newcomer.pidfd = notice->pidfd;
                notice->pidfd = -1;
                notice->death = reactor_unwatch(notice->death);
        }
        if (!why && !alive)
                why = "it ended before it attached; its file is not to be seen in our root directory";
        else if (!why || !*why)
                why = alive && is_filtered(notice->pid) ? FILTERED
                      : alive                           ? "it has not attached"
                                                        : "it ended before it attached";
        return process_add_unattached(notice->announced->processes, &newcomer, notice->parent, notice->path, why, ret);
}

static bool conclude(struct announced *announced, pid_t pid, int wait_status) {
        struct processes *processes = announced->processes;
        struct process *former, *process;
        struct notice **at = find(announced, pid);

        if (!*at)
                return false;
        if (!did_run(*at)) {
                notice_free(at);
                return false;
        }
        former = processes_by_pid(processes, pid);
        if (former)
                process_end_soon(former, PROCESS_EXEC);
        if (make_row(*at, false, &process) == 0) {
                if (former && !process->parent)
                        process->parent = former->parent;
                process_end(process, PROCESS_EXITED, 0);
                if (wait_status >= 0)
                        process_set_status(process, wait_status);
        }
        notice_free(at);
        return true;
}

bool announced_conclude(struct announced *announced, pid_t pid, int wait_status) {
        struct process *former = processes_by_pid(announced->processes, pid);

        if (former)
                announced_hear(announced, former);
        return conclude(announced, pid, wait_status);
}

static void on_death(void *userdata, int fd, unsigned events) {
        struct notice *notice = userdata;
        struct announced *announced = notice->announced;
        struct process *former;
        pid_t pid = notice->pid;

        reactor_work(announced->processes->reactor, "deaths");
        if (announced_conclude(announced, pid, -1))
                return;
        former = processes_by_pid(announced->processes, pid);
        if (former)
                process_end_soon(former, PROCESS_EXITED);
}

static void forget_oldest(struct announced *announced) {
        struct notice **at = &announced->first;

        while ((*at)->next)
                at = &(*at)->next;
        announced->processes->stats.rejected++;
        notice_free(at);
}

/* Whether a process that was spawned a moment ago came before the news of it. */
static bool came_already(const struct processes *processes, pid_t pid, uint64_t start_ticks) {
        const struct process *process = processes_by_pid(processes, pid);

        /* Without a start time it has ended, and been waited for; we may not have heard of that yet. */
        return process && !process->unattached && (!start_ticks || process->inside->start_ticks == start_ticks);
}

static int open_process(struct notice *notice) {
        struct procinfo_stat stat;

        notice->pidfd = (int)syscall(SYS_pidfd_open, notice->pid, 0);
        if (notice->pidfd < 0)
                return 0; /* it has ended already */
        if (procinfo_stat(notice->pid, &stat) == 0) {
                notice->start_ticks = stat.start_ticks;
                if (!notice->parent)
                        notice->parent = stat.parent;
        }
        return reactor_watch(notice->announced->processes->reactor, &notice->death, notice->pidfd, REACTOR_IN, on_death,
                             notice);
}

static void add(struct announced *announced, pid_t pid, pid_t parent, uid_t uid, const char *path, bool scrubbed,
                bool spawned, const char *else_why) {
        struct notice *notice = calloc(1, sizeof *notice);
        bool other_root;

        if (!notice)
                return;
        announced_drop(announced, pid);
        if (announced->count >= NOTICES_MAX)
                forget_oldest(announced);
        *notice = (struct notice){
                .announced = announced, .next = announced->first, .pidfd = -1, .pid = pid, .parent = parent};
        notice->uid = uid;
        notice->since_ns = reactor_now(announced->processes->reactor);
        snprintf(notice->path, sizeof notice->path, "%s", path);
        announced->first = notice;
        announced->count++;
        if (open_process(notice) < 0 || (spawned && came_already(announced->processes, pid, notice->start_ticks))) {
                notice_free(&announced->first);
                return;
        }
        other_root = notice->pidfd >= 0 && procinfo_in_other_root(pid); /* before its file is found there: it can end */
        notice->why = obstacle(parent && notice->pidfd < 0 ? parent : pid, path);
        if (other_root && notice->why && !*notice->why)
                notice->why = "it has another root directory, where the counting library may be missing";
        if (scrubbed && notice->why && !*notice->why)
                notice->why = "its environment was scrubbed of LD_PRELOAD";
        if (else_why && (!notice->why || !*notice->why))
                notice->why = else_why;
        /* Without hearing again: a segment that says something else at each look would make that endless. */
        if (notice->pidfd < 0)
                (void)conclude(announced, pid, -1);
        else
                announced->processes->owner->tend_soon(announced->processes->userdata);
}

void announced_add(struct announced *announced, pid_t pid, pid_t parent, uid_t uid, const char *path, bool scrubbed,
                   bool spawned) {
        add(announced, pid, parent, uid, path, scrubbed, spawned, NULL);
}

void announced_hear(struct announced *announced, struct process *process) {
        bool is_asked = announced->processes->options.segment_options & SHM_OPTION_EAGER;
        struct shm_exec exec;

        if (!is_asked || !process->drain || process_is_ending(process) ||
            !drain_exec(process->drain, process->inside->execs, &exec))
                return;
        process->inside->execs = atomic_load_explicit(&exec.count, memory_order_relaxed);
        if (exec.pid > 0 && process->inside->other_pidns)
                return;
        add(announced, exec.pid > 0 ? exec.pid : process->pid, exec.pid > 0 ? process->pid : 0, process->uid, exec.path,
            exec.flags & SHM_HELLO_SCRUBBED, exec.pid > 0, FILTERED);
}

/* True: it runs on, and has a row now, so that its notice is to go. */
static bool tend(struct notice *notice, uint64_t now_ns) {
        struct processes *processes = notice->announced->processes;
        struct procinfo_stat stat;
        struct process *former, *process;

        if (now_ns - notice->since_ns < SHOWN_NS || procinfo_stat(notice->pid, &stat) < 0 || stat.state == 'Z' ||
            !is_named_after(stat.comm, notice->path))
                return false;
        former = processes_by_pid(processes, notice->pid);
        /* A program of the same name that has not called exec is still the one that announced it. */
        if (former && former->drain && !drain_is_abandoned(former->drain))
                return false;
        if (former)
                process_end_soon(former, PROCESS_EXEC);
        (void)make_row(notice, true, &process);
        return true;
}

bool announced_tend(struct announced *announced, uint64_t now_ns) {
        struct notice **at = &announced->first;
        uint64_t end_ns = reactor_slice_end();

        while (*at) {
                struct notice *notice = *at;
                bool is_new = notice->round != announced->round;

                notice->round = announced->round;
                if (is_new && tend(notice, now_ns))
                        notice_free(at);
                else
                        at = &notice->next;
                if (is_new && reactor_slice_is_over(end_ns))
                        return false;
        }
        announced->round++;
        return true;
}
