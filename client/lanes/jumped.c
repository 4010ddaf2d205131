/* SPDX-License-Identifier: MIT */
/*
 * See jumped.h.
 *
 * Frames of a handler lie below those of the call that it interrupted, with the kernel's saved registers between the
 * two.  A call with a higher stack pointer was made after a jump.  A call further down may be either, and counts as
 * nested until a higher one is made.
 *
 * The call that was left has done a first part of its stores.  The collector can read the lane after any such part.
 * Here the stores are completed or undone, so that stack and records agree again.
 */
#include "client/lanes/jumped.h"

#include <signal.h>
#include <string.h>

#include "client/gate/root.h"
#include "client/lanes/cross_thread.h"
#include "client/lanes/lost.h"
#include "client/lanes/record.h"
#include "client/lanes/snapshot.h"
#include "client/segment/lease.h"

#define STACK_MAX (8 << 20) /* further apart: not the same stack */
/* The red zone, and the least that the kernel saves of the registers. */
#if defined(__x86_64__) || defined(__aarch64__)
#define SIGNAL_FRAME_MIN 1024
#else
#define SIGNAL_FRAME_MIN 0
#endif

/* True also if the system call for it is not allowed. */
static bool is_on_signal_stack(struct sa_thread *self) {
        stack_t stack = {.ss_flags = 0};
        long r;

        if (!sa_may_call(self))
                return true;
        r = sa_call(SYS_sigaltstack, 0, (long)&stack, 0, 0, 0, 0);
        sa_calls_end(self);
        return r < 0 || (stack.ss_flags & SS_ONSTACK);
}

/* ------------------------------------------------------------------------------------------------- the record -- */

/* The cycles of `instance` that the records in the ring have begun and not ended. */
static uint32_t count_published(const struct sa_thread *self, uint64_t head, uint64_t instance) {
        uint32_t n = 0;

        for (uint64_t at = head > self->mask ? head - self->mask : 0; at < head; at++) {
                const struct shm_record *record = ring_slot(self->ring, at, self->mask);

                if (record->kind == SHM_KIND_BASE)
                        n = 0;
                else if (record->instance != instance)
                        continue;
                else if (record->kind == SHM_KIND_ENTER || record->kind == SHM_KIND_RESYNC)
                        n++;
                else if (record->kind == SHM_KIND_EXIT && n)
                        n--;
        }
        return n;
}

static uint32_t count_stacked(const struct shm_lane *lane, uint32_t depth, uint64_t instance) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < depth; i++)
                n += atomic_load_explicit(&lane->stack[i].instance, memory_order_relaxed) == instance;
        return n;
}

/* Later than the call: what the thread has counted since may be in the books already. */
static void set_counters_now(struct shm_lane *lane, struct shm_record *record) {
        uint64_t at[SHM_COUNTERS];

        sa_counters_now(lane, at);
        memcpy(record->counters, at, sizeof at);
}

static bool is_of(const struct shm_frame *frame, const struct shm_record *record) {
        return atomic_load_explicit(&frame->instance, memory_order_relaxed) == record->instance &&
               frame->path == record->path && (frame->state & SHM_FRAME_STATE_MASK) == SHM_FRAME_ACCEPTED;
}

/* A record that is whole and not published: the frame of an ENTER is taken off again if it was pushed; an EXIT is
 * published if its frame was taken off.  Which was done is seen by the top; with cycles of one span upon another, by
 * the records before. */
static void settle_record(const struct sa_thread *self, struct shm_lane *lane) {
        uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);
        uint32_t depth = atomic_load_explicit(&lane->depth, memory_order_relaxed);
        struct shm_record *record = ring_slot(self->ring, head, self->mask);
        const struct shm_frame *top = depth ? &lane->stack[depth - 1] : NULL;

        if (record->sequence != head)
                return;
        if (record->kind == SHM_KIND_ENTER && top && is_of(top, record) &&
            !memcmp(top->counters, record->counters, sizeof top->counters) &&
            count_published(self, head, record->instance) < count_stacked(lane, depth, record->instance)) {
                atomic_store_explicit(&lane->depth, depth - 1, memory_order_release); /* [F1] */
        } else if (record->kind == SHM_KIND_EXIT && depth < SHM_DEPTH && is_of(&lane->stack[depth], record) &&
                   (!top || atomic_load_explicit(&top->instance, memory_order_relaxed) != record->instance ||
                    count_published(self, head, record->instance) > count_stacked(lane, depth, record->instance))) {
                set_counters_now(lane, record);
                ring_publish(lane, head + 1);
        }
}

