/* SPDX-License-Identifier: MIT */
/*
 * Books that come from elsewhere, held against what every function of this room takes for granted: each number is below
 * its bound, each chain ends, each text is terminated and clean.
 *
 * What does not live here: sums.  A wrong sum is shown as it is; it harms nothing.
 *
 * Records are read where the file has data only: to read a hole would take memory for it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clean_text.h"
#include "base/pages.h"
#include "daemon/books/books_layout.h"

struct check {
        const struct books *books;
        uint64_t *paths;     /* bits: seen in the chain of a name */
        uint64_t *instances; /* bits: seen in the free list or in a queue */
};

typedef bool (*record_fn)(const struct check *check, uint32_t index);

static bool set_bit(uint64_t *bits, uint32_t i) {
        bool was = bits[i / 64] >> i % 64 & 1;

        bits[i / 64] |= UINT64_C(1) << i % 64;
        return !was;
}

static bool is_clean(const char *text, size_t size, size_t length) {
        char copy[256];

        if (length >= size || size > sizeof copy || strnlen(text, size) != length)
                return false;
        memcpy(copy, text, length + 1);
        text_clean_in_place(copy, length);
        return memcmp(copy, text, length + 1) == 0;
}

/* Calls `fn` for each of the `n` records from `from` that may be other than zero.  0 or -errno; -EPROTO: it said so. */
static int each(const struct check *check, const void *from, size_t stride, uint32_t n, record_fn fn) {
        const struct arena *arena = &check->books->arena;
        const off_t begin = (off_t)(arena->at + (uint64_t)((const char *)from - arena->base));
        const off_t end = begin + (off_t)(stride * n);
        off_t at = begin, hole;
        uint32_t next = 0;

        while ((at = lseek(arena->fd, at, SEEK_DATA)) >= 0 && at < end) {
                uint32_t first = (uint32_t)((size_t)(at - begin) / stride), last;

                hole = lseek(arena->fd, at, SEEK_HOLE);
                if (hole < 0)
                        return -errno;
                hole = hole < end ? hole : end;
                last = (uint32_t)(((size_t)(hole - begin) + stride - 1) / stride);
                for (next = first > next ? first : next; next < last && next < n; next++)
                        if (!fn(check, next))
                                return -EPROTO;
                at = hole;
        }
        return at >= 0 || errno == ENXIO ? 0 : -errno;
}

/* ----------------------------------------------------------------------------------------------------- records -- */

static bool is_path(const struct books *books, uint32_t path) {
        return path && path <= books->book->paths && books->tallies[path].name;
}

static bool check_book(const struct books *books) {
        const struct book *book = books->book;

        for (uint32_t i = 0; i < BOOKS_LAST; i++)
                if (book->last_open[i].instance && !is_path(books, book->last_open[i].path))
                        return false;
        return book->open_spans <= book->instances && book->free_instances <= book->instances &&
               book->hand < books->limits.instances && book->baseline < 2 &&
               !book->queued_first == !book->queued_last && !book->later_first == !book->later_last;
}

/* What all else is held against. */
static bool check_counts(const struct books *books) {
        const struct book *book = books->book;

        return book->names < books->limits.names && book->paths < books->limits.paths &&
               book->lanes <= books->limits.lanes && book->threads && book->threads <= books->limits.threads &&
               book->chunks < books->chunk_capacity && book->instances <= books->limits.instances;
}

static bool check_name(const struct check *check, uint32_t id) {
        const struct book_name *name = &check->books->names[id];

        if (!id || id > check->books->book->names)
                return !name->name_length && !name->first_path;
        return is_clean(name->name, sizeof name->name, name->name_length) &&
               is_clean(name->file, sizeof name->file, name->file_length) &&
               name->first_path <= check->books->book->paths && (name->name_length || !name->first_path);
}

static bool check_hist(const struct books *books, const struct hist *hist) {
        for (unsigned o = 0; o < HIST_OCTAVES; o++)
                if (hist->octave[o] > books->book->chunks)
                        return false;
        return hist->net_chunk[0] <= books->book->chunks && hist->net_chunk[1] <= books->book->chunks;
}

/* The depth of each is one more than its parent's, so no chain of parents has a circle. */
static bool check_path(const struct check *check, uint32_t path) {
        const struct books *books = check->books;
        const struct tally *t = &books->tallies[path];

        if (!t->name)
                return !t->parent && !t->next_path && check_hist(books, &t->hist);
        if (!path || path > books->book->paths || t->name > books->book->names || !names_have(books, t->name))
                return false;
        if (t->parent && (!is_path(books, t->parent) || t->depth != books->tallies[t->parent].depth + 1))
                return false;
        return (t->parent || !t->depth) && t->depth < SHM_PATH_DEPTH_MAX && t->next_path <= books->book->paths &&
               check_hist(books, &t->hist);
}

