/* SPDX-License-Identifier: MIT */
/*
 * For daemon/processes only: the table from inside, and the private part of a process.  Each sub-struct is defined in
 * the header of the file that owns it, and read and written by that file only, and by process_facts() and
 * process_set_facts().
 */
#pragma once

#include "daemon/processes/alert.h"
#include "daemon/processes/housekeeping.h"
#include "daemon/processes/post_mortem.h"
#include "daemon/processes/process.h"
#include "daemon/processes/processes.h"
#include "daemon/processes/sandbox_look.h"
#include "daemon/processes/user_limits.h"

struct reactor_watch;
struct waker_bell;

struct processes {
        struct reactor *reactor;
        struct waker *waker;
        const struct process_owner *owner;
        void *userdata;
        struct processes_options options;
        struct processes_stats stats;
        struct announced *announced;
        struct user_limits users;
        struct sandbox_budget sandbox_budget;
        struct process **rows; /* by number; the ended ones too */
        size_t count, capacity;
        uint64_t replaced;                        /* attached ones of which another row has the place */
        struct process *first_ended, *last_ended; /* by the time of their ends */
        size_t *reader;         /* NULL, or the index at which a reader of all rows is; see processes_hold() */
        struct process *buried; /* out of the table; freed when the reader is done */
};

/* The segment of a process, by which a successor knows it again. */
struct process_segment {
        struct shm_geometry geometry;
        uint64_t device, inode;
};

/* What wakes the reactor for a process.  For process.c only. */
struct process_watch {
        struct reactor_watch *death;
        struct waker_bell *bell;
        bool died;         /* It ends once its rings are drained, or after some passes. */
        unsigned passes;   /* since it died: another process may write into its segment without end */
        bool is_finishing; /* They are, and its end is in the making. */
        bool is_replaced;  /* Meanwhile another row has its pid, and its place among the attached ones. */
        enum process_end ends_as;
};

struct process_inside {
        struct processes *processes;
        struct process *prev_ended, *next_ended; /* among ended rows */
        uint64_t start_ticks;                    /* with the pid: which process; 0: unknown */
        uint64_t attached_ns;
        int pidfd;          /* -1: closed */
        bool other_pidns;   /* The tids in its segment mean nothing here. */
        bool is_ended;      /* It is counted as an ended row. */
        bool inherited;     /* It attached to an earlier collector. */
        char allocator[16]; /* that process->allocator points to, where an earlier collector named it */
        uint32_t execs;     /* the last count of execs that was read in its segment */
        struct process_segment segment;
        struct process_watch watch;
        struct user_share share;
        struct housekeeping housekeeping;
        struct sandbox_look sandbox_look;
        struct post_mortem post_mortem;
        struct alert alert;
};

/* Makes the reactor watch its pidfd and its doorbell, if it has them. */
int process_watch(struct process *process);
/* Hands its closed spans to the owner. */
void process_listen(struct process *process);

/* The last of process_free(). */
void process_destroy(struct process *process);

/* -ENOMEM, or the process is in the table. */
int processes_insert(struct process *process);
void processes_remove(struct process *process);
/* It has an end from here on; not before processes_insert(). */
void processes_count_ended(struct process *process);
