/* SPDX-License-Identifier: MIT */
/*
 * The segment: the memory that one client process and the collector share.
 *
 * What lives here: the structures, their offsets, and the arithmetic from a segment's geometry to the address of a
 * lane, a ring, a name or a path.  What does not: which side may access which word when (ring.h, docs/memory-model.md), and
 * how a segment is made, sealed, passed and checked (segment.h).  docs/shm-format.md is the same in prose; the
 * static asserts at the end hold the two together.
 *
 * A segment, in order of address:
 *
 *     header            one page: geometry (written before the client sees it), then the client's own words
 *     names             name_capacity  x 256 bytes, append only
 *     paths             path_capacity  x  16 bytes, append only; entry 0 is never used
 *     closes            close_capacity x  16 bytes, closes that found no room in a ring
 *     origins           reserved: size 0 today
 *     lanes             lane_capacity  x 8192 bytes: a control page and a shadow-stack page for each thread
 *     rings             one ring for each lane, in classes of falling size (struct shm_geometry)
 *
 * All of it is sparse: a page that was never written takes no memory.  The collector reads only what a client has
 * claimed, since a read of a hole would allocate it.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define SHM_MAGIC   UINT64_C(0x31434f4c41505301) /* "\1SPALOC1", little endian */
#define SHM_VERSION 1u

#define SHM_PAGE    4096u
#define SHM_LINE    64u

/* Limits of the format.  A collector may hand out less, never more. */
#define SHM_NAMES_MAX        65536u
#define SHM_PATHS_MAX        (1u << 20)
#define SHM_LANES_MAX        4096u
#define SHM_CLOSES_MAX       4096u
#define SHM_RING_RECORDS_MIN 256u       /* > 3 + 2 * SHM_DEPTH: a full stack still fits with its reservation */
#define SHM_RING_RECORDS_MAX (1u << 20) /* 64 MiB a lane */
#define SHM_DEPTH            64u        /* frames of a shadow stack */
#define SHM_PATH_DEPTH_MAX   64u        /* names on one path; beyond: (other) */

#define SHM_NAME_BYTES       160u /* with the terminating zero */
#define SHM_FILE_BYTES       84u
#define SHM_COMM_BYTES       16u

/* Ids that every table begins with. */
#define SHM_NAME_OTHER 1u /* "(other)" */
#define SHM_PATH_NONE  0u /* no span: the parent of a root */
#define SHM_PATH_OTHER 1u /* (other) at the root: where a full table sends everything */

/* ------------------------------------------------------------------------------------------------ counters -- */

/* The four counters of a thread, cumulative, in this order everywhere.  Bytes are bytes. */
enum shm_counter {
        SHM_ALLOC_COUNT,
        SHM_ALLOC_BYTES,
        SHM_DEALLOC_COUNT,
        SHM_DEALLOC_BYTES,
        SHM_COUNTERS,
};

/* --------------------------------------------------------------------------------------- plain fields, shared -- */

/* Some fields are plain, since their owner is one thread, and yet are read while that thread may write them: the
 * occupant's identity, counts of what was refused, what is lost.  Such fields are written and read by these: a word at
 * a time, relaxed.  A value may be out of date, and two values of two moments; no word is torn.  Where an order
 * matters, a label says so. */
#define shm_load(field)         __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define shm_store(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)
/* For the only thread that writes it: others' additions could be lost. */
#define shm_add(field, value) shm_store(field, (field) + (value))

static inline void shm_load_counters(uint64_t ret[SHM_COUNTERS], const uint64_t from[SHM_COUNTERS]) {
        for (int i = 0; i < SHM_COUNTERS; i++)
                ret[i] = shm_load(from[i]);
}

static inline void shm_store_counters(uint64_t to[SHM_COUNTERS], const uint64_t from[SHM_COUNTERS]) {
        for (int i = 0; i < SHM_COUNTERS; i++)
                shm_store(to[i], from[i]);
}

/* Text: the shared side begins at a multiple of 4, and `size` is one. */
typedef uint32_t shm_word __attribute__((may_alias));

static inline void shm_load_text(char *ret, const char *from, size_t size) {
        for (size_t i = 0; i < size; i += sizeof(shm_word)) {
                shm_word word = shm_load(*(const shm_word *)(const void *)(from + i));

                __builtin_memcpy(ret + i, &word, sizeof word);
        }
}

