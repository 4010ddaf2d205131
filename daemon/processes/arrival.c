/* SPDX-License-Identifier: MIT */
/* See arrival.h. */
#include "daemon/processes/arrival.h"
#include "base/clean_text.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/drain/drain.h"
#include "daemon/host/procinfo.h"
#include "daemon/loop/reactor.h"
#include "daemon/processes/announced.h"
#include "daemon/processes/process_private.h"
#include "shm/handshake.h"

#define ATTACH_COST 4096u /* in records */

/* What /proc has on it now.  Without it the row has gaps. */
static void look_up(struct process *process) {
        struct process_inside *inside = process->inside;
        struct procinfo_stat stat;

        if (procinfo_stat(process->pid, &stat) == 0) {
                process->parent = stat.parent;
                memcpy(process->comm, stat.comm, sizeof process->comm);
                inside->start_ticks = stat.start_ticks;
                process->start_ns = procinfo_start_ns(stat.start_ticks);
        }
        (void)procinfo_exe(process->pid, process->exe, sizeof process->exe);
        if (procinfo_cgroup(process->pid, process->cgroup, sizeof process->cgroup) == 0)
                procinfo_unit(process->cgroup, process->unit, sizeof process->unit);
        inside->other_pidns = procinfo_in_other_pidns(process->pid);
}

/* ------------------------------------------------------------------------------------------- one pid, twice -- */

/* Its pidfd is exact: a pid is given to another process only when this one is gone, which an exec does not do. */
static bool is_gone(const struct process *process) {
        struct pollfd death = {.fd = process->inside->pidfd, .events = POLLIN};

        return death.fd >= 0 && poll(&death, 1, 0) == 1;
}

static bool is_another(const struct process *former, const struct newcomer *newcomer) {
        uint64_t start_ticks = former->inside->start_ticks;

        return is_gone(former) || (start_ticks && newcomer->start_ticks && start_ticks != newcomer->start_ticks);
}

/* A second attach of one pid: another program after exec, the same one that came back, or another process. */
static void end_former(struct processes *processes, const struct newcomer *newcomer, bool announced) {
        struct process *former = processes_by_pid(processes, newcomer->pid);

        if (!former || former->end != PROCESS_ALIVE || process_is_ending(former))
                return;
        if (former->unattached && is_gone(former)) {
                process_end(former, PROCESS_EXITED, 0);
        } else if (former->unattached) {
                /* An announced process attaches now: its new row replaces this one. */
                processes_remove(former);
                process_free(former);
        } else if (former->inside->inherited && !announced && !drain_has_lanes(former->drain)) {
                /* The last collector made a segment for this process, and ended before it sent the segment. */
                process_undo(former);
        } else if (is_another(former, newcomer)) {
                process_end_soon(former, PROCESS_EXITED);
        } else {
                /* A forked child may have called exec before any thread of it had a lane. */
                bool exec = announced || !drain_was_left(former->drain);

                process_end_soon(former, exec ? PROCESS_EXEC : PROCESS_DETACHED);
        }
}

/* --------------------------------------------------------------------------------------------------- attaching -- */

static int make_segment(struct process *process, const struct shm_hello *hello, int *ret_memfd) {
        struct process_inside *inside = process->inside;
        const struct processes_options *options = &inside->processes->options;
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
        r = books_new(&process->books, &limits, inside->attached_ns);
        if (r < 0)
                return r;
        process_listen(process);
        r = shm_segment_create(&fd, &geometry, process->number, options->segment_options);
        if (r < 0)
                return r;
        r = drain_new(&process->drain, fd, &geometry, process->books);
        if (r == 0 && fstat(fd, &st) < 0)
                r = -errno;
        /* As the client will write it, for a client that ends, or fails to map the segment, before that. */
        if (r == 0)
                r = shm_segment_set_counting(fd, process->counting);
        if (r < 0) {
                close(fd);
                return r;
        }
        inside->segment = (struct process_segment){
                .geometry = geometry, .device = (uint64_t)st.st_dev, .inode = (uint64_t)st.st_ino};
        drain_set_filters(process->drain, hello->filters);
        process_look_for_filters(process, inside->attached_ns, 0);
        drain_set_quota(process->drain, limits_quota(process));
        limits_set_segment(process, fd);
        *ret_memfd = fd;
        return 0;
}

