/* SPDX-License-Identifier: MIT */
/*
 * What lies where in the arena of one process's books.  Private to daemon/books.
 *
 * Everything is an array of entries with a fixed size, reached by index; there is no pointer in it, so a successor can
 * map it anywhere.  Bounds come from books_limits at creation and never change.  Untouched entries are zero and take
 * no memory.
 *
 * Versions.  The arena says how long each kind of record is in it (struct books_shape), so that another version of the
 * collector, a later or an earlier one, can take it over (arena_migrate.c).  A change to a record, here or in the
 * header of its kind (batch.h), adds to its end, raises its `used` where that is in the table of shapes, and lets zero
 * mean that nothing is known.  All else (a place, a meaning, a number of records) is a new BOOKS_LAYOUT, which others
 * refuse. docs/decisions/upgrade.md.
 */
#pragma once

#include "base/merge_sort.h"
#include "base/radix_sort.h"
#include "daemon/books/batch.h"
#include "daemon/books/hist.h"
#include "daemon/books/lane.h"
#include "daemon/books/names.h"
#include "daemon/books/open_spans.h"
#include "daemon/books/span_time.h"
#include "daemon/books/tally.h"
#include "daemon/books/thread_names.h"

/* The time that a reset or a mark remembers. */
struct time_sums {
        uint64_t self, total, calls, calls_total;
};

/* The sums that a reset or a mark remembers.  Those of path 0, which is no path, have in `self` what the process counted
 * since these books began. */
struct sums {
        uint64_t self[SHM_COUNTERS], total[SHM_COUNTERS];
        uint64_t cycles, opened, closed, migrated, aborted, refused;
        uint64_t calls, calls_net;
};
_Static_assert(sizeof(struct sums) == 128, "");

/* The kinds of records, in the order in which they lie; a new one comes last. */
enum books_region {
        REGION_BOOK,
        REGION_NAMES,
        REGION_TALLIES,
        REGION_LANES, /* without its frames */
        REGION_INSTANCES,
        REGION_INDEX,
        REGION_CHUNKS,
        REGION_THREADS,
        REGION_CLOSES,
        REGION_SUMS,   /* of baselines and marks */
        REGION_FRAMES, /* those of a lane lie behind it */
        REGION_TIMES,
        REGION_TIME_SUMS, /* as REGION_SUMS */
        REGION_THREAD_MARKS,
        REGIONS
};
#define REGIONS_MAX 24u

/* What a record has, and how far it is to the next one. */
struct books_shape {
        uint32_t used, stride;
};

/* What the arena's header says of the data. */
#define BOOKS_LAYOUT 8u
struct books_owner {
        uint32_t layout;
        _Atomic uint32_t label_turn; /* which label counts; 0: none yet */
        struct books_limits limits;
        uint32_t label_size[2];
        uint32_t regions; /* that have a shape */
        uint8_t reserved[20];
        uint8_t labels[2][BOOKS_LABEL_MAX];
        struct books_shape shapes[REGIONS_MAX];
};
_Static_assert(sizeof(struct books_owner) <= sizeof((struct arena_header){0}.owner), "");

/* The total of a path together with its frames that are open. */
struct open_total {
        uint64_t counters[SHM_COUNTERS], ticks;
        uint64_t frames; /* 0: it has none, and there is nothing else */
};

/* Where the regions of an arena of that shape begin, and where the last one ends. */
struct books_places {
        uint64_t at[REGIONS], size;
};
extern const struct books_shape books_shapes[REGIONS];
void books_place(struct books_places *ret, const struct books_limits *limits, const struct books_shape *shapes);
/* How many records of a region there can be, and how often it is there: sums once for each baseline and mark. */
uint64_t books_region_count(const struct books_limits *limits, enum books_region region);
static inline uint32_t books_region_blocks(enum books_region region) {
        return region == REGION_SUMS || region == REGION_TIME_SUMS ? 2 + BOOKS_MARKS : 1;
}
/* Where the arena has another shape than this version's: moves it into one that has this.  0 or -errno; -EPROTO,
 * -EPROTONOSUPPORT. */
int arena_migrate(struct books *books);

/* A table of threads in spans that is in the making.  For threads_in.c only. */
struct threads_making {
        struct radix_item *items; /* NULL: none is */
        struct radix_sort sort;
        size_t room, count;
        uint64_t since_ns, commit; /* at its begin */
        uint32_t lane, lanes;
        bool is_sorted;
};

/* What queries worked out, for the next one that comes before a change.  Not in the arena. */
struct books_cache {
        uint64_t seen_changes, seen; /* the changes that books_seen() met last, and in which answer they were new */

        /* totals with frames that are open, by path; for books_rows.c only */
        struct open_total *open_totals;
        uint64_t open_totals_commit, open_totals_since_ns; /* at its begin */
        uint64_t open_frames;                              /* that are in it */
        uint32_t open_totals_paths;

        /* what the process has counted, over all lanes, as of a commit; 0: not known */
        uint64_t counted_commit, counted[SHM_COUNTERS];

        /* threads in spans, by the spans' names */
        struct books_threads *threads_in;
        uint64_t threads_in_commit, threads_in_since_ns;
        uint32_t threads_in_count;
        bool threads_in_is_made;
        struct threads_making threads_making; /* the next one */

        /* ids of the names by their texts */
        uint32_t *names_in_order;
        uint64_t ordered_at; /* the sum of changes and paths at that time */
        uint32_t ordered_names;
        uint32_t *unordered; /* NULL, or the names that are being sorted */
        uint32_t unordered_names;
        struct merge_sort ordering;

        /* sums over the paths, a block of them each */
        struct paths_sum *blocks;
        uint32_t block_count;

        /* the last factors of the rates: paths that came together have the same */
        struct rate_factors {
                uint64_t since_ticks, age_ns;
                double decay[3], weight[3];
        } rate_factors;
};

/* What stood there at the last reset; a path's time apart from the rest, as most have none. */
struct base {
        const struct sums *sums;
        const struct time_sums *times;
};

/* books_rows.c */
struct base books_baseline_of(const struct books *books, uint32_t path);
/* The youngest mark that is not younger than asked for, or BOOKS_NO_MARK; `since_ns` 0 asks for none. */
#define BOOKS_NO_MARK (-1)
int books_find_mark(const struct books *books, uint64_t now_ns, uint64_t since_ns);
/* Whether differences to that mark go back as far as asked for. */
bool books_mark_reaches(const struct books *books, int mark, uint64_t now_ns, uint64_t since_ns);
uint64_t books_total(const struct books *books, uint32_t path, int counter);
uint64_t books_total_ticks(const struct books *books, uint32_t path);
/* The same as of the moment of the last sum, for what is to be subtracted later. */
uint64_t books_summed_total(const struct books *books, uint32_t path, int counter);
uint64_t books_summed_ticks(const struct books *books, uint32_t path);

/* threads_in.c */
void books_drop_threads_in(const struct books *books);

/* books_per_call.c */
void books_fill_per_call(const struct hist_sum *sum, struct books_per_call *ret);
