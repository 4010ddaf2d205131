/* SPDX-License-Identifier: MIT */
/*
 * The books of one process: everything that the collector knows and must not lose about it, in one flat arena.
 *
 * What lives here: the arena's layout, the commit, and the rows that a query reads.  The arithmetic is in frames.h
 * (stacks to intervals) and tally.h (sums for each path); both work on this arena only.  All of it is pure: no system
 * call but those that make the arena, no clock, no log; time is an argument (nanoseconds, monotonic).
 *
 * Threads: one at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/layout.h"

struct books;

/* Builds in which the books prove at each query that they balance. */
#if !defined(NDEBUG) || defined(SPANALLOC_CHECK_BOOKS)
#define BOOKS_ARE_CHECKED 1
#else
#define BOOKS_ARE_CHECKED 0
#endif

struct books_limits {
        uint32_t names;
        uint32_t paths;
        uint32_t lanes;
        uint32_t instances; /* live spans that are followed one by one; more are evicted, and counted */
        uint32_t threads;   /* names of threads under which `outside` is kept apart */
};
extern const struct books_limits books_limits_default;

/* A closed span, as the tracing layer's `alloc.span` event tells it. */
struct books_event {
        uint64_t instance;
        uint32_t path;
        uint32_t cycles;
        uint64_t sums[SHM_COUNTERS];
        uint64_t ticks; /* spent in its cycles, see books_to_ns(); 0: they were not timed */
};
typedef void (*books_event_fn)(void *userdata, const struct books_event *event);

/* Makes empty books in an arena of their own (an unsealed memfd, so that it can be handed to a successor).  `now_ns`
 * is when they begin.  Returns 0 or -errno. */
int books_new(struct books **ret, const struct books_limits *limits, uint64_t now_ns);

/* Takes over the arena behind `fd`, as a collector left it that may have died anywhere, of this version or of another
 * one (arena_migrate.c): what it had not committed is undone.  The descriptor is consumed.  -EPROTO: not an arena;
 * -EPROTONOSUPPORT: one of a version that cannot be read. */
int books_adopt(struct books **ret, int fd);
/* Checks adopted books, whatever wrote them, and makes their index anew: to be called before anything else is read.  0,
 * -EPROTO, or another -errno. */
int books_verify(struct books *books);
/* Whether they were another version's. */
bool books_were_migrated(const struct books *books);

/* A label of the owner, opaque to the books: it identifies the process.  It lies in the arena and is replaced as a
 * whole, outside the batches.  `size` at most BOOKS_LABEL_MAX. */
#define BOOKS_LABEL_MAX 1664u
void books_set_label(struct books *books, const void *label, size_t size);
/* NULL: none was set. */
const void *books_label(const struct books *books, size_t *ret_size);

struct books *books_free(struct books *books);
/* Frees some of the memory of books that are read no more.  True if books_free() is short now. */
bool books_release_some(struct books *books);
int books_fd(const struct books *books); /* -1: it was closed */
/* A number, never 0, that grows whenever they are changed in more than the time of the last batch: as long as it is the
 * same, a copy of them is up to date.  Only for this collector. */
uint64_t books_change_count(const struct books *books);
/* Which answer was the first to see the books as they are now; `answer`: this one, whose number is above all before. */
uint64_t books_seen(const struct books *books, uint64_t answer);
uint64_t books_records(const struct books *books); /* drained, ever */
struct arena;
const struct arena *books_arena(const struct books *books); /* to be copied between two batches */
/* Closes the arena's descriptor; the books stay.  For a process that has ended: there can be many of them. */
void books_close_fd(struct books *books);
/* `fn` is told of a closed span once its batch is committed; so after a kill no event is told twice, and those of the
 * last batch perhaps not at all. */
void books_on_event(struct books *books, books_event_fn fn, void *userdata);

/* Begins and ends a batch.  Everything between is kept or undone as one; positions of lanes may be published to the
 * producers only after the commit. */
void books_begin(struct books *books, uint64_t now_ns);
void books_commit(struct books *books);

/* ----------------------------------------------------------------------------------------------------- rows -- */

struct books_per_call {
        uint64_t count, p50, p90, p99, max; /* bytes; the percentiles within 3.2 % */
};

/* Nanoseconds, of what was timed: see books_set_timing(). */
struct books_time {
        uint64_t self_ns, total_ns;
        uint64_t calls;      /* spans that closed, timed from beginning to end */
        uint64_t calls_ns;   /* the time that these were entered, together */
        uint64_t longest_ns; /* the longest of them since the last reset */
        double calls_rate;   /* a second, decayed over 10 s */
};

enum books_quality { BOOKS_EXACT, BOOKS_MIGRATED, BOOKS_LOST, BOOKS_ESTIMATED, BOOKS_MIXED };