/* What it inherited, as it says.  A raw clone cannot say it: its parent's row shows what that has now, which is near. */
static void set_inherited(struct process *process, const struct shm_hello *hello) {
        struct processes *processes = process->inside->processes;
        uint64_t inherited = hello->own.inherited, now_ns = reactor_now(processes->reactor);
        uint64_t end_ns = reactor_slice_end();
        enum books_net_quality quality = BOOKS_NET_UNKNOWN;
        struct process *parent;
        struct books_process_row row;
        uint64_t until = 0;

        if (hello->flags & SHM_HELLO_INHERITED) {
                quality = hello->flags & SHM_HELLO_ESTIMATED ? BOOKS_NET_ESTIMATED : BOOKS_NET_EXACT;
        } else {
                parent = process->forked ? processes_by_pid(processes, process->parent) : NULL;
                inherited = 0;
                if (parent && parent->books && parent->uid == process->uid) {
                        if (parent->drain)
                                limits_charge(parent, drain_lanes(parent->drain));
                        /* What does not fit in a slice is as of a second ago. */
                        while (parent->drain && !process_settle(parent, now_ns, &until) &&
                               !reactor_slice_is_over(end_ns))
                                ;
                        books_process_lanes(parent->books, &row);
                        inherited = row.net;
                        quality = row.net_quality == BOOKS_NET_UNKNOWN ? BOOKS_NET_UNKNOWN : BOOKS_NET_ESTIMATED;
                }
        }
        books_begin(process->books, now_ns);
        books_set_inherited(process->books, inherited, hello->own.left, quality);
        books_commit(process->books);
}

static int begin(struct process *process, const struct shm_hello *hello, int *ret_memfd) {
        int r;

        look_up(process);
        post_mortem_watch(process);
        process->forked = hello->flags & SHM_HELLO_CHILD;
        process->counting = hello->counting <= SHM_COUNTING_BYPASSED ? hello->counting : SHM_COUNTING_NONE;
        process_find_allocator(process);
        r = make_segment(process, hello, ret_memfd);
        if (r < 0)
                return r;
        set_inherited(process, hello);
        return process_watch(process);
}

int process_attach(struct processes *processes, const struct newcomer *newcomer, const struct shm_hello *hello,
                   struct process **ret, int *ret_memfd) {
        const struct process_owner *owner = processes->owner;
        struct process *process;
        int memfd = -1, r;

        end_former(processes, newcomer, announced_drop(processes->announced, newcomer->pid));
        process = process_new(processes, newcomer);
        if (!process) {
                close(newcomer->pidfd);
                return -ENOMEM;
        }
        process->number = owner->next_number(processes->userdata);
        limits_charge(process, ATTACH_COST);
        r = processes->stats.live >= processes->options.processes_max + processes->replaced ? -EDQUOT
                                                                                            : limits_admit(process);
        if (r == 0)
                r = processes_insert(process);
        if (r < 0) {
                process_free(process);
                return r;
        }
        r = begin(process, hello, &memfd);
        if (r < 0) {
                if (memfd >= 0)
                        close(memfd);
                processes_remove(process);
                process_free(process);
                return r;
        }
        processes->stats.live++;
        processes->stats.seen++;
        processes->stats.forked += (hello->flags & SHM_HELLO_CHILD) && (hello->flags & SHM_HELLO_INHERITED);
        owner->drain_soon(processes->userdata);
        owner->tend_soon(processes->userdata);
        *ret = process;
        *ret_memfd = memfd;
        return 0;
}

void process_undo(struct process *process) {
        struct processes *processes = process->inside->processes;

        processes->owner->undone(processes->userdata, process);
        processes->replaced -= process->inside->watch.is_replaced;
        processes_remove(process);
        process_free(process);
        processes->stats.live--;
        processes->stats.seen--;
}

/* ------------------------------------------------------------------------------------- of an earlier collector -- */

