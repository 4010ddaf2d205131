/* SPDX-License-Identifier: MIT */
/*
 * Draining one process: from its segment into its books.
 *
 * What lives here: the order in which lanes are read so that a close comes last.  What does not: how a value is read
 * from a segment (segment_reader.h); sockets, schedules, processes (collector.h).
 *
 * -EBADMSG from any function means that the stranger broke the format: the process is to be
 * expelled, drain_fault() says why.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/books/books.h"

struct drain;
struct quota;

/* Maps the segment behind `memfd` (borrowed) for `books` (borrowed; must outlive the drain).  `geometry` is the
 * collector's own copy of what it made. */
int drain_new(struct drain **ret, int memfd, const struct shm_geometry *geometry, struct books *books);
/* To be called once, before the first pass, when the books are those of a predecessor that may have died anywhere. */
void drain_resume(struct drain *drain);
struct drain *drain_free(struct drain *drain);
/* The user's limits and its share of a pass (borrowed; outlives the drain).  Before the first pass. */
void drain_set_quota(struct drain *drain, struct quota *quota);

enum drain_outcome {
        DRAIN_IDLE = 0, /* nothing was there */
        DRAIN_SOME = 1, /* records were drained, or closes wait for the next look */
        DRAIN_MORE = 2, /* likewise, and there is more than its user's share of a pass */
        DRAIN_CUT = 3,  /* likewise, and there is more than one call drains: the pass goes on with it */
};

#define DRAIN_SLICE 2048u /* of new names and paths one takes a microsecond and more */

/* One pass, begun and committed in as many batches as it needs.  It is bounded by the rings: a lane is drained to where
 * its head was when the pass came to it, or when it looked for the second time; and by what is left of the user's
 * share, beyond which the next pass goes on.  One call drains DRAIN_SLICE records.  Returns a drain_outcome, -EBADMSG, or
 * another -errno. */
int drain_pass(struct drain *drain, uint64_t now_ns);

/* Whether any lane holds records that were not drained.  Cheap; for the look before sleep. */
bool drain_has_records(const struct drain *drain);

/* Brings the books up to the threads' live counters wherever a ring is drained, so that rows show this moment.  Call
 * it after a pass and before a query.  0, -errno, or DRAIN_CUT: the rest of its lanes, or of what was refused on its
 * paths, is read at the next calls. */
int drain_settle(struct drain *drain, uint64_t now_ns);
/* How often all of its lanes were settled: a round takes as many calls as there are portions. */
uint64_t drain_settled(const struct drain *drain);
/* What drain_settled() is once each lane was settled at this moment or later: a round that is begun already is not enough. */
uint64_t drain_settled_from_now(const struct drain *drain);

/* Compares the books with the threads' counters, read again from the segment.  False, with the difference in `why`, if a lane
 * has booked more than its thread counted, or less although the thread has ended.  Only for counters that cannot go back. */
bool drain_check(const struct drain *drain, char *why, size_t size);

/* The process is dead: drains everything, books the counters up to the last instruction, and ends what was open as
 * aborted. */
int drain_finish(struct drain *drain, uint64_t now_ns);

/* The same in portions: 1, it is to be called again; 0 or -errno, which stays so.  No pass comes after the first call. */
int drain_finish_some(struct drain *drain, uint64_t now_ns);

/* These books have no segment any more: ends what is open in them. */
void drain_abandon(struct books *books, uint64_t now_ns);

/* Whether every thread that ever had a lane is gone though the process lives: it called exec. */
bool drain_is_abandoned(const struct drain *drain);
/* Whether a thread has gone from its lane alive, or is still in it: the program that attached was not replaced by exec,
 * which leaves only lanes whose owners the kernel marked as dead.  Looks at the segment as it is now. */
bool drain_was_left(const struct drain *drain);

/* Whether any thread ever came.  Looks at the segment as it is now. */
bool drain_has_lanes(const struct drain *drain);
/* How full the fullest ring was that a pass of the last 5 to 10 seconds found, in millionths. */
uint32_t drain_fill_ppm(const struct drain *drain);

uint32_t drain_threads(const struct drain *drain); /* alive, with a lane */
uint32_t drain_lanes(const struct drain *drain);   /* ever claimed */
enum shm_counting drain_counting(const struct drain *drain);
uint64_t drain_refused(const struct drain *drain); /* enters, opens and closes, over all lanes */
uint64_t drain_refused_threads(const struct drain *drain);
/* A number that changes when any of its threads has done something. */
uint64_t drain_activity(const struct drain *drain);
/* For each lane with a living thread: its number in the client's pid namespace, so that the collector can look its
 * name up and say it here.  Index from 0; false at the end; *ret_tid 0: skip. */
bool drain_thread(const struct drain *drain, uint32_t lane, uint32_t *ret_tid);
void drain_name_thread(struct drain *drain, uint32_t lane, uint32_t tid, const char *comm);
/* The futex word that the client's doorbell moves and wakes; for a waiter. */
const uint32_t *drain_bell(const struct drain *drain);
/* Asks every claimed lane to ring at its next record, before a deep sleep. */
void drain_ask_doorbell(struct drain *drain);
/* So many seccomp filters let the client's system calls pass: before the client has the segment. */
void drain_set_filters(struct drain *drain, uint32_t filters);
uint32_t drain_filters(const struct drain *drain);
/* The last exec that the client has left in its segment, if its count is no longer `count`. */
bool drain_exec(const struct drain *drain, uint32_t count, struct shm_exec *ret);
/* The collector has looked for filters.  seen: there are more, and the client makes no system call any more. */
void drain_tell_look(struct drain *drain, bool seen);
/* One sentence on the last -EBADMSG. */
const char *drain_fault(const struct drain *drain);
