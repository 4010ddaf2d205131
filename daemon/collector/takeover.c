/* SPDX-License-Identifier: MIT */
/*
 * See takeover.h.
 *
 * The label is in the arena, which no client sees; the segment is in the hands of one.  So the segment is known by its
 * inode, and its geometry is the label's.
 */
#include "daemon/collector/takeover.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/files.h"
#include "daemon/collector/handover.h"
#include "daemon/processes/process_private.h"

/* Another version's label may be longer or shorter: fields are added at the end, and zero means that nothing is known.
 * Anything else is a new number, which others refuse. */
#define LABEL_VERSION 2u

struct label {
        uint32_t version, flags;
        uint64_t number, start_ticks, start_ns, attached_ns, ended_ns;
        int32_t pid, parent;
        uint32_t uid, counting;
        uint32_t end;
        int32_t end_status;
        uint64_t refused, refused_threads;
        uint64_t segment_device, segment_inode, oom_kills;
        struct shm_geometry geometry;
        char comm[16], allocator[16];
        char exe[256], unit[128], cgroup[256], why[128];
};
_Static_assert(sizeof(struct label) <= BOOKS_LABEL_MAX, "");
#define LABEL_LEAST (offsetof(struct label, why) + sizeof((struct label){0}.why)) /* of the first one */

enum {
        LABEL_FORKED = 1 << 0,
        LABEL_OTHER_PIDNS = 1 << 1,
        LABEL_SETTLED = 1 << 2,
        LABEL_REPORTED = 1 << 3,
        LABEL_OOM = 1 << 4,
        LABEL_MAYBE_OOM = 1 << 5
};

void handover_relabel(struct member *member) {
        const struct process *process = &member->process;
        struct label label = {
                .version = LABEL_VERSION,
                .flags = (process->forked ? LABEL_FORKED : 0) | (member->other_pidns ? LABEL_OTHER_PIDNS : 0) |
                         (member->settled ? LABEL_SETTLED : 0) | (member->is_reported ? LABEL_REPORTED : 0) |
                         (process->out_of_memory ? LABEL_OOM : 0) | (member->maybe_oom ? LABEL_MAYBE_OOM : 0),
                .number = process->number,
                .start_ticks = member->start_ticks,
                .start_ns = process->start_ns,
                .attached_ns = member->attached_ns,
                .ended_ns = process->ended_ns,
                .pid = process->pid,
                .parent = process->parent,
                .uid = process->uid,
                .counting = process->counting,
                .end = process->end,
                .end_status = process->end_status,
                .refused = process->refused,
                .refused_threads = process->refused_threads,
                .segment_device = member->segment_device,
                .segment_inode = member->segment_inode,
                .oom_kills = member->oom_kills,
                .geometry = member->geometry,
        };

        memcpy(label.comm, process->comm, sizeof label.comm);
        strncpy(label.allocator, process->allocator, sizeof label.allocator - 1);
        memcpy(label.exe, process->exe, sizeof label.exe);
        memcpy(label.unit, process->unit, sizeof label.unit);
        memcpy(label.cgroup, process->cgroup, sizeof label.cgroup);
        memcpy(label.why, process->why, sizeof label.why);
        books_set_label(process->books, &label, sizeof label);
}

static void read_label(struct member *member, const struct label *label) {
        struct process *process = &member->process;

        process->number = label->number;
        process->pid = label->pid;
        process->parent = label->parent;
        process->uid = label->uid;
        process->start_ns = label->start_ns;
        process->end = (enum process_end)label->end;
        process->end_status = label->end_status;
        process->ended_ns = label->ended_ns;
        process->counting = (enum shm_counting)label->counting;
        process->refused = label->refused;
        process->refused_threads = label->refused_threads;
        process->forked = label->flags & LABEL_FORKED;
        member->other_pidns = label->flags & LABEL_OTHER_PIDNS;
        member->settled = label->flags & LABEL_SETTLED;
        member->is_reported = label->flags & LABEL_REPORTED;
        member->maybe_oom = label->flags & LABEL_MAYBE_OOM;
        member->oom_kills = label->oom_kills;
        process->out_of_memory = label->flags & LABEL_OOM;
        member->start_ticks = label->start_ticks;
        member->attached_ns = label->attached_ns;
        member->geometry = label->geometry;
        member->segment_device = label->segment_device;
        member->segment_inode = label->segment_inode;
        memcpy(process->comm, label->comm, sizeof process->comm);
        memcpy(process->exe, label->exe, sizeof process->exe);
        memcpy(process->unit, label->unit, sizeof process->unit);
        memcpy(process->cgroup, label->cgroup, sizeof process->cgroup);
        memcpy(process->why, label->why, sizeof process->why);
        memcpy(member->allocator, label->allocator, sizeof member->allocator);
        process->allocator = member->allocator;
}