/* --------------------------------------------------------------------------------------------- a frame's way out -- */

void sa_move_down(struct shm_lane *lane) {
        /* Within the stack also in a child that was forked in the middle, where the lane reads as zeros from then on. */
        for (uint32_t i = lane->moving - 1; i < lane->moving_depth && i < SHM_DEPTH - 1; i++) {
                struct shm_frame *to = &lane->stack[i], *from = &lane->stack[i + 1];

                shm_store(lane->moving, i + 1);
                atomic_signal_fence(memory_order_seq_cst);
                to->path = from->path;
                shm_store(to->state, from->state);
                memcpy(to->counters, from->counters, sizeof to->counters);
                /* [F1] release of the lower copy, pairs with the acquire in count_unmarked().  Publishes: the lower
                 * copy, before the upper one is overwritten.  Without it: a search from the top misses a frame that
                 * moves down. */
                atomic_store_explicit(&to->instance, atomic_load_explicit(&from->instance, memory_order_relaxed),
                                      memory_order_release);
                atomic_signal_fence(memory_order_seq_cst);
        }
        atomic_store_explicit(&lane->depth, lane->moving_depth, memory_order_release); /* [F1] */
        if (atomic_load_explicit(&lane->head, memory_order_relaxed) != lane->moving_head)
                ring_publish(lane, lane->moving_head);
        atomic_signal_fence(memory_order_seq_cst);
        shm_store(lane->moving, 0);
}

/* Completes what take_out() began.  False if it had not begun. */
static bool settle_moving(const struct sa_thread *self, struct shm_lane *lane) {
        uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);
        struct shm_record *record = ring_slot(self->ring, head, self->mask);

        if (!lane->moving)
                return false;
        if (head != lane->moving_head) {
                if (!self->ring || record->sequence != head) { /* no frame has moved before its record is whole */
                        shm_store(lane->moving, 0);
                        return true;
                }
                if (record->flags & SHM_FLAG_MIGRATED)
                        atomic_store_explicit(&lane->taken_until, head + 1, memory_order_release);
                set_counters_now(lane, record);
        }
        sa_move_down(lane);
        return true;
}

/* ------------------------------------------------------------------------------------------------------ the rest -- */

static void settle_refused(struct shm_lane *lane) {
        uint32_t depth = atomic_load_explicit(&lane->depth, memory_order_relaxed), n;

        if (lane->beyond_scopes > lane->beyond)
                lane->beyond_scopes = lane->beyond;
        n = lane->beyond;
        for (uint32_t i = 0; i < depth; i++)
                n += (lane->stack[i].state & SHM_FRAME_STATE_MASK) == SHM_FRAME_REFUSED;
        atomic_store_explicit(&lane->refused_frames, n, memory_order_release); /* [L3] */
        if (n || atomic_load_explicit(&lane->lost_stretches, memory_order_relaxed))
                atomic_fetch_or_explicit(&lane->attention, SHM_ATTENTION_REFUSED, memory_order_relaxed);
        sa_reach_top(lane);
}

/* Clears a whole record that stays unpublished, so that no later call takes it for its own.  In a full ring the slot
 * holds a record that the collector has not read yet. */
static void forget_record(const struct sa_thread *self, const struct shm_lane *lane) {
        uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);
        struct shm_record *record = ring_slot(self->ring, head, self->mask);

        if (record->sequence == head)
                record->sequence = UINT64_MAX;
}

static void settle(const struct sa_thread *self, struct shm_lane *lane) {
        /* A thread that has no ring yet has written no record. */
        if (!settle_moving(self, lane) && self->ring)
                settle_record(self, lane);
        if (self->ring)
                forget_record(self, lane);
        sa_lost_settle(lane);
        settle_refused(lane);
        sa_foreign_settle(lane);
}

__attribute__((noinline)) bool sa_is_nested(struct sa_thread *self) {
        uint32_t here = (uint32_t)(uintptr_t)__builtin_frame_address(0);
        int32_t above = (int32_t)(here - self->busy);

        if (!self->busy)
                return false;
        if (above < -SIGNAL_FRAME_MIN || above > STACK_MAX || is_on_signal_stack(self))
                return true;
        /* In a forked child the lane may still be its parent's. */
        if (self->lane && self->epoch != SA_NO_EPOCH)
                settle(self, self->lane);
        sa_calls_abandon(self);
        atomic_fetch_add_explicit(&sa_root.abandoned, 1, memory_order_relaxed);
        atomic_signal_fence(memory_order_seq_cst);
        self->busy = 0;
        return false;
}
