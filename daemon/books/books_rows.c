/* SPDX-License-Identifier: MIT */
/*
 * What a query reads of the books: rows, as differences to the last reset, with the totals of what is still open.
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

/* ----------------------------------------------------------------------------------------------- open frames -- */

void books_sum_open_frames(const struct books *books) {
        struct books_cache *cache = books->cache;
        uint64_t commit = atomic_load(&books->arena.header->commit);
        uint32_t paths = books->book->paths + 1;

        if (cache->open_totals && cache->open_totals_commit == commit && cache->open_totals_paths == paths &&
            !books->arena.in_batch)
                return;
        free(cache->open_totals);
        cache->open_totals = calloc(paths, sizeof *cache->open_totals);
        cache->open_totals_paths = paths;
        cache->open_totals_commit = commit;
        if (!cache->open_totals) /* rows then show completed cycles only */
                return;
        for (uint32_t i = 0; i < books->book->lanes; i++) {
                const struct lane *lane = &books->lanes[i];

                for (uint32_t f = 0; f < lane->depth; f++) {
                        const struct frame *frame = &lane->frames[f];
                        const uint64_t *credit = frame_credit(frame);

                        if (!(frame->flags & FRAME_OUTER_NAME) || frame->path >= paths)
                                continue;
                        for (int c = 0; c < SHM_COUNTERS; c++)
                                cache->open_totals[frame->path].counters[c] += minus(lane->last[c], credit[c]);
                        cache->open_totals[frame->path].ticks += span_time_open(lane, frame);
                }
        }
}

const struct open_total *books_open_total(const struct books *books, uint32_t path) {
        static const struct open_total zero;
        const struct books_cache *cache = books->cache;

        return cache->open_totals && path < cache->open_totals_paths ? &cache->open_totals[path] : &zero;
}

/* -------------------------------------------------------------------------------------------------------- rows -- */

/* What stood there before; a path's time apart from the rest, as most have none. */
struct base {
        const struct sums *sums;
        const struct time_sums *times;
};

