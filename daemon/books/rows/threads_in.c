/* SPDX-License-Identifier: MIT */
/*
 * Which threads are in spans of a name: a table over all lanes, made in steps before an answer has its first row.
 *
 * A client chooses how many names and lanes there are.  A search of the lanes for each name would take their product.
 * Each lane is of the moment when it is read.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/books/books_layout.h"

#define LANES_PORTION 256u

/* A thread is counted where the outermost frame of the name is. */
static void list_frames(const struct books *books, struct threads_making *making) {
        uint32_t end = making->lane + LANES_PORTION;

        for (; making->lane < making->lanes && making->lane < end; making->lane++) {
                const struct lane *lane = &books->lanes[making->lane];

                for (uint32_t f = 0; f < lane->depth; f++)
                        if (lane->frames[f].flags & FRAME_OUTER_NAME)
                                making->items[making->count++] = (struct radix_item){
                                        .key = (uint64_t)lane->frames[f].name << 32 | lane->thread};
        }
}

/* Equal neighbours become one. */
static uint32_t merge(const struct radix_item *items, size_t n, struct books_threads *to) {
        uint32_t count = 0;

        for (size_t i = 0; i < n; i++) {
                if (!i || items[i].key != items[i - 1].key)
                        to[count++] = (struct books_threads){(uint32_t)(items[i].key >> 32), (uint32_t)items[i].key, 0};
                to[count - 1].count++;
        }
        return count;
}

static void begin(const struct books *books, uint64_t since_ns) {
        struct threads_making *making = &books->cache->threads_making;

        *making = (struct threads_making){
                .since_ns = since_ns, .commit = atomic_load(&books->arena.header->commit), .lanes = books->book->lanes};
        /* Of what no frame needs no page is touched. */
        making->room = (size_t)making->lanes * SHM_DEPTH + 1;
        making->items = reallocarray(NULL, making->room, 2 * sizeof *making->items);
}

static void end(struct books_cache *cache) {
        struct threads_making *making = &cache->threads_making;

        free(cache->threads_in);
        cache->threads_in = reallocarray(NULL, making->count + 1, sizeof *cache->threads_in);
        cache->threads_in_count = cache->threads_in ? merge(making->items, making->count, cache->threads_in) : 0;
        cache->threads_in_is_made = true; /* also without memory: the answer goes on without the table */
        cache->threads_in_commit = making->commit;
        cache->threads_in_since_ns = making->since_ns;
        free(making->items);
        *making = (struct threads_making){.items = NULL};
}

bool books_threads_in_some(const struct books *books, uint64_t since_ns) {
        struct books_cache *cache = books->cache;
        struct threads_making *making = &cache->threads_making;

        if (!making->items) {
                if (cache->threads_in_is_made &&
                    (cache->threads_in_since_ns >= since_ns ||
                     cache->threads_in_commit == atomic_load(&books->arena.header->commit)))
                        return true;
                begin(books, since_ns);
                return !making->items; /* without memory the answer has an older table, or none */
        }
        if (making->lane < making->lanes) {
                list_frames(books, making);
                if (making->lane == making->lanes)
                        radix_sort_begin(&making->sort, making->items, making->items + making->room, making->count);
        } else if (making->is_sorted || !making->lanes) {
                end(cache);
        } else {
                making->is_sorted = radix_sort_some(&making->sort);
        }
        return false;
}

void books_drop_threads_in(const struct books *books) {
        struct books_cache *cache = books->cache;

        free(cache->threads_in);
        free(cache->threads_making.items);
        cache->threads_in = NULL;
        cache->threads_in_is_made = false;
        cache->threads_in_count = 0;
        cache->threads_making = (struct threads_making){.items = NULL};
}

uint32_t books_threads_in(const struct books *books, uint32_t name, const struct books_threads **ret) {
        const struct books_cache *cache = books->cache;
        uint32_t from = 0, to, end;

        for (to = cache->threads_in_count; from < to;) {
                uint32_t middle = from + (to - from) / 2;

                if (cache->threads_in[middle].name < name)
                        from = middle + 1;
                else
                        to = middle;
        }
        end = from;
        while (end < cache->threads_in_count && cache->threads_in[end].name == name)
                end++;
        *ret = cache->threads_in ? &cache->threads_in[from] : NULL;
        return end - from;
}
