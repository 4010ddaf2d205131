/* SPDX-License-Identifier: MIT */
/*
 * What lies where in the arena of one process's books.  Private to books, frames, tally and live.
 *
 * Everything is an array of entries with a fixed size, reached by index; there is no pointer in it, so a successor can
 * map it anywhere.  Bounds come from books_limits at creation and never change.  Untouched entries are zero and take
 * no memory.
 *
 * Versions.  The arena says how long each kind of record is in it (struct books_shape), so that another version of the
 * collector, a later or an earlier one, can take it over (arena_migrate.c).  Whoever changes this file adds to the end of a
 * record, raises its `used` where that is in the table of shapes, and lets zero mean that nothing is known.  All else (a
 * place, a meaning, a number of records) is a new BOOKS_LAYOUT, which others refuse.  docs/decisions/upgrade.md.
 */
#pragma once

#include "daemon/books/arena.h"
#include "daemon/books/books.h"

#define HIST_OCTAVES 48u
#define HIST_SUB     16u
#define BOOKS_MARKS  13u /* one is being written while twelve can be read: twelve minutes */

/* A name that a client used, cleaned. */
struct book_name {
        uint32_t line;
        uint16_t name_length, file_length;
        char name[SHM_NAME_BYTES];
        char file[SHM_FILE_BYTES];
        uint32_t first_path; /* of those with this name; 0: none */
};
_Static_assert(sizeof(struct book_name) == 256, "");

/* Sixteen buckets of a histogram: one octave. */
struct hist_chunk {
        uint64_t count[HIST_SUB];
};

/* Per-call bytes of one path. */
struct hist {
        uint64_t count, max;
        uint64_t epoch; /* of the book, when something was added last; of an earlier one: empty */
        uint64_t reserved[5];
        uint32_t octave[HIST_OCTAVES]; /* index of a chunk, 0: none yet */
};
_Static_assert(sizeof(struct hist) == 256, "");

/* The aggregates of one path.  Line 0 is what every interval and exit changes. */
struct tally {
        uint64_t self[SHM_COUNTERS];
        uint64_t total[SHM_COUNTERS]; /* completed outermost cycles */

        uint64_t cycles, opened, closed, migrated, aborted, lost_touches;
        uint32_t parent, name;
        uint32_t depth, estimated;

        double decayed[3]; /* bytes, each e^-(age/T) */
        uint64_t tick;     /* when they were last decayed, in ticks of the books */
        uint64_t born_ns;
        uint64_t refused;   /* as the client counts it */
        uint32_t next_path; /* of the same name */
        uint32_t reserved;
        uint64_t this_tick; /* bytes that came since they were last decayed */

        struct hist hist;
};
_Static_assert(sizeof(struct tally) == 448, "seven lines");

/* Time spent on a path, in ticks of the clock (shm/clock.h); nothing but zeros where a process was never timed. */
struct span_time {
        uint64_t self, total;
        uint64_t calls, calls_total; /* closed spans that were timed from beginning to end */
        uint64_t longest;
        uint64_t epoch;   /* of the book, when `longest` was set */
        double decayed;   /* calls, each e^-(age / 10 s) */
        uint64_t tick_ns; /* when that was decayed last */
};
_Static_assert(sizeof(struct span_time) == 64, "");

/* … and what a reset or a mark remembers of it. */
struct time_sums {
        uint64_t self, total, calls, calls_total;
};

/* The sums that a reset or a mark remembers. */
struct sums {
        uint64_t self[SHM_COUNTERS], total[SHM_COUNTERS];
        uint64_t cycles, opened, closed, migrated, aborted, refused;
        uint64_t reserved[2];
};
_Static_assert(sizeof(struct sums) == 128, "");

enum frame_flag {
        FRAME_OUTER_NAME = 1 << 0,     /* the outermost of its name on this lane */
        FRAME_OUTER_INSTANCE = 1 << 1, /* … of its instance */
        FRAME_SCOPE = 1 << 2,
        FRAME_FOLLOWED = 1 << 4, /* a scope that others came to: it had an entry among the open spans */
        FRAME_STALE = 1 << 3,    /* its span is closed, or was never seen to open: no entry among the open spans */
        FRAME_APART = 1 << 5,    /* `credit` and `credited` are not what `enter` and `entered` are */
};

