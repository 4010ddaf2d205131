/* SPDX-License-Identifier: MIT */
/*
 * Slots of rows: sums, rates, history, and the index of them.  Reading an answer is in top_read.c, sorting in
 * top_list.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/nanoseconds.h"
#include "ctl/model/top_store.h"
#include "ctl/output/text.h"

void top_store_forget(struct top_store *store) {
        for (uint32_t i = 0; i < store->capacity; i++) {
                free(store->slots[i].span);
                free(store->slots[i].path);
        }
        for (int i = 0; i < TOP_HISTORY; i++) {
                free(store->allocated[i]);
                free(store->net[i]);
        }
        free(store->slots);
        free(store->free_slots);
        free(store->order);
        free(store->order_before);
        free(store->index);
        *store = (struct top_store){.texts = store->texts + 1, .answers = store->answers};
}

void top_store_deinit(struct top_store *store) {
        top_store_forget(store);
}

/* ----------------------------------------------------------------------------------------------- index -- */

static uint32_t hash(uint64_t process, uint32_t key) {
        uint64_t h = (process << 32 | key) * UINT64_C(0x9e3779b97f4a7c15) ^ process * UINT64_C(0xc2b2ae3d27d4eb4f);

        return (uint32_t)(h >> 32) ^ (uint32_t)h;
}

uint32_t top_store_find(const struct top_store *store, uint64_t process, uint32_t key) {
        if (!store->index)
                return TOP_NONE;
        for (uint32_t i = hash(process, key) & store->index_mask; store->index[i]; i = (i + 1) & store->index_mask) {
                const struct top_slot *slot = &store->slots[store->index[i] - 1];

                if (slot->process == process && slot->key == key)
                        return store->index[i] - 1;
        }
        return TOP_NONE;
}

static void index_add(struct top_store *store, uint32_t slot) {
        uint32_t i = hash(store->slots[slot].process, store->slots[slot].key) & store->index_mask;

        while (store->index[i])
                i = (i + 1) & store->index_mask;
        store->index[i] = slot + 1;
}

/* Rebuilt when rows were removed, which is simpler than removing entries one by one. */
static void index_fill(struct top_store *store) {
        memset(store->index, 0, ((size_t)store->index_mask + 1) * sizeof(*store->index));
        for (uint32_t i = 0; i < store->capacity; i++)
                if (store->slots[i].used)
                        index_add(store, i);
}

/* ----------------------------------------------------------------------------------------------- slots -- */

/* The array with room for `count`, zero from `had` on.  NULL: no memory, and the array is still there. */
static void *enlarge(void *array, size_t size, size_t had, size_t count) {
        char *more = reallocarray(array, count, size);

        if (more)
                memset(more + had * size, 0, (count - had) * size);
        return more;
}

static bool enlarge_history(float **history, size_t had, size_t count) {
        float *more = enlarge(*history, sizeof(*more), had, count);

        if (more)
                *history = more;
        return more;
}

static bool enlarge_slots(struct top_store *store, size_t had, size_t count) {
        struct top_slot *slots = enlarge(store->slots, sizeof(*slots), had, count);
        uint32_t *free_slots;

        if (!slots)
                return false;
        store->slots = slots;
        free_slots = enlarge(store->free_slots, sizeof(*free_slots), had, count);
        if (!free_slots)
                return false;
        store->free_slots = free_slots;
        return true;
}

static int grow(struct top_store *store) {
        uint32_t had = store->capacity, capacity = had ? 2 * had : 256;
        uint32_t *index;
        bool ok = enlarge_slots(store, had, capacity);

        for (int i = 0; i < TOP_HISTORY && ok; i++)
                ok = enlarge_history(&store->allocated[i], had, capacity) &&
                     enlarge_history(&store->net[i], had, capacity);
        index = ok ? calloc(4 * (size_t)capacity, sizeof(*index)) : NULL;
        if (!index)
                return -ENOMEM;
        free(store->index);
        store->index = index;
        store->index_mask = 4 * capacity - 1;
        for (uint32_t i = capacity; i > had; i--)
                store->free_slots[store->n_free++] = i - 1;
        store->capacity = capacity;
        index_fill(store);
        return 0;
}

