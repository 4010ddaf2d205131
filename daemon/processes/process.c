/* SPDX-License-Identifier: MIT */
/*
 * How a process comes and how it ends.  What happens to its row between and after is in housekeeping.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clean_text.h"
#include "base/files.h"
#include "daemon/processes/process_private.h"

/* ---------------------------------------------------------------------------------------------------- coming -- */

#define ATTACH_COST 4096u /* in records */

/* Whether one more may come, and why not. */
static int check_limits(struct member *member) {
        struct collector *collector = member->collector;

        if (collector->live >= collector->options.processes_max)
                return -EDQUOT;
        if (!quota_room(member->quota, QUOTA_MEMORY)) {
                quota_hit(member->quota, QUOTA_MEMORY);
                return -EDQUOT;
        }
        if (!quota_take(member->quota, QUOTA_PROCESSES, 1))
                return -EDQUOT;
        member->counted = true;
        return 0;
}

static int insert(struct member *member) {
        struct collector *collector = member->collector;
        size_t capacity = collector->capacity ? collector->capacity * 2 : 64;
        void *members;

        if (collector->count == collector->capacity) {
                members = reallocarray(collector->members, capacity, sizeof *collector->members);
                if (!members)
                        return -ENOMEM;
                collector->members = members;
                collector->capacity = capacity;
        }
        collector->members[collector->count++] = member;
        return 0;
}

void member_take_out(struct member *member) {
        struct collector *collector = member->collector;
        size_t i = 0;

        while (collector->members[i] != member)
                i++;
        memmove(collector->members + i, collector->members + i + 1,
                (--collector->count - i) * sizeof *collector->members);
}

/* What /proc tells now.  Nothing of it is needed to go on. */
static void look_up(struct member *member) {
        struct process *process = &member->process;
        struct procinfo_stat stat;

        if (procinfo_stat(process->pid, &stat) == 0) {
                process->parent = stat.parent;
                memcpy(process->comm, stat.comm, sizeof process->comm);
                member->start_ticks = stat.start_ticks;
                process->start_ns = procinfo_start_ns(stat.start_ticks);
        }
        (void)procinfo_exe(process->pid, process->exe, sizeof process->exe);
        if (procinfo_cgroup(process->pid, process->cgroup, sizeof process->cgroup) == 0)
                procinfo_unit(process->cgroup, process->unit, sizeof process->unit);
        member->other_pidns = procinfo_in_other_pidns(process->pid);
}

struct member *member_new(struct collector *collector, const struct newcomer *newcomer) {
        struct member *member = calloc(1, sizeof *member);

        if (!member)
                return NULL;
        member->quota = limits_get(collector, newcomer->uid);
        if (!member->quota) {
                free(member);
                return NULL;
        }
        member->collector = collector;
        member->pidfd = newcomer->pidfd;
        member->segment_fd = -1;
        member->start_ticks = newcomer->start_ticks;
        member->attached_ns = reactor_now(collector->reactor);
        member->process.pid = newcomer->pid;
        member->process.uid = newcomer->uid;
        member->process.allocator = "";
        return member;
}

struct member *member_by_number(const struct collector *collector, uint64_t number) {
        for (size_t i = collector->count; i-- > 0;)
                if (collector->members[i]->process.number == number)
                        return collector->members[i];
        return NULL;
}

/* Its segment is of no use any more. */
static void let_go(struct member *member) {
        member->process.drain = drain_free(member->process.drain);
        close_fd(member->segment_fd);
        member->segment_fd = -1;
        if (member->counted)
                quota_give(member->quota, QUOTA_PROCESSES, 1);
        member->counted = false;
}

void member_free(struct member *member) {
        uint64_t names = 0, paths = 0;

        waker_remove(member->bell);
        reactor_unwatch(member->death);
        let_go(member);
        if (member->quota && member->process.books) {
                books_used(member->process.books, &names, &paths);
                quota_give(member->quota, QUOTA_NAMES, names);
                quota_give(member->quota, QUOTA_PATHS, paths);
        }
        books_free(member->process.books);
        quota_give(member->quota, QUOTA_MEMORY, member->memory);
        limits_put(member->collector, member->quota);
        close_fd(member->pidfd);
        free(member);
}

static void on_death(void *userdata, int fd, unsigned events) {
        struct member *member = userdata;

        if (notices_conclude(member->collector->notices, member->process.pid, -1))
                return;
        if (!member->process.drain) {
                member_end(member, PROCESS_EXITED, 0);
                return;
        }
        /* What it left behind is drained like all else: of thousands that die at once nobody else is to wait. */
        member->death = reactor_unwatch(member->death);
        member->gone = true;
        schedule_soon(member->collector);
}

int member_drain(struct member *member, uint64_t now_ns) {
        uint64_t before = member->quota ? member->quota->used[QUOTA_RECORDS] : 0;
        int r = drain_pass(member->process.drain, now_ns);

        if (r < 0)
                member_expel(member, r);
        else if (member->gone && r != DRAIN_MORE)
                member_end(member, PROCESS_EXITED, 0);
        if (member->quota)
                limits_after_drain(member, member->quota->used[QUOTA_RECORDS] - before);
        return r;
}

