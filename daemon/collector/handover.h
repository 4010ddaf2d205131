/* SPDX-License-Identifier: MIT */
/*
 * What a collector leaves to the next one: the descriptors in a store that outlives it, their order, and how a
 * successor takes them over.
 *
 * What lives here: the names in the store, the label on each process's books, the page with the collector's own words.
 * What does not: the store itself (a service manager's, spanallocd/fdstore.c), how a batch is undone (arena.h), what a
 * process's books hold (books.h).  docs/decisions/handover.md says why it is like this.
 *
 *     name          descriptor               kept
 *     collector     the page, an arena       for ever
 *     beacon        the beacon, writable     for ever
 *     books.N       arena of process N       until N is forgotten; put back last, so where it is the others were
 *     segment.N     its segment              until its end is in the books
 *     pid.N         its pidfd                until it is known how it ended
 *
 * Order.  A process's three are in the store before its client gets the segment: the welcome waits for the store's
 * barrier.  At the end the label says so before segment and pidfd leave the store.  So after a death at any point the
 * store holds either everything that the successor needs, or a label that says that the process has ended.
 *
 * A successor that finds everything keeps the beacon's generation, and clients need not act.  If one process cannot be
 * taken over, the successor sets a new generation: all clients send a hello, those that were taken over keep their
 * segments (SHM_WELCOME_KEEP), and the others get new ones.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct collector;
struct collector_stats;
struct handover;
struct process;
struct state;

/* A store of descriptors.  Its functions must not block. */
struct handover_store {
        int (*put)(void *userdata, const char *name, int fd); /* the descriptor is borrowed.  0 or -errno */
        void (*drop)(void *userdata, const char *name);
        /* A descriptor that hangs up once all that was put so far is kept; the caller's.  Or -errno. */
        int (*barrier)(void *userdata);
        void *userdata;
        uint32_t capacity; /* descriptors that it keeps for us */
};

/* The descriptors of a process that are kept.  For handover.c only. */
struct handover_kept {
        bool books, segment, pidfd; /* These descriptors are in the store. */
        bool on_page;               /* It is counted among the living on the page. */
};

/* A descriptor from the store, or from a state file, at the start. */
struct handover_gift {
        const char *name;
        int fd;         /* consumed; -1 once it was taken */
        bool is_stored; /* in the store; else it comes from a file */
};

/* `store` NULL: nothing is kept; a page is made all the same.  Takes the page out of the gifts. */
int handover_new(struct handover **ret, struct collector *collector, const struct handover_store *store,
                 struct handover_gift *gifts, size_t count);
struct handover *handover_free(struct handover *handover);

/* Takes all processes over; before anything else may add one. */
void handover_take(struct handover *handover, struct handover_gift *gifts, size_t count);
/* Takes the beacon out of the gifts: -1, none. */
int handover_take_beacon(struct handover *handover, struct handover_gift *gifts, size_t count);
/* The generation to go on with; 0: a new one is needed. */
uint32_t handover_generation(const struct handover *handover);
void handover_set_generation(struct handover *handover, uint32_t generation, int beacon_fd);
/* The page's arena, for state_file.c to copy. */
struct arena;
const struct arena *handover_page(const struct handover *handover);
/* Fills in took_over, reshaped and left_behind. */
void handover_stats(const struct handover *handover, struct collector_stats *ret);

/* The number for the next process. */
uint64_t handover_next_number(struct handover *handover);
/* Puts a newcomer into the store.  1: ask handover_barrier() before its client gets the segment.  0: there is no store,
 * or no room in it; a successor will not have the process. */
int handover_keep(struct handover *handover, struct process *process, int segment_fd);
int handover_barrier(struct handover *handover);
/* Puts a living process that is not in the store there, unless the store had no room a moment ago.  A death in between
 * leaves less than all three, which a successor throws away. */
void handover_retry(struct handover *handover, struct process *process);
/* Puts its end on the label. */
void handover_end(struct handover *handover, struct process *process);
void handover_drop_pid(struct handover *handover, struct process *process);
/* Adds its sums to those of forgotten processes and drops its descriptors, in one step. */
void handover_forget(struct handover *handover, struct process *process);
/* Drops a process that never had a client. */
void handover_undo(struct handover *handover, struct process *process);
