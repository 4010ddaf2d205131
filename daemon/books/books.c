/* SPDX-License-Identifier: MIT */
/* See books.h.  The rows that queries read are in books_rows.c. */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/files.h"
#include "base/pages.h"
#include "daemon/books/books_layout.h"

const struct books_limits books_limits_default = {
        .names = 16384,
        .paths = 131072,
        .lanes = SHM_LANES_MAX,
        .instances = 262144,
        .threads = 256,
};

static uint32_t index_size(uint32_t instances) {
        uint32_t n = 16;

        while (n < 2 * (uint64_t)instances)
                n <<= 1;
        return n;
}

uint64_t books_region_count(const struct books_limits *limits, enum books_region region) {
        const uint64_t counts[REGIONS] = {
                [REGION_BOOK] = 1,
                [REGION_NAMES] = limits->names,
                [REGION_TALLIES] = limits->paths,
                [REGION_LANES] = limits->lanes,
                [REGION_INSTANCES] = limits->instances,
                [REGION_INDEX] = index_size(limits->instances),
                [REGION_CHUNKS] = (uint64_t)limits->paths * 4,
                [REGION_THREADS] = limits->threads,
                [REGION_CLOSES] = SHM_CLOSES_MAX,
                [REGION_SUMS] = limits->paths,
                [REGION_FRAMES] = SHM_DEPTH, /* of one lane */
                [REGION_TIMES] = limits->paths,
                [REGION_TIME_SUMS] = limits->paths,
                [REGION_THREAD_MARKS] = limits->threads,
        };

        return counts[region];
}

void books_place(struct books_places *ret, const struct books_limits *limits, const struct books_shape *shapes) {
        uint64_t at = 0;

        for (enum books_region region = 0; region < REGIONS; region++) {
                uint64_t n = books_region_count(limits, region), stride = shapes[region].stride;

                ret->at[region] = at;
                if (region == REGION_LANES)
                        stride += SHM_DEPTH * (uint64_t)shapes[REGION_FRAMES].stride;
                if (region != REGION_FRAMES)
                        at += page_round_up(n * stride) * books_region_blocks(region);
        }
        ret->size = at;
}

static void point(struct books *books) {
        struct books_places places;
        char *data = arena_data(&books->arena), *sums;
        uint64_t size = page_round_up(books->limits.paths * sizeof(struct sums));

        books_place(&places, &books->limits, books_shapes);
        books->book = (struct book *)(data + places.at[REGION_BOOK]);
        books->names = (struct book_name *)(data + places.at[REGION_NAMES]);
        books->tallies = (struct tally *)(data + places.at[REGION_TALLIES]);
        books->lanes = (struct lane *)(data + places.at[REGION_LANES]);
        books->instances = (struct instance *)(data + places.at[REGION_INSTANCES]);
        books->index = (uint32_t *)(data + places.at[REGION_INDEX]);
        books->index_mask = index_size(books->limits.instances) - 1;
        books->chunks = (struct hist_chunk *)(data + places.at[REGION_CHUNKS]);
        books->chunk_capacity = books->limits.paths * 4;
        books->threads = (struct thread_name *)(data + places.at[REGION_THREADS]);
        books->closes = (uint64_t *)(data + places.at[REGION_CLOSES]);
        sums = data + places.at[REGION_SUMS];
        for (int i = 0; i < 2; i++, sums += size)
                books->baselines[i] = (struct sums *)sums;
        for (unsigned i = 0; i < BOOKS_MARKS; i++, sums += size)
                books->marks[i] = (struct sums *)sums;
        books->span_times = (struct span_time *)(data + places.at[REGION_TIMES]);
        sums = data + places.at[REGION_TIME_SUMS];
        size = page_round_up(books->limits.paths * sizeof(struct time_sums));
        for (int i = 0; i < 2; i++, sums += size)
                books->time_baselines[i] = (struct time_sums *)sums;
        for (unsigned i = 0; i < BOOKS_MARKS; i++, sums += size)
                books->time_marks[i] = (struct time_sums *)sums;
        books->thread_marks = (struct thread_marks *)(data + places.at[REGION_THREAD_MARKS]);
}

static struct books_owner *owner(const struct books *books) {
        return (struct books_owner *)(void *)books->arena.header->owner;
}

static bool is_sane(const struct books_limits *l) {
        return l->names > 1 && l->names <= SHM_NAMES_MAX && l->paths > 1 && l->paths <= SHM_PATHS_MAX && l->lanes &&
               l->lanes <= SHM_LANES_MAX && l->instances && l->instances <= BOOKS_INDEX_NUMBER && l->threads > 1;
}

static struct books *allocate(void) {
        struct books *books = calloc(1, sizeof *books);

        if (!books)
                return NULL;
        books->cache = calloc(1, sizeof *books->cache);
        if (books->cache)
                return books;
        free(books);
        return NULL;
}

static void deallocate(struct books *books) {
        free(books->cache);
        free(books);
}

int books_new(struct books **ret, const struct books_limits *limits, uint64_t now_ns) {
        struct books_places places;
        struct books *books;
        int r;

        if (!is_sane(limits))
                return -EINVAL;
        books_place(&places, limits, books_shapes);
        books = allocate();
        if (!books)
                return -ENOMEM;
        r = arena_init(&books->arena, places.size, BOOKS_UNDO_LINES);
        if (r < 0) {
                deallocate(books);
                return r;
        }
        books->limits = *limits;
        owner(books)->limits = *limits;
        owner(books)->layout = BOOKS_LAYOUT;
        owner(books)->regions = REGIONS;
        memcpy(owner(books)->shapes, books_shapes, sizeof books_shapes);
        point(books);
        books->book->born_ns = books->book->now_ns = now_ns;
        books->book->threads = 1;
        if (getrandom(&books->book->hash_seed, sizeof books->book->hash_seed, GRND_NONBLOCK) < 0)
                books->book->hash_seed = now_ns * UINT64_C(0x9e3779b97f4a7c15);
        strcpy(books->threads[0].name, "(other)");
        books->threads[0].born_ns = now_ns;
        books->changes = 1;
        *ret = books;
        return 0;
}

