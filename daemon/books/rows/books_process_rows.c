/* SPDX-License-Identifier: MIT */
/*
 * What a query reads of the books: the row of the process, and whether it balances.
 *
 * Sums over all paths are kept by blocks of them, each with the batch that it is of.  So the row is read in portions and
 * is yet of one moment: a block of which a path changed meanwhile is read again.
 *
 * Nothing here changes the arena.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/books/books_layout.h"

static uint64_t minus(uint64_t a, uint64_t b) {
        return a > b ? a - b : 0;
}

static bool adds_up(const struct books_process_row *row) {
        for (int c = 0; c < SHM_COUNTERS; c++)
                if (row->before[c] + row->self[c] + row->outside[c] + row->lost[c] != row->counters[c])
                        return false;
        return true;
}

static void add_lanes(const struct books *books, struct books_process_row *ret) {
        for (uint32_t i = 0; i < books->book->lanes; i++) {
                const struct lane *lane = &books->lanes[i];

                for (int c = 0; c < SHM_COUNTERS; c++) {
                        ret->counters[c] += lane->last[c];
                        ret->outside[c] += lane->outside[c];
                        ret->lost[c] += lane->lost[c];
                        ret->before[c] += lane->before[c];
                }
        }
}

void books_process_counted(const struct books *books, uint64_t ret[SHM_COUNTERS]) {
        memset(ret, 0, sizeof(uint64_t[SHM_COUNTERS]));
        for (uint32_t i = 0; i < books->book->lanes; i++)
                for (int c = 0; c < SHM_COUNTERS; c++)
                        ret[c] += books->lanes[i].last[c] - books->lanes[i].before[c];
}

/* With less than nothing some of what it freed was never counted: an estimate, of nothing. */
static void add_net(const struct books *books, struct books_process_row *ret) {
        const struct book *book = books->book;
        uint64_t net = book->inherited + book->left + ret->counters[SHM_ALLOC_BYTES] - ret->counters[SHM_DEALLOC_BYTES];

        ret->inherited = book->inherited;
        ret->net_quality = book->net_quality <= BOOKS_NET_EXACT ? book->net_quality : BOOKS_NET_UNKNOWN;
        if ((int64_t)net < 0 && ret->net_quality == BOOKS_NET_EXACT)
                ret->net_quality = BOOKS_NET_ESTIMATED;
        ret->net = (int64_t)net < 0 ? 0 : net;
        ret->peak_net = book->peak_net > ret->net ? book->peak_net : ret->net;
}

/* Modulo 2^64, as the sums themselves: none of them falls, but what a stranger counts may wrap. */
static void subtract_baseline(const struct books *books, struct books_process_row *ret) {
        const struct baseline *base = &books->book->baselines[books->book->baseline];

        for (int c = 0; c < SHM_COUNTERS; c++) {
                ret->counters[c] -= base->counters[c];
                ret->outside[c] -= base->outside[c];
                ret->lost[c] -= base->lost[c];
                ret->before[c] -= base->before[c];
        }
}

void books_process_lanes(const struct books *books, struct books_process_row *ret) {
        const struct book *book = books->book;
        const struct shm_refused *refused = &book->refused;

        *ret = (struct books_process_row){
                .records = book->records,
                .evicted = book->evicted,
                .stale = book->stale,
                .forks = book->forks,
                .refused = refused->enters + refused->enters_depth + refused->opens + refused->closes,
                .refused_depth = refused->enters_depth,
        };
        add_lanes(books, ret);
        add_net(books, ret);
        subtract_baseline(books, ret);
}

/* -------------------------------------------------------------------------------------------------- all paths -- */

/* Sums over a block of paths, less the last reset, and of which moment. */
struct paths_sum {
        uint64_t self[SHM_COUNTERS], open, aborted;
        uint64_t reset;   /* book->hist_epoch */
        uint32_t batch;   /* Changes of later ones are not in it. */
        uint32_t cleared; /* arena->cleared */
        uint32_t paths;   /* that it has; 0: it was never made */
};

#define BLOCK_PATHS 256u

static uint32_t paths_of_block(const struct books *books, uint32_t block) {
        uint32_t left = books->book->paths - block * BLOCK_PATHS;

        return left < BLOCK_PATHS ? left : BLOCK_PATHS;
}

/* A tally's lines are logged together: the mark of the first tells of all (tally.h). */
static bool is_current(const struct books *books, uint32_t block) {
        const struct paths_sum *sum = &books->cache->blocks[block];
        uint32_t first = block * BLOCK_PATHS + 1;

        if (sum->paths != paths_of_block(books, block) || sum->reset != books->book->hist_epoch ||
            sum->cleared != books->arena.cleared || books->arena.in_batch)
                return false;
        for (uint32_t path = first; path < first + sum->paths; path++)
                if (*arena_mark(&books->arena, &books->tallies[path]) > sum->batch)
                        return false;
        return true;
}