struct frame {
        uint64_t instance;
        uint32_t path, name;
        uint32_t flags;
        uint32_t entry;               /* where its span's was among the open spans, + 1; only a hint */
        uint64_t enter[SHM_COUNTERS]; /* since when it is the outermost of its instance */
        uint64_t entered;             /* the clock then; 0: not timed */
        /* … of its name: meaningful where FRAME_APART says so, as for most frames it is the same */
        uint64_t credit[SHM_COUNTERS];
        uint64_t credited;
        uint64_t reserved[3];
};
_Static_assert(sizeof(struct frame) == 128 && offsetof(struct frame, credit) == 64, "most need one line only");

static inline const uint64_t *frame_credit(const struct frame *frame) {
        return frame->flags & FRAME_APART ? frame->credit : frame->enter;
}

static inline uint64_t frame_credited(const struct frame *frame) {
        return frame->flags & FRAME_APART ? frame->credited : frame->entered;
}

/* What is known of one lane, and the stack as its records tell it. */
struct lane {
        uint64_t position; /* records drained */
        uint64_t last[SHM_COUNTERS];
        uint32_t depth, occupancy;
        uint32_t thread;     /* entry in the table of thread names */
        uint32_t retired;    /* the occupancy that has been settled */
        uint64_t opened_max; /* the last span that was opened here */

        uint64_t before[SHM_COUNTERS];      /* booked as `before` */
        uint64_t before_seen[SHM_COUNTERS]; /* the lane's own cumulative value */

        uint64_t outside[SHM_COUNTERS], lost[SHM_COUNTERS];

        uint64_t pending_lost[SHM_COUNTERS];   /* to be taken from the next interval */
        uint64_t pending_before[SHM_COUNTERS]; /* likewise */

        uint32_t has_pending, reserved0;
        uint64_t gap_seen[SHM_COUNTERS]; /* as before_seen, of what no collector had booked */
        uint64_t timed_until;            /* the clock at the end of the last interval; 0: not timed */
        uint64_t reserved[2];

        uint64_t self[SHM_COUNTERS]; /* kept in checking builds only: for books_check() */
        uint64_t reserved1[4];

        struct frame frames[SHM_DEPTH];
};
_Static_assert(sizeof(struct lane) == 6 * 64 + SHM_DEPTH * 128, "");
_Static_assert(offsetof(struct lane, frames) % 64 == 0, "");

enum instance_flag {
        INSTANCE_OPENED = 1 << 0,  /* its opening was seen, or is taken for granted */
        INSTANCE_CLOSING = 1 << 1, /* its close was seen: ends with the last exit */
        INSTANCE_QUEUED = 1 << 2,  /* … and waits for the drain's second look */
        INSTANCE_RECENT = 1 << 3,  /* active since the hand went by */
        INSTANCE_SCOPE = 1 << 4,   /* a scope: on its own lane's stack it is entered without being counted here */
        INSTANCE_ABORTED = 1 << 5, /* counted as such: its close changes nothing any more */
        INSTANCE_COUNTED = 1 << 8, /* … in `opened` of its path */
        INSTANCE_PARTIAL = 1 << 7, /* came back after it was evicted: its sums lack what was before */
        INSTANCE_UNTIMED = 1 << 9, /* a part of a cycle was not timed */
        INSTANCE_LATE = 1 << 6,    /* its opening found no room: a close may be all that is ever seen of it */
};

/* What of a word of the index is an entry's number. */
#define BOOKS_INDEX_NUMBER 0xffffffu

/* A span that is open, and has to be followed by itself. */
struct instance {
        uint64_t instance; /* 0: free */
        uint32_t path;
        uint16_t flags, entered;
        uint64_t sums[SHM_COUNTERS];
        uint32_t cycles;
        uint32_t next;  /* of a free list, or of a queue of closes */
        uint64_t ticks; /* spent in its timed cycles */
};
_Static_assert(sizeof(struct instance) == 64, "");

