/* SPDX-License-Identifier: MIT */
/*
 * Writing one record; shared by the short and the long calls.
 */
#pragma once

#include "client/gate/api.h"
#include "client/gate/quiet_process.h"
#include "client/gate/thread.h"
#include "shm/clock.h"
#include "shm/ring.h"

/* Relaxed: what a bit stands for is acquired where the bit is cleared ([F2]). */
static sa_inline uint32_t sa_attention(const struct shm_lane *lane) {
        return atomic_load_explicit(&lane->attention, memory_order_relaxed);
}

/* 0, no timestamp, where reading the clock may kill: strict mode forbids that instruction. */
static inline uint64_t sa_clock(void) {
        enum sa_quiet quiet = sa_quiet();

        return quiet == SA_QUIET_STRICT || quiet == SA_QUIET_SEEN ? 0 : shm_clock();
}

static inline uint64_t sa_timestamp(const struct shm_lane *lane) {
        return sa_attention(lane) & SHM_ATTENTION_TIMING ? sa_clock() : 0;
}

/* The flag that goes with it. */
static inline uint16_t sa_timed(uint64_t timestamp) {
        return timestamp ? SHM_FLAG_TIMED : 0;
}

static inline void sa_live(const struct shm_lane *lane, uint64_t ret[SHM_COUNTERS]) {
        /* Relaxed: this thread alone writes them. */
        for (int i = 0; i < SHM_COUNTERS; i++)
                ret[i] = atomic_load_explicit(&lane->live[i], memory_order_relaxed);
}

/* The same for the short calls, in two loads and two stores.  An access to a vector is not atomic; but only this
 * thread writes these counters, and the record is published later. */
typedef uint64_t sa_half __attribute__((vector_size(16), may_alias));
struct sa_now {
        sa_half count_and_bytes[2];
};
_Static_assert(sizeof(struct sa_now) == SHM_COUNTERS * sizeof(uint64_t), "");
_Static_assert(offsetof(struct shm_record, counters) % 16 == 0 && offsetof(struct shm_frame, counters) % 16 == 0, "");

static sa_inline struct sa_now sa_now(const struct shm_lane *lane) {
        const sa_half *live = (const sa_half *)(const void *)lane->live;

        return (struct sa_now){{live[0], live[1]}};
}

static sa_inline void sa_store_now(uint64_t counters[SHM_COUNTERS], struct sa_now now) {
        ((sa_half *)(void *)counters)[0] = now.count_and_bytes[0];
        ((sa_half *)(void *)counters)[1] = now.count_and_bytes[1];
}

/* Two neighbouring fields in one store. */
typedef uint64_t sa_two_words __attribute__((may_alias));
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "");

static sa_inline void sa_store_two(void *first, uint64_t value) {
        /* Relaxed: a frame's state is read by others; what orders it is `depth` or the owner's death. */
        __atomic_store_n((sa_two_words *)first, value, __ATOMIC_RELAXED);
}

/* A handle's second half: its path, and flags where a record and a frame have them. */
static sa_inline uint64_t sa_handle_half(spanalloc_span span) {
        return span.path | (uint64_t)span.reserved << 32;
}

/* The kind and flags beside the path, in a record and in a frame. */
static sa_inline uint64_t sa_kind_and_flags(uint16_t kind, uint16_t flags) {
        return (uint64_t)kind << 32 | (uint64_t)flags << 48;
}

/* The path of a record or frame, alone or as a handle's half with flags, and the kind and flags to add. */
struct sa_what {
        uint64_t half;
        uint64_t added; /* by sa_kind_and_flags() */
        bool is_path;
};

/* Both in one store.  Or in two where the second is a constant of several bits, which no instruction adds to a
 * register: that takes two less, and a register less. */
static sa_inline void sa_store_what(uint32_t *path, struct sa_what what) {
        if (what.is_path && __builtin_constant_p(what.added) && __builtin_popcountll(what.added) > 1) {
                __atomic_store_n(path, (uint32_t)what.half, __ATOMIC_RELAXED);
                __atomic_store_n(path + 1, (uint32_t)(what.added >> 32), __ATOMIC_RELAXED); /* as in sa_store_two() */
        } else {
                sa_store_two(path, what.half | what.added);
        }
}

/* A record's timestamp, or, where it has none, the stack pointer: by it the collector sees that a thread has changed its
 * stack.  One instruction, as a zero would be. */
static sa_inline void sa_store_timestamp(struct shm_record *record, uint64_t timestamp) {
        if (timestamp)
                record->timestamp = timestamp;
        else
#if defined(__x86_64__)
                __asm__("movq %%rsp, %0" : "=m"(record->timestamp));
#else
                record->timestamp = (uint64_t)(uintptr_t)__builtin_frame_address(0);
#endif
}

