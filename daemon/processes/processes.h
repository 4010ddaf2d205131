/* SPDX-License-Identifier: MIT */
/*
 * The table of processes, and what it asks of its owner.
 *
 * What lives here: which processes there are, and the options that apply to them.  What does not: when they are
 * drained, and what outlives the collector: both are the owner's (daemon/collector), which is called through
 * struct process_owner and otherwise unknown here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/nanoseconds.h"
#include "daemon/books/quota.h"
#include "shm/segment.h"

struct announced;
struct books_event;
struct process;
struct processes;
struct reactor;
struct waker;

/* They mean the same as those of struct collector_options. */
struct processes_options {
        struct shm_wish wish;
        uint32_t ring_kib_max;
        uint32_t processes_max;
        uint64_t uid_max[QUOTA_KINDS];
        uint64_t keep_ns;
        uint32_t keep_max;
        uint32_t segment_options;
};

/* What the owner does.  Each gets `userdata`; none may remove a row. */
struct process_owner {
        /* The number of the next process. */
        uint64_t (*next_number)(void *userdata);
        /* There may be records to drain. */
        void (*drain_soon)(void *userdata);
        /* A row came or changed, so that housekeeping is due. */
        void (*tend_soon)(void *userdata);
        /* A span of an attached process has closed. */
        void (*closed_span)(void *userdata, const struct process *process, const struct books_event *event);
        /* A fact changed that a successor needs.  It has books. */
        void (*label_changed)(void *userdata, struct process *process);
        /* Its end is in the row, and its books are closed.  It may have no books. */
        void (*ended)(void *userdata, struct process *process);
        /* Its pidfd is closed: its exit status is known, or will not be. */
        void (*pidfd_closed)(void *userdata, struct process *process);
        /* Its end is in the log: the row is final, but for a status that comes late. */
        void (*end_logged)(void *userdata, struct process *process);
        /* Its sums are among the forgotten ones, and its row is about to be freed.  It has books. */
        void (*forgotten)(void *userdata, struct process *process);
        /* It never had a client, and its row is about to be freed. */
        void (*undone)(void *userdata, struct process *process);
        size_t part_size; /* of struct process_part */
};

/* Sums over processes.  What one can claim without having done it (refused, lost_alloc_bytes) is summed of those only
 * that may have done it. */
struct process_sums {
        uint64_t records, refused, lost_alloc_bytes, evicted;
        uint64_t untrusted; /* processes of which it is not */
};

struct processes_stats {
        uint64_t live;     /* attached and not ended */
        uint64_t ended;    /* rows of ended ones */
        uint64_t seen;     /* that ever attached, to earlier collectors too */
        uint64_t forked;   /* of these, children of fork(3) */
        uint64_t expelled; /* that broke the format, or were above their user's limit */
        uint64_t rejected; /* connections and announcements that were turned away */
        uint64_t missed;   /* attaches whose client had ended or given up when it was their turn */
        struct process_sums forgotten;
};

/* `options` is copied, all else borrowed. */
int processes_new(struct processes **ret, struct reactor *reactor, struct waker *waker,
                  const struct processes_options *options, const struct process_owner *owner, void *userdata);
/* Frees the rows, without a word to the owner. */
struct processes *processes_free(struct processes *processes);
/* For processes that come from now on, and for all users. */
void processes_set_options(struct processes *processes, const struct processes_options *options);

size_t processes_count(const struct processes *processes);
/* In the order of their numbers, the ended ones too.  NULL behind the last. */
struct process *processes_at(const struct processes *processes, size_t index);
/* Until it is called with NULL, rows that leave the table stay readable, and `index`, at which a reader of all rows is,
 * moves with the rows.  One reader at a time. */
void processes_hold(struct processes *processes, size_t *index);
/* Frees rows that are out of the table, unless a reader holds them, until `end_ns`.  True if none is left. */
bool processes_free_buried(struct processes *processes, uint64_t end_ns);
/* The row of this number, or NULL. */
struct process *processes_by_number(const struct processes *processes, uint64_t number);
/* The newest row of this pid, or NULL. */
struct process *processes_by_pid(const struct processes *processes, pid_t pid);

struct announced *processes_announced(const struct processes *processes);
const struct processes_stats *processes_stats(const struct processes *processes);
/* Takes over what an earlier collector counted. */
void processes_set_history(struct processes *processes, uint64_t seen, const struct process_sums *forgotten);
/* Adds what a process has at `now_ns`, or had at its end. */
void processes_add(struct process_sums *sums, const struct process *process, uint64_t now_ns);
void processes_count_rejected(struct processes *processes);
void processes_count_missed(struct processes *processes);
