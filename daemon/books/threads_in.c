/* SPDX-License-Identifier: MIT */
/*
 * Which threads are in spans of a name: a table over all lanes, made when the first row asks and kept until the next
 * change.
 *
 * A client chooses how many names and lanes there are.  A search of the lanes for each name would take their product.
 */
#include <stdlib.h>

#include "daemon/books/books_layout.h"

static int compare(const void *a, const void *b) {
        const struct books_threads *x = a, *y = b;

        if (x->name != y->name)
                return x->name < y->name ? -1 : 1;
        return x->thread < y->thread ? -1 : x->thread > y->thread;
}

static size_t count_frames(const struct books *books) {
        size_t n = 0;

        for (uint32_t i = 0; i < books->book->lanes; i++)
                n += books->lanes[i].depth;
        return n;
}

/* A thread is counted where the outermost frame of the name is. */
static uint32_t list_frames(const struct books *books, struct books_threads *to) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < books->book->lanes; i++) {
                const struct lane *lane = &books->lanes[i];

                for (uint32_t f = 0; f < lane->depth; f++)
                        if (lane->frames[f].flags & FRAME_OUTER_NAME)
                                to[n++] = (struct books_threads){lane->frames[f].name, lane->thread, 1};
        }
        return n;
}

/* Equal neighbours become one. */
static uint32_t merge(struct books_threads *threads, uint32_t n) {
        uint32_t last = 0;

        for (uint32_t i = 1; i < n; i++)
                if (compare(&threads[last], &threads[i]) == 0)
                        threads[last].count += threads[i].count;
                else
                        threads[++last] = threads[i];
        return n ? last + 1 : 0;
}

static void make_table(const struct books *books) {
        struct books_cache *cache = books->cache;
        uint64_t commit = atomic_load(&books->arena.header->commit);

        if (cache->threads_in && cache->threads_in_commit == commit && !books->arena.in_batch)
                return;
        free(cache->threads_in);
        cache->threads_in_count = 0;
        cache->threads_in_commit = commit;
        cache->threads_in = calloc(count_frames(books) + 1, sizeof *cache->threads_in);
        if (!cache->threads_in)
                return;
        cache->threads_in_count = list_frames(books, cache->threads_in);
        qsort(cache->threads_in, cache->threads_in_count, sizeof *cache->threads_in, compare);
        cache->threads_in_count = merge(cache->threads_in, cache->threads_in_count);
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
