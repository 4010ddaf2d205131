/* SPDX-License-Identifier: MIT */
/*
 * What a query reads of the books: rows of paths and names, as differences to the last reset, with the totals of what is
 * still open.  The row of the process is in books_process_rows.c.
 *
 * Nothing here changes the arena.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/books/books_layout.h"
#include "daemon/books/rows/books_name_walk.h"

static uint64_t minus(uint64_t a, uint64_t b) {
        return a > b ? a - b : 0;
}

/* ----------------------------------------------------------------------------------------------- open frames -- */

/* So many take longer than a row, and are not summed again for each commit: once for each answer.  They are summed in one
 * go, 4,000 threads in 60 spans in 6 to 8 ms: a sum of several moments would lack what ends between two of them. */
#define FRAMES_MANY 8192u

static void add_frame(const struct books *books, const struct lane *lane, const struct frame *frame) {
        struct open_total *open = &books->cache->open_totals[frame->path];
        const uint64_t *credit = frame_credit(frame);

        if (!open->frames++) {
                memcpy(open->counters, books->tallies[frame->path].total, sizeof open->counters);
                if (books->book->clock_rate) /* else none was timed, ever */
                        open->ticks = books->span_times[frame->path].total;
        }
        for (int c = 0; c < SHM_COUNTERS; c++)
                open->counters[c] += minus(lane->last[c], credit[c]);
        open->ticks += span_time_open(lane, frame);
}

static bool begin_open(const struct books *books, uint64_t now_ns) {
        struct books_cache *cache = books->cache;
        uint32_t paths = books->book->paths + 1;

        free(cache->open_totals);
        cache->open_totals = calloc(paths, sizeof *cache->open_totals);
        cache->open_totals_paths = paths;
        cache->open_totals_commit = atomic_load(&books->arena.header->commit);
        cache->open_totals_since_ns = now_ns;
        cache->open_frames = 0;
        return cache->open_totals;
}

/* One of very many serves for all that asked before its begin. */
static bool open_serves(const struct books *books, uint64_t now_ns) {
        const struct books_cache *cache = books->cache;

        if (!cache->open_totals)
                return false;
        if (cache->open_frames > FRAMES_MANY && cache->open_totals_since_ns >= now_ns)
                return true;
        return !books->arena.in_batch && cache->open_totals_commit == atomic_load(&books->arena.header->commit) &&
               cache->open_totals_paths == books->book->paths + 1;
}

void books_sum_open_frames(const struct books *books, uint64_t now_ns) {
        struct books_cache *cache = books->cache;

        if (open_serves(books, now_ns))
                return;
        if (!begin_open(books, now_ns))
                return; /* rows then show completed cycles only */
        for (uint32_t i = 0; i < books->book->lanes; i++) {
                const struct lane *lane = &books->lanes[i];

                cache->open_frames += lane->depth;
                for (uint32_t f = 0; f < lane->depth; f++)
                        if ((lane->frames[f].flags & FRAME_OUTER_NAME) &&
                            lane->frames[f].path < cache->open_totals_paths)
                                add_frame(books, lane, &lane->frames[f]);
        }
}

/* Of one that was met and has ended since, the total is in the books. */
static uint64_t larger(uint64_t total, uint64_t with_open) {
        return (int64_t)(with_open - total) > 0 ? with_open : total;
}

/* NULL: none was open when they were summed. */
static const struct open_total *open_total(const struct books *books, uint32_t path) {
        const struct books_cache *cache = books->cache;

        return cache->open_totals && path < cache->open_totals_paths && cache->open_totals[path].frames
                       ? &cache->open_totals[path]
                       : NULL;
}

uint64_t books_total(const struct books *books, uint32_t path, int counter) {
        const struct open_total *open = open_total(books, path);
        uint64_t total = books->tallies[path].total[counter];

        return open ? larger(total, open->counters[counter]) : total;
}

uint64_t books_summed_total(const struct books *books, uint32_t path, int counter) {
        const struct open_total *open = open_total(books, path);

        return open ? open->counters[counter] : books->tallies[path].total[counter];
}

uint64_t books_summed_ticks(const struct books *books, uint32_t path) {
        const struct open_total *open = open_total(books, path);

        return open ? open->ticks : books->span_times[path].total;
}

uint64_t books_total_ticks(const struct books *books, uint32_t path) {
        const struct open_total *open = open_total(books, path);
        uint64_t total = books->span_times[path].total;

        return open ? larger(total, open->ticks) : total;
}

/* -------------------------------------------------------------------------------------------------------- rows -- */