static inline void shm_store_text(char *to, const char *from, size_t size) {
        for (size_t i = 0; i < size; i += sizeof(shm_word)) {
                shm_word word;

                __builtin_memcpy(&word, from + i, sizeof word);
                shm_store(*(shm_word *)(void *)(to + i), word);
        }
}

/* ------------------------------------------------------------------------------------------------- records -- */

enum shm_kind {
        SHM_KIND_INVALID = 0,
        SHM_KIND_BASE = 1,   /* a thread begins to write here; counters: its values now */
        SHM_KIND_ENTER = 2,  /* a frame is pushed */
        SHM_KIND_OPEN = 3,   /* counters are not meaningful: no interval ends here */
        SHM_KIND_EXIT = 4,   /* the frame of this instance is taken out */
        SHM_KIND_CLOSE = 5,  /* likewise */
        SHM_KIND_LOST = 6,   /* counters: the four deltas spent under refused frames since the last interval end */
        SHM_KIND_RESYNC = 7, /* a frame that was open before this segment; counters: its values at its enter */
        SHM_KIND_BEFORE = 8, /* stands before BASE; counters: all that this lane's threads counted before
                                they had it, cumulative */
        SHM_KIND_MAX = SHM_KIND_BEFORE,
};

enum shm_flag {
        SHM_FLAG_SCOPE = 1 << 0,    /* ENTER: opens too.  EXIT: closes too */
        SHM_FLAG_MIGRATED = 1 << 1, /* EXIT: another thread called exit; this thread's next call writes it */
        SHM_FLAG_UNWOUND = 1 << 2,  /* EXIT: left by a jump over it */
        SHM_FLAG_SHARED = 1 << 3,   /* EXIT of a scope: its handle was read, so others may have entered it too.
                                       ENTER: through such a handle; with SCOPE: a scope that was saved with its
                                       stack, and is entered again */
        SHM_FLAG_TIMED = 1 << 4,    /* timestamp is a time */
        SHM_FLAG_LATE = 1 << 5,     /* ENTER, CLOSE: the span's opening found no room */
        SHM_FLAGS_ALL = (1 << 6) - 1,
};

/*
 * One record, one cache line.
 *
 *     offset size
 *      0      8   sequence    the record's position in its ring, counted from 0 and never reset
 *      8      8   instance    of the span; LOST: number of stretches; BASE: occupancy of the lane
 *     16      4   path        id of the span's path
 *     20      2   kind        enum shm_kind
 *     22      2   flags       enum shm_flag
 *     24      8   timestamp   CPU timestamp counter; without TIMED, of ENTER and EXIT, the stack pointer
 *     32     32   counters    the thread's four, cumulative (LOST: deltas)
 */
struct shm_record {
        uint64_t sequence;
        uint64_t instance;
        uint32_t path;
        uint16_t kind;
        uint16_t flags;
        uint64_t timestamp;
        uint64_t counters[SHM_COUNTERS];
};

/* ---------------------------------------------------------------------------------------------------- lane -- */

enum shm_frame_state {
        SHM_FRAME_FREE = 0,
        SHM_FRAME_ACCEPTED = 1, /* its ENTER is in the ring; it owns two slots */
        SHM_FRAME_REFUSED = 2,  /* no ENTER: what runs while it is on top is lost */
};

/* Bits beside the state, in shm_frame.state. */
#define SHM_FRAME_STATE_MASK 0xffu
#define SHM_FRAME_SCOPE      0x10000u /* a scope: unwound when a frame below it exits */
#define SHM_FRAME_SHARED     0x20000u /* its handle was read through spanalloc_current() */
#define SHM_FRAME_BY_HANDLE  0x80000u /* entered through a scope's handle: its ENTER's SHARED */
/* SCOPE and BY_HANDLE: a scope that spanalloc_stack_switch() has entered again. */
/* The flags of its ENTER, refused or not, at this shift: SHM_FLAG_SCOPE (as above), SHM_FLAG_SHARED, SHM_FLAG_LATE. */
#define SHM_FRAME_FLAGS_SHIFT 16 /* a record has its flags there, beside its kind */

/* A frame of the shadow stack.  Written by the lane's thread only; read by the collector when the thread is dead
 * and by a thread that exits a span which it did not enter. */
struct shm_frame {
        _Atomic uint64_t instance;
        uint32_t path;
        uint32_t state;
        uint64_t counters[SHM_COUNTERS]; /* at its enter */
        uint64_t reserved[2];
};