static void on_closed_span(void *userdata, const struct books_event *event) {
        struct member *member = userdata;

        if (member->collector->on_event)
                member->collector->on_event(member->collector->event_userdata, &member->process, event);
}

/* Its pidfd is exact: a pid is given to another one only when its process is gone, which no exec is. */
static bool is_gone(const struct member *member) {
        struct pollfd death = {.fd = member->pidfd, .events = POLLIN};

        return member->pidfd >= 0 && poll(&death, 1, 0) == 1;
}

/* A second attach of one pid: another program after exec, the same one that came back after it left, or another process. */
static void end_former(struct collector *collector, pid_t pid, uint64_t start_ticks, bool announced) {
        struct member *former = member_find(collector, pid);

        if (!former || former->process.end != PROCESS_ALIVE)
                return;
        if (former->process.uncounted && is_gone(former)) {
                member_end(former, PROCESS_EXITED, 0);
        } else if (former->process.uncounted) {
                /* It was only slow to attach. */
                member_take_out(former);
                member_free(former);
        } else if (former->inherited && !announced && !drain_has_lanes(former->process.drain)) {
                /* Our predecessor made it a segment, and was gone before it could hand that out. */
                member_undo(former);
        } else if (is_gone(former) || (former->start_ticks && start_ticks && former->start_ticks != start_ticks)) {
                member_end(former, PROCESS_EXITED, 0);
        } else {
                /* A forked child may have called exec before any thread of it had a lane. */
                bool exec = announced || !drain_was_left(former->process.drain);

                member_end(former, exec ? PROCESS_EXEC : PROCESS_DETACHED, 0);
        }
}

static int make_segment(struct member *member, const struct shm_hello *hello, int *ret_memfd) {
        const struct collector_options *options = &member->collector->options;
        struct books_limits limits = books_limits_default;
        struct shm_wish wish = options->wish;
        struct shm_geometry geometry;
        struct stat st;
        int fd, r;

        if (hello->ring_kib) {
                uint32_t kib = hello->ring_kib < options->ring_kib_max ? hello->ring_kib : options->ring_kib_max;

                wish.ring_records = kib * (1024 / (uint32_t)sizeof(struct shm_record));
        }
        r = shm_geometry_init(&geometry, &wish);
        if (r < 0)
                return r;
        limits.names = geometry.name_capacity;
        limits.paths = geometry.path_capacity;
        limits.lanes = geometry.lane_capacity;
        r = books_new(&member->process.books, &limits, member->attached_ns);
        if (r < 0)
                return r;
        books_on_event(member->process.books, on_closed_span, member);
        r = shm_segment_create(&fd, &geometry, member->process.number, options->segment_options);
        if (r < 0)
                return r;
        r = drain_new(&member->process.drain, fd, &geometry, member->process.books);
        if (r == 0 && fstat(fd, &st) < 0)
                r = -errno;
        if (r < 0) {
                close(fd);
                return r;
        }
        member->geometry = geometry;
        member->segment_device = (uint64_t)st.st_dev;
        member->segment_inode = (uint64_t)st.st_ino;
        drain_set_quota(member->process.drain, member->quota);
        member->segment_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* without it, it is not measured */
        *ret_memfd = fd;
        return 0;
}

int member_attach(struct collector *collector, const struct newcomer *newcomer, const struct shm_hello *hello,
                  struct member **ret, int *ret_memfd) {
        struct member *member;
        int memfd = -1, r;

        end_former(collector, newcomer->pid, newcomer->start_ticks, notices_drop(collector->notices, newcomer->pid));
        member = member_new(collector, newcomer);
        if (!member) {
                close(newcomer->pidfd);
                return -ENOMEM;
        }
        member->process.number = handover_next_number(collector->handover);
        limits_charge(member, ATTACH_COST);
        r = check_limits(member);
        if (r == 0)
                r = insert(member);
        if (r < 0) {
                member_free(member);
                return r;
        }
        look_up(member);
        death_watch(member);
        member->process.forked = hello->flags & SHM_HELLO_CHILD;
        member->process.counting = hello->counting <= SHM_COUNTING_BYPASSED ? hello->counting : SHM_COUNTING_NONE;
        member->process.allocator = procinfo_allocator(newcomer->pid);
        r = make_segment(member, hello, &memfd);
        if (r == 0)
                r = reactor_watch(collector->reactor, &member->death, member->pidfd, REACTOR_IN, on_death, member);
        if (r == 0)
                r = waker_add(collector->waker, &member->bell, drain_bell(member->process.drain));
        if (r < 0) {
                close_fd(memfd);
                member_take_out(member);
                member_free(member);
                return r;
        }
        collector->live++;
        collector->stats.processes_seen++;
        schedule_soon(collector);
        schedule_tick(collector);
        *ret = member;
        *ret_memfd = memfd;
        return 0;
}

