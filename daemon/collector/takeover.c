/* SPDX-License-Identifier: MIT */
/*
 * See takeover.h.
 *
 * The label is in the arena, which no client can read or write; a client can write to the segment.  So the segment is
 * recognised by its inode, and its geometry is taken from the label.
 */
#include "daemon/collector/takeover.h"
#include "base/clean_text.h"
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/collector/collector_private.h"
#include "daemon/host/procinfo.h"
#include "daemon/processes/arrival.h"

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
        LABEL_RECHECKED = 1 << 2,
        LABEL_REPORTED = 1 << 3,
        LABEL_OOM = 1 << 4,
        LABEL_MAYBE_OOM = 1 << 5,
        LABEL_REPLACED = 1 << 6, /* Its end, by exec, is in the making. */
        LABEL_LEFT = 1 << 7      /* the same, by a detach */
};

void takeover_relabel(struct process *process) {
        struct process_facts facts;
        struct label label;

        process_facts(process, &facts);
        label = (struct label){
                .version = LABEL_VERSION,
                .flags = (process->forked ? LABEL_FORKED : 0) | (facts.other_pidns ? LABEL_OTHER_PIDNS : 0) |
                         (facts.rechecked ? LABEL_RECHECKED : 0) | (facts.is_reported ? LABEL_REPORTED : 0) |
                         (process->out_of_memory ? LABEL_OOM : 0) | (facts.maybe_oom ? LABEL_MAYBE_OOM : 0) |
                         (facts.ends_as == PROCESS_EXEC ? LABEL_REPLACED : 0) |
                         (facts.ends_as == PROCESS_DETACHED ? LABEL_LEFT : 0),
                .number = process->number,
                .start_ticks = process_start_ticks(process),
                .start_ns = process->start_ns,
                .attached_ns = facts.attached_ns,
                .ended_ns = process->ended_ns,
                .pid = process->pid,
                .parent = process->parent,
                .uid = process->uid,
                .counting = process->counting,
                .end = process->end,
                .end_status = process->end_status,
                .refused = process->refused,
                .refused_threads = process->refused_threads,
                .segment_device = facts.segment_device,
                .segment_inode = facts.segment_inode,
                .oom_kills = facts.oom_kills,
                .geometry = facts.geometry,
        };
        memcpy(label.comm, process->comm, sizeof label.comm);
        memcpy(label.allocator, facts.allocator, sizeof label.allocator);
        memcpy(label.exe, process->exe, sizeof label.exe);
        memcpy(label.unit, process->unit, sizeof label.unit);
        memcpy(label.cgroup, process->cgroup, sizeof label.cgroup);
        memcpy(label.why, process->why, sizeof label.why);
        books_set_label(process->books, &label, sizeof label);
}

static void clean(char *text, size_t size) {
        text[size - 1] = 0;
        text_clean_in_place(text, strlen(text));
}

static void clean_label(struct label *label) {
        clean(label->comm, sizeof label->comm);
        clean(label->allocator, sizeof label->allocator);
        clean(label->exe, sizeof label->exe);
        clean(label->unit, sizeof label->unit);
        clean(label->cgroup, sizeof label->cgroup);
        clean(label->why, sizeof label->why);
}

static int read_label(const struct books *books, uint64_t number, struct label *ret) {
        struct label label = {0};
        const void *stored;
        size_t size;

        stored = books_label(books, &size);
        if (!stored || size < LABEL_LEAST || size > BOOKS_LABEL_MAX)
                return -EPROTO;
        memcpy(&label, stored, size < sizeof label ? size : sizeof label);
        if (label.version != LABEL_VERSION)
                return -EPROTONOSUPPORT;
        if (label.number != number || label.end > PROCESS_EXPELLED || label.pid <= 0 ||
            label.counting > SHM_COUNTING_BYPASSED)
                return -EPROTO;
        clean_label(&label);
        *ret = label;
        return 0;
}

