/* SPDX-License-Identifier: MIT */
/*
 * The names of threads under which `outside` is kept apart: a table that fills up, after which all others are (other).
 */
#pragma once

#include "daemon/books/batch.h"
#include "daemon/books/counters.h"

struct thread_name {
        char name[SHM_COMM_BYTES];
        uint64_t reserved[6];
        uint64_t outside[SHM_COUNTERS];
        uint64_t baseline[SHM_COUNTERS]; /* at the last reset */
};
_Static_assert(sizeof(struct thread_name) == 128, "");
_Static_assert(offsetof(struct thread_name, outside) == 64, "begins a line");

/* In a batch: finds or makes the entry of `name`, which is clean and padded with zeros.  0, the entry (other), if the table
 * is full. */
uint32_t thread_names_entry(struct books *books, const char name[SHM_COMM_BYTES]);

/* In a batch: adds counts of a thread with that name outside of all spans. */
static inline void thread_names_add(struct books *books, uint32_t entry, struct counters delta) {
        struct thread_name *thread = &books->threads[entry];

        touch_line(books, thread->outside);
        counters_add(thread->outside, delta);
}

/* In a batch: what was counted so far is no longer in the rows. */
void thread_names_reset(struct books *books);
