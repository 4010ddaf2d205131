/* SPDX-License-Identifier: MIT */
/*
 * The spans that are open and have to be followed one by one: those whose cycles are spread over calls or threads.  A
 * scope that stays on its thread never comes here.
 *
 * Bounded: beyond the capacity one that was not active of late makes room (a clock with one bit, and a limit to its
 * search, stands in for the order), and is counted.  Pure; everything runs in a batch.
 */
#pragma once

#include "daemon/books/batch.h"

enum instance_flag {
        INSTANCE_OPENED = 1 << 0,  /* its opening was seen, or is taken for granted */
        INSTANCE_CLOSING = 1 << 1, /* its close was seen: ends with the last exit */
        INSTANCE_QUEUED = 1 << 2,  /* its close waits for the drain's second look */
        INSTANCE_RECENT = 1 << 3,  /* active since the hand went by */
        INSTANCE_SCOPE = 1 << 4,   /* a scope: on its own lane's stack it is entered without being counted here */
        INSTANCE_ABORTED = 1 << 5, /* counted as such: its close changes nothing any more */
        INSTANCE_COUNTED = 1 << 8, /* is in `opened` of its path */
        INSTANCE_PARTIAL =
                1 << 7, /* its sums lack a part: what was before it was evicted, or a cycle that was refused */
        INSTANCE_UNTIMED = 1 << 9,  /* a part of a cycle was not timed */
        INSTANCE_LATE = 1 << 6,     /* its opening found no room: a close may be all that is ever seen of it */
        INSTANCE_ENTERED = 1 << 10, /* one in the higher part of its count of frames: up to 2^22 of them */
};
#define INSTANCE_ENTERED_ALL 0xfc00u
_Static_assert((uint64_t)SHM_LANES_MAX *SHM_DEPTH < UINT64_C(1) << 22, "frames that can be open");

/* What of a word of the index is an entry's number. */
#define BOOKS_INDEX_NUMBER 0xffffffu

/* A span that is open, and has to be followed by itself. */
struct instance {
        uint64_t instance; /* 0: free */
        uint32_t path;
        uint16_t flags, entered; /* entered: the lower part of the count of frames on it */
        uint64_t sums[SHM_COUNTERS];
        uint32_t cycles;
        uint32_t next;  /* of a free list, or of a queue of closes */
        uint64_t ticks; /* spent in its timed cycles */
};
_Static_assert(sizeof(struct instance) == 64, "");

static inline bool instance_is_entered(const struct instance *entry) {
        return entry->entered || (entry->flags & INSTANCE_ENTERED_ALL);
}

/* Both of an entry that was logged.  As many can be on one span as there are frames, which is more than 16 bits hold.
 * */
static inline void instance_enter(struct instance *entry) {
        if (__builtin_expect(!++entry->entered, 0))
                entry->flags += INSTANCE_ENTERED;
}

static inline void instance_leave(struct instance *entry) {
        if (__builtin_expect(entry->entered, 1)) {
                entry->entered--;
        } else if (entry->flags & INSTANCE_ENTERED_ALL) {
                entry->flags -= INSTANCE_ENTERED;
                entry->entered = UINT16_MAX;
        }
}

/* A completed cycle.  The count stays at its end. */
static inline void instance_count_cycle(struct instance *entry) {
        if (__builtin_expect(entry->cycles != UINT32_MAX, 1))
                entry->cycles++;
}

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

/* Makes the index of the entries that there are, of which there is none yet; outside a batch, in an arena that is not
 * used yet. */
void open_spans_build_index(struct books *books);

/* Queues of closes, through the entries: `later` ones become `queued` ones at the end of a pass. */
void open_spans_queue_close(struct books *books, struct instance *entry, bool later);
/* Takes the first of the queue; NULL when it is empty. */
struct instance *open_spans_next_close(struct books *books);
void open_spans_advance_queue(struct books *books);

/* How many there are. */
static inline uint32_t open_spans_count(const struct books *books) {
        return books->book->open_spans;
}
/* Whether closes wait in either queue. */
static inline bool open_spans_have_queued(const struct books *books) {
        return books->book->queued_first;
}
static inline bool open_spans_have_later(const struct books *books) {
        return books->book->later_first;
}