static void apply_label(struct process *process, const struct label *label) {
        struct process_facts facts = {
                .attached_ns = label->attached_ns,
                .segment_device = label->segment_device,
                .segment_inode = label->segment_inode,
                .oom_kills = label->oom_kills,
                .geometry = label->geometry,
                .other_pidns = label->flags & LABEL_OTHER_PIDNS,
                .rechecked = label->flags & LABEL_RECHECKED,
                .is_reported = label->flags & LABEL_REPORTED,
                .maybe_oom = label->flags & LABEL_MAYBE_OOM,
                .ends_as = label->flags & LABEL_REPLACED ? PROCESS_EXEC
                           : label->flags & LABEL_LEFT   ? PROCESS_DETACHED
                                                         : PROCESS_ALIVE,
        };

        memcpy(facts.allocator, label->allocator, sizeof facts.allocator);
        process_set_facts(process, &facts);
        process->number = label->number;
        process->parent = label->parent;
        process->start_ns = label->start_ns;
        process->end = (enum process_end)label->end;
        process->end_status = label->end_status;
        process->ended_ns = label->ended_ns;
        process->counting = (enum shm_counting)label->counting;
        process->refused = label->refused;
        process->refused_threads = label->refused_threads;
        process->forked = label->flags & LABEL_FORKED;
        process->out_of_memory = label->flags & LABEL_OOM;
        memcpy(process->comm, label->comm, sizeof process->comm);
        memcpy(process->exe, label->exe, sizeof process->exe);
        memcpy(process->unit, label->unit, sizeof process->unit);
        memcpy(process->cgroup, label->cgroup, sizeof process->cgroup);
        memcpy(process->why, label->why, sizeof process->why);
}

/* ----------------------------------------------------------------------------------------------- descriptors -- */

static bool is_its_segment(const struct label *label, int fd) {
        struct stat st;
        uint64_t size;

        return fd >= 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_dev == label->segment_device &&
               (uint64_t)st.st_ino == label->segment_inode && shm_geometry_check(&label->geometry) == 0 &&
               shm_segment_check_fd(fd, label->geometry.segment_size, &size) == 0;
}

/* The pidfd where it is the right one; else a new one.  -1: the process is gone, or has been waited for. */
static int find_process(const struct label *label, int pidfd) {
        struct procinfo_stat stat;
        pid_t pid;

        if (pidfd >= 0 && procinfo_pidfd(pidfd, &pid) == 0 && (pid == label->pid || pid == -1))
                return pidfd;
        if (pidfd >= 0)
                close(pidfd);
        pidfd = (int)syscall(SYS_pidfd_open, label->pid, 0);
        if (pidfd < 0)
                return -1;
        if (procinfo_stat(label->pid, &stat) == 0 && stat.start_ticks == label->start_ticks)
                return pidfd;
        close(pidfd);
        return -1;
}

/* ------------------------------------------------------------------------------------------------- taking over -- */

/* Consumes pid_fd, also on failure. */
static int make_process(struct collector *collector, const struct label *label, int pid_fd, struct process **ret) {
        const struct newcomer newcomer = {.pid = label->pid,
                                          .uid = label->uid,
                                          .pidfd = find_process(label, pid_fd),
                                          .start_ticks = label->start_ticks};
        struct process *process = process_new(collector->processes, &newcomer);

        if (!process) {
                if (newcomer.pidfd >= 0)
                        close(newcomer.pidfd);
                return -ENOMEM;
        }
        apply_label(process, label);
        *ret = process;
        return 0;
}

/* `books` are the process's from here on. */
static int take(const struct collector *collector, struct process *process, struct books *books, int segment_fd) {
        int r = process_inherit(process, books, segment_fd);

        if (r == 0 && segment_fd < 0 && !collector->statefile)
                books_close_fd(books);
        return r;
}

int takeover_process(struct collector *collector, uint64_t number, int books_fd, int segment_fd, int pid_fd,
                     struct process **ret, const char **ret_why) {
        struct process *process = NULL;
        struct books *books = NULL;
        struct label label;
        int r;

        *ret_why = NULL;
        r = books_adopt(&books, books_fd);
        if (r == 0)
                r = books_verify(books);
        if (r == 0)
                r = read_label(books, number, &label);
        if (r == 0) {
                r = make_process(collector, &label, pid_fd, &process);
                pid_fd = -1;
        }
        if (r == -EPROTONOSUPPORT)
                *ret_why = "they are of another version; its program begins anew";
        if (r == 0) {
                bool goes_on = label.end == PROCESS_ALIVE && is_its_segment(&label, segment_fd);

                r = take(collector, process, books, goes_on ? segment_fd : -1);
                if (r < 0)
                        process_free(process);
                else
                        *ret = process;
        } else if (books) {
                books_free(books);
        }
        if (pid_fd >= 0)
                close(pid_fd);
        if (segment_fd >= 0)
                close(segment_fd);
        return r;
}
