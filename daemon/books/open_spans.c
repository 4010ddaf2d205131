/* SPDX-License-Identifier: MIT */
/* See open_spans.h. */
#include "daemon/books/open_spans.h"

#include "daemon/books/tally.h"

#define EVICTION_TURNS 256u /* entries that an eviction looks at: it is a part of one step */

/* Both halves of a whole product, so that every bit of the number moves every bit of the hash. */
static uint32_t hash(const struct books *books, uint64_t instance) {
        unsigned __int128 product = (unsigned __int128)(instance ^ books->book->hash_seed) *
                                    UINT64_C(0xd6e8feb86659fd93);
        uint64_t h = (uint64_t)product ^ (uint64_t)(product >> 64);

        return (uint32_t)(h ^ h >> 32);
}

/* A word of the index: the number of an entry, and above it eight bits of its span's hash.  Entries lie anywhere in
 * memory; with these bits a search seldom looks at another one than its own. */
static bool may_be(uint32_t word, uint32_t h) {
        return !((word ^ h) & ~BOOKS_INDEX_NUMBER);
}

static struct instance *entry_of(const struct books *books, uint32_t word) {
        return &books->instances[(word & BOOKS_INDEX_NUMBER) - 1];
}

/* The slot where `instance` is, or the empty one where it would be. */
static uint32_t find_slot(const struct books *books, uint64_t instance) {
        uint32_t h = hash(books, instance), slot = h & books->index_mask, word;

        while ((word = books->index[slot]) && !(may_be(word, h) && entry_of(books, word)->instance == instance))
                slot = (slot + 1) & books->index_mask;
        return slot;
}

uint32_t open_spans_expect(const struct books *books, uint64_t instance) {
        uint32_t h = hash(books, instance);

        __builtin_prefetch(&books->index[h & books->index_mask]);
        return h;
}

/* The first entry that a search looks at is mostly the one; with its mark in the undo log, as it is about to change. */
void open_spans_expect_soon(const struct books *books, uint32_t h) {
        uint32_t slot = h & books->index_mask, word;

        while ((word = books->index[slot]) && !may_be(word, h))
                slot = (slot + 1) & books->index_mask;
        if (!word)
                return;
        __builtin_prefetch(entry_of(books, word), 1);
        arena_expect(&books->arena, entry_of(books, word));
}

struct instance *open_spans_find(struct books *books, uint64_t instance) {
        uint32_t word = books->index[find_slot(books, instance)];

        return word ? entry_of(books, word) : NULL;
}

/* Linear probing without tombstones: what was pushed past the hole moves back into it. */
static void empty_slot(struct books *books, uint32_t hole) {
        uint32_t slot = hole;

        for (;;) {
                uint32_t home;

                slot = (slot + 1) & books->index_mask;
                if (!books->index[slot])
                        break;
                home = hash(books, entry_of(books, books->index[slot])->instance) & books->index_mask;
                if (((slot - home) & books->index_mask) < ((slot - hole) & books->index_mask))
                        continue;
                touch(books, &books->index[hole]);
                books->index[hole] = books->index[slot];
                hole = slot;
        }
        touch(books, &books->index[hole]);
        books->index[hole] = 0;
}

void open_spans_remove(struct books *books, struct instance *entry) {
        empty_slot(books, find_slot(books, entry->instance));
        touch_line(books, entry);
        memset(entry, 0, sizeof *entry);
        entry->next = books->book->free_instances;
        touch(books, &books->book->open_spans);
        touch(books, &books->book->free_instances);
        books->book->free_instances = open_spans_number(books, entry);
        books->book->open_spans--;
}

/* Second chance: an entry that was active since the hand went by is passed once.  One in a queue is never taken while
 * another is to be had, one that is entered seldom. */
static struct instance *find_victim(struct books *books) {
        uint32_t turns = 2 * books->limits.instances;
        struct instance *second = NULL, *third = NULL;

        touch(books, &books->book->hand);
        for (turns = turns < EVICTION_TURNS ? turns : EVICTION_TURNS; turns; turns--) {
                struct instance *entry = &books->instances[books->book->hand];

                books->book->hand = (books->book->hand + 1) % books->limits.instances;
                if (!entry->instance || (entry->flags & INSTANCE_QUEUED))
                        continue;
                if (!(entry->flags & INSTANCE_RECENT) && !instance_is_entered(entry))
                        return entry;
                if (!instance_is_entered(entry) && !second)
                        second = entry;
                else if (!third)
                        third = entry;
                if (!(entry->flags & INSTANCE_RECENT))
                        continue;
                touch_line(books, entry);
                entry->flags &= (uint16_t)~INSTANCE_RECENT;
        }
        return second ? second : third;
}