struct thread_name {
        char name[SHM_COMM_BYTES];
        uint64_t reserved[6];
        uint64_t outside[SHM_COUNTERS];
        uint64_t baseline[SHM_COUNTERS]; /* at the last reset */
};
_Static_assert(sizeof(struct thread_name) == 128, "");

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
};
_Static_assert(sizeof(struct last_open) == 64, "");

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

/* What frames that are open now have of their path's totals. */
struct open_total {
        uint64_t counters[SHM_COUNTERS], ticks;
};

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
        uint64_t *closes; /* for each slot of the overflow list, the close that was taken from it last */
        struct sums *baselines[2];
        struct sums *marks[BOOKS_MARKS];
        struct span_time *span_times; /* by path, as the tallies */
        struct time_sums *time_baselines[2];
        struct time_sums *time_marks[BOOKS_MARKS];
        bool was_migrated;

        uint64_t changes; /* batches that changed anything, and labels, since it was made or taken over; from 1 */
        uint64_t seen_changes, seen; /* what it was for books_seen() at last, and in which answer that was new */

        /* Events are told after the commit of their batch: of one that is undone nobody has heard. */
        books_event_fn on_event;
        void *event_data;
        struct books_event *events;
        uint32_t event_count, event_capacity;

        /* totals of frames that are open now, by path; made when a query asks */
        struct open_total *open_totals;
        uint64_t open_totals_commit;
        uint32_t open_totals_paths;

        /* ids of the names by their texts; likewise */
        uint32_t *names_in_order;
        uint64_t ordered_at; /* … when there were so many changes and paths */
        uint32_t ordered_names;

        /* what the rates were worked out with last: paths that came together have the same */
        struct rate_factors {
                uint64_t since_ticks, age_ns;
                double decay[3], weight[3];
        } rate_factors;
};

/* What one step (a record, a close) can change at most, in lines; a full stack that is aborted is the worst. */
#define BOOKS_LINES_PER_STEP 4096u

/* As many lines as a batch changes before it should be committed: so the log stays in the processor's own cache, which is
 * a sixth of the time where all lines differ. */
#define BOOKS_LINES_PER_BATCH 4096u

/* Lines that the log has room for: a step begins where the batch is not full yet, and there can be some in one.  An arena that
 * is taken over with less is moved into one with so many (arena_migrate.c). */
#define BOOKS_UNDO_LINES 65536u
_Static_assert(BOOKS_UNDO_LINES >= BOOKS_LINES_PER_BATCH + 2 * BOOKS_LINES_PER_STEP, "");

/* Whether the batch has grown so large that it should be committed before more is fed. */
static inline bool books_batch_is_full(const struct books *books) {
        return arena_logged(&books->arena) >= BOOKS_LINES_PER_BATCH;
}

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
/* Where the arena has another shape than this version's: moves it into one that has this.  0 or -errno; -EPROTO, -EPROTONOSUPPORT. */
int arena_migrate(struct books *books);

/* Changing an entry: log it, then change it.  A word lies in one line. */
#define touch(books, entry)                                                                                            \
        (sizeof *(entry) <= sizeof(uint64_t) ? arena_touch_line(&(books)->arena, (entry))                              \
                                             : arena_touch(&(books)->arena, (entry), sizeof *(entry)))
/* … what begins a line, and is changed in it only. */
#define touch_line(books, entry) arena_touch_line(&(books)->arena, (entry))

/* A frame that was logged, whose two beginnings are no longer the same. */
static inline void frame_set_apart(struct books *books, struct frame *frame) {
        touch(books, &frame->credited);
        touch(books, frame->credit);
        if (frame->flags & FRAME_APART)
                return;
        memcpy(frame->credit, frame->enter, sizeof frame->credit);
        frame->credited = frame->entered;
        frame->flags |= FRAME_APART;
}

/* Keeps an event until the commit. */
void books_emit(struct books *books, const struct books_event *event);

/* books_rows.c */
void books_sum_open_frames(struct books *books);
const struct open_total *books_open_total(const struct books *books, uint32_t path);
void books_reset_threads(struct books *books);
