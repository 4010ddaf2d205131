/* SPDX-License-Identifier: MIT */
/*
 * The collector: all processes of a machine, or of one `spanallocctl run`.
 *
 * What lives here: when processes are drained, how clients connect, and the handover to the next collector.  What does
 * not: the list of processes and their ends (processes.h), draining one (drain.h), the sums (books.h), answers
 * (query.h).
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
#include "daemon/processes/process.h"
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
        uint32_t keep_max;             /* how many ended processes stay visible */
        uint32_t segment_options;      /* enum shm_option, given to every client */
        const char *state_dir;         /* where books are saved every `state_ns`; NULL: nowhere.  For the start only */
        uint64_t state_ns;
        const struct handover_store *store; /* what outlives us is put there; NULL: nothing does */
        struct handover_gift *gifts;        /* what the store gave back; for collector_new() only */
        size_t gift_count;
        bool eager;               /* take SHM_HELLO_EXEC notices, and keep a row for what never attached */
        void (*still_busy)(void); /* called between two files or processes while it starts or ends; NULL: nothing is */
        pid_t family; /* processes of other users are served only if they descend from this one; 0: all are */
};
extern const struct collector_options collector_options_default;

int collector_new(struct collector **ret, struct reactor *reactor, const struct collector_options *options);
struct collector *collector_free(struct collector *collector);
/* New limits, for what comes from now on. */
void collector_set_options(struct collector *collector, const struct collector_options *options);

/* Serves a listening SOCK_SEQPACKET socket; the descriptor is consumed. */
int collector_listen(struct collector *collector, int listen_fd);

/* Drains and settles all processes, before a query or at the end of a run.  Each user's processes get at most the
 * user's share of a pass. */
void collector_refresh(struct collector *collector);
/* Where collector_refresh_some() is: all zero at its begin. */
struct collector_refreshing {
        unsigned slices; /* that the row took so far */
        uint64_t until;  /* process_settle()'s */
};
/* The same from row *index on, for one user or with `all`, in one slice of a turn.  False: it goes on at *index, with the
 * same `row`. */
bool collector_refresh_some(struct collector *collector, size_t *index, struct collector_refreshing *row, bool all,
                            uid_t uid);
/* The same for one process, which is held; nothing if it has ended. */
bool collector_refresh_one(struct collector *collector, const struct process *process,
                           struct collector_refreshing *row);
/* Until it is called with NULL, each process that is read stays readable, and *index moves with the rows. */
void collector_hold(struct collector *collector, size_t *index);

/* All processes, the ended ones too, by number.  Index from 0; NULL at the end. */
const struct process *collector_process(const struct collector *collector, size_t index);
size_t collector_process_count(const struct collector *collector);

struct collector_stats {
        uint64_t started_ns; /* monotonic */
        uint64_t processes, processes_ended, processes_seen, threads;
        uint64_t records, refused, lost_alloc_bytes, evicted;
        uint64_t untrusted; /* processes that claim more than is possible: the second and third are without them */
        double records_rate;
        uint64_t forked; /* of those seen, children of fork(3) */
        uint64_t expelled, rejected, missed, wakeups, passes;
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
/* Called once, when a process has ended and its books are final. */
typedef void (*collector_end_fn)(void *userdata, const struct process *process);
void collector_on_end(struct collector *collector, collector_end_fn fn, void *userdata);

/* Called when work was finished: a pass over all attached processes, or a round of housekeeping. */
enum collector_work { COLLECTOR_PASS, COLLECTOR_HOUSEKEEPING };
typedef void (*collector_work_fn)(void *userdata, enum collector_work work, uint64_t now_ns);
void collector_on_work(struct collector *collector, collector_work_fn fn, void *userdata);
/* True if no process is attached, so that no pass is due. */
bool collector_is_empty(const struct collector *collector);

/* Process `pid` is about to run `path`; if that never attaches, a row says why.  Does nothing unless options.eager.
 * For the program that `run` starts itself; others announce themselves (SHM_HELLO_EXEC). */
void collector_announce(struct collector *collector, pid_t pid, const char *path, bool scrubbed);
/* The caller waited for this process, which ended with this status of wait(2); for `run`. */
void collector_reaped(struct collector *collector, pid_t pid, int wait_status);

/* Switches the timestamps of a process on or off, from its next refresh on, which makes its threads write them.  The
 * clock's rate is known from here on.  0, -EOPNOTSUPP with `why`, or -ESRCH: it has ended. */
int collector_set_timing(struct collector *collector, const struct process *process, bool on, char *why, size_t size);

/* How far a reset of all processes is; zero at first. */
struct collector_reset {
        const struct process *process; /* the one whose reset is half done, or NULL */
        struct books_progress progress;
        uint32_t count; /* processes that have been reset */
};
/* books_reset() for every process from *index on, in one slice of a turn, after a refresh.  False: it goes on at *index,
 * which is held (collector_hold). */
bool collector_reset_some(struct collector *collector, size_t *index, struct collector_reset *reset);
