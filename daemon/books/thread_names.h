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

/* In a batch: the entry of a name, clean and padded with zeros; 0, (other), when the table is full. */
uint32_t thread_names_entry(struct books *books, const char name[SHM_COMM_BYTES]);

/* In a batch: what a thread of that entry counted outside of all spans. */
static inline void thread_names_add(struct books *books, uint32_t entry, struct counters delta) {
        struct thread_name *thread = &books->threads[entry];

        touch_line(books, thread->outside);
        counters_add(thread->outside, delta);
}

/* In a batch: what was counted so far is no longer in the rows. */
void thread_names_reset(struct books *books);
