/* SPDX-License-Identifier: MIT */
/*
 * Runs a schedule: real threads, the real library, the real drain, and the oracle beside them.
 */
#pragma once

#include "tests/model/schedule.h"

/* What a run leaves for who looks on, in memory that both have. */
struct record {
        struct setup setup;
        uint32_t count;
        struct action actions[SCHEDULE_ACTIONS];
        uint64_t hazards[HAZARDS];
        uint64_t checks, evicted;
        char failure[16384]; /* in words; empty: none */
};

/* In a process of its own.  With record->count 0 the schedule is thought up on the way, and written down; else that one
 * is played again.  Returns whether all was as it must be. */
bool play(struct record *record);