/* Takes the first of a queue; NULL when it is empty. */
static struct instance *take_close(struct books *books, uint32_t *first, uint32_t *last) {
        struct instance *entry;

        if (!*first)
                return NULL;
        entry = &books->instances[*first - 1];
        touch_line(books, entry);
        touch(books, first);
        touch(books, last);
        *first = entry->next;
        if (!*first)
                *last = 0;
        entry->next = 0;
        entry->flags &= (uint16_t)~INSTANCE_QUEUED;
        return entry;
}

static void evict(struct books *books) {
        struct instance *victim = find_victim(books);

        if (!victim) { /* all near the hand are queued to be closed: the first of these goes without its event */
                victim = take_close(books, &books->book->queued_first, &books->book->queued_last);
                if (!victim)
                        victim = take_close(books, &books->book->later_first, &books->book->later_last);
                if ((victim->flags & INSTANCE_OPENED) || books->book->evicted)
                        tally_closed(books, tally_change(books, victim->path), (struct counters){0}, 0);
        } else if (victim->flags & INSTANCE_CLOSING) { /* its end would be counted nowhere else */
                tally_closed(books, tally_change(books, victim->path), (struct counters){0}, 0);
        }
        touch(books, &books->book->evicted);
        books->book->evicted++;
        tally_change(books, victim->path)->estimated = 1;
        open_spans_remove(books, victim);
}

static struct instance *allocate(struct books *books) {
        struct book *book = books->book;
        struct instance *entry;

        if (!book->free_instances && book->instances >= books->limits.instances)
                evict(books);
        touch(books, &book->free_instances);
        if (book->free_instances) {
                entry = &books->instances[book->free_instances - 1];
                book->free_instances = entry->next;
        } else {
                touch(books, &book->instances);
                entry = &books->instances[book->instances++];
        }
        return entry;
}

struct instance *open_spans_make(struct books *books, uint64_t instance, uint32_t path) {
        struct instance *entry = allocate(books);
        uint32_t slot;

        touch_line(books, entry);
        *entry = (struct instance){.instance = instance, .path = path, .flags = INSTANCE_RECENT};
        slot = find_slot(books, instance);
        touch(books, &books->index[slot]);
        books->index[slot] = open_spans_number(books, entry) | (hash(books, instance) & ~BOOKS_INDEX_NUMBER);
        touch(books, &books->book->open_spans);
        books->book->open_spans++;
        return entry;
}

void open_spans_build_index(struct books *books) {
        for (uint32_t i = 0; i < books->book->instances && i < books->limits.instances; i++) {
                uint32_t h = hash(books, books->instances[i].instance), slot = h & books->index_mask;

                if (!books->instances[i].instance)
                        continue;
                while (books->index[slot])
                        slot = (slot + 1) & books->index_mask;
                books->index[slot] = (i + 1) | (h & ~BOOKS_INDEX_NUMBER);
        }
}

static void append(struct books *books, uint32_t *first, uint32_t *last, uint32_t n) {
        touch(books, first);
        touch(books, last);
        if (*last) {
                struct instance *tail = &books->instances[*last - 1];

                touch_line(books, tail);
                tail->next = n;
        } else {
                *first = n;
        }
        *last = n;
}

void open_spans_queue_close(struct books *books, struct instance *entry, bool later) {
        struct book *book = books->book;

        touch_line(books, entry);
        if (entry->flags & INSTANCE_QUEUED)
                return;
        entry->flags |= INSTANCE_QUEUED;
        entry->next = 0;
        if (later)
                append(books, &book->later_first, &book->later_last, open_spans_number(books, entry));
        else
                append(books, &book->queued_first, &book->queued_last, open_spans_number(books, entry));
}

struct instance *open_spans_next_close(struct books *books) {
        struct instance *entry = take_close(books, &books->book->queued_first, &books->book->queued_last);

        if (entry) {
                touch(books, &books->book->closes_applied);
                books->book->closes_applied++;
        }
        return entry;
}

void open_spans_advance_queue(struct books *books) {
        struct book *book = books->book;

        if (!book->later_first)
                return;
        touch(books, &book->queued_first); /* and queued_last, on the same line; likewise below: see batch.h */
        touch(books, &book->later_first);
        book->queued_first = book->later_first;
        book->queued_last = book->later_last;
        book->later_first = book->later_last = 0;
}
