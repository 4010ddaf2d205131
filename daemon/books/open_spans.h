/* SPDX-License-Identifier: MIT */
/*
 * The spans that are open and have to be followed one by one: those whose cycles are spread over calls or threads.  A
 * scope that stays on its thread never comes here.
 *
 * Bounded: beyond the capacity one that was not active of late makes room (a clock with one bit, and a limit to its
 * search, stands in for the order), and is counted.  Pure; everything runs in a batch.
 */
#pragma once

#include "daemon/books/books_layout.h"

/* Has the memory of a span's entry fetched, in two steps: its slot of the index first, and later, by the hash that this
 * returned, what that leads to.  Only a hint: the number may be anything. */
uint32_t open_spans_expect(const struct books *books, uint64_t instance);
void open_spans_expect_soon(const struct books *books, uint32_t hash);

struct instance *open_spans_find(struct books *books, uint64_t instance);

/* An entry's number, from 1. */
static inline uint32_t open_spans_number(const struct books *books, const struct instance *entry) {
        return (uint32_t)(entry - books->instances) + 1;
}

/* As open_spans_find(), of a span whose entry had that number once; 0: none. */
static inline struct instance *open_spans_find_again(struct books *books, uint64_t instance, uint32_t number) {
        /* Where it was evicted, another span's is there now. */
        if (number && number <= books->limits.instances && books->instances[number - 1].instance == instance)
                return &books->instances[number - 1];
        return open_spans_find(books, instance);
}

/* One that was found: it is about to change, and active. */
static inline struct instance *open_spans_use(struct books *books, struct instance *entry) {
        touch_line(books, entry);
        entry->flags |= INSTANCE_RECENT;
        return entry;
}

/* One that was not.  Never NULL: something is evicted if need be. */
struct instance *open_spans_make(struct books *books, uint64_t instance, uint32_t path);
void open_spans_remove(struct books *books, struct instance *entry);

/* Makes the index of the entries that there are, of which it is none yet; outside a batch, in an arena that nobody uses. */
void open_spans_build_index(struct books *books);

/* Queues of closes, through the entries: `later` ones become `queued` ones at the end of a pass. */
void open_spans_queue_close(struct books *books, struct instance *entry, bool later);
/* Takes the first of the queue; NULL when it is empty. */
struct instance *open_spans_next_close(struct books *books);
void open_spans_advance_queue(struct books *books);
