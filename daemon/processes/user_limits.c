/* SPDX-License-Identifier: MIT */
/*
 * See user_limits.h.
 *
 * The drain refuses names, paths, threads and records beyond the limit (quota.h); the attach refuses processes.  Memory
 * is measured: each second, of an idle process every four seconds, and after each pass that brought many records.  A
 * user above the limit loses ended processes first, then the largest living one.
 */
#include "daemon/processes/user_limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/books/books.h"
#include "daemon/drain/drain.h"
#include "daemon/host/close_later.h"
#include "daemon/host/log.h"
#include "daemon/loop/reactor.h"
#include "daemon/processes/process_private.h"

#define TELL_NS          (60 * NS_PER_S)
#define MEASURE_STILL_NS (4 * NS_PER_S) /* of one that does nothing */
#define MEASURE_AFTER    65536u         /* records in one pass */

static const struct {
        const char *what, *option, *then;
} texts[QUOTA_KINDS] = {
#define X(name, what, option, then) [QUOTA_##name] = {what, option, then},
        QUOTAS(X)
#undef X
};

/* Root has no limit but that of one pass, by which others do not wait. */
static void set_limits(struct quota *quota, const struct processes_options *options) {
        for (int kind = 0; kind < QUOTA_KINDS; kind++) {
                uint64_t limit = options->uid_max[kind];

                quota->limit[kind] = limit && (quota->uid != 0 || kind == QUOTA_RECORDS) ? limit : UINT64_MAX;
        }
}

/* The counts of a user, made at its first row; one more row is the user's.  NULL: no memory. */
static struct quota *get(struct processes *processes, uid_t uid) {
        struct quota *quota = processes->users.first;

        while (quota && quota->uid != uid)
                quota = quota->next;
        if (!quota) {
                quota = calloc(1, sizeof *quota);
                if (!quota)
                        return NULL;
                quota->uid = uid;
                quota->next = processes->users.first;
                set_limits(quota, &processes->options);
                processes->users.first = quota;
        }
        quota->users++;
        return quota;
}

/* One row less. */
static void put(struct processes *processes, struct quota *quota) {
        struct quota **at = &processes->users.first;

        if (--quota->users)
                return;
        while (*at != quota)
                at = &(*at)->next;
        *at = quota->next;
        for (int kind = 0; kind < QUOTA_KINDS; kind++)
                processes->users.forgotten_hits[kind] += quota->hits[kind];
        free(quota);
}

int limits_join(struct process *process) {
        struct user_share *own = &process->inside->share;

        own->segment_fd = -1;
        own->quota = get(process->inside->processes, process->uid);
        return own->quota ? 0 : -ENOMEM;
}

void limits_leave(struct process *process) {
        const struct user_share *own = &process->inside->share;
        uint64_t names = 0, paths = 0;

        if (process->books) {
                books_used(process->books, &names, &paths);
                quota_give(own->quota, QUOTA_NAMES, names);
                quota_give(own->quota, QUOTA_PATHS, paths);
        }
        quota_give(own->quota, QUOTA_MEMORY, own->memory);
        put(process->inside->processes, own->quota);
}

int limits_admit(struct process *process) {
        struct user_share *own = &process->inside->share;

        if (!quota_room(own->quota, QUOTA_MEMORY)) {
                quota_hit(own->quota, QUOTA_MEMORY);
                return -EDQUOT;
        }
        if (!quota_take(own->quota, QUOTA_PROCESSES, 1))
                return -EDQUOT;
        own->in_quota = true;
        return 0;
}

void limits_inherit(struct process *process, bool attached) {
        struct user_share *own = &process->inside->share;
        uint64_t names, paths;

        books_used(process->books, &names, &paths);
        quota_add(own->quota, QUOTA_NAMES, names);
        quota_add(own->quota, QUOTA_PATHS, paths);
        if (!attached)
                return;
        quota_add(own->quota, QUOTA_PROCESSES, 1);
        own->in_quota = true;
}

void limits_release(struct process *process) {
        struct user_share *own = &process->inside->share;

        if (own->in_quota)
                quota_give(own->quota, QUOTA_PROCESSES, 1);
        own->in_quota = false;
}

void limits_detach(struct process *process) {
        struct user_share *own = &process->inside->share;

        if (own->segment_fd >= 0)
                close_later(own->segment_fd); /* the last one of the file, where the process has ended */
        own->segment_fd = -1;
        limits_release(process);
}

void limits_set_segment(struct process *process, int fd) {
        process->inside->share.segment_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* without it, it is not measured */
}

struct quota *limits_quota(const struct process *process) {
        return process->inside->share.quota;
}

void limits_set(struct processes *processes) {
        for (struct quota *quota = processes->users.first; quota; quota = quota->next)
                set_limits(quota, &processes->options);
}

void limits_begin_pass(struct processes *processes) {
        for (struct quota *quota = processes->users.first; quota; quota = quota->next) {
                quota->used[QUOTA_RECORDS] = 0;
                quota->first = quota->next_first;
                quota->busy = quota->next_first = 0;
        }
}

bool limits_waits(const struct process *process) {
        return process->number < process->inside->share.quota->first;
}

/* The next pass begins with the process that the share did not reach, or behind it where much of the share was its: so each
 * has its turn, however many records the others write. */
