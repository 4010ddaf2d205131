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
        touch_line(books, &books->threads[n]);
        memcpy(books->threads[n].name, name, SHM_COMM_BYTES);
        books->threads[n].born_ns = books->book->now_ns;
        books->threads[n].tick = books->book->now_ns >> DECAYED_TICK_SHIFT;
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

/* Not in the undo log: until the mark is set, nothing reads what is written. */
void thread_names_mark(struct books *books) {
        uint32_t mark = books->book->marks;

        for (uint32_t i = 0; i < books->book->threads; i++) {
                struct thread_mark *to = &books->thread_marks[i].marks[mark % BOOKS_MARKS];

                to->number = mark + 1;
                memcpy(to->outside, books->threads[i].outside, sizeof to->outside);
        }
}
