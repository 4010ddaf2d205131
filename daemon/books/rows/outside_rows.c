/* SPDX-License-Identifier: MIT */
/*
 * What a query reads of the books: `outside`, by the names of threads, since the last reset or since a mark.
 *
 * Nothing here changes the arena.
 */
#include <string.h>

#include "daemon/books/books_layout.h"

uint32_t books_thread_count(const struct books *books) {
        return books->book->threads;
}

const char *books_thread_name(const struct books *books, uint32_t index) {
        return books->threads[index].name;
}

static void subtract(const struct thread_name *thread, const uint64_t base[SHM_COUNTERS], uint64_t ret[SHM_COUNTERS]) {
        for (int c = 0; c < SHM_COUNTERS; c++)
                ret[c] = thread->outside[c] > base[c] ? thread->outside[c] - base[c] : 0;
}

bool books_thread_row(const struct books *books, uint32_t index, const char **ret_name,
                      uint64_t ret_outside[SHM_COUNTERS]) {
        const struct thread_name *thread = &books->threads[index];

        if (index >= books->book->threads)
                return false;
        *ret_name = thread->name;
        subtract(thread, thread->baseline, ret_outside);
        return true;
}

static uint64_t size_of(const uint64_t sums[SHM_COUNTERS]) {
        uint64_t n = 0;

        for (int c = 0; c < SHM_COUNTERS; c++)
                n += sums[c];
        return n;
}

/* Of a mark and the last reset the younger counts; sums only grow, so that is the larger.  *ret_reaches: false where the
 * mark is of a version that remembered nothing of the name. */
static const uint64_t *base_of(const struct books *books, uint32_t index, int mark, bool *ret_reaches) {
        const struct thread_name *thread = &books->threads[index];
        const struct thread_mark *found;
        uint32_t back;

        if (mark == BOOKS_NO_MARK)
                return thread->baseline;
        found = &books->thread_marks[index].marks[mark];
        back = (books->book->marks + BOOKS_MARKS - (uint32_t)mark - 1) % BOOKS_MARKS; /* marks that are younger */
        if (found->number != books->book->marks - back) {
                *ret_reaches &= thread->born_ns >= books->book->mark_ns[mark];
                return thread->baseline;
        }
        return size_of(found->outside) >= size_of(thread->baseline) ? found->outside : thread->baseline;
}

bool books_outside_row(const struct books *books, uint32_t index, uint64_t now_ns, uint64_t since_ns,
                       struct books_row *ret) {
        const struct thread_name *thread = &books->threads[index];
        const struct decayed decayed = {thread->decayed, thread->tick, thread->this_tick, thread->born_ns};
        int mark = books_find_mark(books, now_ns, since_ns);
        bool reaches = books_mark_reaches(books, mark, now_ns, since_ns);

        *ret = (struct books_row){.quality = BOOKS_EXACT};
        subtract(thread, base_of(books, index, mark, &reaches), ret->self);
        memcpy(ret->total, ret->self, sizeof ret->total);
        decayed_rates(books, &decayed, now_ns, ret->rate);
        return reaches;
}