int books_adopt(struct books **ret, int fd) {
        struct books *books;
        int r;

        books = allocate();
        if (!books)
                return -ENOMEM;
        r = arena_init_adopt(&books->arena, fd);
        if (r < 0) {
                deallocate(books);
                return r;
        }
        books->limits = owner(books)->limits;
        r = is_sane(&books->limits) ? arena_migrate(books) : -EPROTO;
        if (r < 0) {
                books_free(books);
                return r;
        }
        point(books);
        books->changes = 1;
        *ret = books;
        return 0;
}

bool books_were_migrated(const struct books *books) {
        return books->was_migrated;
}

bool books_release_some(struct books *books) {
        return arena_release_some(&books->arena);
}

struct books *books_free(struct books *books) {
        if (!books)
                return NULL;
        arena_deinit(&books->arena);
        free(books->cache->open_totals);
        books_drop_threads_in(books);
        free(books->cache->names_in_order);
        free(books->cache->unordered);
        free(books->cache->blocks);
        free(books->events);
        deallocate(books);
        return NULL;
}

void books_set_label(struct books *books, const void *label, size_t size) {
        struct books_owner *own = owner(books);
        uint32_t turn = atomic_load_explicit(&own->label_turn, memory_order_relaxed) + 1;
        size_t old_size;
        const void *old = books_label(books, &old_size);

        if (old && old_size == size && !memcmp(old, label, size))
                return;
        books->changes++;
        memcpy(own->labels[turn & 1], label, size);
        own->label_size[turn & 1] = (uint32_t)size;
        /* Release: for the compiler, so that a death finds all of it or the last one. */
        atomic_store_explicit(&own->label_turn, turn, memory_order_release);
}

const void *books_label(const struct books *books, size_t *ret_size) {
        const struct books_owner *own = owner(books);
        uint32_t turn = atomic_load_explicit(&own->label_turn, memory_order_relaxed);

        if (!turn)
                return NULL;
        *ret_size = own->label_size[turn & 1];
        return own->labels[turn & 1];
}

int books_fd(const struct books *books) {
        return books->arena.fd;
}

uint64_t books_change_count(const struct books *books) {
        return books->changes;
}

uint64_t books_seen(const struct books *books, uint64_t answer) {
        struct books_cache *cache = books->cache;

        if (cache->seen_changes != books->changes) {
                cache->seen_changes = books->changes;
                cache->seen = answer;
        }
        return cache->seen;
}

uint64_t books_records(const struct books *books) {
        return books->book->records;
}

const struct arena *books_arena(const struct books *books) {
        return &books->arena;
}

void books_close_fd(struct books *books) {
        close_fd(books->arena.fd);
        books->arena.fd = -1;
}

void books_trim(struct books *books) {
        arena_trim(&books->arena);
        /* Spans are spread over the whole index; without any it is zeros. */
        if (!books->book->open_spans)
                arena_drop(&books->arena, books->index, ((uint64_t)books->index_mask + 1) * sizeof *books->index);
        free(books->events);
        books->events = NULL;
        books->event_capacity = 0;
        books_drop_threads_in(books);
}

uint64_t books_memory(struct books *books) {
        return arena_memory(&books->arena);
}

void books_used(const struct books *books, uint64_t *ret_names, uint64_t *ret_paths) {
        *ret_names = *ret_paths = 0;
        for (uint32_t name = 1; name <= books->book->names; name++)
                *ret_names += books->names[name].name_length != 0;
        for (uint32_t path = 1; path <= books->book->paths; path++)
                *ret_paths += books->tallies[path].name != 0;
}

/* ------------------------------------------------------------------------------------------------------ timing -- */

void books_set_timing(struct books *books, bool on, uint64_t now_ns) {
        if (on == books_timing(books))
                return;
        touch(books, &books->book->timed_ns);
        books->book->timed_ns = on ? now_ns : 0;
}

bool books_timing(const struct books *books) {
        return books->book->timed_ns;
}

void books_set_clock_rate(struct books *books, uint64_t ticks) {
        if (books->book->clock_rate == ticks)
                return;
        touch(books, &books->book->clock_rate);
        books->book->clock_rate = ticks;
}

uint64_t books_to_ns(const struct books *books, uint64_t ticks) {
        return span_time_to_ns(books, ticks);
}

/* --------------------------------------------------------------------------------------- what a process has -- */

void books_set_inherited(struct books *books, uint64_t inherited, uint64_t left, enum books_net_quality quality) {
        struct book *book = books->book;

        touch(books, &book->inherited);
        touch(books, &book->left);
        touch(books, &book->net_quality);
        book->inherited = (int64_t)inherited < 0 ? 0 : inherited;
        book->left = left;
        book->net_quality = quality;
}

void books_note_peak(struct books *books, uint64_t counted) {
        struct book *book = books->book;
        uint64_t net = book->inherited + book->left + counted;

        if ((int64_t)net <= (int64_t)book->peak_net)
                return;
        touch(books, &book->peak_net);
        book->peak_net = net;
}
