/* SPDX-License-Identifier: MIT */
/*
 * The books for their writers, attribution and the drain: the batch, and what of a process is counted once.
 *
 * What lives here: struct books, the first lines of its arena, and how an entry is changed.  What does not: the entries
 * themselves, which have a header for each kind (lane.h, tally.h, names.h, thread_names.h, open_spans.h, span_time.h,
 * hist.h), and where they lie in the arena (books_layout.h).
 *
 * Both structs are whole here so that what every record needs is inlined.  Outside daemon/books their fields are not
 * touched: the functions here and in those headers do it.  tests/layering.sh holds attribution and the drain to that.
 */
#pragma once

#include "daemon/arena/arena.h"
#include "daemon/books/books.h"

#define BOOKS_MARKS 13u /* one is being written while twelve can be read: twelve minutes */

/* The first lines of the arena's data. */
struct book {
        uint64_t born_ns, now_ns;
        uint32_t names, paths; /* highest used ids */
        uint32_t lanes;        /* [0, n) were used */
        uint32_t threads;      /* entries [0, n) */
        uint32_t chunks;       /* [1, n] */
        uint32_t instances;    /* high water */
        uint64_t records, evicted;

        uint64_t stale, closes_applied;
        uint32_t open_spans, free_instances; /* count; head of the free list */
        uint32_t queued_first, queued_last;  /* closes of the first look */
        uint32_t later_first, later_last;    /* closes of the second: for the next pass */
        uint32_t hand;                       /* of the eviction clock */
        uint32_t marks;                      /* marks set, ever */
        uint32_t baseline;                   /* which of two */
        uint32_t finished;
        uint64_t instance_floor; /* spans numbered below were opened before this segment */
        uint64_t mark_ns[BOOKS_MARKS];
        struct shm_refused refused; /* over all lanes, as the client counts it */
        uint64_t refused_threads;
        uint64_t hash_seed;  /* of the index of instances: a client chooses their numbers, not where they fall */
        uint64_t hist_epoch; /* raised by a reset: histograms of an earlier one are empty */
        uint64_t timed_ns;   /* since when its threads are asked for timestamps; 0: they are not */
        uint64_t clock_rate; /* ticks a second */
        uint64_t reserved[2];

        /* what the process's own sums stood at, at the last reset: before, outside, lost, counters */
        struct baseline {
                uint64_t counters[SHM_COUNTERS], outside[SHM_COUNTERS], lost[SHM_COUNTERS], before[SHM_COUNTERS];
        } baselines[2];

        /* spans that were open when the process ended, those that allocated most, the largest first */
        struct last_open {
                uint64_t instance; /* 0: no more */
                uint32_t path, reserved0;
                uint64_t sums[SHM_COUNTERS];
                uint64_t noted_ns;
                uint64_t reserved;
        } last_open[BOOKS_LAST];

        /* net bytes that no lane has */
        uint64_t inherited;   /* at the fork */
        uint64_t left;        /* counted by threads that ended in the time of an earlier collector */
        uint32_t net_quality; /* enum books_net_quality, of `inherited` */
        uint32_t reserved1;
        uint64_t peak_net; /* the largest that was seen, of what it had at a moment */
        uint64_t forks;    /* as the client counts them */
        uint64_t reserved2[3];
};
_Static_assert(sizeof(struct last_open) == 64, "");

_Static_assert(offsetof(struct book, queued_first) / ARENA_LINE == offsetof(struct book, queued_last) / ARENA_LINE,
               "a queue's ends are logged together");
_Static_assert(offsetof(struct book, later_first) / ARENA_LINE == offsetof(struct book, later_last) / ARENA_LINE, "");

struct books {
        struct arena arena;
        struct books_limits limits;
        struct book *book;
        struct book_name *names;
        struct tally *tallies;
        struct lane *lanes;
        struct instance *instances;
        uint32_t *index; /* of instances; 0: empty, else index + 1 below, bits of the hash above */
        uint32_t index_mask;
        struct hist_chunk *chunks;
        uint32_t chunk_capacity;
        struct thread_name *threads;
        struct thread_marks *thread_marks;
        uint64_t *closes; /* for each slot of the overflow list, the close that was taken from it last */
        struct sums *baselines[2];
        struct sums *marks[BOOKS_MARKS];
        struct span_time *span_times; /* by path, as the tallies */
        struct time_sums *time_baselines[2];
        struct time_sums *time_marks[BOOKS_MARKS];
        bool was_migrated;

