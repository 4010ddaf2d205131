/* SPDX-License-Identifier: MIT */
/*
 * The names of threads under which `outside` is kept apart: a table that fills up, after which all others are (other).
 */
#pragma once

#include "daemon/books/batch.h"
#include "daemon/books/counters.h"
#include "daemon/books/decayed.h"

struct thread_name {
        char name[SHM_COMM_BYTES];
        double decayed[3]; /* bytes; see decayed.h */
        uint64_t tick, this_tick;
        uint64_t born_ns; /* 0: not known, from a version before */
        uint64_t outside[SHM_COUNTERS];
        uint64_t baseline[SHM_COUNTERS]; /* at the last reset */
};
_Static_assert(sizeof(struct thread_name) == 128, "");
_Static_assert(offsetof(struct thread_name, outside) == 64, "begins a line");

/* What `outside` of a name was at each mark. */
struct thread_marks {
        struct thread_mark {
                uint64_t number; /* of the mark, from 1; another one: this mark has nothing of the name */
                uint64_t outside[SHM_COUNTERS];
        } marks[BOOKS_MARKS];
};

/* In a batch: finds or makes the entry of `name`, which is clean and padded with zeros.  0, the entry (other), if the table
 * is full. */
uint32_t thread_names_entry(struct books *books, const char name[SHM_COMM_BYTES]);

/* In a batch: adds counts of a thread with that name outside of all spans. */
static inline void thread_names_add(struct books *books, uint32_t entry, struct counters delta) {
        struct thread_name *thread = &books->threads[entry];
        uint64_t tick = books->book->now_ns >> DECAYED_TICK_SHIFT, bytes = counters_alloc_bytes(delta);

        touch_line(books, thread->outside);
        counters_add(thread->outside, delta);
        if (!bytes)
                return;
        touch_line(books, thread);
        if (tick > thread->tick)
                decayed_advance(thread->decayed, &thread->this_tick, &thread->tick, tick);
        thread->this_tick += bytes;
}

/* In a batch: what was counted so far is no longer in the rows. */
void thread_names_reset(struct books *books);

/* Remembers what was counted so far, for the mark that is being set. */
void thread_names_mark(struct books *books);
