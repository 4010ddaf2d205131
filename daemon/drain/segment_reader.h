/* SPDX-License-Identifier: MIT */
/*
 * The only code that reads a segment: one value at a time, once, checked, into memory of our own.
 *
 * What lives here: every access to the mapping.  What does not: how names and paths are inserted (books/names.h), the
 * order in which lanes are read (drain.c).  tests/layering.sh holds the other files of the drain to that.
 *
 * A segment belongs to a stranger.  It may change any byte at any moment and punch holes, which read as zeros; it can
 * unmap nothing, as the file is sealed.  -EBADMSG from here means that what was read cannot have come from the library.
 */
#pragma once

#include "daemon/attribution/frames.h"
#include "daemon/books/names.h"
#include "daemon/books/quota.h"
#include "shm/layout.h"

struct segment_reader {
        void *map;
        struct shm_geometry geometry; /* our own; never read back from the segment */
        uint32_t lanes;               /* claimed, as last read; never falls */
        uint32_t closes_posted;
        struct quota *quota; /* NULL: none */
        char fault[160];
};

int segment_init(struct segment_reader *reader, int memfd, const struct shm_geometry *geometry);
void segment_deinit(struct segment_reader *reader);
/* Before segment_deinit(), which takes long where many rings were read: lets go of the pages of some of them.  *ring: 0
 * at first.  True: of all. */
bool segment_forget_rings(const struct segment_reader *reader, uint32_t *ring);

/* How many lanes are claimed, unchecked. */
uint32_t segment_claimed(const struct segment_reader *reader);
/* Reads that anew, checks it, and keeps it in `lanes`. */
int segment_lanes(struct segment_reader *reader);
/* The head of a lane, checked against `position`, up to which it was drained. */
int segment_head(struct segment_reader *reader, uint32_t lane, uint64_t position, uint64_t *ret_head);
bool segment_has_records(const struct segment_reader *reader, uint32_t lane, uint64_t position);

/* A lane's ring, for as long as it is read in one go. */
struct segment_ring {
        const struct shm_record *records;
        uint32_t mask, lane;
};
struct segment_ring segment_ring(const struct segment_reader *reader, uint32_t lane);

/* After a copy out of shared memory: the compiler must not go back and read it again. */
#define SEGMENT_COPIED() __asm__ volatile("" ::: "memory")

static inline bool segment_is_of_span(uint16_t kind) {
        const unsigned kinds = 1u << SHM_KIND_ENTER | 1u << SHM_KIND_OPEN | 1u << SHM_KIND_EXIT | 1u << SHM_KIND_CLOSE |
                               1u << SHM_KIND_RESYNC;

        return kind <= SHM_KIND_MAX && kinds >> kind & 1;
}

/* The number of the span that the record at `position` is of, where it may be one that the books follow by itself; else
 * anything.  Unchecked: for a hint. */
static inline uint64_t segment_span_ahead(struct segment_ring ring, uint64_t position) {
        const struct shm_record *record = &ring.records[position & ring.mask];

        return record->flags & SHM_FLAG_SCOPE ? 0 : record->instance;
}

int segment_fail_record(struct segment_reader *reader, uint32_t lane, uint64_t position,
                        const struct shm_record *record);
/* Copies the record at `position`. */
static inline int segment_record(struct segment_reader *reader, struct segment_ring ring, uint64_t position,
                                 struct shm_record *ret) {
        *ret = ring.records[position & ring.mask];
        SEGMENT_COPIED();
        if (__builtin_expect(ret->sequence != position || ret->kind == SHM_KIND_INVALID || ret->kind > SHM_KIND_MAX ||
                                     (ret->flags & ~SHM_FLAGS_ALL) || (!ret->instance && segment_is_of_span(ret->kind)),
                             0))
                return segment_fail_record(reader, ring.lane, position, ret);
        return 0;
}
/* Lets the producer have what is below `position` again. */
void segment_release(struct segment_reader *reader, uint32_t lane, uint64_t position);

/* Makes sure that the books know `path` and the chain above it; returns it, or (other) where the segment does not say
 * what it is.  In a batch. */
uint32_t segment_learn_path(struct segment_reader *reader, struct books *books, uint32_t path);
static inline uint32_t segment_path(struct segment_reader *reader, struct books *books, uint32_t path) {
        if (__builtin_expect(path && names_have_path(books, path), 1))
                return path;
        return segment_learn_path(reader, books, path);
}
uint64_t segment_path_refused(const struct segment_reader *reader, uint32_t path);

