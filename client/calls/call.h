/* SPDX-License-Identifier: MIT */
/*
 * What the short calls in cycles.c and spans.c share: their beginning and end, the thread's position in its ring, and
 * the room for records.
 *
 * A call is short if the thread has a lane of the present attachment (their epochs are equal), is not inside another
 * call (a signal handler may be), has no attention bit set, and its ring has room.  slow_path.h has the other cases.
 *
 * The public header checks two things before it calls spanalloc_do_X_(): the span is not the null span, and either the
 * process is attached or a search for a collector is due.  spanalloc_X() is for a caller that has
 * not made these checks: it makes them itself.
 *
 * A call has three functions.  spanalloc_do_X_() is the short one.  It ends with a tail call where it cannot be short, so
 * it needs no stack frame: to X_aside() if the thread has a lane, else to X_slow(), which finds a lane first.  Each of
 * the three completes the call.  tests/integration/instructions.sh counts the instructions of spanalloc_do_X_().
 */
#pragma once

#include "client/gate/gate.h"
#include "client/gate/root.h"
#include "client/lanes/jumped.h"
#include "client/lanes/record.h"

#define EXPORT __attribute__((visibility("default")))

/* ------------------------------------------------------------------------------------------ beginning and end -- */

/* Marks the thread as busy: after that nothing moves it to another lane, and its lane is valid.  False if the call
 * cannot be short: then sa_begin_slow() decides.  `epoch` is the gate's, read before. */
static sa_inline bool begin(struct sa_thread *self, uint32_t epoch) {
        if (sa_unlikely(sa_is_busy(self)))
                return false;
        sa_set_busy(self);
        /* A signal handler reads `busy` before any other store of this call.  A handler that ran before this, and
         * attached to a new collector, has changed the thread's epoch. */
        atomic_signal_fence(memory_order_seq_cst);
        if (sa_likely(self->epoch == epoch))
                return true;
        self->busy = 0;
        return false;
}

/* Like begin(), for a call that opens a span.  It is also false if a newer collector serves than the one that the
 * process is attached to: the slow path attaches to the newer one before it opens the span. */
static sa_inline bool begin_open(struct sa_thread *self) {
        if (sa_unlikely(!begin(self, sa_gate_epoch())))
                return false;
        if (sa_likely(!sa_is_stale()))
                return true;
        self->busy = 0;
        return false;
}

static sa_inline void end(struct sa_thread *self, struct shm_lane *lane) {
        atomic_signal_fence(memory_order_seq_cst);
        self->busy = 0;
        shm_tell_call_ends(lane);
}

/* After begin() or begin_open() was false: attaches and claims a lane where that is due.  NULL: this call has no
 * lane. */
struct shm_lane *sa_begin_slow(struct sa_thread *self, bool opens);

/* True if the process is not attached, and no search for a collector is due. */
static sa_inline bool is_alone(struct sa_thread *self) {
        if (sa_gate_epoch() || self->epoch != SA_NO_EPOCH || !sa_is_patient(self))
                return false;
        self->patience--;
        return true;
}

/* True if a call that opens a span, and could not be short, has anything to do.  The header lets some calls through
 * that have nothing to do: those of a forked child, until it has noticed the fork. */
bool sa_is_due(struct sa_thread *self);

/* ----------------------------------------------------------------------------------------------------- place -- */

/* A thread's position in its ring and on its stack.  Read once in a call, since the compiler reads an atomic each
 * time. */
struct place {
        uint64_t head;
        uint64_t depth;
};

static sa_inline struct place place_of(const struct shm_lane *lane) {
        return (struct place){atomic_load_explicit(&lane->head, memory_order_relaxed),
                              atomic_load_explicit(&lane->depth, memory_order_relaxed)};
}

/* True if the ring has room for `need` records and two reserved slots per stacked frame, judged by the last tail
 * that this thread read.  Assumes that no frame is refused: that sets SHM_ATTENTION_REFUSED, and the call is not
 * short. */
static sa_inline bool fits(const struct shm_lane *lane, struct place at, uint64_t need) {
        return sa_likely(at.head + need + 2 * at.depth <= lane->limit);
}

/* The top of the stack.  Below an empty stack lie bytes that are never written: a frame of no span, in no state. */
static sa_inline struct shm_frame *top_of(struct shm_lane *lane, struct place at) {
        return sa_frame_at(lane, at.depth) - 1;
}
_Static_assert(offsetof(struct shm_lane, stack) - sizeof(struct shm_frame) >=
                       offsetof(struct shm_lane, partial) + sizeof((struct shm_lane *)0)->partial,
               "there is a frame's room before the stack");
_Static_assert(offsetof(struct shm_lane, stack) - sizeof(struct shm_frame) == offsetof(struct shm_lane, reserved63),
               "nothing is written there");

/* The path of the innermost entered span; 0, no path, of an empty stack. */
static sa_inline uint32_t top_path(struct shm_lane *lane, struct place at) {
        return top_of(lane, at)->path;
}

/* The same after the exits that other threads have asked for were done. */
uint32_t sa_current_path(struct sa_thread *self, struct shm_lane *lane);
