/* SPDX-License-Identifier: MIT */
/*
 * One lane: what is known of it, and the stack as its records tell it.  Entries of the arena; books_layout.h says how a
 * later version may change them.
 */
#pragma once

#include <string.h>

#include "daemon/books/batch.h"

enum frame_flag {
        FRAME_OUTER_NAME = 1 << 0,     /* the outermost of its name on this lane */
        FRAME_OUTER_INSTANCE = 1 << 1, /* the outermost of its instance */
        FRAME_SCOPE = 1 << 2,
        FRAME_FOLLOWED = 1 << 4, /* a scope that others came to: it had an entry among the open spans */
        FRAME_STALE = 1 << 3,    /* its span is closed, or was never seen to open: no entry among the open spans */
        FRAME_TAKEN = 1 << 6,    /* a scope that was saved with its stack, and entered again */
        FRAME_APART = 1 << 5,    /* `credit` and `credited` are not what `enter` and `entered` are */
};
/* Above the flags: where the thread's stack was (daemon/attribution/stacks.h). */
#define FRAME_STACK_SHIFT 8

struct frame {
        uint64_t instance;
        uint32_t path, name;
        uint32_t flags;
        uint32_t entry;               /* where its span's was among the open spans, + 1; only a hint */
        uint64_t enter[SHM_COUNTERS]; /* since when it is the outermost of its instance */
        uint64_t entered;             /* the clock then; 0: not timed */
        /* the same two since it is the outermost of its name; valid only with FRAME_APART, else they are equal */
        uint64_t credit[SHM_COUNTERS];
        uint64_t credited;
        uint64_t reserved[3];
};
_Static_assert(sizeof(struct frame) == 128 && offsetof(struct frame, credit) == 64, "most need one line only");

static inline const uint64_t *frame_credit(const struct frame *frame) {
        return frame->flags & FRAME_APART ? frame->credit : frame->enter;
}

static inline uint64_t frame_credited(const struct frame *frame) {
        return frame->flags & FRAME_APART ? frame->credited : frame->entered;
}

/* What is known of one lane, and the stack as its records tell it. */
struct lane {
        uint64_t position; /* records drained */
        uint64_t last[SHM_COUNTERS];
        uint32_t depth, occupancy;
        uint32_t thread;     /* entry in the table of thread names */
        uint32_t retired;    /* the occupancy that ended last, with all its counts booked */
        uint64_t opened_max; /* the last span that was opened here */

        uint64_t before[SHM_COUNTERS];      /* booked as `before` */
        uint64_t before_seen[SHM_COUNTERS]; /* the lane's own cumulative value */

        uint64_t outside[SHM_COUNTERS], lost[SHM_COUNTERS];

        uint64_t pending_lost[SHM_COUNTERS];   /* to be taken from the next interval */
        uint64_t pending_before[SHM_COUNTERS]; /* likewise */

        uint32_t has_pending;
        uint32_t partials_seen;          /* how many of the lane's `partial` are marked in the books */
        uint64_t gap_seen[SHM_COUNTERS]; /* as before_seen, of what no collector had booked */
        uint64_t timed_until;            /* the clock at the end of the last interval; 0: not timed */
        uint64_t reserved[2];

        uint64_t self[SHM_COUNTERS]; /* kept in checking builds only: for books_check() */
        uint64_t reserved1[4];

        struct frame frames[SHM_DEPTH];
};
_Static_assert(sizeof(struct lane) == 6 * 64 + SHM_DEPTH * 128, "");
_Static_assert(offsetof(struct lane, frames) % 64 == 0, "");
_Static_assert(offsetof(struct lane, before) == 64, "what a record changes begins the first line");
_Static_assert(offsetof(struct lane, outside) % 64 == 0 && offsetof(struct lane, lost) % 64 == 32, "one line");

static inline struct lane *books_lane(const struct books *books, uint32_t i) {
        return &books->lanes[i];
}

/* For a logged frame: its two beginnings are no longer the same. */
static inline void frame_set_apart(struct books *books, struct frame *frame) {
        touch(books, &frame->credited);
        touch(books, frame->credit);
        if (frame->flags & FRAME_APART)
                return;
        memcpy(frame->credit, frame->enter, sizeof frame->credit);
        frame->credited = frame->entered;
        frame->flags |= FRAME_APART;
}
