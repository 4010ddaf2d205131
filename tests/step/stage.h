/* SPDX-License-Identifier: MIT */
/*
 * Between stage.c, which runs the child, and check.c, which checks the books.
 */
#pragma once

#include "daemon/books/books_layout.h"
#include "daemon/collector/beacon.h"
#include "daemon/drain/drain.h"
#include "tests/step/step.h"

/* What the books say. */
struct seen {
        struct truth sums;
        struct model_counts counts[STEP_NAMES];
        uint64_t counters[SHM_COUNTERS], refused, stale;
        bool balanced;
};

/* A collector's end: segment, books, drain. */
struct side {
        int memfd;
        char *map;
        struct books *books;
        struct drain *drain;
};

extern struct stage {
        const struct step_plan *plan;
        struct shm_geometry geometry;
        struct side real, copy;
        struct beacon *beacon;
        struct box *box;
        char *image, *books_image; /* of which the copy was made last */
        struct seen end_of_copy;
        char dir[64];
        int listen;

        pid_t tids[STEP_THREADS];
        uint32_t threads, current;
        bool in_call;
        uint32_t call, step, policy; /* the policy of the last call */

        struct model now, next;
        struct truth truth;
        struct seen seen;
        uint64_t live[STEP_LANES][SHM_COUNTERS], position[STEP_LANES], wrapped[STEP_LANES];
        bool over;
} stage;

/* stage.c */
_Noreturn void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
void must(bool condition, const char *what);
char *books_data(const struct side *side);
size_t books_bytes(const struct side *side);
struct shm_lane *lane_at(uint32_t i);
uint32_t lanes(void);

/* check.c */
void attribute(void); /* gives what was counted since the last look to whom it belongs */
void drain(void);
void check(void);
void end_copy(void); /* as if the program had been killed now */
void end_real(void); /* it is dead */
void check_end(const struct seen *seen);
void kill_for_real(void);
void wait_for_all(void);