static struct top_slot *slot_new(struct top_store *store, uint64_t process, uint32_t key) {
        struct top_slot *slot;
        uint32_t number;

        if (!store->n_free && grow(store) < 0)
                return NULL;
        number = store->free_slots[--store->n_free];
        slot = &store->slots[number];
        *slot = (struct top_slot){
                .process = process,
                .key = key,
                .member = TOP_NONE,
                .used = true,
                .born = store->answers,
        };
        index_add(store, number);
        store->n_used++;
        store->texts++;
        return slot;
}

static void slot_free(struct top_store *store, uint32_t number) {
        struct top_slot *slot = &store->slots[number];

        free(slot->span);
        free(slot->path);
        *slot = (struct top_slot){0};
        store->free_slots[store->n_free++] = number;
        store->n_used--;
        store->texts++;
}

static int set_text(struct top_store *store, char **at, const char *text) {
        char *copy;

        if (*at && (!text || !strcmp(*at, text)))
                return 0;
        copy = strdup(text ? text : "");
        if (!copy)
                return -ENOMEM;
        free(*at);
        *at = copy;
        store->texts++;
        return 0;
}

/* The width is measured once: there may be very many rows in each answer. */
static int set_span(struct top_store *store, struct top_slot *slot, const char *text) {
        const char *before = slot->span;
        int r = set_text(store, &slot->span, text);

        if (r == 0 && slot->span != before) {
                size_t width = text_width(slot->span);

                slot->span_width = (uint16_t)(width < UINT16_MAX ? width : UINT16_MAX);
        }
        return r;
}

/* ---------------------------------------------------------------------------------------------- answers -- */

void top_store_begin(struct top_store *store, uint64_t time_ns) {
        uint32_t *order = store->order, room = store->room;

        store->order = store->order_before;
        store->room = store->room_before;
        store->order_before = order;
        store->room_before = room;
        store->n_before = store->n;
        store->n = 0;
        store->answers++;
        store->carried = 0;
        store->answer = 0;
        store->time_before_ns = store->time_ns;
        store->time_ns = time_ns;
}

/* Sums that fell were reset in between: what is there now has come since. */
uint64_t top_store_rate(uint64_t now, uint64_t before, uint64_t elapsed_ns) {
        uint64_t difference = now >= before ? now - before : now;

        if (!difference)
                return 0;
        if (difference <= UINT64_MAX / NS_PER_S)
                return difference * NS_PER_S / elapsed_ns;
        return (uint64_t)((unsigned __int128)difference * NS_PER_S / elapsed_ns);
}

int64_t top_store_net_rate(int64_t now, int64_t before, uint64_t elapsed_ns) {
        if (now == before)
                return 0;
        return (int64_t)(((__int128)now - before) * (__int128)NS_PER_S / (__int128)elapsed_ns);
}

static void fill_time(struct top_slot *slot, const struct top_sums *before, uint64_t elapsed_ns) {
        const struct top_sums *now = &slot->sums;
        bool reset = now->timed_calls < before->timed_calls || now->timed_calls_ns < before->timed_calls_ns;

        slot->rates.busy_known = before->has_time && now->has_time;
        slot->rates.busy_ns = before->has_time ? top_store_rate(now->busy_ns, before->busy_ns, elapsed_ns) : 0;
        slot->rates.timed_calls = now->timed_calls;
        slot->rates.timed_calls_ns = now->timed_calls_ns;
        if (!before->has_time || reset || now->timed_calls == before->timed_calls)
                return;
        slot->rates.timed_calls -= before->timed_calls;
        slot->rates.timed_calls_ns -= before->timed_calls_ns;
}

/* Whether time has passed since the answer before. */
static bool has_moved(const struct top_store *store) {
        return store->time_before_ns && store->time_ns > store->time_before_ns;
}

/* `before` is all zero of a row that is new. */
static void fill_rates(const struct top_store *store, struct top_slot *slot, const struct top_sums *before) {
        uint64_t elapsed = store->time_ns - store->time_before_ns;
        int64_t net = slot->sums.alloc_count < before->alloc_count ? 0 : before->net_bytes;

        if (!has_moved(store)) {
                slot->rates = (struct top_rates){0};
                return;
        }
        slot->rates.known = true;
        slot->rates.alloc_count = top_store_rate(slot->sums.alloc_count, before->alloc_count, elapsed);
        slot->rates.alloc_bytes = top_store_rate(slot->sums.alloc_bytes, before->alloc_bytes, elapsed);
        slot->rates.closed = top_store_rate(slot->sums.closed, before->closed, elapsed);
        fill_time(slot, before, elapsed);
        slot->rates.net_bytes = top_store_net_rate(slot->sums.net_bytes, net, elapsed);
}

