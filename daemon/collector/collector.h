/* SPDX-License-Identifier: MIT */
/*
 * The collector: all processes of a machine, or of one `spanallocctl run`.
 *
 * What lives here: which processes there are, who they are, when each is drained, when it ended and how, and when it
 * is forgotten.  What does not: how one is drained (drain.h), what is counted (books.h), how it is shown (query.h).
 *
 * Threads: the reactor's only, but for the waiters of doorbell.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/books/books.h"
#include "daemon/books/quota.h"
#include "daemon/drain/drain.h"
#include "daemon/loop/reactor.h"
#include "shm/segment.h"

struct collector;
struct handover_gift;
struct handover_store;

struct collector_options {
        const char *runtime_dir;       /* where the beacon lies; NULL: in memory only, as for `run` */
        struct shm_wish wish;          /* what a segment holds; 0 in any: shm_wish_default's */
        uint32_t ring_kib_max;         /* the largest ring that a client may ask for */
        uint32_t processes_max;        /* attached at once */
        uint64_t uid_max[QUOTA_KINDS]; /* what one uid other than root may have; 0: no limit.  RECORDS: root too */
        uint64_t keep_ns;              /* how long an ended process stays visible; UINT64_MAX: for ever */
        uint32_t keep_max;             /* … and how many of them */
        uint32_t segment_options;      /* enum shm_option, given to every client */
        const char *state_dir;         /* where books are saved every `state_ns`; NULL: nowhere.  For the start only */
        uint64_t state_ns;
        const struct handover_store *store; /* what outlives us is put there; NULL: nothing does */
        struct handover_gift *gifts;        /* … and what it gave back; for collector_new() only */
        size_t gift_count;
        bool eager; /* take SHM_HELLO_EXEC notices, and keep a row for what never attached */
};
extern const struct collector_options collector_options_default;

int collector_new(struct collector **ret, struct reactor *reactor, const struct collector_options *options);
struct collector *collector_free(struct collector *collector);
/* New limits, for what comes from now on. */
void collector_set_options(struct collector *collector, const struct collector_options *options);

/* Serves a listening SOCK_SEQPACKET socket; the descriptor is consumed. */
int collector_listen(struct collector *collector, int listen_fd);

/* Drains what is there now, and settles it: the moment before a query, or the end of a run.  Of each user's processes as
 * much as his share of a pass allows. */
void collector_refresh(struct collector *collector);
/* The same for the processes of one user. */
void collector_refresh_uid(struct collector *collector, uid_t uid);

/* How a process ended, as far as is known. */
enum process_end {
        PROCESS_ALIVE,
        PROCESS_EXITED,    /* gone; how is not known to us */
        PROCESS_EXIT_CODE, /* exit status in end_status */
        PROCESS_KILLED,    /* by signal end_status */
        PROCESS_EXEC,      /* replaced by another executable */
        PROCESS_DETACHED,
        PROCESS_EXPELLED, /* broke the format */
};

/* A process as the collector sees it; borrowed, good until the reactor runs again. */
struct process {
        uint64_t number; /* unique in a collector */
        pid_t pid, parent;
        uid_t uid;
        uint64_t start_ns; /* since the epoch */
        char comm[16];
        char exe[256];
        char unit[128];
        char cgroup[256]; /* path below the mount of cgroup2 */
        enum process_end end;
        int end_status;
        uint64_t ended_ns;  /* monotonic */
        bool out_of_memory; /* … and killed it for that */
        bool forked;        /* came by fork, and has not called exec */
        bool uncounted;     /* never attached; `why` says why; books and drain are NULL */
        char why[128];
        const char *allocator; /* below the counters when it is not libc's: "jemalloc", …; else "" */
        struct books *books;   /* stays when the process has ended */
        struct drain *drain;   /* NULL when it has ended */

        /* As of the last refresh, or of the end. */
        enum shm_counting counting;
        uint64_t refused;         /* enters, opens and closes */
        uint64_t refused_threads; /* more threads than lanes */
        uint32_t threads;         /* on record; 0 when it has ended */
};

/* All processes, the ended ones too, by number.  Index from 0; NULL at the end. */
const struct process *collector_process(const struct collector *collector, size_t index);
size_t collector_process_count(const struct collector *collector);
/* What counts this process's heap, or why nothing does: one phrase. */
const char *process_counting(const struct process *process, char *buf, size_t size);
/* "exited", "exited 3", "killed by SIGKILL", "exec", …; "" while alive. */
const char *process_end_text(const struct process *process, char *buf, size_t size);
/* Resident memory and that of its cgroup with its limit, read now; 0 where unknown. */
void process_memory(const struct process *process, uint64_t *ret_rss, uint64_t *ret_unit, uint64_t *ret_limit);

struct collector_stats {
        uint64_t started_ns; /* monotonic */
        uint64_t processes, processes_ended, processes_seen, threads;
        uint64_t records, refused, lost_alloc_bytes, evicted;
        double records_rate;
        uint64_t expelled, rejected, wakeups, passes;
        uint64_t limited[QUOTA_KINDS]; /* how often a user's limit was reached */
        uint32_t generation;
        bool took_over;         /* from another collector, with its processes */
        uint64_t reshaped;      /* of those, whose books were another version's */
        uint64_t left_behind;   /* of all collectors before, whose books could not be taken over */
        uint32_t ring_fill_ppm; /* the fullest ring of all in the last seconds */
};
void collector_stats(const struct collector *collector, struct collector_stats *ret);
struct reactor *collector_reactor(struct collector *collector);

/* Hands out each closed span as it is applied.  One listener, NULL: none; while there is one, no sleep is long. */
typedef void (*collector_event_fn)(void *userdata, const struct process *process, const struct books_event *event);
void collector_on_event(struct collector *collector, collector_event_fn fn, void *userdata);
/* Told once when a process has ended and its books are final. */
typedef void (*collector_end_fn)(void *userdata, const struct process *process);
void collector_on_end(struct collector *collector, collector_end_fn fn, void *userdata);

/* Told when something was finished: a pass over all that are attached, or a round of housekeeping. */
enum collector_work { COLLECTOR_PASS, COLLECTOR_HOUSEKEEPING };
typedef void (*collector_work_fn)(void *userdata, enum collector_work work, uint64_t now_ns);
void collector_on_work(struct collector *collector, collector_work_fn fn, void *userdata);
/* Nobody is attached, so that no pass is due. */
bool collector_is_empty(const struct collector *collector);

/* Process `pid` is about to run `path`; if that never attaches, a row says why.  Does nothing unless options.eager.
 * For the program that `run` starts itself; others announce themselves (SHM_HELLO_EXEC). */
void collector_announce(struct collector *collector, pid_t pid, const char *path, bool scrubbed);
/* Somebody waited for this process and knows its status (wait(2)'s); for `run`. */
void collector_reaped(struct collector *collector, pid_t pid, int wait_status);

/* Asks a process for timestamps, or no longer: it writes them from its next pass on.  The clock's rate is known from here
 * on.  0, -EOPNOTSUPP with `why`, or -ESRCH: it has ended. */
int collector_set_timing(struct collector *collector, const struct process *process, bool on, char *why, size_t size);

/* reset for every process.  Returns how many. */
uint32_t collector_reset(struct collector *collector);
