/* SPDX-License-Identifier: MIT */
/* See last_open.h. */
#include "daemon/books/last_open.h"

#include "daemon/books/open_spans.h"

#define RECENT_NS UINT64_C(2000000000)

static void set(struct books *books, struct last_open *slot, const struct last_open *span) {
        touch(books, slot);
        *slot = *span;
}

static void note(struct books *books, uint64_t instance, uint32_t path, const uint64_t sums[SHM_COUNTERS]) {
        struct last_open *last = books->book->last_open;
        struct last_open span = {.instance = instance, .path = path, .noted_ns = books->book->now_ns};
        uint32_t i = BOOKS_LAST;

        memcpy(span.sums, sums, sizeof span.sums);
        for (uint32_t k = 0; k < BOOKS_LAST; k++)
                if (last[k].instance == instance)
                        return;
        while (i > 0 && (!last[i - 1].instance || last[i - 1].sums[SHM_ALLOC_BYTES] < sums[SHM_ALLOC_BYTES]))
                i--;
        if (i == BOOKS_LAST)
                return;
        for (uint32_t k = BOOKS_LAST - 1; k > i; k--)
                if (last[k - 1].instance)
                        set(books, &last[k], &last[k - 1]);
        set(books, &last[i], &span);
}

/* Forgets what was cut off long before now. */
static void prune(struct books *books) {
        static const struct last_open none;
        struct last_open *last = books->book->last_open;
        uint32_t n = 0;

        for (uint32_t i = 0; i < BOOKS_LAST && last[i].instance; i++) {
                if (books->book->now_ns - last[i].noted_ns > RECENT_NS)
                        continue;
                if (n != i)
                        set(books, &last[n], &last[i]);
                n++;
        }
        for (; n < BOOKS_LAST && last[n].instance; n++)
                set(books, &last[n], &none);
}

void last_open_note(struct books *books, uint64_t instance, uint32_t path, const uint64_t sums[SHM_COUNTERS]) {
        prune(books);
        note(books, instance, path, sums);
}

bool last_open_note_some(struct books *books, uint32_t *next, uint32_t portion) {
        if (!*next)
                prune(books);
        for (; *next < books->book->instances && portion; ++*next, portion--) {
                const struct instance *entry = &books->instances[*next];

                if (entry->instance && (entry->flags & INSTANCE_OPENED) && !(entry->flags & INSTANCE_ABORTED))
                        note(books, entry->instance, entry->path, entry->sums);
        }
        return *next >= books->book->instances;
}

bool books_last_row(const struct books *books, uint32_t index, struct books_last *ret) {
        const struct last_open *span = &books->book->last_open[index < BOOKS_LAST ? index : 0];

        if (!books->book->finished || index >= BOOKS_LAST || !span->instance)
                return false;
        *ret = (struct books_last){.instance = span->instance, .path = span->path};
        memcpy(ret->sums, span->sums, sizeof ret->sums);
        return true;
}
