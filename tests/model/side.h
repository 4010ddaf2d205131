/* SPDX-License-Identifier: MIT */
/*
 * The collector's side of a schedule: real books, filled by the real drain from the segment of this process.  The
 * schedule says when it drains.
 *
 * Threads: side_attach() beside a thread that attaches; the rest one at a time.
 */
#pragma once

#include "daemon/books/books.h"
#include "daemon/drain/drain.h"
#include "tests/model/oracle.h"

struct side {
        struct books *books;
        struct drain *drain;
        struct beacon *beacon;
        int listen;
        char socket[64];
        uint64_t now_ns;
        uint32_t event_count;
        struct books_event *events; /* of closed spans, as they came */
        /* What was looked up before: spans of events, and paths of the oracle's (to be checked by their text). */
        uint32_t *event_spans, path_at[ORACLE_PATHS];
};

int side_init(struct side *side);
void side_deinit(struct side *side);
/* Answers one process that attaches to side->socket. */
int side_attach(struct side *side, const struct setup *setup);

/* Returns how many numbers differ from what the oracle says; each is printed to `to` unless that is NULL.  `instances`:
 * of the spans by number. */
unsigned side_compare(struct side *side, const struct oracle *o, const uint64_t *instances, FILE *to);