/* A path, or the sum over several. */
struct books_row {
        uint64_t self[SHM_COUNTERS];
        uint64_t total[SHM_COUNTERS]; /* outermost cycles, those of spans still open included up to now */
        uint64_t opened, closed, open, cycles, migrated, aborted, refused;
        double rate[3]; /* self bytes allocated a second over 10 s, 1 min, 10 min */
        struct books_per_call per_call;
        /* Closed spans with a cycle of which no part was refused, and their net bytes. */
        uint64_t calls;
        int64_t calls_net;
        struct books_time time;
        enum books_quality quality;
};

/* How well it is known what a process inherited at its fork.  Unknown is 0: in books of an earlier version. */
enum books_net_quality { BOOKS_NET_UNKNOWN, BOOKS_NET_ESTIMATED, BOOKS_NET_EXACT };

struct books_process_row {
        uint64_t counters[SHM_COUNTERS]; /* the last values, summed over all threads that there ever were */
        uint64_t self[SHM_COUNTERS], outside[SHM_COUNTERS], lost[SHM_COUNTERS], before[SHM_COUNTERS];
        uint64_t records, evicted, stale;
        uint64_t refused;       /* enters, opens and closes */
        uint64_t refused_depth; /* of these, enters of a thread that was in SHM_DEPTH spans */
        uint64_t open, aborted;
        uint32_t names;
        /* Net bytes, not touched by a reset: at the fork; now, `inherited` included; the most that was seen. */
        uint64_t inherited, net, peak_net;
        enum books_net_quality net_quality;
        uint64_t forks; /* of children, by fork(3) */
        bool balanced;  /* before + self + outside + lost == counters, in all four */
};

/* Gives back memory that only changes need, and the next ones take again: outside a batch. */
void books_trim(struct books *books);
/* Bytes of memory that the arena takes, as last measured when its descriptor is closed. */
uint64_t books_memory(struct books *books);
/* Names and paths that are in use. */
void books_used(const struct books *books, uint64_t *ret_names, uint64_t *ret_paths);

uint32_t books_name_count(const struct books *books); /* ids 1 to this */
uint32_t books_path_count(const struct books *books);
/* Clean text (no control characters, valid UTF-8); borrowed until the next change. */
const char *books_name(const struct books *books, uint32_t name);
/* The ids of all names that are on a path, in the order of their texts, equal ones by id; good until the next change.
 * NULL: no memory, or there are none. */
const uint32_t *books_names_in_order(const struct books *books, uint32_t *ret_count);
/* The same in portions.  books_order_names() begins with the names as they are now; 0 or -ENOMEM.  Then, until
 * books_order_names_some() is true, it is called again; `portion`: how many ids it moves.  What books_names_ordered()
 * returns then is good until the next beginning: names that came since are not in it. */
int books_order_names(const struct books *books);
bool books_order_names_some(const struct books *books, size_t portion);
const uint32_t *books_names_ordered(const struct books *books, uint32_t *ret_count);
const char *books_name_file(const struct books *books, uint32_t name, uint32_t *ret_line);
uint32_t books_path_parent(const struct books *books, uint32_t path);
uint32_t books_path_name(const struct books *books, uint32_t path);
uint32_t books_path_depth(const struct books *books, uint32_t path); /* 0 for a root */
/* Writes names from the root, joined by '/', each '/' and '\' in a name escaped by '\'.  Always terminates; returns
 * the length that was needed. */
size_t books_path_text(const struct books *books, uint32_t path, char *buf, size_t size);

/* Sums the frames that are open, for rows of that time.  Where there are very many of them, once for an answer: a row is
 * then of the time `now_ns` or later. */
void books_sum_open_frames(const struct books *books, uint64_t now_ns);

/* The row of one path, less what stood there at the last reset. */
void books_path_row(const struct books *books, uint32_t path, uint64_t now_ns, struct books_row *ret);
/* The same without per_call and rate, which take the most time of it; `since_ns` as of books_name_row_since, 0: none.
 * */
bool books_path_sums(const struct books *books, uint32_t path, uint64_t now_ns, uint64_t since_ns,
                     struct books_row *ret);
void books_path_rates(const struct books *books, uint32_t path, uint64_t now_ns, double ret[3]);
void books_path_per_call(const struct books *books, uint32_t path, struct books_per_call *ret);
/* The row of one name, over all its paths; ret_path: the one with most bytes; ret_paths: how many. */
void books_name_row(const struct books *books, uint32_t name, uint64_t now_ns, struct books_row *ret,
                    uint32_t *ret_path, uint32_t *ret_paths);
/* The same, less what stood there `since_ns` nanoseconds ago as nearly as the marks allow (books_mark); false when
 * the books or the marks do not reach so far back. */
bool books_name_row_since(const struct books *books, uint32_t name, uint64_t now_ns, uint64_t since_ns,
                          struct books_row *ret, uint32_t *ret_path, uint32_t *ret_paths);
/* Bytes that the whole process allocated less those that it freed in the time of such a row; `since_ns` 0: since the
 * last reset, or since the books began.  It does not include `before`. */