/* The close in a slot of the overflow list.  False when there is none. */
bool segment_close(const struct segment_reader *reader, uint32_t slot, struct shm_close *ret);
/* Gives the slot back, once the close that was in it is committed. */
void segment_free_close(struct segment_reader *reader, uint32_t slot);
/* How many were ever put into the list. */
uint32_t segment_posted_closes(const struct segment_reader *reader);
/* Whether there are any since the last time. */
bool segment_has_closes(struct segment_reader *reader);

struct lane_owner {
        uint32_t occupancy; /* even; 0: none yet */
        uint32_t tid;
        bool alive;
        char comm[SHM_COMM_BYTES];
        uint64_t before[SHM_COUNTERS], gap[SHM_COUNTERS];
        uint64_t offset[SHM_COUNTERS]; /* the lane's counters when this thread claimed it */
};
/* The owner of the lane.  False while the next owner moves in; *ret is then incomplete. */
bool segment_lane_owner(const struct segment_reader *reader, uint32_t lane, struct lane_owner *ret);
/* An earlier owner of the lane.  False if the segment no longer has it, or while the next owner moves in.  Of *ret only comm,
 * before and offset are meaningful. */
bool segment_past_owner(const struct segment_reader *reader, uint32_t lane, uint32_t occupancy, struct lane_owner *ret);
/* True if the lane still has this occupant: then all that was read of the lane since belongs to it. */
bool segment_is_still(const struct segment_reader *reader, uint32_t lane, uint32_t occupancy);
bool segment_is_alive(const struct segment_reader *reader, uint32_t lane);
/* True if the lane's last thread unlocked its mutex and still runs.  If it ended, the kernel marked it as dead instead. */
bool segment_was_left(const struct segment_reader *reader, uint32_t lane);
/* A number that changes when a thread wrote a record, counted, claimed a lane or ended. */
uint64_t segment_activity(const struct segment_reader *reader);
uint32_t segment_tid(const struct segment_reader *reader, uint32_t lane);

/* The thread's live counters, if at one moment the ring was drained to `position` and nothing lost was pending. */
bool segment_live_counters(const struct segment_reader *reader, uint32_t lane, uint64_t position,
                           uint64_t ret[SHM_COUNTERS]);
/* The counters of a thread that is dead. */
void segment_last_counters(const struct segment_reader *reader, uint32_t lane, uint64_t ret[SHM_COUNTERS]);
/* What it left behind, when the ring is drained to `position` and its counters are `live`. */
void segment_remains(const struct segment_reader *reader, uint32_t lane, uint64_t position,
                     const uint64_t live[SHM_COUNTERS], struct frames_remains *ret);
void segment_refused(const struct segment_reader *reader, uint32_t lane, struct shm_refused *add);
/* The spans of which the lane's thread was refused an enter, from the *from-th on, which is raised to the oldest that is
 * kept.  Returns how many of `ret` were filled.  One that is overwritten meanwhile is another that was refused. */
uint32_t segment_partials(const struct segment_reader *reader, uint32_t lane, uint32_t *from,
                          uint64_t ret[SHM_PARTIALS]);
uint64_t segment_refused_threads(const struct segment_reader *reader);
enum shm_counting segment_counting(const struct segment_reader *reader);
/* Says that the lane's books are closed up to `occupancy`. */
void segment_set_retired(struct segment_reader *reader, uint32_t lane, uint32_t occupancy);
/* Says where the lane's books stand. */
void segment_set_booked(struct segment_reader *reader, uint32_t lane, const uint64_t booked[SHM_COUNTERS]);
void segment_attend(struct segment_reader *reader, uint32_t lane, uint32_t bits);
/* Asks the lane's thread for timestamps, or no longer; all that are to come. */
void segment_ask_timing(struct segment_reader *reader, uint32_t lane, bool on);
void segment_ask_timing_of_all(struct segment_reader *reader, bool on);
/* The number of filters is kept for a successor.  A client that changes it has only itself killed. */
void segment_set_filters(struct segment_reader *reader, uint32_t filters);
uint32_t segment_filters(const struct segment_reader *reader);
/* An exec that the client has left in the segment, and its count: false if that is `count`, or it is being written. */
bool segment_exec(const struct segment_reader *reader, uint32_t count, struct shm_exec *ret);
void segment_tell_look(struct segment_reader *reader, bool seen);
/* Children that the process made by fork(3). */
uint64_t segment_forks(const struct segment_reader *reader);
uint64_t segment_instance_floor(const struct segment_reader *reader);
/* The futex word that the client's doorbell moves. */
const uint32_t *segment_bell(const struct segment_reader *reader);
