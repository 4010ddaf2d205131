/* SPDX-License-Identifier: MIT */
/*
 * Resets and marks: what the sums of each path stood at.
 *
 * Either is made in portions, between which batches go on: each path is remembered as of when it was its turn.  A
 * successor sees none of it before the end.  What a process counted before a reset is then the sum of its parts, each as
 * it is remembered: so its row balances, and never counts less than nothing.
 */
#include <string.h>

#include "daemon/books/books_layout.h"
#include "daemon/books/hist.h"
#include "daemon/books/tally.h"
#include "daemon/books/thread_names.h"

/* What was never timed is left as it is: zeros, which take no memory. */
static void remember_time(const struct books *books, uint32_t path, struct time_sums *to) {
        const struct span_time *times = &books->span_times[path];
        uint64_t total;

        if (!books->book->clock_rate)
                return;
        total = books_summed_ticks(books, path);
        if (times->self | total | times->calls)
                *to = (struct time_sums){times->self, total, times->calls, times->calls_total};
}

static void remember_path(const struct books *books, uint32_t path, struct sums *to) {
        const struct tally *t = &books->tallies[path];

        memcpy(to->self, t->self, sizeof t->self);
        for (int c = 0; c < SHM_COUNTERS; c++)
                to->total[c] = books_summed_total(books, path, c);
        to->cycles = t->cycles;
        to->opened = t->opened;
        to->closed = t->closed;
        to->migrated = t->migrated;
        to->aborted = t->aborted;
        to->refused = t->refused;
        to->calls = t->hist.calls;
        to->calls_net = t->hist.calls_net;
}

/* True: all paths are remembered. */
static bool remember(struct books *books, struct sums *to, struct time_sums *times, uint64_t now_ns,
                     struct books_progress *progress, uint32_t portion) {
        books->arena.untracked++;
        if (!progress->since_ns)
                progress->since_ns = now_ns;
        books_sum_open_frames(books, progress->since_ns);
        if (!progress->path)
                books_process_counted(books, to[0].self);
        for (; progress->path < books->book->paths; portion--) {
                uint32_t path;

                if (!portion)
                        return false;
                path = ++progress->path;
                if (!books->tallies[path].name)
                        continue;
                remember_path(books, path, &to[path]);
                remember_time(books, path, &times[path]);
                for (int c = 0; c < SHM_COUNTERS; c++)
                        progress->self[c] += to[path].self[c];
        }
        return true;
}

static uint32_t slot_of_mark(const struct books *books) {
        return books->book->marks % BOOKS_MARKS;
}

static bool remember_mark(struct books *books, uint64_t now_ns, struct books_progress *progress, uint32_t portion) {
        uint32_t slot = slot_of_mark(books);

        return remember(books, books->marks[slot], books->time_marks[slot], now_ns, progress, portion);
}

/* Neither a mark nor a baseline needs the undo log: what is being written is not what the last commit points to. */
static void set_mark(struct books *books, uint64_t now_ns) {
        uint64_t *at = &books->book->mark_ns[slot_of_mark(books)];

        touch(books, at);
        *at = now_ns;
        thread_names_mark(books);
        touch(books, &books->book->marks);
        books->book->marks++;
}

void books_mark(struct books *books, uint64_t now_ns) {
        struct books_progress progress = {0};

        (void)remember_mark(books, now_ns, &progress, UINT32_MAX);
        set_mark(books, now_ns);
}

bool books_mark_some(struct books *books, uint64_t now_ns, struct books_progress *progress, uint32_t portion) {
        if (!remember_mark(books, now_ns, progress, portion))
                return false;
        books_begin(books, now_ns);
        set_mark(books, now_ns);
        books_commit(books);
        return true;
}

static void set_baseline(struct books *books, uint32_t spare, const uint64_t self[SHM_COUNTERS]) {
        struct baseline *base = &books->book->baselines[spare];

        touch(books, base);
        memset(base, 0, sizeof *base);
        for (uint32_t i = 0; i < books->book->lanes; i++)
                for (int c = 0; c < SHM_COUNTERS; c++) {
                        base->outside[c] += books->lanes[i].outside[c];
                        base->lost[c] += books->lanes[i].lost[c];
                        base->before[c] += books->lanes[i].before[c];
                }
        for (int c = 0; c < SHM_COUNTERS; c++)
                base->counters[c] = base->before[c] + self[c] + base->outside[c] + base->lost[c];
        touch(books, &books->book->baseline);
        books->book->baseline = spare;
}

bool books_reset_some(struct books *books, uint64_t now_ns, struct books_progress *progress, uint32_t portion) {
        uint32_t spare = !books->book->baseline;

        if (!remember(books, books->baselines[spare], books->time_baselines[spare], now_ns, progress, portion))
                return false;
        books_begin(books, now_ns);
        set_baseline(books, spare, progress->self);
        hist_clear_all(books); /* a largest value cannot be subtracted */
        thread_names_reset(books);
        books_commit(books);
        return true;
}

void books_reset(struct books *books, uint64_t now_ns) {
        struct books_progress progress = {0};

        (void)books_reset_some(books, now_ns, &progress, UINT32_MAX);
}