static void add_path(const struct books *books, uint32_t path, struct base from, uint64_t now_ns,
                     struct books_row *row) {
        const struct tally *t = &books->tallies[path];
        const struct sums *base = from.sums;

        for (int c = 0; c < SHM_COUNTERS; c++) {
                row->self[c] += minus(t->self[c], base->self[c]);
                row->total[c] += minus(books_total(books, path, c), base->total[c]);
        }
        row->opened += minus(t->opened, base->opened);
        row->closed += minus(t->closed, base->closed);
        row->open += minus(t->opened, t->closed + t->aborted);
        row->cycles += minus(t->cycles, base->cycles);
        row->migrated += minus(t->migrated, base->migrated);
        row->aborted += minus(t->aborted, base->aborted);
        row->refused += minus(t->refused, base->refused);
        row->calls += minus(t->hist.calls, base->calls);
        row->calls_net = (int64_t)((uint64_t)row->calls_net + t->hist.calls_net - base->calls_net);
        if (books->book->clock_rate) /* else none was timed, ever: see books_baseline_of() */
                span_time_add_row(books, path, from.times, now_ns, &row->time);
        if (t->mixed)
                row->quality = BOOKS_MIXED;
        else if (t->estimated && row->quality < BOOKS_ESTIMATED)
                row->quality = BOOKS_ESTIMATED;
        else if ((t->lost_touches || t->refused) && row->quality < BOOKS_LOST)
                row->quality = BOOKS_LOST;
        else if (t->migrated && row->quality < BOOKS_MIGRATED)
                row->quality = BOOKS_MIGRATED;
}

static uint64_t size_of(const struct sums *sums) {
        uint64_t n = sums->opened + sums->cycles;

        for (int c = 0; c < SHM_COUNTERS; c++)
                n += sums->self[c] + sums->total[c];
        return n;
}

static uint64_t size_of_time(const struct time_sums *times) {
        return times->self + times->total + times->calls;
}

/* Before the first reset there is none; and to read where nothing was ever written takes a page. */
struct base books_baseline_of(const struct books *books, uint32_t path) {
        static const struct time_sums no_times;
        static const struct sums none;

        if (!books->book->hist_epoch)
                return (struct base){&none, &no_times};
        return (struct base){&books->baselines[books->book->baseline][path],
                             &books->time_baselines[books->book->baseline][path]};
}

/* Of a mark and the last reset the younger counts; sums only grow, so that is the larger. */
static struct base base_of(const struct books *books, int mark, uint32_t path) {
        struct base base = books_baseline_of(books, path);

        if (mark == BOOKS_NO_MARK)
                return base;
        if (size_of(&books->marks[mark][path]) >= size_of(base.sums))
                base.sums = &books->marks[mark][path];
        if (size_of_time(&books->time_marks[mark][path]) >= size_of_time(base.times))
                base.times = &books->time_marks[mark][path];
        return base;
}

int books_find_mark(const struct books *books, uint64_t now_ns, uint64_t since_ns) {
        uint64_t begin = now_ns > since_ns ? now_ns - since_ns : 0;
        uint32_t marks = books->book->marks;

        for (uint32_t k = 1; since_ns && k < BOOKS_MARKS && k <= marks; k++) {
                uint32_t slot = (marks - k) % BOOKS_MARKS;

                if (books->book->mark_ns[slot] <= begin)
                        return (int)slot;
        }
        return BOOKS_NO_MARK;
}

bool books_mark_reaches(const struct books *books, int mark, uint64_t now_ns, uint64_t since_ns) {
        return !since_ns || mark != BOOKS_NO_MARK ||
               books->book->born_ns >= (now_ns > since_ns ? now_ns - since_ns : 0);
}

bool books_path_sums(const struct books *books, uint32_t path, uint64_t now_ns, uint64_t since_ns,
                     struct books_row *ret) {
        int mark = books_find_mark(books, now_ns, since_ns);

        *ret = (struct books_row){0};
        books_sum_open_frames(books, now_ns);
        add_path(books, path, base_of(books, mark, path), now_ns, ret);
        return books_mark_reaches(books, mark, now_ns, since_ns);
}

void books_name_walk_begin(struct books_name_walk *walk, const struct books *books, uint32_t name, uint64_t now_ns,
                           uint64_t since_ns, struct books_row *row) {
        *row = (struct books_row){0};
        walk->row = row;
        walk->now_ns = now_ns;
        walk->most = 0;
        walk->name = name;
        walk->next = books->names[name].first_path;
        walk->path = walk->paths = 0;
        walk->mark = books_find_mark(books, now_ns, since_ns);
        walk->reaches = books_mark_reaches(books, walk->mark, now_ns, since_ns);
}

bool books_name_walk_sums(struct books_name_walk *walk, const struct books *books, uint32_t portion) {
        struct books_row *row = walk->row;

        books_sum_open_frames(books, walk->now_ns);
        for (; walk->next && portion; walk->next = books->tallies[walk->next].next_path, portion--) {
                uint64_t before = row->total[SHM_ALLOC_BYTES], bytes;

                add_path(books, walk->next, base_of(books, walk->mark, walk->next), walk->now_ns, row);
                bytes = row->total[SHM_ALLOC_BYTES] - before;
                if (!walk->path || bytes > walk->most) {
                        walk->path = walk->next;
                        walk->most = bytes;
                }
                walk->paths++;
        }
        return !walk->next;
}