int member_inherit(struct member *member) {
        struct collector *collector = member->collector;
        struct process *process = &member->process;
        int r = 0;

        books_on_event(process->books, on_closed_span, member);
        if (process->drain && member->pidfd >= 0)
                r = reactor_watch(collector->reactor, &member->death, member->pidfd, REACTOR_IN, on_death, member);
        if (r == 0 && process->drain)
                r = waker_add(collector->waker, &member->bell, drain_bell(process->drain));
        if (r == 0)
                r = insert(member);
        if (r < 0)
                return r;
        schedule_tick(collector);
        if (!process->drain) {
                collector->ended++;
                return 0;
        }
        collector->live++;
        member_snapshot(member);
        schedule_soon(collector);
        return 0;
}

void member_undo(struct member *member) {
        struct collector *collector = member->collector;

        handover_undo(member);

        member_take_out(member);
        member_free(member);
        collector->live--;
        collector->stats.processes_seen--;
}

int member_uncounted(struct collector *collector, const struct newcomer *newcomer, pid_t parent, const char *path,
                     const char *why, struct member **ret) {
        struct member *member = member_new(collector, newcomer);
        const char *base = strrchr(path, '/');
        int r;

        if (!member)
                return -ENOMEM;
        if (newcomer->pidfd >= 0)
                look_up(member);
        member->process.uncounted = true;
        if (!member->process.parent)
                member->process.parent = parent;
        if (!member->process.start_ns && newcomer->start_ticks)
                member->process.start_ns = procinfo_start_ns(newcomer->start_ticks);
        snprintf(member->process.why, sizeof member->process.why, "%s", why);
        snprintf(member->process.exe, sizeof member->process.exe, "%s", path);
        snprintf(member->process.comm, sizeof member->process.comm, "%.15s", base ? base + 1 : path);
        text_clean_in_place(member->process.exe, strlen(member->process.exe));
        text_clean_in_place(member->process.comm, strlen(member->process.comm));
        r = newcomer->pidfd < 0
                    ? 0
                    : reactor_watch(collector->reactor, &member->death, member->pidfd, REACTOR_IN, on_death, member);
        member->process.number = handover_next_number(collector->handover);
        if (r == 0)
                r = insert(member);
        if (r < 0) {
                member_free(member);
                return r;
        }
        schedule_tick(collector);
        *ret = member;
        return 0;
}

/* ---------------------------------------------------------------------------------------------------- ending -- */

void member_snapshot(struct member *member) {
        struct process *process = &member->process;

        if (!process->drain)
                return;
        process->counting = drain_counting(process->drain);
        process->refused = drain_refused(process->drain);
        process->refused_threads = drain_refused_threads(process->drain);
        process->threads = drain_threads(process->drain);
}

void member_end(struct member *member, enum process_end end, int status) {
        struct collector *collector = member->collector;
        struct process *process = &member->process;
        struct log_peer peer = member_peer(member);
        char text[160];

        if (process->end != PROCESS_ALIVE)
                return;
        death_look(member);
        member->death = reactor_unwatch(member->death);
        member->bell = waker_remove(member->bell);
        if (process->drain) {
                if (end != PROCESS_EXPELLED && drain_finish(process->drain, reactor_now(collector->reactor)) < 0) {
                        collector->stats.expelled++;
                        peer.reason = drain_fault(process->drain);
                        log_event(LOG_EXPELLED, &peer, "process %d (%s) left a broken segment: %s", (int)process->pid,
                                  process->comm, drain_fault(process->drain));
                }
                member_snapshot(member);
                limits_charge(member, drain_lanes(process->drain) + books_path_count(process->books));
                let_go(member);
                books_trim(process->books);
                limits_measure(member);
                if (!collector->statefile) /* else when it was saved */
                        books_close_fd(process->books);
                collector->live--;
        }
        process->threads = 0;
        process->end = end;
        process->end_status = status;
        process->ended_ns = reactor_now(collector->reactor);
        handover_end(member);
        collector->ended++;
        member_autopsy(member, process->ended_ns);
        member_alert(member, process->ended_ns, true);
        peer.reason = process_end_text(process, text, sizeof text);
        log_event(LOG_ENDED, &peer, "process %d (%s): %s", (int)process->pid, process->comm, peer.reason);
        if (collector->on_end)
                collector->on_end(collector->end_userdata, process);
        schedule_tick(collector);
}

void member_expel(struct member *member, int error) {
        member_expel_because(member, error == -EBADMSG ? drain_fault(member->process.drain) : strerror(-error));
}

void member_expel_because(struct member *member, const char *why) {
        struct log_peer peer = member_peer(member);

        member->collector->stats.expelled++;
        peer.reason = why;
        log_event(LOG_EXPELLED, &peer, "process %d (%s) is expelled: %s", (int)peer.pid, member->process.comm, why);
        snprintf(member->process.why, sizeof member->process.why, "%s", why);
        member_end(member, PROCESS_EXPELLED, 0);
}

struct member *member_find(const struct collector *collector, pid_t pid) {
        for (size_t i = collector->count; i-- > 0;)
                if (collector->members[i]->process.pid == pid)
                        return collector->members[i];
        return NULL;
}
