/* See live.h. */
#include "daemon/core/live.h"

#include "daemon/core/tally.h"

static uint32_t hash(uint64_t instance) {
        return (uint32_t)((instance * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

static uint32_t number(const struct books *books, const struct instance *entry) {
        return (uint32_t)(entry - books->instances) + 1;
}

/* The slot where `instance` is, or the empty one where it would be. */
static uint32_t find_slot(const struct books *books, uint64_t instance) {
        uint32_t slot = hash(instance) & books->index_mask;

        while (books->index[slot] && books->instances[books->index[slot] - 1].instance != instance)
                slot = (slot + 1) & books->index_mask;
        return slot;
}

struct instance *live_find(struct books *books, uint64_t instance) {
        uint32_t n = books->index[find_slot(books, instance)];

        return n ? &books->instances[n - 1] : NULL;
}

/* Linear probing without tombstones: what was pushed past the hole moves back into it. */
static void empty_slot(struct books *books, uint32_t hole) {
        uint32_t slot = hole;

        for (;;) {
                uint32_t home;

                slot = (slot + 1) & books->index_mask;
                if (!books->index[slot])
                        break;
                home = hash(books->instances[books->index[slot] - 1].instance) & books->index_mask;
                if (((slot - home) & books->index_mask) < ((slot - hole) & books->index_mask))
                        continue;
                touch(books, &books->index[hole]);
                books->index[hole] = books->index[slot];
                hole = slot;
        }
        touch(books, &books->index[hole]);
        books->index[hole] = 0;
}

void live_remove(struct books *books, struct instance *entry) {
        empty_slot(books, find_slot(books, entry->instance));
        touch(books, entry);
        memset(entry, 0, sizeof *entry);
        entry->next = books->book->free_instances;
        touch(books, &books->book->live);
        touch(books, &books->book->free_instances);
        books->book->free_instances = number(books, entry);
        books->book->live--;
}

/* Second chance: an entry that was active since the hand went by is passed once; one in a queue or entered is
 * never taken while another is to be had. */
static void evict(struct books *books) {
        struct instance *victim = NULL;

        touch(books, &books->book->hand);
        for (uint32_t turns = 0; turns < 2 * books->limits.instances; turns++) {
                struct instance *entry = &books->instances[books->book->hand];

                books->book->hand = (books->book->hand + 1) % books->limits.instances;
                if (!entry->instance || (entry->flags & INSTANCE_QUEUED))
                        continue;
                if (entry->flags & INSTANCE_RECENT) {
                        touch(books, entry);
                        entry->flags &= (uint16_t)~INSTANCE_RECENT;
                        continue;
                }
                victim = entry;
                if (!entry->entered)
                        break;
                if (turns >= books->limits.instances)
                        break;
        }
        if (!victim) /* all are queued to be closed: the first of them goes without its event */
                victim = live_next_close(books);
        touch(books, &books->book->evicted);
        books->book->evicted++;
        tally_estimated(books, victim->path);
        live_remove(books, victim);
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

struct instance *live_get(struct books *books, uint64_t instance, uint32_t path, bool *ret_new) {
        struct instance *entry = live_find(books, instance);
        uint32_t slot;

        *ret_new = !entry;
        if (entry) {
                touch(books, entry);
                entry->flags |= INSTANCE_RECENT;
                return entry;
        }
        entry = allocate(books);
        touch(books, entry);
        *entry = (struct instance){.instance = instance, .path = path, .flags = INSTANCE_RECENT};
        slot = find_slot(books, instance);
        touch(books, &books->index[slot]);
        books->index[slot] = number(books, entry);
        touch(books, &books->book->live);
        books->book->live++;
        return entry;
}

static void append(struct books *books, uint32_t *first, uint32_t *last, uint32_t n) {
        touch(books, first);
        touch(books, last);
        if (*last) {
                struct instance *tail = &books->instances[*last - 1];

                touch(books, tail);
                tail->next = n;
        } else {
                *first = n;
        }
        *last = n;
}

void live_queue_close(struct books *books, struct instance *entry, bool later) {
        struct book *book = books->book;

        touch(books, entry);
        if (entry->flags & INSTANCE_QUEUED)
                return;
        entry->flags |= INSTANCE_QUEUED;
        entry->next = 0;
        if (later)
                append(books, &book->later_first, &book->later_last, number(books, entry));
        else
                append(books, &book->queued_first, &book->queued_last, number(books, entry));
}

struct instance *live_next_close(struct books *books) {
        struct book *book = books->book;
        struct instance *entry;

        if (!book->queued_first)
                return NULL;
        entry = &books->instances[book->queued_first - 1];
        touch(books, entry);
        touch(books, &book->queued_first);
        touch(books, &book->queued_last);
        book->queued_first = entry->next;
        if (!book->queued_first)
                book->queued_last = 0;
        entry->next = 0;
        entry->flags &= (uint16_t)~INSTANCE_QUEUED;
        return entry;
}

void live_advance_queue(struct books *books) {
        struct book *book = books->book;

        if (!book->later_first)
                return;
        touch(books, &book->queued_first);
        touch(books, &book->later_last);
        book->queued_first = book->later_first;
        book->queued_last = book->later_last;
        book->later_first = book->later_last = 0;
}