/* Each path of a name once. */
static bool check_chain(const struct check *check, uint32_t id) {
        const struct books *books = check->books;

        for (uint32_t path = books->names[id].first_path; path; path = books->tallies[path].next_path)
                if (books->tallies[path].name != id || !set_bit(check->paths, path))
                        return false;
        return true;
}

static bool check_lane(const struct check *check, uint32_t i) {
        const struct books *books = check->books;
        const struct lane *lane = &books->lanes[i];

        if (lane->depth > SHM_DEPTH || lane->thread >= books->book->threads)
                return false;
        for (uint32_t f = 0; f < lane->depth; f++)
                if (!is_path(books, lane->frames[f].path) ||
                    lane->frames[f].name != books->tallies[lane->frames[f].path].name)
                        return false;
        return true;
}

static bool check_instance(const struct check *check, uint32_t i) {
        const struct books *books = check->books;
        const struct instance *entry = &books->instances[i];

        if (i >= books->book->instances)
                return !entry->instance && !entry->flags && !entry->next;
        return entry->next <= books->book->instances && (!entry->instance || is_path(books, entry->path));
}

static bool check_thread(const struct check *check, uint32_t i) {
        const char *name = check->books->threads[i].name;

        return is_clean(name, SHM_COMM_BYTES, strnlen(name, SHM_COMM_BYTES));
}

/* ------------------------------------------------------------------------------------------------------ chains -- */

/* `is_free`: of entries without a span, else of closes. */
static bool check_list(const struct check *check, uint32_t first, uint32_t last, bool is_free, uint32_t *count) {
        const struct books *books = check->books;
        uint32_t at = 0;

        for (uint32_t n = first; n; n = books->instances[n - 1].next, ++*count) {
                const struct instance *entry = &books->instances[n - 1];

                at = n;
                if (n > books->book->instances || !set_bit(check->instances, n - 1) || is_free == !!entry->instance ||
                    is_free == !!(entry->flags & INSTANCE_QUEUED))
                        return false;
        }
        return is_free || at == last;
}

static bool check_lists(const struct check *check) {
        const struct book *book = check->books->book;
        uint32_t idle = 0, closes = 0, open = 0, queued = 0;

        if (!check_list(check, book->free_instances, 0, true, &idle) ||
            !check_list(check, book->queued_first, book->queued_last, false, &closes) ||
            !check_list(check, book->later_first, book->later_last, false, &closes))
                return false;
        for (uint32_t i = 0; i < book->instances; i++) {
                open += check->books->instances[i].instance != 0;
                queued += (check->books->instances[i].flags & INSTANCE_QUEUED) != 0;
        }
        return open == book->open_spans && open + idle == book->instances && queued == closes;
}

static int check_all(struct check *check) {
        const struct books *books = check->books;
        int r;

        check->paths = calloc(books->limits.paths / 64 + 1, sizeof *check->paths);
        check->instances = calloc(books->limits.instances / 64 + 1, sizeof *check->instances);
        if (!check->paths || !check->instances)
                return -ENOMEM;
        if (!check_counts(books))
                return -EPROTO;
        r = each(check, books->names, sizeof *books->names, books->limits.names, check_name);
        if (r == 0)
                r = each(check, books->tallies, sizeof *books->tallies, books->limits.paths, check_path);
        if (r == 0)
                r = each(check, books->names, sizeof *books->names, books->limits.names, check_chain);
        if (r == 0)
                r = each(check, books->lanes, sizeof *books->lanes, books->limits.lanes, check_lane);
        if (r == 0)
                r = each(check, books->instances, sizeof *books->instances, books->limits.instances, check_instance);
        if (r == 0)
                r = each(check, books->threads, sizeof *books->threads, books->limits.threads, check_thread);
        if (r == 0 && (!check_book(books) || !check_lists(check)))
                r = -EPROTO;
        return r;
}

/* A search in the index ends at an empty word, and goes by hashes: it is made anew, not checked.  -EPROTO: two entries are
 * of one span. */
static int make_index(struct books *books) {
        uint64_t size = ((uint64_t)books->index_mask + 1) * sizeof *books->index,
                 whole = size / PAGE_BYTES * PAGE_BYTES;

        arena_drop(&books->arena, books->index, size);
        memset((char *)books->index + whole, 0, size - whole);
        open_spans_build_index(books);
        for (uint32_t i = 0; i < books->book->instances; i++)
                if (books->instances[i].instance &&
                    open_spans_find(books, books->instances[i].instance) != &books->instances[i])
                        return -EPROTO;
        return 0;
}

int books_verify(struct books *books) {
        struct check check = {.books = books};
        int r = check_all(&check);

        free(check.paths);
        free(check.instances);
        return r < 0 ? r : make_index(books);
}
