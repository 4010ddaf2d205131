/* SPDX-License-Identifier: MIT */
/*
 * What is done for each row once a second: names of threads, idleness, exec, exit status, and the end of the row.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process;
struct processes;
struct procinfo_maps;

/* For housekeeping.c only. */
struct housekeeping {
        bool rechecked;          /* Its comm and allocator were read again, a second after it attached. */
        uint64_t abandoned_ns;   /* since when it has had no living thread; 0: it has one */
        uint64_t named_ns;       /* when the names of its threads were read last */
        uint64_t named_activity; /* drain_activity() at that time; while it is the same, no name is read again */
        uint32_t next_lane;      /* where the reading of names goes on; 0: at the first lane */
        uint64_t settled_ns;     /* when its live counters were booked last */
        bool is_settling;        /* Some of its lanes are left until drain_settled() is `settled`. */
        uint64_t settled;
        uint64_t activity;          /* activity_of() at the last look */
        unsigned active_looks;      /* for how many more looks it counts as active */
        struct procinfo_maps *maps; /* NULL, or the search for its allocator, which goes on */
        bool idle;                  /* It is not active, and its undo log was trimmed for that. */
};

/* Looks after one living process, about once a second.  False: it has very many threads; call it again. */
bool process_tend(struct process *process, uint64_t now_ns);
/* Begins to look for its allocator; housekeeping goes on with it. */
void process_find_allocator(struct process *process);
/* Gives the search up. */
void process_end_search(struct process *process);
/* Reads the names of its threads, unless that was done in the last `age_ns`. */
void process_name_threads(struct process *process, uint64_t now_ns, uint64_t age_ns);
/* True if one of its threads did anything in the last seconds. */
bool process_is_active(const struct process *process);

/* Takes how it ended from a status of wait(2), for a row that has none yet. */
void process_set_status(struct process *process, int wait_status);
/* Asks the kernel for the exit status, for a while; then closes the pidfd. */
void process_autopsy(struct process *process, uint64_t now_ns);
/* Frees the row of an ended process. */
void process_forget(struct process *process);
/* The row of this user that ended first, or NULL. */
struct process *processes_oldest_ended(const struct processes *processes, uid_t uid);
/* Frees ended rows that are too old or too many, in one slice.  Returns the time of the next call; 0: none is needed; `now_ns`:
 * more rows are due now. */
uint64_t processes_forget(struct processes *processes, uint64_t now_ns);
