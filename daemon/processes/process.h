/* SPDX-License-Identifier: MIT */
/*
 * A process: its row, its books, its drain, and how it ends.
 *
 * What lives here: the one type for a process.  What does not: how it comes (arrival.h), what is done for it once a
 * second (housekeeping.h), which processes there are (processes.h), what it counted (books.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shm/layout.h"

struct books;
struct drain;
struct process_inside;
struct process_part;
struct processes;

/* How a process ended, as far as is known. */
enum process_end {
        PROCESS_ALIVE,
        PROCESS_EXITED,    /* It is gone, and its exit status is not known. */
        PROCESS_EXIT_CODE, /* It exited with the status end_status. */
        PROCESS_KILLED,    /* The signal end_status killed it. */
        PROCESS_EXEC,      /* Another executable replaced it. */
        PROCESS_DETACHED,
        PROCESS_EXPELLED, /* It broke the format. */
};

/* Borrowed pointers to it are good until the reactor runs again. */
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
        uint64_t ended_ns;     /* monotonic */
        bool out_of_memory;    /* The kernel killed it because memory ran out. */
        bool forked;           /* It came by fork, and has not called exec. */
        bool unattached;       /* It never attached: `why` is the reason, books and drain are NULL. */
        char why[128];         /* why it was expelled, or never attached */
        const char *allocator; /* below the counters when it is not libc's: "jemalloc", ...; else "" */
        struct books *books;   /* They stay when the process has ended. */
        struct drain *drain;   /* NULL when it has ended */

        /* As of the last refresh, or of the end. */
        enum shm_counting counting; /* what counts its heap */
        uint64_t refused;           /* enters, opens and closes */
        uint64_t refused_threads;   /* threads that found no free lane */
        uint32_t threads;           /* on record; 0 when it has ended */

        struct process_inside *inside; /* for daemon/processes only */
        struct process_part *part;     /* for the owner of the table only, which defines the type; zeroed at first */
};

/* A process that is about to get a row, as the kernel describes it. */
struct newcomer {
        pid_t pid;
        uid_t uid;
        int pidfd; /* consumed; -1 when it has ended */
        uint64_t start_ticks;
};

/* Outside of the table: arrival.h puts it in.  NULL: no memory, and the pidfd is still the caller's. */
struct process *process_new(struct processes *processes, const struct newcomer *newcomer);
/* It must be out of the table.  Its row and books stay readable while processes_hold() says so. */
void process_free(struct process *process);
/* The same; what its books take is freed in slices, by processes_free_buried(). */
void process_bury(struct process *process);

/* Makes one pass of the process's drain.  Expels a process whose segment is invalid; ends the row of a process that is
 * dead and drained.  A drain_outcome or -errno.
 * DRAIN_CUT: call it again before the next process. */
int process_drain(struct process *process, uint64_t now_ns);
/* Copies the drain's figures into the row. */
void process_snapshot(struct process *process);
/* Books its live counters, all of a moment after the first call, then a snapshot; expels it when that fails.  False: it has
 * very many lanes or paths; call it again.  `*until` is 0 at the first call, and the function's own after that. */
bool process_settle(struct process *process, uint64_t now_ns, uint64_t *until);

/* Closes its books and unmaps its segment.  Does nothing when it has ended already. */
void process_end(struct process *process, enum process_end end, int status);
/* The same, in one slice, and what does not fit in it, pass by pass.  Records that its threads write later are not read. */
void process_end_soon(struct process *process, enum process_end end);
/* True while its last records are drained: its row still says that it is alive, but it has died, has detached, or another
 * program has its pid. */
bool process_is_ending(const struct process *process);
void process_expel(struct process *process, int error);
void process_expel_because(struct process *process, const char *why);

/* -1: it was closed, once it was known how the process ended. */
int process_pidfd(const struct process *process);
/* Borrowed; -1: it has ended, or there was none to be had. */
int process_segment_fd(const struct process *process);
uint64_t process_start_ticks(const struct process *process);
/* True if it attached to an earlier collector. */
bool process_is_inherited(const struct process *process);
uint64_t process_segment_size(const struct process *process);

/* What a successor needs of the private part. */
struct process_facts {
        uint64_t attached_ns;
        uint64_t segment_device, segment_inode, oom_kills;
        struct shm_geometry geometry;
        bool other_pidns, rechecked, is_reported, maybe_oom;
        enum process_end ends_as; /* PROCESS_ALIVE, or its end is in the making, and another program has its pid now */
        char allocator[16];
};
void process_facts(const struct process *process, struct process_facts *ret);
void process_set_facts(struct process *process, const struct process_facts *facts);