int64_t books_process_growth(const struct books *books, uint64_t now_ns, uint64_t since_ns);
/* The same without per_call and rate; `since_ns` 0: since the last reset. */
bool books_name_sums(const struct books *books, uint32_t name, uint64_t now_ns, uint64_t since_ns,
                     struct books_row *ret, uint32_t *ret_path, uint32_t *ret_paths);
void books_name_rates(const struct books *books, uint32_t name, uint64_t now_ns, double ret[3]);
/* The name will be read soon; `path` is one of its paths, 0: not known.  A table is larger than the caches. */
void books_name_prefetch(const struct books *books, uint32_t name, uint32_t path);
/* Likewise of names[rank] and those after it, which are read one after the other, each with a call of this before.
 * per_call: with books_name_per_call() too. */
void books_names_prefetch(const struct books *books, const uint32_t *names, uint32_t rank, uint32_t count,
                          bool per_call);
void books_name_per_call(const struct books *books, uint32_t name, struct books_per_call *ret);
/* How many closed spans of the name fell between 2^n and 2^(n+1) bytes; those of 0 and 1 byte are in [0]. */
void books_name_histogram(const struct books *books, uint32_t name, uint64_t ret[64]);
/* Without what takes a look at every path: self, open, aborted, names and balanced. */
void books_process_lanes(const struct books *books, struct books_process_row *ret);
/* What all threads counted since these books began, without `before`.  A reset does not touch it. */
void books_process_counted(const struct books *books, uint64_t ret[SHM_COUNTERS]);
void books_process_row(const struct books *books, struct books_process_row *ret);
/* The same in portions of so many paths: call it until it is true.  What is read is kept for the next row. */
bool books_process_row_some(const struct books *books, uint32_t portion, struct books_process_row *ret);

/* True if before + self + outside + lost is the last value of each of the four counters.  With BOOKS_ARE_CHECKED also for each
 * lane, and the self of all lanes is the self of all paths.  Otherwise false, with the difference in `why`. */
bool books_check(const struct books *books, char *why, size_t size);

/* A span that was open when the process ended, of BOOKS_LAST at most: the largest first.  False at the end. */
#define BOOKS_LAST 8u
struct books_last {
        uint64_t instance;
        uint32_t path;
        uint64_t sums[SHM_COUNTERS]; /* of all its cycles, up to the end */
};
bool books_last_row(const struct books *books, uint32_t index, struct books_last *ret);

/* `outside`, by the names of threads.  Index from 0; false at the end. */
bool books_thread_row(const struct books *books, uint32_t index, const char **ret_name,
                      uint64_t ret_outside[SHM_COUNTERS]);
/* The row of what threads of that name counted outside of all spans: self and total are the same, and there are no
 * calls.  `since_ns` as of books_name_sums(), and what is returned. */
bool books_outside_row(const struct books *books, uint32_t index, uint64_t now_ns, uint64_t since_ns,
                       struct books_row *ret);
uint32_t books_thread_count(const struct books *books);
const char *books_thread_name(const struct books *books, uint32_t index);
/* How many threads are in a span of a name now, by their own names. */
struct books_threads {
        uint32_t name;   /* of the span */
        uint32_t thread; /* index of books_thread_row() */
        uint64_t count;
};
/* A step of the table of them, which an answer makes that was begun at `since_ns`.  True: it is made, or there is one of
 * this commit, or of an answer that was begun no earlier. */
bool books_threads_in_some(const struct books *books, uint64_t since_ns);
/* Those of one name in the table, in the order of `thread`; good until the next change or step.  Returns how many; 0
 * also without memory. */
uint32_t books_threads_in(const struct books *books, uint32_t name, const struct books_threads **ret);

/* In a batch: whether the process's threads are asked for timestamps, from now on.  Kept with the books. */
void books_set_timing(struct books *books, bool on, uint64_t now_ns);
bool books_timing(const struct books *books);
/* In a batch: how fast the clock of the timestamps is, in ticks a second. */
void books_set_clock_rate(struct books *books, uint64_t ticks);
uint64_t books_to_ns(const struct books *books, uint64_t ticks);

/* In a batch: the net bytes that the process has beyond its lanes; struct book says of which kind each is. */
void books_set_inherited(struct books *books, uint64_t inherited, uint64_t left, enum books_net_quality quality);

/* In a batch: sets the mark of this minute, for books_name_row_since.  Call it once a minute. */
void books_mark(struct books *books, uint64_t now_ns);
/* What has been counted so far is no longer shown.  Not in a batch: it makes its own. */
void books_reset(struct books *books, uint64_t now_ns);

/* How far a mark or a reset is; zero at first. */
struct books_progress {
        uint64_t since_ns;
        uint32_t path;               /* the last that is remembered */
        uint64_t self[SHM_COUNTERS]; /* the sum over all that are */
};
/* Both in portions of so many paths, between two batches; true: it is done.  One that is begun again begins with a
 * `progress` of zero. */
bool books_mark_some(struct books *books, uint64_t now_ns, struct books_progress *progress, uint32_t portion);
bool books_reset_some(struct books *books, uint64_t now_ns, struct books_progress *progress, uint32_t portion);
