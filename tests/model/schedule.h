/* SPDX-License-Identifier: MIT */
/*
 * A program as a list of actions, for the oracle and for the real library; making such lists at random, writing and
 * reading them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define SCHEDULE_THREADS 6u
#define SCHEDULE_NAMES   112u
#define SCHEDULE_SPANS   6144u
#define SCHEDULE_ACTIONS 12288u
#define SCHEDULE_STACKS  6u

enum act {
        ACT_WORK,       /* n[4] more on the thread's counters */
        ACT_OPEN,       /* `span` is opened by `name` */
        ACT_OPEN_UNDER, /* the same, under `parent` */
        ACT_ENTER,
        ACT_EXIT,
        ACT_CLOSE,
        ACT_SCOPE,     /* `span` is a scope of `name`, begun here */
        ACT_SCOPE_END, /* that scope ends */
        ACT_CURRENT,   /* reads the handle of the top */
        ACT_SWITCH,    /* its stack is saved as `span`, and `parent` taken, of SCHEDULE_STACKS; 0 none */
        ACT_END,       /* the thread ends; its next action is another thread's */
        /* the collector's */
        ACT_DRAIN,
        ACT_CHECK,
        ACT_RESET,
        /* what follows, up to ACT_JOIN, runs on its threads at the same time */
        ACT_PARALLEL, /* nothing in it touches what another thread touches */
        ACT_RACE,     /* a few calls on the same spans: any order of them may be the one that was */
        ACT_RELAY,    /* one after the other, in this order; but no thread waits for the collector, nor it for them */
        ACT_JOIN,
        ACTS
};

struct action {
        uint8_t act, thread;
        uint16_t name;
        uint32_t span, parent; /* from 1; 0 none */
        uint64_t n[4];
};

/* What a schedule runs in. */
struct setup {
        uint64_t seed;
        uint32_t length; /* actions to think up */
        uint32_t threads, names;
        uint32_t name_capacity, path_capacity, close_capacity, instances;
        uint32_t drains;  /* of a thousand actions, so many are the collector's */
        uint32_t deep;    /* of a thousand actions, so many begin a descent beyond 64 frames */
        uint32_t relays;  /* of a thousand actions, so many are a relay */
        bool is_evicting; /* instances are few: what is followed one by one is not compared */
        bool has_parallel;
};

enum hazard {
        HAZARD_CYCLES,    /* a span's second cycle on another thread than its first */
        HAZARD_AT_ONCE,   /* a span entered while another thread is in it */
        HAZARD_REENTRY,   /* a span entered while this thread is in it */
        HAZARD_RECURSION, /* another span of a name that is on the stack */
        HAZARD_MIGRATED,  /* entered here, exited there */
        HAZARD_DISORDER,  /* exited below the top */
        HAZARD_UNWOUND,   /* scopes ended by an exit below them */
        HAZARD_UNMATCHED, /* an exit without an enter */
        HAZARD_CLOSE_ENTERED,
        HAZARD_CLOSE_NEVER,
        HAZARD_CLOSE_OVERTAKES, /* A exits, B closes, at once */
        HAZARD_STALE,           /* used after its close */
        HAZARD_DEPTH,           /* beyond 64 frames */
        HAZARD_NAMES,           /* more than the table holds */
        HAZARD_PATHS,
        HAZARD_EVICTED, /* more live spans than the table holds */
        HAZARD_REFUSED_ENTER,
        HAZARD_REFUSED_OPEN,
        HAZARD_OVERFLOWED_CLOSE, /* closes while the ring is full */
        HAZARD_REFUSED_CLOSE,
        HAZARD_LOST,   /* work under a refused frame */
        HAZARD_LIVE,   /* shown from live counters, inside an open span */
        HAZARD_SHARED, /* a scope entered by another */
        HAZARD_DEATH,  /* a thread ends inside spans */
        HAZARD_SWITCH, /* a coroutine takes its spans up again */
        HAZARD_RACE,
        HAZARDS
};
extern const char *const hazard_names[HAZARDS];

/* Everything that a seed decides about the place. */
void setup_of_seed(struct setup *setup, uint64_t seed, uint32_t length);

struct dice {
        uint64_t state;
        uint32_t thread, run; /* schedule_next(): a thread stays at it for a while */
};
uint64_t dice_roll(struct dice *dice);              /* any */
uint32_t dice_below(struct dice *dice, uint32_t n); /* [0, n) */
bool dice_permille(struct dice *dice, uint32_t permille);

struct oracle;
/* The next action, fitting what has happened; blocks come whole.  Returns how many were put to `ret` (at least 1). */
uint32_t schedule_next(struct dice *dice, const struct oracle *o, uint32_t *spans, struct action *ret, uint32_t room);

void schedule_print(FILE *to, const struct setup *setup, const struct action *actions, uint32_t n);
/* Returns 0, or a negative errno. */
int schedule_read(FILE *from, struct setup *setup, struct action *actions, uint32_t *n);