/* Bits of shm_lane.attention.  Any of them sends the thread's next call to the slow path. */
enum shm_attention {
        SHM_ATTENTION_FOREIGN = 1 << 0,  /* a mark is set: another thread exited a span of this stack */
        SHM_ATTENTION_REFUSED = 1 << 1,  /* a refused frame is on the stack, or lost deltas are waiting to be written */
        SHM_ATTENTION_TIMING = 1 << 2,   /* the collector asks for timestamps */
        SHM_ATTENTION_DOORBELL = 1 << 3, /* the collector sleeps deeply: ring at the next record */
        SHM_ATTENTION_SNAPSHOT = 1 << 4, /* counters come from the program's own function */
        SHM_ATTENTION_WAIT = 1 << 5,     /* on a full ring, wait */
        SHM_ATTENTION_LEFT = 1 << 6,     /* the thread may have counted in its former segment since it moved here */
};

/* Counts of what a lane could not record, each raised once, where the refusal was decided.  Written by the lane's
 * thread only. */
struct shm_refused {
        uint64_t enters;       /* ring full */
        uint64_t enters_depth; /* more than SHM_DEPTH frames */
        uint64_t opens;        /* ring full: the span stays unknown until it is entered */
        uint64_t closes;       /* ring and overflow list full */
        uint64_t exits;        /* no such frame, on any lane */
        uint64_t nested;       /* calls from a signal handler that interrupted a call */
        uint64_t waits;        /* times that this thread waited for room */
        uint64_t doorbells;    /* times that it woke the collector */
};

#define SHM_PAST     16u
#define SHM_PARTIALS 64u

/* A thread as it moved into a lane. */
struct shm_past {
        uint32_t occupancy; /* the even value of its stay */
        uint32_t reserved0;
        char comm[SHM_COMM_BYTES];
        uint64_t offset[SHM_COUNTERS]; /* the lane's counters at that moment */
        uint64_t before[SHM_COUNTERS]; /* shm_lane.before, with its own */
        uint64_t gap[SHM_COUNTERS];    /* shm_lane.gap, likewise */
        uint64_t reserved1;
};
_Static_assert(sizeof(struct shm_past) == 2 * SHM_LINE, "");

/*
 * A lane's control page.  Words of one writer and one frequency share a line (64 bytes), so that stores do not evict
 * another writer's line.
 *
 *     line 0      owner      the robust mutex; its first word is the kernel's futex word
 *     line 1      identity   written at a claim, between two increments of `occupancy`
 *     line 2      before
 *     line 3      producer   the thread's, and `attention`
 *     line 4      live       the thread's counters, incremented in place by the counting allocator
 *     line 5      waiting    deltas that wait to be written as LOST, and an exit that is being written
 *     line 6      refused
 *     line 7      offset     this lane's counters when the thread claimed it
 *     line 8      collector  the collector's
 *     line 9-10   lost       the deltas, twice: one is written while the other counts
 *     line 16-23  marks      of threads that exit a frame of this stack
 *     line 24-55  past       the lane's last occupants
 *     line 15, 56-62  partial  spans of which an enter was refused
 */
struct shm_lane {
        /* line 0 */
        union {
                pthread_mutex_t owner;
                uint8_t owner_pad[SHM_LINE];
        };

        /* line 1 */
        _Atomic uint32_t occupancy; /* odd while a thread moves in; +2 for each thread that had this lane */
        uint32_t tid;               /* in the client's pid namespace */
        uint32_t ring_records;      /* a power of two, at most the geometry's for this lane */
        uint32_t ring_used;         /* 1 once this occupant wrote a record */
        char comm[SHM_COMM_BYTES];  /* at the claim */
        uint8_t identity_pad[SHM_LINE - 32];

        /* line 2: what the occupants had counted before they moved in, cumulative over all of them */
        uint64_t before[SHM_COUNTERS];
        uint64_t gap[SHM_COUNTERS]; /* the part of it that no earlier collector had booked */

        /* line 3 */
        _Atomic uint64_t head; /* records written, ever */
        uint64_t limit;        /* head may grow to here: the last `tail` seen, plus ring_records */
        uint32_t reserved3;
        _Atomic uint32_t depth; /* frames on the shadow stack */
        _Atomic uint32_t attention;
        uint32_t reserved3b;
        uint64_t next_instance;          /* the next span number (shm/span.h) */
        uint64_t doorbell_at;            /* the head at which to check for a sleeping collector */
        uint32_t beyond;                 /* entered frames deeper than the shadow stack */
        uint32_t beyond_scopes;          /* the number of scopes among them */
        _Atomic uint32_t refused_frames; /* REFUSED frames on the stack, and `beyond` */
        uint32_t impatient;              /* 1: waiting for room failed, refuse until there is room */