static int append(struct top_store *store, uint32_t slot) {
        if (store->n == store->room) {
                uint32_t room = store->room ? 2 * store->room : 256;
                uint32_t *order = enlarge(store->order, sizeof(*order), store->room, room);

                if (!order)
                        return -ENOMEM;
                store->order = order;
                store->room = room;
        }
        store->order[store->n++] = slot;
        return 0;
}

static struct top_slot *known_slot(const struct top_store *store, uint64_t process, uint32_t key) {
        struct top_slot *slot;
        uint32_t number;

        if (store->n < store->n_before) {
                slot = &store->slots[store->order_before[store->n]];
                if (slot->used && slot->process == process && slot->key == key)
                        return slot;
        }
        number = top_store_find(store, process, key);
        return number == TOP_NONE ? NULL : &store->slots[number];
}

struct top_slot *top_store_put(struct top_store *store, uint64_t process, uint32_t key, const struct top_sums *sums,
                               const char *span, const char *path) {
        struct top_slot *slot = known_slot(store, process, key);
        struct top_sums before = {0};

        if (slot)
                before = slot->sums;
        else
                slot = slot_new(store, process, key);
        if (!slot || (slot->seen != store->answers && append(store, (uint32_t)(slot - store->slots)) < 0))
                return NULL;
        if (set_span(store, slot, span) < 0 || set_text(store, &slot->path, path) < 0)
                return NULL;
        slot->seen = store->answers;
        slot->sums = *sums;
        slot->quality = sums->quality;
        slot->still = slot->uncounted = false;
        fill_rates(store, slot, &before);
        return slot;
}

int top_store_carry(struct top_store *store, uint64_t process, uint32_t member, bool uncounted) {
        for (; store->carried < store->n_before; store->carried++) {
                uint32_t number = store->order_before[store->carried];
                struct top_slot *slot = &store->slots[number];
                struct top_sums before;

                if (slot->process > process)
                        break;
                if (slot->process < process)
                        continue;
                if (append(store, number) < 0)
                        return -ENOMEM;
                slot->seen = store->answers;
                top_slot_belong(slot, member, uncounted);
                if (slot->still && has_moved(store))
                        continue;
                before = slot->sums;
                fill_rates(store, slot, &before);
                slot->still = slot->rates.known;
        }
        return 0;
}

int top_store_end(struct top_store *store) {
        uint32_t at = store->answers % TOP_HISTORY, before = (store->answers - 1) % TOP_HISTORY;
        bool any_gone = false;

        for (uint32_t i = 0; i < store->n_before; i++) {
                const struct top_slot *slot = &store->slots[store->order_before[i]];

                if (slot->used && slot->seen != store->answers) {
                        slot_free(store, store->order_before[i]);
                        any_gone = true;
                }
        }
        if (any_gone)
                index_fill(store);
        for (uint32_t i = 0; i < store->n; i++) {
                const struct top_slot *slot = top_store_at(store, i);
                uint32_t number = store->order[i];

                if (slot->still) {
                        store->allocated[at][number] = 0;
                        store->net[at][number] = store->net[before][number];
                        continue;
                }
                store->allocated[at][number] = slot->rates.known ? (float)slot->rates.alloc_bytes : -1;
                store->net[at][number] = (float)slot->sums.net_bytes;
        }
        return 0;
}

bool top_store_history(const struct top_store *store, uint32_t slot, uint32_t back, double *ret_allocated,
                       double *ret_net) {
        uint32_t at = (store->answers - back) % TOP_HISTORY;

        if (slot >= store->capacity || !store->slots[slot].used || back >= TOP_HISTORY ||
            store->answers - store->slots[slot].born < back || store->allocated[at][slot] < 0)
                return false;
        *ret_allocated = (double)store->allocated[at][slot];
        *ret_net = (double)store->net[at][slot];
        return true;
}