static void sum_paths(const struct books *books, uint32_t block, struct paths_sum *ret) {
        uint32_t first = block * BLOCK_PATHS + 1;

        *ret = (struct paths_sum){.reset = books->book->hist_epoch,
                                  .batch = books->arena.batch,
                                  .cleared = books->arena.cleared,
                                  .paths = paths_of_block(books, block)};
        for (uint32_t path = first; path < first + ret->paths; path++) {
                const struct tally *t = &books->tallies[path];
                const struct sums *base = books_baseline_of(books, path).sums;

                __builtin_prefetch(&t[4]);
                __builtin_prefetch(&t[4].cycles);
                if (!t->name)
                        continue;
                for (int c = 0; c < SHM_COUNTERS; c++)
                        ret->self[c] += t->self[c] - base->self[c];
                ret->open += minus(t->opened, t->closed + t->aborted);
                ret->aborted += minus(t->aborted, base->aborted);
        }
}

static void add_sum(struct books_process_row *row, const struct paths_sum *sum) {
        for (int c = 0; c < SHM_COUNTERS; c++)
                row->self[c] += sum->self[c];
        row->open += sum->open;
        row->aborted += sum->aborted;
}

static void end_row(const struct books *books, struct books_process_row *row) {
        for (uint32_t name = 1; name <= books->book->names; name++)
                row->names += books->names[name].first_path != 0;
        row->balanced = adds_up(row);
}

static uint32_t blocks_of(const struct books *books) {
        return (books->book->paths + BLOCK_PATHS - 1) / BLOCK_PATHS;
}

static bool have_blocks(const struct books *books) {
        struct books_cache *cache = books->cache;
        uint32_t count = blocks_of(books);
        struct paths_sum *more;

        if (count <= cache->block_count)
                return true;
        more = reallocarray(cache->blocks, count, sizeof *more);
        if (!more)
                return false;
        memset(more + cache->block_count, 0, (count - cache->block_count) * sizeof *more);
        cache->blocks = more;
        cache->block_count = count;
        return true;
}

bool books_process_row_some(const struct books *books, uint32_t portion, struct books_process_row *ret) {
        uint32_t blocks = blocks_of(books);

        if (!have_blocks(books)) {
                books_process_row(books, ret);
                return true;
        }
        /* All are to be of the same moment, which is now. */
        for (uint32_t block = 0; block < blocks; block++) {
                if (is_current(books, block))
                        continue;
                if (portion < BLOCK_PATHS)
                        return false;
                portion -= BLOCK_PATHS;
                sum_paths(books, block, &books->cache->blocks[block]);
        }
        books_process_lanes(books, ret);
        for (uint32_t block = 0; block < blocks; block++)
                add_sum(ret, &books->cache->blocks[block]);
        end_row(books, ret);
        return true;
}

void books_process_row(const struct books *books, struct books_process_row *ret) {
        struct paths_sum sum;

        books_process_lanes(books, ret);
        for (uint32_t block = 0; block < blocks_of(books); block++) {
                sum_paths(books, block, &sum);
                add_sum(ret, &sum);
        }
        end_row(books, ret);
}

/* ------------------------------------------------------------------------------------------------- the checks -- */

/* One lane by itself; its self, too, is summed from its own intervals. */
static bool check_lane(const struct books *books, uint32_t i, uint64_t self[SHM_COUNTERS], char *why, size_t size) {
        const struct lane *lane = &books->lanes[i];

        for (int c = 0; c < SHM_COUNTERS; c++) {
                uint64_t booked = lane->before[c] + lane->self[c] + lane->outside[c] + lane->lost[c];

                self[c] += lane->self[c];
                if (booked == lane->last[c])
                        continue;
                snprintf(why, size, "lane %u has booked %llu of counter %d, which is at %llu", i,
                         (unsigned long long)booked, c, (unsigned long long)lane->last[c]);
                return false;
        }
        return true;
}

static bool check_lanes(const struct books *books, char *why, size_t size) {
        uint64_t lanes[SHM_COUNTERS] = {0}, paths[SHM_COUNTERS] = {0};

        for (uint32_t i = 0; i < books->book->lanes; i++)
                if (!check_lane(books, i, lanes, why, size))
                        return false;
        for (uint32_t path = 1; path <= books->book->paths; path++)
                for (int c = 0; c < SHM_COUNTERS; c++)
                        paths[c] += books->tallies[path].self[c];
        for (int c = 0; c < SHM_COUNTERS; c++)
                if (lanes[c] != paths[c]) {
                        snprintf(why, size, "the paths have %llu of counter %d as self, the lanes %llu",
                                 (unsigned long long)paths[c], c, (unsigned long long)lanes[c]);
                        return false;
                }
        return true;
}

bool books_check(const struct books *books, char *why, size_t size) {
        struct books_process_row row;

        books_process_row(books, &row);
        if (!row.balanced) {
                snprintf(why, size, "the sums of the process are not those of its counters");
                return false;
        }
        return !BOOKS_ARE_CHECKED || check_lanes(books, why, size);
}