        /* line 4 */
        _Atomic uint64_t live[SHM_COUNTERS];
        uint64_t reserved4[4];

        /* line 5 */
        _Atomic uint64_t lost_stretches; /* how many stretches under a refused frame wait; 0: nothing waits */
        _Atomic uint64_t lost_until;     /* while a LOST is written: the position after it.  Once `head` is there, what
                                        `lost` holds has been said */
        uint64_t bell_tail;              /* `tail` + 1 when the bell was rung last */
        _Atomic uint32_t lost_turn;      /* which of `lost` counts: the thread writes the other one whole, then turns */
        _Atomic uint32_t partial_count;  /* how many were written to `partial`, ever */
        _Atomic uint64_t taken;          /* the instance of a mark that was cleared, until its EXIT is written */
        _Atomic uint64_t taken_until;    /* the position after that EXIT, which is published once `head` is there */
        uint64_t moving_head;            /* while a frame is taken out: `head` and `depth` after that */
        uint32_t moving_depth;
        uint32_t moving; /* 1 + the frame that is overwritten next; 0: no frame is being taken out */

        /* line 6 */
        struct shm_refused refused;

        /* line 7 */
        uint64_t offset[SHM_COUNTERS]; /* live - offset: what this occupant has counted in its own life */
        uint64_t own[SHM_COUNTERS];    /* what it had counted when it came */

        /* line 8 */
        _Atomic uint64_t tail;    /* records drained, ever */
        _Atomic uint32_t retired; /* the occupancy up to which this lane is settled: it may be claimed again */
        uint32_t reserved8;
        _Atomic uint64_t booked[SHM_COUNTERS]; /* where the books of this lane stand, in its terms */
        uint64_t reserved8b[2];

        /* lines 9 and 10 */
        struct shm_lost {
                uint64_t waiting[SHM_COUNTERS]; /* deltas of the stretches that have ended */
                uint64_t since[SHM_COUNTERS];   /* where the one began that lasts, if a refused frame is the top */
        } lost[2];

        uint8_t reserved11[4 * SHM_LINE];

        uint64_t partial_last[8]; /* line 15: the last entries of `partial` */

        /* lines 16 to 23: mark[i] holds an instance for which another thread called exit.  That thread sets it from
         * 0; the lane's thread clears it.  The index only spreads the marks. */
        _Atomic uint64_t marks[SHM_DEPTH];

        /* lines 24 to 55: the last threads that moved in, entry occupancy / 2 % SHM_PAST.  Threads can come and go
         * faster than the collector reads a lane; by these it books their counters under their names. */
        struct shm_past past[SHM_PAST];

        /* lines 56 to 62: the last known spans of which an enter was refused, entry partial_count % SHM_PARTIALS; see
         * shm_partial() */
        uint64_t partial[SHM_PARTIALS - 8];

        /* The frame below an empty stack: a client reads it as one of no span.  Never written. */
        uint8_t reserved63[SHM_LINE];

        /* the second page */
        struct shm_frame stack[SHM_DEPTH];
};

/* Entry `n` % SHM_PARTIALS. */
static inline uint64_t *shm_partial(struct shm_lane *lane, uint32_t n) {
        n %= SHM_PARTIALS;
        return n < SHM_PARTIALS - 8 ? &lane->partial[n] : &lane->partial_last[n - (SHM_PARTIALS - 8)];
}

/* -------------------------------------------------------------------------------------------------- tables -- */

enum shm_name_state {
        SHM_NAME_EMPTY = 0,
        SHM_NAME_READY = 1,
        SHM_NAME_DUPLICATE = 2, /* lost a race: another entry has the same text */
};

struct shm_name {
        _Atomic uint32_t state; /* set last, by a release store */
        uint32_t line;          /* in file; 0: unknown */
        uint16_t name_length;   /* without the zero; at most SHM_NAME_BYTES - 1 */
        uint16_t file_length;
        char name[SHM_NAME_BYTES];
        char file[SHM_FILE_BYTES]; /* its end, where it is longer */
};

struct shm_path {
        _Atomic uint64_t key;     /* parent << 32 | name, both ids; 0: empty.  Set once */
        _Atomic uint64_t refused; /* enters and opens of this path that were refused */
};

