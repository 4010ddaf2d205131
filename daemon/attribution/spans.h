/* SPDX-License-Identifier: MIT */
/*
 * What becomes of spans: opened, entered and left wherever they are, closed once, and last.
 *
 * A scope that stays on its thread is counted where its frame is, by spans_begin_scope() and spans_end_scope(), and has
 * no entry among the open spans (open_spans.h).  All others have one from their opening, or from the first enter that
 * is seen, to their end, which waits for the last cycle and for what was read before the close.  Pure; everything runs
 * in a batch.
 */
#pragma once

#include "daemon/books/counters.h"
#include "daemon/books/span_time.h"
#include "daemon/books/tally.h"

/* Where in a pass of the drain (drain.c) something is read: a close of the first look is applied after the second, one
 * of the second in the next pass. */
enum spans_pass { SPANS_FIRST_LOOK, SPANS_SECOND_LOOK, SPANS_BETWEEN_LOOKS };

enum cycle_end { CYCLE_EXIT = 0, CYCLE_MIGRATED = 1, CYCLE_CLOSES = 2, CYCLE_SHARED = 4, CYCLE_ABORTED = 8 };

/* A cycle that has ended: of what, and what it spent of its span's; nothing where another frame of the span is below.
 * */
struct cycle {
        uint64_t instance;
        uint32_t path, flags, entry; /* as its frame's */
        struct counters sums;
        uint64_t ticks;
        bool is_timed;
};

/* The OPEN of a span, on the lane that opened it. */
void spans_open(struct books *books, struct lane *lane, const struct shm_record *record);
/* An ENTER or RESYNC of what is no scope of this lane; `frame` is on the stack already, and says where the span is not
 * to be followed. */
void spans_enter(struct books *books, struct frame *frame, const struct shm_record *record);
/* A cycle of any span has ended.  end: of enum cycle_end. */
void spans_exit(struct books *books, const struct cycle *cycle, unsigned end, enum spans_pass pass);

/* A close.  flags: SHM_FLAG_LATE or 0. */
void spans_close(struct books *books, uint64_t instance, uint32_t path, uint32_t flags, enum spans_pass pass);
/* A cycle of the span was refused: it is no call that counts.  False if its opening was not seen yet. */
bool spans_note_partial(struct books *books, uint64_t instance);
/* Applies the closes that were queued before the second look.  False when the batch is full: commit, begin the next,
 * and go on. */
bool spans_apply_closes(struct books *books);

static inline void spans_saw_open(struct lane *lane, uint64_t instance) {
        if (instance > lane->opened_max)
                lane->opened_max = instance;
}

/* A scope needs no entry of its own, unless others enter it. */
static inline void spans_begin_scope(struct books *books, struct lane *lane, const struct shm_record *record) {
        tally_change(books, record->path)->opened++;
        spans_saw_open(lane, record->instance);
}

/* Whether a scope ends with its only cycle. */
static inline bool spans_is_whole_scope(const struct cycle *cycle, unsigned end) {
        return (cycle->flags & (FRAME_SCOPE | FRAME_STALE)) == FRAME_SCOPE &&
               (end & (CYCLE_CLOSES | CYCLE_SHARED | CYCLE_ABORTED)) == CYCLE_CLOSES;
}

static inline void spans_end_scope(struct books *books, struct tally *t, const struct cycle *cycle) {
        if (cycle->is_timed)
                span_time_call(books, cycle->path, cycle->ticks);
        tally_closed(books, t, cycle->sums, 1);
        if (books_have_listener(books)) {
                struct books_event event = {.instance = cycle->instance, .path = cycle->path, .cycles = 1};

                counters_store(event.sums, cycle->sums);
                event.ticks = cycle->is_timed ? cycle->ticks : 0;
                books_emit(books, &event);
        }
}
