/* SPDX-License-Identifier: MIT */
/*
 * A program that is stepped one instruction at a time, and the collector beside it.
 *
 *     script.c   the child: what it does, call by call, with the real client library
 *     model.c    the oracle: what each call means, and so what must stand in the books
 *     stage.c    the segment, the books, the drain; the tracer that runs the child
 *     check.c    what is looked at after each instruction, and after a death
 *     main.c     the tests: stepped, killed
 *
 * The child says what it is about to do, and that it is done, by a breakpoint with a word in shared memory (struct
 * box).  One of its threads runs at a time, as the script says; the others are stopped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "shm/layout.h"
#include "spanalloc/spanalloc.h"

#define STEP_NAMES   6  /* "n0" … */
#define STEP_SLOTS   96 /* spans that the script knows by a number */
#define STEP_THREADS 3  /* in the whole script; the first is the main thread */
#define STEP_FRAMES  80
#define STEP_STACKS  3 /* that are saved and taken; 0 is none */
#define STEP_LANES   4
#define STEP_RECORDS SHM_RING_RECORDS_MIN

static const uint64_t step_factor[SHM_COUNTERS] = {1, 100, 3, 70};

enum step_op {
        OP_WORK,        /* count */
        OP_CLAIM,       /* ask where to count, and so get a lane */
        OP_OPEN,        /* `name`, into slot */
        OP_ENTER,       /* slot */
        OP_EXIT,        /* slot */
        OP_CLOSE,       /* slot */
        OP_BEGIN,       /* a scope of `name`, into slot */
        OP_END,         /* the scope in slot */
        OP_CURRENT,     /* the current span's handle is read */
        OP_SWITCH,      /* the stack of spans is saved as `slot`, and `name` is taken, of STEP_STACKS; 0 none */
        OP_SPIN,        /* slot is entered and exited `turns` times, with nothing counted in it; never stepped */
        OP_THREAD_ENDS, /* the thread returns from its function */
        OPS,
};

enum step_flag {
        STEP_REFUSED = 1 << 0, /* the script knows that there is no room */
        STEP_CLAIMS = 1 << 1,  /* the call finds the thread without a lane: what it has counted is `before` */
};

enum step_policy {
        STEP_EACH = 1 << 0,  /* one instruction at a time */
        STEP_QUIET = 1 << 1, /* the collector does not look */
        STEP_HOLD = 1 << 2,  /* it drains, but is slow to say so: `tail` stays where it was */
};

enum step_mark { MARK_NONE, MARK_BEGIN, MARK_DONE, MARK_SWITCH, MARK_READY };

/* Shared by both processes; written by the child between two breakpoints. */
struct box {
        volatile uint32_t mark; /* enum step_mark; set right before the breakpoint */
        uint32_t op, slot, name, flags, policy, thread, turns;
        struct spanalloc_counters own[STEP_THREADS]; /* the scripted snapshot function's */
};

/* ------------------------------------------------------------------------------------------------ script.c -- */

struct script {
        const char *title;
        bool snapshot; /* counters come from a function; else they are counted in place */
        void (*run)(void);
};
extern const struct script scripts[];
extern const unsigned script_count;

/* In the child, which is traced already. */
_Noreturn void script_run(const struct script *script, struct box *box, const char *socket);

/* ------------------------------------------------------------------------------------------------- model.c -- */

struct model_span {
        uint32_t name, entered;
        bool told, closing, scope;
};

struct model_thread {
        struct {
                uint32_t slot;
                bool refused;
        } frames[STEP_FRAMES];
        uint32_t depth;
        uint32_t marks[4], mark_count; /* slots that another thread has exited */
};

struct model_stack {
        uint32_t slots[STEP_FRAMES], depth;
};

struct model_counts {
        uint64_t opened, closed, cycles, migrated, aborted;
};

/* What is where after a call. */
struct model {
        struct model_span spans[STEP_SLOTS];
        struct model_thread threads[STEP_THREADS];
        struct model_stack stacks[STEP_STACKS];
        struct model_counts counts[STEP_NAMES];
        uint64_t refused;
};

/* What was counted, by whom it belongs to. */
struct truth {
        uint64_t self[STEP_NAMES][SHM_COUNTERS], total[STEP_NAMES][SHM_COUNTERS];
        uint64_t outside[SHM_COUNTERS], lost[SHM_COUNTERS], before[SHM_COUNTERS];
};

void model_apply(struct model *model, uint32_t thread, const struct box *box);
/* The process is killed. */
void model_end(struct model *model);
/* The thread's counter `c` has grown. */
void model_count(const struct model *model, uint32_t thread, struct truth *truth, int c, uint64_t by);

/* ------------------------------------------------------------------------------------------------- stage.c -- */

struct step_stats {
        uint64_t steps, drained, exact, held, copies, same, kills;
        uint64_t calls[OPS], claims, refused, wraps, lost_records, migrated, switches;
};
extern struct step_stats stats;

/* How far a run goes: to the end, or to a kill. */
struct step_plan {
        const struct script *script;
        bool rarely; /* the collector looks between some calls only, so that a death finds much that it has not seen */
        /* Told of each instruction that is stepped. */
        void (*on_step)(const struct step_plan *plan, uint32_t call, uintptr_t instruction);
        /* Kill in this call (counted from 1; 0: never, but step) before the instruction at this address. */
        uint32_t call;
        uintptr_t at;
};

void stage_run(const struct step_plan *plan);
void stage_clean(void); /* after a failure, too */