/* A close that found no room in its ring.  instance: 0 empty, SHM_CLOSE_CLAIMED while it is being written. */
struct shm_close {
        _Atomic uint64_t instance;
        uint32_t path;
        uint32_t flags; /* SHM_FLAG_LATE, or 0 */
};
#define SHM_CLOSE_CLAIMED UINT64_MAX

/* -------------------------------------------------------------------------------------------------- header -- */

struct shm_geometry {
        uint64_t segment_size;
        uint32_t name_capacity;
        uint32_t path_capacity;
        uint32_t close_capacity;
        uint32_t lane_capacity;
        uint32_t ring_records; /* of the first `ring_lanes` lanes; the next as many as there are so far have half,
                                  and so on, down to SHM_RING_RECORDS_MIN: rings together grow with the logarithm
                                  of the number of threads until they are that small */
        uint32_t ring_lanes;
        uint64_t names_offset;
        uint64_t paths_offset;
        uint64_t closes_offset;
        uint64_t origins_offset;
        uint64_t lanes_offset;
        uint64_t rings_offset;
};

/* What counts this process's heap, or why nothing does. */
enum shm_counting {
        SHM_COUNTING_NONE = 0,     /* the library is there, nothing counts: preload libspanalloc-malloc */
        SHM_COUNTING_MALLOC = 1,   /* libspanalloc-malloc */
        SHM_COUNTING_SNAPSHOT = 2, /* the program's own function: no live part */
        SHM_COUNTING_BYPASSED = 3, /* libspanalloc-malloc is there, but another malloc stands before it: in the
                                  executable, or in a library loaded earlier */
};

/* Options that the collector gives, read by the client. */
enum shm_option {
        SHM_OPTION_EAGER = 1 << 0, /* children attach as soon as they are forked, and tell of every exec: `run` */
};

/* shm_header.sandbox. */
enum shm_sandbox {
        SHM_SANDBOX_NONE = 0, /* no thread of the process had more seccomp filters than `filters` */
        SHM_SANDBOX_SEEN = 1, /* one has, or is in strict mode: the client makes no system call any more */
};

struct shm_header {
        /* line 0 and 1: written by the collector before it passes the segment on */
        uint64_t magic;
        uint32_t version;
        uint32_t options; /* enum shm_option */
        uint64_t process; /* the collector's number for this process */
        struct shm_geometry geometry;
        uint8_t geometry_pad[2 * SHM_LINE - 24 - sizeof(struct shm_geometry)];

        /* line 2: written by the client */
        _Atomic uint32_t lanes_claimed; /* lanes [0, n) may have been used; never falls */
        _Atomic uint32_t counting;      /* enum shm_counting */
        _Atomic uint32_t closes_posted; /* counts what was put into `closes` */
        uint32_t reserved2;
        _Atomic uint64_t instance_floor; /* spans of blocks up to it (shm/span.h) were opened before this segment */
        uint64_t reserved2b[4];
        _Atomic uint64_t forks; /* children made by fork(3), and attempts that failed */

        /* line 3: the doorbell.  The client increments it and wakes it as a futex */
        _Atomic uint32_t bell;
        uint32_t reserved3[15];

        /* line 4: what the process could not record, outside any lane; atomic increments */
        _Atomic uint64_t refused_threads; /* more threads than lanes */
        _Atomic uint64_t other_names;     /* spans that went to (other): the table of names was full */
        _Atomic uint64_t other_paths;     /* spans that went to (other): no room for the path, or it is too deep */
        _Atomic uint64_t truncated_names;
        uint64_t reserved4[4];

        /* line 5: the collector's */
        _Atomic uint32_t attention; /* SHM_ATTENTION_TIMING: threads begin with it */
        _Atomic uint32_t sandbox;   /* SHM_SANDBOX_SEEN: once set, it stays */
        _Atomic uint32_t looks;     /* how often the collector has looked for a filter */
        uint32_t filters;           /* so many filters let the client's system calls pass, as its hello said */
        uint32_t reserved5[12];

        /* line 6 to 9: the last exec of a process that makes no system call, and so sends no hello of kind EXEC */
        struct shm_exec {
                _Atomic uint32_t count; /* odd while the rest is written */
                uint32_t flags;         /* enum shm_hello_flag */
                int32_t pid;            /* as in struct shm_hello */
                char path[4 * SHM_LINE - 12];
        } exec;

        uint8_t reserved10[SHM_PAGE - 10 * SHM_LINE];
};

/* -------------------------------------------------------------------------------------------------- beacon -- */

