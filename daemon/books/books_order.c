/* SPDX-License-Identifier: MIT */
/*
 * Names in the order of their texts, and what a query is about to read of them.
 *
 * The order is kept beside the arena, as long as no name was added: a table is sorted by process and name, or by that
 * where rows are equal, and comparing texts took longer than reading the sums.
 */
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

/* Only those that are on a path: the others have no row.  A name never changes: as long as there are as many, they are
 * the same; and where nothing changed at all, they are not counted. */
const uint32_t *books_names_in_order(const struct books *books, uint32_t *ret_count) {
        struct books_cache *cache = books->cache;
        uint64_t at = books->changes + books->book->paths; /* both only grow */
        uint32_t count = 0, *order;

        *ret_count = cache->ordered_names;
        if (cache->names_in_order && cache->ordered_at == at && !books->arena.in_batch)
                return cache->names_in_order;
        cache->ordered_at = at;
        for (uint32_t id = 1; id <= books->book->names; id++)
                count += books->names[id].first_path > 0;
        *ret_count = count;
        if (count == cache->ordered_names)
                return cache->names_in_order;
        order = reallocarray(cache->names_in_order, count, sizeof *order);
        if (!order)
                return NULL;
        cache->names_in_order = order;
        cache->ordered_names = 0;
        for (uint32_t id = 1; id <= books->book->names; id++)
                if (books->names[id].first_path > 0)
                        order[cache->ordered_names++] = id;
        qsort_r(order, count, sizeof *order, compare_names, books->names);
        return order;
}
