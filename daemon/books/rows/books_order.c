/* SPDX-License-Identifier: MIT */
/*
 * Names in the order of their texts, and what a query is about to read of them.
 *
 * The order is kept beside the arena, as long as no name was added: a table is sorted by process and name, or by that
 * where rows are equal, and comparing texts took longer than reading the sums.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/books/books_layout.h"

static void prefetch(const void *from, size_t size) {
        for (size_t i = 0; i < size; i += 64)
                __builtin_prefetch((const char *)from + i);
}

void books_name_prefetch(const struct books *books, uint32_t name, uint32_t path) {
        prefetch(&books->names[name], sizeof(struct book_name));
        prefetch(&books->tallies[path], path ? sizeof(struct tally) : 0);
}

static void prefetch_sums(const struct books *books, uint32_t name) {
        prefetch(&books->tallies[books->names[name].first_path], offsetof(struct tally, hist));
}

/* What books_name_per_call() reads; `near`, shortly before: the place that only the rest names. */
static void prefetch_per_call(const struct books *books, uint32_t name, bool near) {
        const struct hist *hist = &books->tallies[books->names[name].first_path].hist;
        unsigned bucket;

        if (!near) {
                prefetch(hist, offsetof(struct hist, octave) + 64); /* where the octaves of all but huge calls are */
                return;
        }
        bucket = hist_bucket(hist->max);
        __builtin_prefetch(&books->chunks[hist->octave[bucket / HIST_SUB]].count[bucket % HIST_SUB]);
}

/* How many names before one is read each part of it is fetched. */
enum { NEAR = 2, AHEAD = 5, FAR_AHEAD = 12 };

void books_names_prefetch(const struct books *books, const uint32_t *names, uint32_t rank, uint32_t count,
                          bool per_call) {
        if (rank + FAR_AHEAD < count)
                books_name_prefetch(books, names[rank + FAR_AHEAD], 0);
        if (rank + AHEAD < count)
                prefetch_sums(books, names[rank + AHEAD]);
        if (per_call && rank + AHEAD < count)
                prefetch_per_call(books, names[rank + AHEAD], false);
        if (per_call && rank + NEAR < count)
                prefetch_per_call(books, names[rank + NEAR], true);
}

static int compare_names(const void *a, const void *b, void *userdata) {
        const struct book_name *names = userdata;
        const uint32_t *x = a, *y = b;
        int order = strcmp(names[*x].name, names[*y].name);

        return order != 0 ? order : *x < *y ? -1 : *x > *y;
}

/* The ids of all names that are on a path, with room for as many again. */
static bool begin_order(const struct books *books, uint32_t count) {
        struct books_cache *cache = books->cache;
        uint32_t n = 0;

        free(cache->unordered);
        cache->unordered = reallocarray(NULL, count, 2 * sizeof *cache->unordered);
        if (!cache->unordered)
                return false;
        for (uint32_t id = 1; id <= books->book->names && n < count; id++)
                if (books->names[id].first_path > 0)
                        cache->unordered[n++] = id;
        cache->unordered_names = n;
        merge_sort_begin(&cache->ordering, cache->unordered, cache->unordered + count, n, sizeof *cache->unordered);
        return true;
}

static void end_order(struct books_cache *cache) {
        size_t size = cache->unordered_names * sizeof *cache->unordered;

        memmove(cache->unordered, merge_sort_result(&cache->ordering), size);
        free(cache->names_in_order);
        cache->names_in_order = cache->unordered;
        cache->ordered_names = cache->unordered_names;
        cache->unordered = NULL;
}

/* Only those that are on a path: the others have no row.  A name never changes: as long as there are as many, they are
 * the same; and where nothing changed at all, they are not counted. */
int books_order_names(const struct books *books) {
        struct books_cache *cache = books->cache;
        uint64_t at = books->changes + books->book->paths; /* both only grow */
        uint32_t count = 0;

        if (cache->names_in_order && cache->ordered_at == at && !books->arena.in_batch)
                return 0;
        for (uint32_t id = 1; id <= books->book->names; id++)
                count += books->names[id].first_path > 0;
        cache->ordered_at = at;
        if (count == cache->ordered_names)
                return 0;
        cache->ordered_at = 0;
        return begin_order(books, count) ? 0 : -ENOMEM;
}

bool books_order_names_some(const struct books *books, size_t portion) {
        struct books_cache *cache = books->cache;

        if (!cache->unordered)
                return true;
        if (!merge_sort_some(&cache->ordering, portion, compare_names, books->names))
                return false;
        end_order(cache);
        return true;
}

const uint32_t *books_names_ordered(const struct books *books, uint32_t *ret_count) {
        *ret_count = books->cache->ordered_names;
        return books->cache->names_in_order;
}

const uint32_t *books_names_in_order(const struct books *books, uint32_t *ret_count) {
        if (books_order_names(books) < 0)
                return NULL;
        (void)books_order_names_some(books, SIZE_MAX);
        return books_names_ordered(books, ret_count);
}