/*
 * The collector's own page, a file in its runtime directory, which every client maps read-only.  It outlives the
 * collector: the next one changes `generation`, and clients attach again.
 */
struct shm_beacon {
        uint64_t magic; /* SHM_BEACON_MAGIC */
        uint32_t version;
        _Atomic uint32_t generation; /* 0: no collector serves; else changes with each start */
        _Atomic uint32_t asleep;     /* the collector sleeps: ring the bell when so much waits */
        uint32_t reserved[11];
};
#define SHM_BEACON_MAGIC UINT64_C(0x314e434245415301)

/* ---------------------------------------------------------------------------------------------- arithmetic -- */

/* Records in the ring of lane `i`. */
static inline uint32_t shm_ring_records(const struct shm_geometry *g, uint32_t i) {
        uint32_t records = g->ring_records;

        for (uint64_t end = g->ring_lanes; i >= end && records > SHM_RING_RECORDS_MIN; end *= 2)
                records /= 2;
        return records < SHM_RING_RECORDS_MIN ? SHM_RING_RECORDS_MIN : records;
}

/* Offset in the segment of the ring of lane `i`; with i == lane_capacity, where the rings end. */
static inline uint64_t shm_ring_offset(const struct shm_geometry *g, uint32_t i) {
        uint64_t offset = g->rings_offset, begin = 0, end = g->ring_lanes;
        uint64_t records = g->ring_records;

        while (i >= end && records > SHM_RING_RECORDS_MIN) {
                offset += (end - begin) * records * sizeof(struct shm_record);
                begin = end;
                end *= 2;
                records /= 2;
        }
        return offset + (i - begin) * records * sizeof(struct shm_record);
}

static inline struct shm_lane *shm_lane_at(void *segment, const struct shm_geometry *g, uint32_t i) {
        return (struct shm_lane *)((char *)segment + g->lanes_offset) + i;
}

static inline struct shm_record *shm_ring_at(void *segment, const struct shm_geometry *g, uint32_t i) {
        return (struct shm_record *)((char *)segment + shm_ring_offset(g, i));
}

static inline struct shm_name *shm_names(void *segment, const struct shm_geometry *g) {
        return (struct shm_name *)((char *)segment + g->names_offset);
}

static inline struct shm_path *shm_paths(void *segment, const struct shm_geometry *g) {
        return (struct shm_path *)((char *)segment + g->paths_offset);
}

static inline struct shm_close *shm_closes(void *segment, const struct shm_geometry *g) {
        return (struct shm_close *)((char *)segment + g->closes_offset);
}

/* The kernel's futex word of a lane's robust mutex.  Read as plain memory: a collector never gives a client's
 * mutex to its own libc, which would believe the pointers in it. */
static inline uint32_t shm_owner_word(const struct shm_lane *lane) {
        /* Relaxed: the bit is only ever set by the kernel after the thread's last instruction; what that thread
         * wrote is read with an acquire of `head` afterwards ([O1]). */
        return atomic_load_explicit((const _Atomic uint32_t *)(const void *)lane->owner_pad, memory_order_relaxed);
}
#define SHM_OWNER_DIED 0x40000000u /* FUTEX_OWNER_DIED */
#define SHM_OWNER_TID  0x3fffffffu /* FUTEX_TID_MASK */

/* The thread sanitizer cannot see that the kernel marks a lane only after its thread's last instruction ([O1]).  For
 * it, each call ends with a release, and a reader of the mark makes an acquire.  Nothing in other builds. */
#if defined(__SANITIZE_THREAD__)
void __tsan_acquire(void *address);
void __tsan_release(void *address);
static inline void shm_tell_call_ends(struct shm_lane *lane) {
        __tsan_release(lane->owner_pad + SHM_LINE - 1);
}
static inline void shm_tell_owner_is_dead(const struct shm_lane *lane) {
        __tsan_acquire((void *)(uintptr_t)(lane->owner_pad + SHM_LINE - 1));
}
#else
static inline void shm_tell_call_ends(struct shm_lane *lane) {
        (void)lane;
}
static inline void shm_tell_owner_is_dead(const struct shm_lane *lane) {
        (void)lane;
}
#endif

/* ----------------------------------------------------------------------------------------- held to the docs -- */