/* Last of all: a record with its sequence is whole, also in a call that was jumped out of (jumped.h). */
static sa_inline void sa_sign(struct shm_record *record, uint64_t head) {
        atomic_signal_fence(memory_order_release);
        record->sequence = head;
}

static sa_inline void sa_put_now(struct sa_thread *self, uint64_t head, uint64_t instance, struct sa_what what,
                                 uint64_t timestamp, struct sa_now now) {
        struct shm_record *record = ring_slot(self->ring, head, self->mask);

        record->instance = instance;
        sa_store_what(&record->path, what);
        sa_store_timestamp(record, timestamp);
        sa_store_now(record->counters, now);
        sa_sign(record, head);
}

/* Fills the slot at `head`; the caller has made sure that it is free, and publishes. */
static inline void sa_put(struct sa_thread *self, uint64_t head, uint64_t instance, uint32_t path, uint16_t kind,
                          uint16_t flags, uint64_t timestamp, const uint64_t counters[SHM_COUNTERS]) {
        struct shm_record *record = ring_slot(self->ring, head, self->mask);

        record->instance = instance;
        record->path = path;
        record->kind = kind;
        record->flags = flags;
        sa_store_timestamp(record, timestamp);
        for (int i = 0; i < SHM_COUNTERS; i++)
                record->counters[i] = counters[i];
        sa_sign(record, head);
}

/* The state of a frame with which these flags of an ENTER go. */
static inline uint32_t sa_frame_state(enum shm_frame_state state, uint16_t flags) {
        return (uint32_t)state | (uint32_t)(flags & (SHM_FLAG_SCOPE | SHM_FLAG_SHARED | SHM_FLAG_LATE))
                                         << SHM_FRAME_FLAGS_SHIFT;
}

/* The slots that are reserved for the frames on the stack: two for each that is not refused. */
static inline uint32_t sa_owed(const struct shm_lane *lane) {
        /* Relaxed, all of it: this thread's own. */
        uint32_t refused = atomic_load_explicit(&lane->refused_frames, memory_order_relaxed) - lane->beyond;

        return 2 * (atomic_load_explicit(&lane->depth, memory_order_relaxed) - refused);
}

/* Puts a frame on the shadow stack. */
static inline void sa_push(struct shm_lane *lane, uint32_t depth, uint64_t instance, uint32_t path, uint32_t state,
                           const uint64_t counters[SHM_COUNTERS]) {
        struct shm_frame *frame = &lane->stack[depth];

        frame->path = path;
        shm_store(frame->state, state);
        for (int i = 0; i < SHM_COUNTERS; i++)
                frame->counters[i] = counters[i];
        /* [F1] release of the instance, pairs with the acquire in count_unmarked().  Publishes: the lower copy of a
         * frame that was moved down from here before.  Without it: a search that read the old depth meets this one
         * in its place, and not the other below. */
        atomic_store_explicit(&frame->instance, instance, memory_order_release);
        /* [F1] release of `depth`, pairs with the acquire in count_unmarked().  Publishes: the frame's instance, and
         * what sa_move_down() moved.  Without it: another thread's exit does not find a frame that was entered before
         * it. */
        atomic_store_explicit(&lane->depth, depth + 1, memory_order_release);
}

/* &lane->stack[i], such that the compiler adds the offset where it reads or writes, and not to `i`. */
static sa_inline struct shm_frame *sa_frame_at(struct shm_lane *lane, uint64_t i) {
        char *base = (char *)lane + i * sizeof(struct shm_frame);

        __asm__("" : "+r"(base));
        return (struct shm_frame *)(void *)(base + offsetof(struct shm_lane, stack));
}

/* The stack grows or shrinks by a frame: a release of `depth`, which only its thread writes. */
static sa_inline void sa_add_depth(struct shm_lane *lane, int by) {
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
        __asm__ volatile("addl %1, %0" : "+m"(lane->depth) : "ir"(by) : "memory", "cc"); /* [F1] */
#else
        atomic_store_explicit(&lane->depth, atomic_load_explicit(&lane->depth, memory_order_relaxed) + (uint32_t)by,
                              memory_order_release); /* [F1] */
#endif
}

static sa_inline void sa_push_now(struct shm_lane *lane, uint64_t depth, uint64_t instance, struct sa_what what,
                                  struct sa_now now) {
        struct shm_frame *frame = sa_frame_at(lane, depth);

        sa_store_what(&frame->path, what);
        sa_store_now(frame->counters, now);
        atomic_store_explicit(&frame->instance, instance, memory_order_relaxed); /* as above */
        sa_add_depth(lane, 1);
}