static void choose_next(struct process *process, uint64_t taken, int outcome) {
        struct quota *quota = process->inside->share.quota;

        if (outcome == DRAIN_IDLE)
                return;
        if (!quota->busy)
                quota->busy = process->number;
        if (outcome == DRAIN_MORE && !quota->next_first)
                quota->next_first = process->number +
                                    (quota->busy == process->number || taken >= quota->limit[QUOTA_RECORDS] / 2);
}

bool limits_may_work(const struct processes *processes, uid_t uid) {
        const struct quota *quota = processes->users.first;

        while (quota && quota->uid != uid)
                quota = quota->next;
        return quota_room(quota, QUOTA_RECORDS) > 0;
}

void limits_charge(struct process *process, uint64_t records) {
        quota_add(process->inside->share.quota, QUOTA_RECORDS, records);
}

uint64_t limits_charged(const struct process *process) {
        return process->inside->share.quota->used[QUOTA_RECORDS];
}

/* ------------------------------------------------------------------------------------------------------ memory -- */

void limits_measure(struct process *process) {
        struct user_share *own = &process->inside->share;
        struct stat st;
        uint64_t memory = process->books ? books_memory(process->books) : 0;

        if (own->segment_fd >= 0 && fstat(own->segment_fd, &st) == 0)
                memory += (uint64_t)st.st_blocks * 512;
        own->measured_ns = reactor_now(process->inside->processes->reactor);
        quota_add(own->quota, QUOTA_MEMORY, memory);
        quota_give(own->quota, QUOTA_MEMORY, own->memory);
        own->memory = memory;
}

static struct process *largest(const struct processes *processes, uid_t uid) {
        struct process *found = NULL;

        for (size_t i = 0; i < processes->count; i++) {
                struct process *process = processes->rows[i];

                if (process->uid == uid && process->drain &&
                    (!found || process->inside->share.memory > found->inside->share.memory))
                        found = process;
        }
        return found;
}

/* Forgets the user's oldest ended process, or expels the largest living one, whose row is then the next to go.  False:
 * there is none. */
static bool drop_one(struct processes *processes, uid_t uid) {
        struct process *process = processes_oldest_ended(processes, uid);

        if (process) {
                process_forget(process);
                return true;
        }
        process = largest(processes, uid);
        if (process)
                process_expel_because(process, "its user's processes take more memory than max-memory-per-uid allows");
        return process != NULL;
}

/* Brings a user below the limit again.  False: `end_ns` is over, and the user is still above it. */
static bool fit(struct processes *processes, struct quota *quota, uint64_t end_ns) {
        bool is_done;

        /* The quota is freed with the user's last row. */
        quota->users++;
        do {
                quota_hit(quota, QUOTA_MEMORY);
                is_done = !drop_one(processes, quota->uid) || quota_room(quota, QUOTA_MEMORY);
        } while (!is_done && !reactor_slice_is_over(end_ns));
        put(processes, quota);
        return is_done;
}

/* One row at least.  False: there is more to do. */
static bool fit_all(struct processes *processes) {
        struct quota *quota = processes->users.first, *next;
        uint64_t end_ns = 0;

        for (; quota; quota = next) {
                next = quota->next;
                if (quota_room(quota, QUOTA_MEMORY))
                        continue;
                if (!end_ns)
                        end_ns = reactor_slice_end();
                else if (reactor_slice_is_over(end_ns))
                        return false;
                if (!fit(processes, quota, end_ns))
                        return false;
        }
        return true;
}

void limits_after_drain(struct process *process, uint64_t before, int outcome) {
        uint64_t taken = limits_charged(process) - before;

        choose_next(process, taken, outcome);
        if (taken >= MEASURE_AFTER)
                limits_measure(process);
}

void limits_end_pass(struct processes *processes) {
        if (!fit_all(processes))
                processes->owner->drain_soon(processes->userdata);
}

/* ------------------------------------------------------------------------------------------------------- the log -- */

static void tell(struct quota *quota, enum quota_kind kind, uint64_t now_ns) {
        char reason[160];
        struct log_peer peer = {.uid = quota->uid, .reason = reason};

        if (quota->hits[kind] == quota->told[kind] || (quota->told_ns[kind] && now_ns - quota->told_ns[kind] < TELL_NS))
                return;
        quota->told[kind] = quota->hits[kind];
        quota->told_ns[kind] = now_ns;
        snprintf(reason, sizeof reason, "%llu %s: %s (--%s)", (unsigned long long)quota->limit[kind], texts[kind].what,
                 texts[kind].then, texts[kind].option);
        log_event(LOG_LIMIT, &peer, "user %u is at the limit of %s", (unsigned)quota->uid, reason);
}

void limits_tend_process(struct process *process, uint64_t now_ns) {
        if (process->drain &&
            (process_is_active(process) || now_ns - process->inside->share.measured_ns >= MEASURE_STILL_NS))
                limits_measure(process);
}

bool limits_tend(struct processes *processes, uint64_t now_ns) {
        bool fits = fit_all(processes);

        for (struct quota *quota = processes->users.first; quota; quota = quota->next)
                for (int kind = 0; kind < QUOTA_KINDS; kind++)
                        tell(quota, (enum quota_kind)kind, now_ns);
        return fits;
}

void limits_sum(const struct processes *processes, uint64_t ret_hits[QUOTA_KINDS]) {
        for (int kind = 0; kind < QUOTA_KINDS; kind++)
                ret_hits[kind] = processes->users.forgotten_hits[kind];
        for (const struct quota *quota = processes->users.first; quota; quota = quota->next)
                for (int kind = 0; kind < QUOTA_KINDS; kind++)
                        ret_hits[kind] += quota->hits[kind];
}