_Static_assert(sizeof(struct shm_record) == 64, "one record, one line");
_Static_assert(offsetof(struct shm_record, instance) == 8, "");
_Static_assert(offsetof(struct shm_record, path) == 16, "");
_Static_assert(offsetof(struct shm_record, kind) == 20, "");
_Static_assert(offsetof(struct shm_record, timestamp) == 24, "");
_Static_assert(offsetof(struct shm_record, counters) == 32, "");
_Static_assert(sizeof(struct shm_frame) == 64, "");
_Static_assert(sizeof(pthread_mutex_t) <= SHM_LINE, "the mutex fits its line");
_Static_assert(offsetof(struct shm_lane, occupancy) == 1 * SHM_LINE, "");
_Static_assert(offsetof(struct shm_lane, before) == 2 * SHM_LINE, "");
_Static_assert(offsetof(struct shm_lane, head) == 3 * SHM_LINE, "");
_Static_assert(offsetof(struct shm_lane, live) == 4 * SHM_LINE, "");
_Static_assert(offsetof(struct shm_lane, lost_stretches) == 5 * SHM_LINE, "");
_Static_assert(offsetof(struct shm_lane, refused) == 6 * SHM_LINE, "");
_Static_assert(offsetof(struct shm_lane, offset) == 7 * SHM_LINE, "");
_Static_assert(offsetof(struct shm_lane, tail) == 8 * SHM_LINE, "");
_Static_assert(offsetof(struct shm_lane, lost) == 9 * SHM_LINE, "");
_Static_assert(sizeof(struct shm_lost) == SHM_LINE, "");
_Static_assert(offsetof(struct shm_lane, marks) == 16 * SHM_LINE, "");
_Static_assert(offsetof(struct shm_lane, past) == 24 * SHM_LINE, "");
_Static_assert(offsetof(struct shm_lane, stack) == SHM_PAGE, "");
_Static_assert(sizeof(struct shm_lane) == 2 * SHM_PAGE, "a control page and a stack page");
_Static_assert(sizeof(struct shm_name) == 256, "");
_Static_assert(sizeof(struct shm_path) == 16, "");
_Static_assert(sizeof(struct shm_close) == 16, "");
_Static_assert(offsetof(struct shm_header, geometry) == 24, "");
_Static_assert(offsetof(struct shm_header, lanes_claimed) == 2 * SHM_LINE, "");
_Static_assert(offsetof(struct shm_header, bell) == 3 * SHM_LINE, "");
_Static_assert(offsetof(struct shm_header, refused_threads) == 4 * SHM_LINE, "");
_Static_assert(offsetof(struct shm_header, attention) == 5 * SHM_LINE, "");
_Static_assert(offsetof(struct shm_header, sandbox) == 324, "");
_Static_assert(offsetof(struct shm_header, exec) == 6 * SHM_LINE, "");
_Static_assert(sizeof(struct shm_exec) == 4 * SHM_LINE, "");
_Static_assert(offsetof(struct shm_exec, flags) == 4, "");
_Static_assert(offsetof(struct shm_exec, pid) == 8, "");
_Static_assert(offsetof(struct shm_exec, path) == 12, "");
_Static_assert(offsetof(struct shm_header, looks) == 328, "");
_Static_assert(offsetof(struct shm_header, filters) == 332, "");
_Static_assert(sizeof(struct shm_header) == SHM_PAGE, "");
_Static_assert(sizeof(struct shm_beacon) == SHM_LINE, "");
_Static_assert(SHM_RING_RECORDS_MIN > 5 + 2 * SHM_DEPTH, "a full stack leaves room");
_Static_assert(sizeof(struct shm_geometry) == 80, "");
_Static_assert(offsetof(struct shm_record, sequence) == 0, "");
_Static_assert(offsetof(struct shm_record, flags) == 22, "");
_Static_assert(offsetof(struct shm_frame, path) == 8, "");
_Static_assert(offsetof(struct shm_frame, state) == 12, "");
_Static_assert(offsetof(struct shm_frame, counters) == 16, "");
_Static_assert(offsetof(struct shm_lane, tid) == 68, "");
_Static_assert(offsetof(struct shm_lane, ring_records) == 72, "");
_Static_assert(offsetof(struct shm_lane, ring_used) == 76, "");
_Static_assert(offsetof(struct shm_lane, comm) == 80, "");
_Static_assert(offsetof(struct shm_lane, limit) == 200, "");
_Static_assert(offsetof(struct shm_lane, depth) == 212, "");
_Static_assert(offsetof(struct shm_lane, attention) == 216, "");
_Static_assert(offsetof(struct shm_lane, next_instance) == 224, "");
_Static_assert(offsetof(struct shm_lane, doorbell_at) == 232, "");
_Static_assert(offsetof(struct shm_lane, beyond) == 240, "");
_Static_assert(offsetof(struct shm_lane, beyond_scopes) == 244, "");
_Static_assert(offsetof(struct shm_lane, refused_frames) == 248, "");
_Static_assert(offsetof(struct shm_lane, impatient) == 252, "");
_Static_assert(offsetof(struct shm_lane, lost_until) == 328, "");
_Static_assert(offsetof(struct shm_lane, bell_tail) == 336, "");
_Static_assert(offsetof(struct shm_lane, lost_turn) == 344, "");
_Static_assert(offsetof(struct shm_lane, partial_count) == 348, "");
_Static_assert(offsetof(struct shm_lane, partial) == 56 * SHM_LINE, "");
_Static_assert(offsetof(struct shm_lane, taken) == 352, "");
_Static_assert(offsetof(struct shm_lane, taken_until) == 360, "");
_Static_assert(offsetof(struct shm_lane, retired) == 520, "");
_Static_assert(offsetof(struct shm_lane, booked) == 528, "");
_Static_assert(offsetof(struct shm_lane, gap) == 160, "");
_Static_assert(offsetof(struct shm_lane, own) == 480, "");
_Static_assert(offsetof(struct shm_lost, since) == 32, "");
_Static_assert(offsetof(struct shm_refused, enters_depth) == 8, "");
_Static_assert(offsetof(struct shm_refused, opens) == 16, "");
_Static_assert(offsetof(struct shm_refused, closes) == 24, "");
_Static_assert(offsetof(struct shm_refused, exits) == 32, "");
_Static_assert(offsetof(struct shm_refused, nested) == 40, "");
_Static_assert(offsetof(struct shm_refused, waits) == 48, "");
_Static_assert(offsetof(struct shm_refused, doorbells) == 56, "");
_Static_assert(offsetof(struct shm_name, line) == 4, "");
_Static_assert(offsetof(struct shm_name, name_length) == 8, "");
_Static_assert(offsetof(struct shm_name, file_length) == 10, "");
_Static_assert(offsetof(struct shm_name, name) == 12, "");
_Static_assert(offsetof(struct shm_name, file) == 172, "");
_Static_assert(offsetof(struct shm_path, refused) == 8, "");
_Static_assert(offsetof(struct shm_close, path) == 8, "");
_Static_assert(offsetof(struct shm_close, flags) == 12, "");
_Static_assert(offsetof(struct shm_header, version) == 8, "");
_Static_assert(offsetof(struct shm_header, options) == 12, "");
_Static_assert(offsetof(struct shm_header, process) == 16, "");
_Static_assert(offsetof(struct shm_header, counting) == 132, "");
_Static_assert(offsetof(struct shm_header, closes_posted) == 136, "");
_Static_assert(offsetof(struct shm_header, instance_floor) == 144, "");
_Static_assert(offsetof(struct shm_header, forks) == 184, "");
_Static_assert(offsetof(struct shm_header, other_names) == 264, "");
_Static_assert(offsetof(struct shm_header, other_paths) == 272, "");
_Static_assert(offsetof(struct shm_header, truncated_names) == 280, "");
_Static_assert(offsetof(struct shm_geometry, name_capacity) == 8, "");
_Static_assert(offsetof(struct shm_geometry, path_capacity) == 12, "");
_Static_assert(offsetof(struct shm_geometry, close_capacity) == 16, "");
_Static_assert(offsetof(struct shm_geometry, lane_capacity) == 20, "");
_Static_assert(offsetof(struct shm_geometry, ring_records) == 24, "");
_Static_assert(offsetof(struct shm_geometry, ring_lanes) == 28, "");
_Static_assert(offsetof(struct shm_geometry, names_offset) == 32, "");
_Static_assert(offsetof(struct shm_geometry, paths_offset) == 40, "");
_Static_assert(offsetof(struct shm_geometry, closes_offset) == 48, "");
_Static_assert(offsetof(struct shm_geometry, origins_offset) == 56, "");
_Static_assert(offsetof(struct shm_geometry, lanes_offset) == 64, "");
_Static_assert(offsetof(struct shm_geometry, rings_offset) == 72, "");
_Static_assert(offsetof(struct shm_beacon, version) == 8, "");
_Static_assert(offsetof(struct shm_beacon, generation) == 12, "");
_Static_assert(offsetof(struct shm_beacon, asleep) == 16, "");
