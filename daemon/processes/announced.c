/* SPDX-License-Identifier: MIT */
/*
 * Programs that somebody announced with an exec, and that have not attached.
 *
 * `run` owes a row to every process.  A program that attaches is in the books by itself; one that cannot (static,
 * scrubbed, setuid, …) was at least announced by whoever started it.  A notice waits for one of the two: the attach,
 * or the end.  An exec can fail after it was announced, so that an end does not prove that the program ever ran.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clean_text.h"
#include "base/files.h"
#include "daemon/host/elf_obstacle.h"
#include "daemon/processes/process_private.h"

#define NOTICES_MAX 1024u
#define SHOWN_NS    NS_PER_S /* what runs for so long without having attached is shown while it runs */

struct notice {
        struct notices *notices;
        struct notice *next;
        struct reactor_watch *death;
        int pidfd; /* -1: it had ended and been waited for when we heard of it */
        pid_t pid, parent;
        uid_t uid;
        uint64_t start_ticks;
        uint64_t since_ns;
        char path[256];
        const char *why; /* NULL: the file could not be read */
};

struct notices {
        struct collector *collector;
        struct notice *first; /* newest first */
        unsigned count;
};

static struct notice **find(struct notices *notices, pid_t pid) {
        struct notice **at = &notices->first;

        while (*at && (*at)->pid != pid)
                at = &(*at)->next;
        return at;
}

static void notice_free(struct notice **at) {
        struct notice *notice = *at;

        *at = notice->next;
        notice->notices->count--;
        reactor_unwatch(notice->death);
        close_fd(notice->pidfd);
        free(notice);
}

int notices_new(struct notices **ret, struct collector *collector) {
        struct notices *notices = calloc(1, sizeof *notices);

        if (!notices)
                return -ENOMEM;
        notices->collector = collector;
        *ret = notices;
        return 0;
}

struct notices *notices_free(struct notices *notices) {
        if (!notices)
                return NULL;
        while (notices->first)
                notice_free(&notices->first);
        free(notices);
        return NULL;
}

bool notices_is_empty(const struct notices *notices) {
        return !notices->first;
}

bool notices_drop(struct notices *notices, pid_t pid) {
        struct notice **at = find(notices, pid);

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

static int make_row(struct notice *notice, bool alive, struct member **ret) {
        struct newcomer newcomer = {notice->pid, notice->uid, -1, notice->start_ticks};
        const char *why = notice->why;

        if (alive) {
                newcomer.pidfd = notice->pidfd;
                notice->pidfd = -1;
                notice->death = reactor_unwatch(notice->death);
        }
        if (!why || !*why)
                why = alive ? "it has not attached" : "it ended before it attached";
        return member_uncounted(notice->notices->collector, &newcomer, notice->parent, notice->path, why, ret);
}

bool notices_conclude(struct notices *notices, pid_t pid, int wait_status) {
        struct collector *collector = notices->collector;
        struct notice **at = find(notices, pid);
        struct member *former, *member;

        if (!*at)
                return false;
        if (!did_run(*at)) {
                notice_free(at);
                return false;
        }
        former = member_find(collector, pid);
        if (former)
                member_end(former, PROCESS_EXEC, 0);
        if (make_row(*at, false, &member) == 0) {
                if (former && !member->process.parent)
                        member->process.parent = former->process.parent;
                member_end(member, PROCESS_EXITED, 0);
                if (wait_status >= 0)
                        member_set_status(member, wait_status);
        }
        notice_free(at);
        return true;
}

static void on_death(void *userdata, int fd, unsigned events) {
        struct notice *notice = userdata;
        struct notices *notices = notice->notices;
        struct member *former;
        pid_t pid = notice->pid;

        if (notices_conclude(notices, pid, -1))
                return;
        former = member_find(notices->collector, pid);
        if (former)
                member_end(former, PROCESS_EXITED, 0);
}

static void forget_oldest(struct notices *notices) {
        struct notice **at = &notices->first;

        while ((*at)->next)
                at = &(*at)->next;
        notices->collector->stats.rejected++;
        notice_free(at);
}

/* Whether a process that was spawned a moment ago came before the news of it. */
static bool came_already(const struct collector *collector, pid_t pid, uint64_t start_ticks) {
        const struct member *member = member_find(collector, pid);

        /* Without a start time it has ended, and been waited for; we may not have heard of that yet. */
        return member && !member->process.uncounted && (!start_ticks || member->start_ticks == start_ticks);
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
        return reactor_watch(notice->notices->collector->reactor, &notice->death, notice->pidfd, REACTOR_IN, on_death,
                             notice);
}

void notices_add(struct notices *notices, pid_t pid, pid_t parent, uid_t uid, const char *path, bool scrubbed,
                 bool spawned) {
        struct notice *notice = calloc(1, sizeof *notice);

        if (!notice)
                return;
        notices_drop(notices, pid);
        if (notices->count >= NOTICES_MAX)
                forget_oldest(notices);
        *notice = (struct notice){
                .notices = notices, .next = notices->first, .pidfd = -1, .pid = pid, .parent = parent};
        notice->uid = uid;
        notice->since_ns = reactor_now(notices->collector->reactor);
        snprintf(notice->path, sizeof notice->path, "%s", path);
        notices->first = notice;
        notices->count++;
        if (open_process(notice) < 0 || (spawned && came_already(notices->collector, pid, notice->start_ticks))) {
                notice_free(&notices->first);
                return;
        }
        notice->why = obstacle(parent && notice->pidfd < 0 ? parent : pid, path);
        if (scrubbed && notice->why && !*notice->why)
                notice->why = "its environment was scrubbed of LD_PRELOAD";
        if (notice->pidfd < 0)
                (void)notices_conclude(notices, pid, -1);
        else
                schedule_tick(notices->collector);
}

void notices_tend(struct notices *notices, uint64_t now_ns) {
        struct notice **at = &notices->first;
        struct procinfo_stat stat;
        struct member *former, *member;

        while (*at) {
                struct notice *notice = *at;

                if (now_ns - notice->since_ns < SHOWN_NS || procinfo_stat(notice->pid, &stat) < 0 ||
                    stat.state == 'Z' || !is_named_after(stat.comm, notice->path)) {
                        at = &notice->next;
                        continue;
                }
                former = member_find(notices->collector, notice->pid);
                /* A program of the same name that has not called exec is still the one that announced it. */
                if (former && former->process.drain && !drain_is_abandoned(former->process.drain)) {
                        at = &notice->next;
                        continue;
                }
                if (former)
                        member_end(former, PROCESS_EXEC, 0);
                (void)make_row(notice, true, &member);
                notice_free(at);
        }
}
