/* SPDX-License-Identifier: MIT */
/*
 * What is well and what is not, and what to do about it: the findings of `doctor`.
 *
 * Pure but for what it is handed: answers, and facts about the machine.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "ctl/verbs/program.h"
#include "query/table.h"

enum doctor_state { DOCTOR_OK, DOCTOR_NOTE, DOCTOR_PROBLEM };

struct doctor_finding {
        const char *check; /* which check: socket, group, kernel, … */
        enum doctor_state state;
        char text[512], advice[512]; /* advice: "" where there is nothing to do */
};

struct doctor {
        struct doctor_finding *findings;
        size_t count, room;
        bool failed; /* memory ran out: findings are missing */
};

void doctor_deinit(struct doctor *doctor);
/* `format` makes the text; the advice is set with doctor_advise, on the finding that was added last. */
void doctor_add(struct doctor *doctor, const char *check, enum doctor_state state, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
void doctor_advise(struct doctor *doctor, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The kernel's release, as uname(2) says it. */
void doctor_kernel(struct doctor *doctor, const char *release);
/* What the collector says of itself; `version`: this program's. */
void doctor_collector(struct doctor *doctor, const struct table *status, const char *version);
/* Whether its descriptors suffice: `limit` as its kernel says, 0: not known. */
void doctor_descriptors(struct doctor *doctor, const struct table *status, uint64_t limit);
/* Why one program, which the collector does not know, is not counted. */
void doctor_program(struct doctor *doctor, const struct program_facts *facts);
/* Each process: what counts it, what it lost, how its memory compares. */
void doctor_processes(struct doctor *doctor, const struct table *ps);
/* Spans whose numbers are mixed with others': rows with pid, span and quality. */
void doctor_spans(struct doctor *doctor, const struct table *spans);
