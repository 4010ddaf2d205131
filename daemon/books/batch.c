/* SPDX-License-Identifier: MIT */
/* See batch.h. */
#include "daemon/books/batch.h"

#include <stdlib.h>

#include "daemon/books/tally.h"

#define LINES_COMPARED 16u
#define EVENTS_KEPT    1024u /* room that is not given back after a batch */

void books_on_event(struct books *books, books_event_fn fn, void *userdata) {
        books->on_event = fn;
        books->event_data = userdata;
}

void books_begin(struct books *books, uint64_t now_ns) {
        arena_begin(&books->arena);
        if (now_ns > books->book->now_ns) {
                touch(books, &books->book->now_ns);
                books->book->now_ns = now_ns;
        }
}

/* Whether a line that the batch logged is another one now, but for the time of the batch. */
static bool differs(const struct books *books, uint64_t n) {
        const size_t from = offsetof(struct book, now_ns), to = from + sizeof books->book->now_ns;
        const char *was = (const char *)books->arena.undo_lines[n];
        const char *is = arena_line(&books->arena, n);

        if (is != (const char *)books->book)
                return memcmp(was, is, ARENA_LINE) != 0;
        return memcmp(was, is, from) != 0 || memcmp(was + to, is + to, ARENA_LINE - to) != 0;
}
_Static_assert(offsetof(struct book, now_ns) + sizeof(uint64_t) <= ARENA_LINE, "on the first line, which begins it");

/* Most batches are those of a process that sleeps: a few lines are touched, and none is changed. */
static bool has_changed(const struct books *books) {
        uint64_t n = arena_logged(&books->arena);

        if (n > LINES_COMPARED)
                return true;
        while (n--)
                if (differs(books, n))
                        return true;
        return false;
}

void books_commit(struct books *books) {
        uint32_t n = books->event_count;

        books->changes += has_changed(books);
        arena_commit(&books->arena);
        books->event_count = 0;
        for (uint32_t i = 0; i < n && books->on_event; i++)
                books->on_event(books->event_data, &books->events[i]);
        if (books->event_capacity <= EVENTS_KEPT)
                return;
        free(books->events);
        books->events = NULL;
        books->event_capacity = 0;
}

/* A batch is bounded, and so are they.  Without memory for it an event is not told. */
void books_emit(struct books *books, const struct books_event *event) {
        if (!books->on_event)
                return;
        if (books->event_count == books->event_capacity) {
                uint32_t capacity = books->event_capacity ? 2 * books->event_capacity : 64;
                struct books_event *events = reallocarray(books->events, capacity, sizeof *events);

                if (!events)
                        return;
                books->events = events;
                books->event_capacity = capacity;
        }
        books->events[books->event_count++] = *event;
}

/* ------------------------------------------------------------------------------------------------ the process -- */

void books_count_stale(struct books *books) {
        touch(books, &books->book->stale);
        books->book->stale++;
}

void books_set_lanes(struct books *books, uint32_t n) {
        touch(books, &books->book->lanes);
        books->book->lanes = n;
}

void books_set_instance_floor(struct books *books, uint64_t floor) {
        touch(books, &books->book->instance_floor);
        books->book->instance_floor = floor;
}

void books_set_finished(struct books *books) {
        touch(books, &books->book->finished);
        books->book->finished = 1;
}

void books_set_taken_close(struct books *books, uint32_t slot, uint64_t instance) {
        touch(books, &books->closes[slot]);
        books->closes[slot] = instance;
}

void books_set_refused(struct books *books, const struct shm_refused *refused, uint64_t threads) {
        if (!memcmp(&books->book->refused, refused, sizeof *refused) && books->book->refused_threads == threads)
                return;
        touch(books, &books->book->refused);
        touch(books, &books->book->refused_threads);
        books->book->refused = *refused;
        books->book->refused_threads = threads;
}

void books_set_forks(struct books *books, uint64_t forks) {
        if (books->book->forks == forks)
                return;
        touch(books, &books->book->forks);
        books->book->forks = forks;
}

void books_set_path_refused(struct books *books, uint32_t path, uint64_t refused) {
        if (books->tallies[path].refused != refused)
                tally_change(books, path)->refused = refused;
}
