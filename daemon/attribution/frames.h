/* SPDX-License-Identifier: MIT */
/*
 * From records to stacks, and from stacks to intervals and cycles.  The first of the two hearts; pure.
 *
 * An *interval* is what a thread counted between two successive records that end one (BASE, ENTER, EXIT, RESYNC's BASE,
 * or a look at its live counters).  It goes to the top of the stack, or to `outside`; less what a LOST record, or the
 * thread's time before this lane, takes out of it.  A *cycle* ends with an EXIT: its total is exit minus enter, both on
 * one lane.  docs/semantics.md says what follows from that.
 *
 * Everything runs in a batch.  Records have been checked (segment_reader.h): kinds and flags are known, paths exist.
 */
#pragma once

#include "daemon/attribution/spans.h"

/* To be called in each batch before records of the lane are fed: logs what of the lane nearly every record changes. */
void frames_begin(struct books *books, uint32_t lane);

/* One record of a lane, in order.  `pass` says where a close that it holds is queued. */
void frames_feed(struct books *books, uint32_t lane, const struct shm_record *record, enum spans_pass pass);

/* Ends an interval at the thread's live counters.  ticks: the clock as they were read; 0: it is not to be timed. */
void frames_settle(struct books *books, uint32_t lane, const uint64_t live[SHM_COUNTERS], uint64_t ticks);

/* What a dead thread left behind unwritten: deltas under refused frames, and frames that another thread had exited. */
struct frames_remains {
        uint64_t lost[SHM_COUNTERS];
        uint64_t marks[SHM_DEPTH];
};
/* The lane's thread is gone: its last counters, and the end of its frames. */
void frames_retire(struct books *books, uint32_t lane, const uint64_t live[SHM_COUNTERS],
                   const struct frames_remains *remains);

/* The process is gone: what is still open is noted, and aborted.  Zero at first.  False: it is to be called again, in
 * this batch or the next. */
struct frames_finishing {
        uint32_t spans, paths; /* that were looked at */
};
bool frames_finish(struct books *books, struct frames_finishing *at);