static int resume(struct process *process, int segment_fd) {
        int r = drain_new(&process->drain, segment_fd, &process->inside->segment.geometry, process->books);

        if (r < 0)
                return r;
        drain_set_quota(process->drain, limits_quota(process));
        drain_resume(process->drain);
        limits_set_segment(process, segment_fd);
        process->inside->inherited = true;
        return 0;
}

/* It lived as far as the last collector knew, and has no segment: it ends, and its program attaches anew. */
static void abandon(struct process *process) {
        process->end = process->inside->pidfd >= 0 ? PROCESS_DETACHED : PROCESS_EXITED;
        process->ended_ns = reactor_now(process->inside->processes->reactor);
        post_mortem_skip(process);
        drain_abandon(process->books, process->ended_ns);
}

int process_inherit(struct process *process, struct books *books, int segment_fd) {
        struct processes *processes = process->inside->processes;
        bool lived = process->end == PROCESS_ALIVE;
        int r = 0;

        process->books = books;
        limits_inherit(process, lived && segment_fd >= 0);
        if (lived && segment_fd >= 0)
                r = resume(process, segment_fd);
        else if (lived)
                abandon(process);
        process_listen(process);
        if (r == 0 && process->drain)
                r = process_watch(process);
        if (r == 0)
                r = processes_insert(process);
        if (r < 0)
                return r;
        processes->owner->tend_soon(processes->userdata);
        if (!process->drain) {
                processes_count_ended(process);
                limits_measure(process); /* as at the end of one of our own */
                return 0;
        }
        processes->stats.live++;
        process_snapshot(process);
        processes->owner->drain_soon(processes->userdata);
        if (process->inside->watch.ends_as != PROCESS_ALIVE)
                process_end_soon(process, process->inside->watch.ends_as);
        else if (process->inside->pidfd < 0)
                process_end(process, PROCESS_EXITED, 0);
        return 0;
}

/* ------------------------------------------------------------------------------------------------ never attached -- */

int process_add_unattached(struct processes *processes, const struct newcomer *newcomer, pid_t parent, const char *path,
                           const char *why, struct process **ret) {
        struct process *process = process_new(processes, newcomer);
        const char *base = strrchr(path, '/');
        int r;

        if (!process) {
                if (newcomer->pidfd >= 0)
                        close(newcomer->pidfd);
                return -ENOMEM;
        }
        if (newcomer->pidfd >= 0)
                look_up(process);
        process->unattached = true;
        if (!process->parent)
                process->parent = parent;
        if (!process->start_ns && newcomer->start_ticks)
                process->start_ns = procinfo_start_ns(newcomer->start_ticks);
        snprintf(process->why, sizeof process->why, "%s", why);
        snprintf(process->exe, sizeof process->exe, "%s", path);
        snprintf(process->comm, sizeof process->comm, "%.15s", base ? base + 1 : path);
        text_clean_in_place(process->exe, strlen(process->exe));
        text_clean_in_place(process->comm, strlen(process->comm));
        r = process_watch(process);
        process->number = processes->owner->next_number(processes->userdata);
        if (r == 0)
                r = processes_insert(process);
        if (r < 0) {
                process_free(process);
                return r;
        }
        processes->owner->tend_soon(processes->userdata);
        *ret = process;
        return 0;
}

int process_set_unmapped(struct processes *processes, const struct newcomer *newcomer, int error) {
        struct process *process = processes_by_pid(processes, newcomer->pid), *row;
        char exe[sizeof process->exe], why[sizeof process->why];
        pid_t parent;
        int r;

        if (!process || process->end != PROCESS_ALIVE || process_is_ending(process) || process->unattached ||
            is_another(process, newcomer) || drain_has_lanes(process->drain)) {
                close(newcomer->pidfd);
                return -ESRCH;
        }
        memcpy(exe, process->exe, sizeof exe);
        parent = process->parent;
        snprintf(why, sizeof why, "it could not map its segment: %s", strerror(error));
        process_undo(process);
        r = process_add_unattached(processes, newcomer, parent, exe, why, &row);
        if (r == 0 && limits_admit(row) < 0) {
                processes_remove(row);
                process_free(row);
                r = -EDQUOT;
        }
        return r;
}
