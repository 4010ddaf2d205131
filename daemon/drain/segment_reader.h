/* SPDX-License-Identifier: MIT */
/*
 * The only code that reads a segment: one value at a time, once, checked, into memory of our own.
 *
 * A segment belongs to a stranger, who may change any byte at any moment, unmap nothing (it is sealed), and punch holes,
 * which read as zeros.  -EBADMSG from here means that what was read cannot have come from the library.
 */
#pragma once

#include "daemon/attribution/frames.h"
#include "daemon/books/quota.h"
#include "shm/layout.h"

struct reader {
        void *map;
        struct shm_geometry geometry; /* our own; never read back from the segment */
        uint32_t lanes;               /* claimed, as last read; never falls */
        uint32_t closes_posted;
        struct quota *quota; /* NULL: none */
        char fault[160];
};

int reader_init(struct reader *reader, int memfd, const struct shm_geometry *geometry);
void reader_deinit(struct reader *reader);

/* Reads anew how many lanes are claimed. */
int reader_lanes(struct reader *reader);
/* The head of a lane, checked against `position`, up to which it was drained. */
int reader_head(struct reader *reader, uint32_t lane, uint64_t position, uint64_t *ret_head);
bool reader_has_records(const struct reader *reader, uint32_t lane, uint64_t position);

/* A lane's ring, for as long as it is read in one go. */
struct reader_ring {
        const struct shm_record *records;
        uint32_t mask, lane;
};
struct reader_ring reader_ring(const struct reader *reader, uint32_t lane);

/* After a copy out of shared memory: the compiler must not go back and read it again. */
#define READER_COPIED() __asm__ volatile("" ::: "memory")

static inline bool reader_is_of_span(uint16_t kind) {
        const unsigned kinds = 1u << SHM_KIND_ENTER | 1u << SHM_KIND_OPEN | 1u << SHM_KIND_EXIT | 1u << SHM_KIND_CLOSE |
                               1u << SHM_KIND_RESYNC;

        return kind <= SHM_KIND_MAX && kinds >> kind & 1;
}

/* The number of the span that the record at `position` is of, where it may be one that the books follow by itself; else
 * anything.  Unchecked: for a hint. */
static inline uint64_t reader_span_ahead(struct reader_ring ring, uint64_t position) {
        const struct shm_record *record = &ring.records[position & ring.mask];

        return record->flags & SHM_FLAG_SCOPE ? 0 : record->instance;
}

int reader_fail_record(struct reader *reader, uint32_t lane, uint64_t position, const struct shm_record *record);
/* Copies the record at `position`. */
static inline int reader_record(struct reader *reader, struct reader_ring ring, uint64_t position,
                                struct shm_record *ret) {
        *ret = ring.records[position & ring.mask];
        READER_COPIED();
        if (__builtin_expect(ret->sequence != position || ret->kind == SHM_KIND_INVALID || ret->kind > SHM_KIND_MAX ||
                                     (ret->flags & ~SHM_FLAGS_ALL) || (!ret->instance && reader_is_of_span(ret->kind)),
                             0))
                return reader_fail_record(reader, ring.lane, position, ret);
        return 0;
}
/* Lets the producer have what is below `position` again. */
void reader_release(struct reader *reader, uint32_t lane, uint64_t position);

/* Makes sure that the books know `path` and the chain above it; returns it, or (other) where the segment does not say
 * what it is.  In a batch. */
uint32_t reader_learn_path(struct reader *reader, struct books *books, uint32_t path);
static inline uint32_t reader_path(struct reader *reader, struct books *books, uint32_t path) {
        if (__builtin_expect(path && path < books->limits.paths && books->tallies[path].name, 1))
                return path;
        return reader_learn_path(reader, books, path);
}
uint64_t reader_path_refused(const struct reader *reader, uint32_t path);

/* The close in a slot of the overflow list.  False when there is none. */
bool reader_close(const struct reader *reader, uint32_t slot, struct shm_close *ret);
/* Gives the slot back, once the close that was in it is committed. */
void reader_free_close(struct reader *reader, uint32_t slot);
/* Whether there are any since the last time. */
bool reader_has_closes(struct reader *reader);

struct reader_occupant {
        uint32_t occupancy; /* even; 0: nobody yet */
        uint32_t tid;
        bool alive;
        char comm[SHM_COMM_BYTES];
        uint64_t before[SHM_COUNTERS], gap[SHM_COUNTERS];
        uint64_t offset[SHM_COUNTERS]; /* what the lane's counters stood at when it came */
};
/* Who has the lane.  False while somebody moves in; *ret is then what there is of it. */
bool reader_occupant(const struct reader *reader, uint32_t lane, struct reader_occupant *ret);
/* A thread that had the lane before: false when it is too long ago, or somebody moves in.  Of *ret only comm, before and
 * offset are meaningful. */
bool reader_past(const struct reader *reader, uint32_t lane, uint32_t occupancy, struct reader_occupant *ret);
/* Whether everything that was read of the lane meanwhile is of this occupant. */
bool reader_is_still(const struct reader *reader, uint32_t lane, uint32_t occupancy);
bool reader_is_alive(const struct reader *reader, uint32_t lane);
/* Whether its last thread unlocked it and lives on without it.  A thread that ends is marked as dead instead. */
bool reader_was_left(const struct reader *reader, uint32_t lane);
/* A number that changes when any thread has written or counted something, come or gone. */
uint64_t reader_activity(const struct reader *reader);
uint32_t reader_tid(const struct reader *reader, uint32_t lane);

/* The thread's live counters, if at one moment the ring was drained to `position` and nothing lost was pending. */
bool reader_live(const struct reader *reader, uint32_t lane, uint64_t position, uint64_t ret[SHM_COUNTERS]);
/* The counters of a thread that is dead. */
void reader_last_counters(const struct reader *reader, uint32_t lane, uint64_t ret[SHM_COUNTERS]);
/* What it left behind, when the ring is drained to `position` and its counters are `live`. */
void reader_remains(const struct reader *reader, uint32_t lane, uint64_t position, const uint64_t live[SHM_COUNTERS],
                    struct frames_remains *ret);
void reader_refused(const struct reader *reader, uint32_t lane, struct shm_refused *add);
uint64_t reader_refused_threads(const struct reader *reader);
enum shm_counting reader_counting(const struct reader *reader);
/* Says that the lane's books are closed up to `occupancy`. */
void reader_retire(struct reader *reader, uint32_t lane, uint32_t occupancy);
/* Says where the lane's books stand. */
void reader_book(struct reader *reader, uint32_t lane, const uint64_t booked[SHM_COUNTERS]);
void reader_attend(struct reader *reader, uint32_t lane, uint32_t bits);
/* Asks the lane's thread for timestamps, or no longer; all that are to come. */
void reader_ask_timing(struct reader *reader, uint32_t lane, bool on);
void reader_ask_timing_of_all(struct reader *reader, bool on);
uint64_t reader_instance_floor(const struct reader *reader);