bool books_name_sums(const struct books *books, uint32_t name, uint64_t now_ns, uint64_t since_ns,
                     struct books_row *ret, uint32_t *ret_path, uint32_t *ret_paths) {
        struct books_name_walk walk;

        books_name_walk_begin(&walk, books, name, now_ns, since_ns, ret);
        while (!books_name_walk_sums(&walk, books, UINT32_MAX))
                ;
        *ret_path = walk.path;
        *ret_paths = walk.paths;
        return walk.reaches;
}

/* There may be thousands of lanes, and as many rows that ask. */
static const uint64_t *counted_at_commit(const struct books *books) {
        struct books_cache *cache = books->cache;
        uint64_t commit = atomic_load(&books->arena.header->commit);

        if (!commit || cache->counted_commit != commit) {
                books_process_counted(books, cache->counted);
                cache->counted_commit = commit;
        }
        return cache->counted;
}

int64_t books_process_growth(const struct books *books, uint64_t now_ns, uint64_t since_ns) {
        const struct sums *base = base_of(books, books_find_mark(books, now_ns, since_ns), 0).sums;
        const uint64_t *counted = counted_at_commit(books);

        return (int64_t)((counted[SHM_ALLOC_BYTES] - base->self[SHM_ALLOC_BYTES]) -
                         (counted[SHM_DEALLOC_BYTES] - base->self[SHM_DEALLOC_BYTES]));
}

void books_path_rates(const struct books *books, uint32_t path, uint64_t now_ns, double ret[3]) {
        tally_rates(books, &books->tallies[path], now_ns, ret);
}

static void add_rates(const struct books *books, uint32_t path, uint64_t now_ns, double add[3]) {
        double rate[3];

        books_path_rates(books, path, now_ns, rate);
        for (int i = 0; i < 3; i++)
                add[i] += rate[i];
}

void books_name_rates(const struct books *books, uint32_t name, uint64_t now_ns, double ret[3]) {
        for (int i = 0; i < 3; i++)
                ret[i] = 0;
        for (uint32_t path = books->names[name].first_path; path; path = books->tallies[path].next_path)
                add_rates(books, path, now_ns, ret);
}

void books_name_walk_again(struct books_name_walk *walk, const struct books *books, unsigned parts) {
        uint32_t first = books->names[walk->name].first_path;

        walk->next = first;
        walk->parts = parts;
        /* Of a single path the percentiles take no merge. */
        if ((parts & BOOKS_PER_CALL) && first && !books->tallies[first].next_path) {
                books_path_per_call(books, first, &walk->row->per_call);
                walk->parts &= ~(unsigned)BOOKS_PER_CALL;
        }
        if (walk->parts & (BOOKS_PER_CALL | BOOKS_HISTOGRAM))
                hist_sum_init(&walk->hist);
        if (walk->parts & BOOKS_NETS)
                walk->nets = (struct hist_nets){0};
}

bool books_name_walk_parts(struct books_name_walk *walk, const struct books *books, uint32_t portion) {
        for (; walk->next && portion; walk->next = books->tallies[walk->next].next_path, portion--) {
                if (walk->parts & BOOKS_RATES)
                        add_rates(books, walk->next, walk->now_ns, walk->row->rate);
                if (walk->parts & (BOOKS_PER_CALL | BOOKS_HISTOGRAM))
                        hist_merge(books, &walk->hist, &books->tallies[walk->next].hist);
                if (walk->parts & BOOKS_NETS)
                        hist_merge_nets(books, &walk->nets, &books->tallies[walk->next].hist);
        }
        if (walk->next)
                return false;
        if (walk->parts & BOOKS_PER_CALL)
                books_fill_per_call(&walk->hist, &walk->row->per_call);
        return true;
}

void books_path_row(const struct books *books, uint32_t path, uint64_t now_ns, struct books_row *ret) {
        books_path_sums(books, path, now_ns, 0, ret);
        books_path_rates(books, path, now_ns, ret->rate);
        books_path_per_call(books, path, &ret->per_call);
}

void books_name_row(const struct books *books, uint32_t name, uint64_t now_ns, struct books_row *ret,
                    uint32_t *ret_path, uint32_t *ret_paths) {
        books_name_sums(books, name, now_ns, 0, ret, ret_path, ret_paths);
        books_name_rates(books, name, now_ns, ret->rate);
        books_name_per_call(books, name, &ret->per_call);
}

bool books_name_row_since(const struct books *books, uint32_t name, uint64_t now_ns, uint64_t since_ns,
                          struct books_row *ret, uint32_t *ret_path, uint32_t *ret_paths) {
        bool reaches = books_name_sums(books, name, now_ns, since_ns ? since_ns : 1, ret, ret_path, ret_paths);

        books_name_rates(books, name, now_ns, ret->rate);
        books_name_per_call(books, name, &ret->per_call);
        return reaches;
}