static void add_path(const struct books *books, uint32_t path, struct base from, uint64_t now_ns,
                     struct books_row *row) {
        const struct tally *t = &books->tallies[path];
        const struct sums *base = from.sums;

        for (int c = 0; c < SHM_COUNTERS; c++) {
                row->self[c] += minus(t->self[c], base->self[c]);
                row->total[c] += minus(t->total[c] + books_open_total(books, path)->counters[c], base->total[c]);
        }
        row->opened += minus(t->opened, base->opened);
        row->closed += minus(t->closed, base->closed);
        row->open += minus(t->opened, t->closed + t->aborted);
        row->cycles += minus(t->cycles, base->cycles);
        row->migrated += minus(t->migrated, base->migrated);
        row->aborted += minus(t->aborted, base->aborted);
        row->refused += minus(t->refused, base->refused);
        if (books->book->clock_rate) /* else none was timed, ever: see baseline_of() */
                span_time_add_row(books, path, from.times, now_ns, &row->time);
        if (t->estimated && row->quality < BOOKS_ESTIMATED)
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

enum { NO_MARK = -1 };

/* Before the first reset there is none; and to read where nothing was ever written takes a page. */
static struct base baseline_of(const struct books *books, uint32_t path) {
        static const struct time_sums no_times;
        static const struct sums none;

        if (!books->book->hist_epoch)
                return (struct base){&none, &no_times};
        return (struct base){&books->baselines[books->book->baseline][path],
                             &books->time_baselines[books->book->baseline][path]};
}

/* Of a mark and the last reset the younger counts; sums only grow, so that is the larger. */
static struct base base_of(const struct books *books, int mark, uint32_t path) {
        struct base base = baseline_of(books, path);

        if (mark == NO_MARK)
                return base;
        if (size_of(&books->marks[mark][path]) >= size_of(base.sums))
                base.sums = &books->marks[mark][path];
        if (size_of_time(&books->time_marks[mark][path]) >= size_of_time(base.times))
                base.times = &books->time_marks[mark][path];
        return base;
}

/* The youngest mark that is not younger than asked for; `since_ns` 0 asks for none. */
static int find_mark(const struct books *books, uint64_t now_ns, uint64_t since_ns) {
        uint64_t begin = now_ns > since_ns ? now_ns - since_ns : 0;
        uint32_t marks = books->book->marks;

        for (uint32_t k = 1; since_ns && k < BOOKS_MARKS && k <= marks; k++) {
                uint32_t slot = (marks - k) % BOOKS_MARKS;

                if (books->book->mark_ns[slot] <= begin)
                        return (int)slot;
        }
        return NO_MARK;
}

static bool reaches(const struct books *books, int mark, uint64_t now_ns, uint64_t since_ns) {
        return !since_ns || mark != NO_MARK || books->book->born_ns >= (now_ns > since_ns ? now_ns - since_ns : 0);
}

bool books_path_sums(const struct books *books, uint32_t path, uint64_t now_ns, uint64_t since_ns,
                     struct books_row *ret) {
        int mark = find_mark(books, now_ns, since_ns);

        *ret = (struct books_row){0};
        books_sum_open_frames(books);
        add_path(books, path, base_of(books, mark, path), now_ns, ret);
        return reaches(books, mark, now_ns, since_ns);
}

bool books_name_sums(const struct books *books, uint32_t name, uint64_t now_ns, uint64_t since_ns,
                     struct books_row *ret, uint32_t *ret_path, uint32_t *ret_paths) {
        int mark = find_mark(books, now_ns, since_ns);
        uint64_t most = 0;

        *ret = (struct books_row){0};
        *ret_path = *ret_paths = 0;
        books_sum_open_frames(books);
        for (uint32_t path = books->names[name].first_path; path; path = books->tallies[path].next_path) {
                uint64_t before = ret->total[SHM_ALLOC_BYTES], bytes;

                add_path(books, path, base_of(books, mark, path), now_ns, ret);
                bytes = ret->total[SHM_ALLOC_BYTES] - before;
                if (!*ret_path || bytes > most) {
                        *ret_path = path;
                        most = bytes;
                }
                (*ret_paths)++;
        }
        return reaches(books, mark, now_ns, since_ns);
}

void books_path_rates(const struct books *books, uint32_t path, uint64_t now_ns, double ret[3]) {
        tally_rates(books, &books->tallies[path], now_ns, ret);
}

void books_name_rates(const struct books *books, uint32_t name, uint64_t now_ns, double ret[3]) {
        double rate[3];

        for (int i = 0; i < 3; i++)
                ret[i] = 0;
        for (uint32_t path = books->names[name].first_path; path; path = books->tallies[path].next_path) {
                books_path_rates(books, path, now_ns, rate);
                for (int i = 0; i < 3; i++)
                        ret[i] += rate[i];
        }
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

/* ----------------------------------------------------------------------------------------------------- process -- */

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
        };
        add_lanes(books, ret);
        add_net(books, ret);
        subtract_baseline(books, ret);
}

void books_process_row(const struct books *books, struct books_process_row *ret) {
        const struct book *book = books->book;

        books_process_lanes(books, ret);
        for (uint32_t path = 1; path <= book->paths; path++) {
                const struct tally *t = &books->tallies[path];
                const struct sums *base = baseline_of(books, path).sums;

                if (!t->name)
                        continue;
                for (int c = 0; c < SHM_COUNTERS; c++)
                        ret->self[c] += t->self[c] - base->self[c];
                ret->open += minus(t->opened, t->closed + t->aborted);
                ret->aborted += minus(t->aborted, base->aborted);
        }
        for (uint32_t name = 1; name <= book->names; name++)
                ret->names += books->names[name].first_path != 0;
        ret->balanced = adds_up(ret);
}

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
