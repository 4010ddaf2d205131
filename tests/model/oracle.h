/* SPDX-License-Identifier: MIT */
/*
 * What spanalloc must report about a program, computed from what the program did.
 *
 * Slow and obvious: each unit of work is added at once to every sum that docs/semantics.md names.  There are no records
 * here, no counters to subtract, no rings and no lanes.  What only the library can decide is an input, the outcome:
 * whether there was room, and which lane a thread has.
 *
 * A state is flat, so that it can be copied: where two threads race, there is a state for each order.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/model/schedule.h"

#define ORACLE_PATHS   512u
#define ORACLE_LIVES   48u /* threads that run, or are dead and not yet settled */
#define ORACLE_DEPTH   64u
#define ORACLE_PENDING 768u

enum { OTHER_NAME = 0, NO_PATH = 0, OTHER_PATH = 1 };

/* What a call came back with. */
struct outcome {
        uint64_t refused_enters, refused_depth, refused_opens, refused_closes, unmatched;
        uint32_t current; /* ACT_CURRENT: the span, 0 none */
        uint32_t lane;
        bool none;       /* there was no lane */
        bool overflowed; /* a close went past the ring */
};

struct oracle_path {
        uint16_t name, parent, depth; /* depth: names from the root, this one included */
        bool known;                   /* a record led to it */
        bool touched_by_loss, estimated, mixed;
        uint64_t self[4], total[4]; /* shown */
        uint64_t cycles, opened, closed, aborted, migrated, refused;
        double decayed[3];
        uint64_t born_ns;
};

struct oracle_span {
        uint16_t path;
        bool exists, is_scope;
        bool known;           /* the books were told of its opening, by whatever record */
        bool partial;         /* the books lack a cycle of it, or may: it is no call */
        bool late;            /* its opening found no room: its handle says so */
        bool shared;          /* a scope whose handle was read */
        bool close_called;    /* by the program, whatever became of it */
        bool close_requested; /* on its way */
        bool close_applied;   /* drained: ends with the last frame */
        bool closed, aborted;
        bool wandered; /* entered on another thread than opened it */
        bool counts;   /* as a call of its path, since the last reset */
        uint32_t home;
        uint32_t entered, cycles;
        uint32_t saved; /* in stacks that were saved */
        uint64_t sums[4];
};

struct oracle_frame {
        uint32_t span;
        bool refused, scope, stale, shared;
        bool taken; /* a scope that a switch of stacks has entered again */
};

/* What a switch of stacks has saved. */
struct oracle_stack {
        uint32_t depth, beyond, beyond_scopes;
        struct {
                uint32_t span;
                bool scope;
        } frames[ORACLE_DEPTH];
};

/* Work that was done and is not in the books yet: a thread's books are brought up to date by an accepted enter or exit,
 * or where nothing refused is about. */
struct oracle_pending {
        enum { PENDING_SELF, PENDING_TOTAL, PENDING_SUMS, PENDING_OUTSIDE, PENDING_LOST } what;
        uint32_t index;
        uint64_t n[4];
};

struct oracle_life {
        bool in_use, dead;
        uint8_t slot;
        uint32_t lane;
        uint32_t depth, beyond, beyond_scopes;
        struct oracle_frame frames[ORACLE_DEPTH];
        uint32_t mark_count, marks[ORACLE_DEPTH]; /* exits that others called, not yet taken */
        uint32_t seen_marks;                      /* of these, from before the race that is on */
        uint32_t pending_count;
        struct oracle_pending pending[ORACLE_PENDING];
};

struct oracle {
        struct setup setup;
        uint64_t now_ns;
        uint32_t name_count, path_count, lanes;
        uint32_t span_count; /* spans [1, n) */
        bool is_name_known[SCHEDULE_NAMES];
        struct oracle_path paths[ORACLE_PATHS];
        struct oracle_span spans[SCHEDULE_SPANS];
        struct oracle_life lives[ORACLE_LIVES];
        struct oracle_stack stacks[SCHEDULE_STACKS];
        uint8_t life_of[SCHEDULE_THREADS]; /* index + 1; 0: the thread has not begun */
        uint64_t before[4], lost[4], outside[SCHEDULE_THREADS][4], counted[4];
        uint64_t refused_enters, refused_depth, refused_opens, refused_closes, unmatched, stale;
        uint64_t other_names, other_paths;
        bool is_blind; /* for the call in hand */

        /* what is no longer shown, since the last reset */
        struct oracle_path base[ORACLE_PATHS];
        uint64_t base_before[4], base_lost[4], base_outside[SCHEDULE_THREADS][4], base_counted[4];

        uint64_t hazards[HAZARDS];
        char wrong[160]; /* why the last outcome is one that no order allows */
};

void oracle_init(struct oracle *o, const struct setup *setup, uint64_t now_ns);

/* The thread of `slot` has a place in the books from now on. */
void oracle_begin_thread(struct oracle *o, unsigned slot, uint32_t lane);
/* What the attaching thread had counted before. */
void oracle_before(struct oracle *o, unsigned slot, const uint64_t n[4]);

/* Two threads race from here on.  What `oracle_apply_blind` does is for this alone: a call that looked for exits that others
 * called before one of them was there, and ends that very cycle by itself.  docs/semantics.md: such an exit is for the
 * thread's next call.  False also where the call is none of that kind. */
void oracle_begin_race(struct oracle *o);
bool oracle_apply_blind(struct oracle *o, const struct action *action, const struct outcome *outcome);
void oracle_end_race(struct oracle *o);

/* One call, or some work.  False when this outcome cannot be: o->wrong says why. */
bool oracle_apply(struct oracle *o, const struct action *action, const struct outcome *outcome);

void oracle_drain(struct oracle *o);  /* all records are read, closes applied */
void oracle_settle(struct oracle *o); /* live counters are read, dead threads ended */
void oracle_finish(struct oracle *o); /* the process has ended */
void oracle_reset(struct oracle *o);
void oracle_advance(struct oracle *o, uint64_t now_ns);

/* For the maker of the next action. */
const struct oracle_life *oracle_life_of(const struct oracle *o, unsigned slot);