/* ----------------------------------------------------------------------------------------------- descriptors -- */

static bool is_its_segment(const struct member *member, int fd) {
        struct stat st;
        uint64_t size;

        return fd >= 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_dev == member->segment_device &&
               (uint64_t)st.st_ino == member->segment_inode && shm_geometry_check(&member->geometry) == 0 &&
               shm_segment_check_fd(fd, member->geometry.segment_size, &size) == 0;
}

/* The pidfd where it is the right one; else a new one.  -1: the process is gone, or has been waited for. */
static int find_process(const struct member *member, int pidfd) {
        struct procinfo_stat stat;
        pid_t pid;

        if (pidfd >= 0 && procinfo_pidfd(pidfd, &pid) == 0 && (pid == member->process.pid || pid == -1))
                return pidfd;
        close_fd(pidfd);
        pidfd = (int)syscall(SYS_pidfd_open, member->process.pid, 0);
        if (pidfd < 0)
                return -1;
        if (procinfo_stat(member->process.pid, &stat) == 0 && stat.start_ticks == member->start_ticks)
                return pidfd;
        close(pidfd);
        return -1;
}

/* ------------------------------------------------------------------------------------------------- taking over -- */

/* `books` belongs to the member from here on. */
static int make_member(struct collector *collector, uint64_t number, struct books *books, struct member **ret) {
        const struct newcomer nobody = {.pidfd = -1};
        struct member *member;
        struct label label = {0};
        const void *stored;
        size_t size;
        int r;

        stored = books_label(books, &size);
        if (!stored || size < LABEL_LEAST || size > BOOKS_LABEL_MAX)
                return -EPROTO;
        memcpy(&label, stored, size < sizeof label ? size : sizeof label);
        if (label.version != LABEL_VERSION)
                return -EPROTONOSUPPORT;
        if (label.number != number || label.end > PROCESS_EXPELLED || label.pid <= 0)
                return -EPROTO;
        member = member_new(collector, &nobody);
        if (!member)
                return -ENOMEM;
        read_label(member, &label);
        r = limits_inherit(member, books);
        if (r < 0) {
                member_free(member);
                return r;
        }
        member->process.books = books;
        *ret = member;
        return 0;
}

/* It lived when the last collector did. */
static int go_on(struct member *member, int segment_fd) {
        struct process *process = &member->process;
        int r = drain_new(&process->drain, segment_fd, &member->geometry, process->books);

        if (r < 0)
                return r;
        drain_set_quota(process->drain, member->quota);
        drain_resume(process->drain);
        member->segment_fd = fcntl(segment_fd, F_DUPFD_CLOEXEC, 0);
        member->counted = true;
        quota_add(member->quota, QUOTA_PROCESSES, 1);
        member->inherited = true;
        return 0;
}

static int take(struct member *member, int segment_fd, int pid_fd) {
        struct process *process = &member->process;
        bool lived = process->end == PROCESS_ALIVE, has_segment = lived && is_its_segment(member, segment_fd);
        int r;

        member->pidfd = find_process(member, pid_fd);
        if (has_segment) {
                r = go_on(member, segment_fd);
                if (r < 0)
                        return r;
        } else if (lived) {
                /* Of what its client still writes nobody hears: it ends here, and its program begins another. */
                process->end = member->pidfd >= 0 ? PROCESS_DETACHED : PROCESS_EXITED;
                process->ended_ns = reactor_now(member->collector->reactor);
                member->is_reported = true;
                drain_abandon(process->books, process->ended_ns);
        }
        r = member_inherit(member);
        if (r < 0)
                return r;
        if (!has_segment && !member->collector->statefile)
                books_close_fd(process->books);
        if (has_segment && member->pidfd < 0)
                member_end(member, PROCESS_EXITED, 0);
        return 0;
}

int inherit_process(struct collector *collector, uint64_t number, int books_fd, int segment_fd, int pid_fd,
                    struct member **ret, const char **ret_why) {
        struct member *member = NULL;
        struct books *books;
        int r;

        *ret_why = NULL;
        r = books_adopt(&books, books_fd);
        if (r == 0) {
                r = make_member(collector, number, books, &member);
                if (r < 0)
                        books_free(books);
        }
        if (r == -EPROTONOSUPPORT)
                *ret_why = "they are of another version; its program begins anew";
        if (r == 0) {
                r = take(member, segment_fd, pid_fd);
                if (r < 0)
                        member_free(member);
        } else if (pid_fd >= 0) {
                close(pid_fd);
        }
        close_fd(segment_fd);
        if (r == 0)
                *ret = member;
        return r;
}
