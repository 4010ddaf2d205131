/* SPDX-License-Identifier: MIT */
/*
 * Which threads are in spans of a name: a table over all lanes, made when the first row asks and kept until the next
 * change.
 *
 * A client chooses how many names and lanes there are.  A search of the lanes for each name would take their product.
 */
#include <stdlib.h>

#include "base/radix_sort.h"
#include "daemon/books/books_layout.h"

static size_t count_frames(const struct books *books) {
        size_t n = 0;

        for (uint32_t i = 0; i < books->book->lanes; i++)
                n += books->lanes[i].depth;
        return n;
}

/* A thread is counted where the outermost frame of the name is. */
static uint32_t list_frames(const struct books *books, struct radix_item *to) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < books->book->lanes; i++) {
                const struct lane *lane = &books->lanes[i];

                for (uint32_t f = 0; f < lane->depth; f++)
                        if (lane->frames[f].flags & FRAME_OUTER_NAME)
                                to[n++] = (struct radix_item){.key = (uint64_t)lane->frames[f].name << 32 |
                                                                     lane->thread};
        }
        return n;
}

/* Equal neighbours become one. */
static uint32_t merge(const struct radix_item *frames, uint32_t n, struct books_threads *to) {
        uint32_t count = 0;

        for (uint32_t i = 0; i < n; i++) {
                if (!i || frames[i].key != frames[i - 1].key)
                        to[count++] = (struct books_threads){(uint32_t)(frames[i].key >> 32), (uint32_t)frames[i].key,
                                                             0};
                to[count - 1].count++;
        }
        return count;
}

static void make_table(const struct books *books) {
        struct books_cache *cache = books->cache;
        uint64_t commit = atomic_load(&books->arena.header->commit);
        struct radix_item *frames;
        size_t most;

        if (cache->threads_in && cache->threads_in_commit == commit && !books->arena.in_batch)
                return;
        free(cache->threads_in);
        cache->threads_in_count = 0;
        cache->threads_in_commit = commit;
        most = count_frames(books) + 1;
        frames = reallocarray(NULL, most, 2 * sizeof *frames);
        cache->threads_in = reallocarray(NULL, most, sizeof *cache->threads_in);
        if (frames && cache->threads_in) {
                uint32_t n = list_frames(books, frames);

                radix_sort(frames, frames + most, n);
                cache->threads_in_count = merge(frames, n, cache->threads_in);
        }
        free(frames);
}

uint32_t books_threads_in(const struct books *books, uint32_t name, const struct books_threads **ret) {
        const struct books_cache *cache = books->cache;
        uint32_t from = 0, to, end;

        make_table(books);
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