        uint64_t changes; /* batches that changed anything, and labels, since it was made or taken over; from 1 */

        /* An event is reported after the commit of its batch, so that one of a batch that is undone never is. */
        books_event_fn on_event;
        void *event_data;
        struct books_event *events;
        uint32_t event_count, event_capacity;

        struct books_cache *cache; /* results of queries, kept for the next one; no part of the books */
};

/* What one step (a record, a close) can change at most, in lines; a full stack that is aborted is the worst. */
#define BOOKS_LINES_PER_STEP 4096u

/* As many lines as a batch changes before it should be committed: so the log stays in the processor's own cache, which
 * is a sixth of the time where all lines differ. */
#define BOOKS_LINES_PER_BATCH 4096u

/* Lines that the log has room for: a step begins where the batch is not full yet, and there can be some in one.  An
 * arena that is taken over with less is moved into one with so many (arena_migrate.c). */
#define BOOKS_UNDO_LINES 65536u
_Static_assert(BOOKS_UNDO_LINES >= BOOKS_LINES_PER_BATCH + 2 * BOOKS_LINES_PER_STEP, "");

/* Whether the batch has grown so large that it should be committed before more is fed. */
static inline bool books_batch_is_full(const struct books *books) {
        return arena_logged(&books->arena) >= BOOKS_LINES_PER_BATCH;
}

/* Changing an entry: log it, then change it.  A word lies in one line. */
#define touch(books, entry)                                                                                            \
        (sizeof *(entry) <= sizeof(uint64_t) ? arena_touch_line(&(books)->arena, (entry))                              \
                                             : arena_touch(&(books)->arena, (entry), sizeof *(entry)))
/* The same for an entry that begins a line and is changed in that line only. */
#define touch_line(books, entry) arena_touch_line(&(books)->arena, (entry))

/* An entry of which the size is not that of its type. */
static inline void touch_bytes(struct books *books, const void *entry, size_t n) {
        arena_touch(&books->arena, entry, n);
}
static inline bool is_touched(const struct books *books, const void *entry) {
        return arena_is_touched(&books->arena, entry);
}

/* Keeps an event until the commit. */
void books_emit(struct books *books, const struct books_event *event);
static inline bool books_have_listener(const struct books *books) {
        return books->on_event;
}

/* ------------------------------------------------------------------------------------------------ the process -- */

static inline uint64_t books_now(const struct books *books) {
        return books->book->now_ns;
}

static inline const struct books_limits *books_limits(const struct books *books) {
        return &books->limits;
}

/* Lanes [0, n) were used. */
static inline uint32_t books_lanes(const struct books *books) {
        return books->book->lanes;
}
void books_set_lanes(struct books *books, uint32_t n);

/* Spans numbered below were opened before this segment; 0: not known yet. */
static inline uint64_t books_instance_floor(const struct books *books) {
        return books->book->instance_floor;
}
void books_set_instance_floor(struct books *books, uint64_t floor);

/* Before a commit: the peak is up to date.  counted: what its threads have allocated less what they have freed, in bytes. */
void books_note_peak(struct books *books, uint64_t counted);

/* Spans that lost their entry to others, ever. */
static inline uint64_t books_evicted(const struct books *books) {
        return books->book->evicted;
}

/* Something that is of no span, or of one that is closed. */
void books_count_stale(struct books *books);

static inline void books_count_records(struct books *books, uint64_t n) {
        touch(books, &books->book->records);
        books->book->records += n;
}

static inline bool books_are_finished(const struct books *books) {
        return books->book->finished;
}
void books_set_finished(struct books *books);

/* What the client itself counts as refused, over all its lanes; replaced, not added. */
void books_set_refused(struct books *books, const struct shm_refused *refused, uint64_t threads);
void books_set_forks(struct books *books, uint64_t forks);
void books_set_path_refused(struct books *books, uint32_t path, uint64_t refused);
static inline const struct shm_refused *books_refused(const struct books *books, uint64_t *ret_threads) {
        *ret_threads = books->book->refused_threads;
        return &books->book->refused;
}

/* The close that was taken from a slot of the overflow list last; 0: none. */
static inline uint64_t books_taken_close(const struct books *books, uint32_t slot) {
        return books->closes[slot];
}
void books_set_taken_close(struct books *books, uint32_t slot, uint64_t instance);
