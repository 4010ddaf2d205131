/* SPDX-License-Identifier: MIT */
/* See thread_names.h. */
#include "daemon/books/thread_names.h"

#include "daemon/books/lane.h"

uint32_t thread_names_entry(struct books *books, const char name[SHM_COMM_BYTES]) {
        uint32_t n = books->book->threads;

        for (uint32_t i = 0; i < n; i++)
                if (!strncmp(books->threads[i].name, name, SHM_COMM_BYTES))
                        return i;
        if (n == books->limits.threads)
                return 0;
        touch(books, &books->threads[n].name);
        memcpy(books->threads[n].name, name, SHM_COMM_BYTES);
        touch(books, &books->book->threads);
        books->book->threads++;
        return n;
}

void thread_names_reset(struct books *books) {
        for (uint32_t i = 0; i < books->book->threads; i++) {
                struct thread_name *thread = &books->threads[i];

                touch(books, &thread->baseline);
                memcpy(thread->baseline, thread->outside, sizeof thread->baseline);
        }
}

bool books_thread_row(const struct books *books, uint32_t index, const char **ret_name,
                      uint64_t ret_outside[SHM_COUNTERS]) {
        const struct thread_name *thread = &books->threads[index];

        if (index >= books->book->threads)
                return false;
        *ret_name = thread->name;
        for (int c = 0; c < SHM_COUNTERS; c++)
                ret_outside[c] = thread->outside[c] > thread->baseline[c] ? thread->outside[c] - thread->baseline[c]
                                                                          : 0;
        return true;
}
