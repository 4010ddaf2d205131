/* SPDX-License-Identifier: MIT */
/* Moves a thread between segments, with its stack, its counts and its marks; see lane_move.h. */
#include "client/lanes/lane_move.h"

#include <errno.h>
#include <string.h>

#include "client/gate/root.h"
#include "client/lanes/cross_thread.h"
#include "client/lanes/first_records.h"
#include "client/lanes/instance.h"
#include "client/lanes/jumped.h"
#include "client/lanes/lane.h"
#include "client/lanes/lost.h"
#include "client/lanes/record.h"
#include "client/lanes/room.h"
#include "client/lanes/snapshot.h"
#include "client/segment/attachments.h"
#include "client/segment/fork.h"
#include "client/segment/lease.h"
#include "client/segment/left_behind.h"

static void resync_frames(struct sa_thread *self, const struct shm_lane *from, struct shm_lane *to, uint32_t depth,
                          uint64_t head, const uint64_t at[SHM_COUNTERS]) {
        for (uint32_t i = 0; i < depth; i++, head++) {
                const struct shm_frame *frame = &from->stack[i];
                uint64_t instance = atomic_load_explicit(&frame->instance, memory_order_relaxed);
                uint64_t entered[SHM_COUNTERS];
                uint16_t flags = (uint16_t)(frame->state >> SHM_FRAME_FLAGS_SHIFT) &
                                 (SHM_FLAG_SCOPE | SHM_FLAG_SHARED | SHM_FLAG_LATE);

                /* The moment of its ENTER in the new lane's terms; a frame that was refused is accepted now. */
                for (int c = 0; c < SHM_COUNTERS; c++)
                        entered[c] = (frame->state & SHM_FRAME_STATE_MASK) == SHM_FRAME_ACCEPTED
                                             ? frame->counters[c] - from->offset[c] + to->offset[c]
                                             : at[c];
                sa_put(self, head, instance, frame->path, SHM_KIND_RESYNC, flags, 0, entered);
                sa_push(to, i, instance, frame->path, SHM_FRAME_ACCEPTED | (frame->state & ~SHM_FRAME_STATE_MASK),
                        entered);
        }
        ring_publish(to, head);
}

static void resync_refused(const struct shm_lane *from, struct shm_lane *to, uint32_t depth,
                           const uint64_t at[SHM_COUNTERS]) {
        atomic_store_explicit(&to->refused_frames, depth, memory_order_relaxed);
        atomic_fetch_or_explicit(&to->attention, SHM_ATTENTION_REFUSED, memory_order_relaxed);
        atomic_thread_fence(
                memory_order_release); /* [L2] release fence, pairs with the acquire fence in segment_live_counters() */
        for (uint32_t i = 0; i < depth; i++) {
                const struct shm_frame *frame = &from->stack[i];

                sa_push(to, i, atomic_load_explicit(&frame->instance, memory_order_relaxed), frame->path,
                        SHM_FRAME_REFUSED | (frame->state & ~SHM_FRAME_STATE_MASK), at);
                shm_add(to->refused.enters, 1);
        }
}

/* Carries the stack of the lane in an old segment over to the lane in the new one. */
static void resync(struct sa_thread *self, struct shm_lane *from, struct shm_lane *to) {
        uint32_t depth = atomic_load_explicit(&from->depth, memory_order_relaxed);
        uint64_t head, at[SHM_COUNTERS];

        sa_counters_now(to, at);
        sa_lost_begin(to, at);
        head = atomic_load_explicit(&to->head, memory_order_relaxed);
        if (depth && self->ring && ring_has_room(to, head, 2 + 3 * (uint64_t)depth, self->mask + 1))
                resync_frames(self, from, to, depth, sa_put_base(self, to, sa_put_before(self, to, head), at), at);
        else if (depth) /* there is no ring, or the records of the lane's last thread still fill it */
                resync_refused(from, to, depth, at);
        sa_bound_short_calls(to);
        shm_store(to->beyond, from->beyond);
        to->beyond_scopes = from->beyond_scopes;
        if (to->beyond) {
                atomic_fetch_add_explicit(&to->refused_frames, to->beyond, memory_order_relaxed);
                atomic_fetch_or_explicit(&to->attention, SHM_ATTENTION_REFUSED, memory_order_relaxed);
        }
}

/* In a forked child the thread still has its parent's, for a call that the fork interrupted. */
static bool has_lane(const struct sa_thread *self) {
        return self->lane && self->epoch != SA_NO_EPOCH;
}

/* A signal handler must not run on a thread between two lanes; nor must a cancellation, which libc makes a signal,
 * end the thread there.  Where the process may make no system call, a handler runs, and its calls are nested ones. */
struct stay {
        uint64_t signals;
        bool may_call;
};

static struct stay stay_begin(struct sa_thread *self) {
        struct stay stay = {0};

        stay.may_call = sa_may_call_undisturbed(self, &stay.signals);
        if (!stay.may_call)
                sa_set_busy(self);
        atomic_signal_fence(memory_order_seq_cst);
        return stay;
}

static void stay_end(struct sa_thread *self, struct stay stay) {
        atomic_signal_fence(memory_order_seq_cst);
        if (stay.may_call)
                sa_calls_end_undisturbed(self, stay.signals);
        else
                self->busy = 0;
}

/* All that this thread has counted in its life, in the lane that it leaves and before it had one. */
static void lifetime_counters(const struct sa_thread *self, const uint64_t pending[SHM_COUNTERS],
                              uint64_t own[SHM_COUNTERS]) {
        const struct shm_lane *lane = has_lane(self) ? self->lane : NULL;

        if (atomic_load(&sa_root.snapshot)) {
                sa_own_counters(self, own);
                return;
        }
        for (int i = 0; i < SHM_COUNTERS; i++)
                own[i] = pending[i] +
                         (lane ? atomic_load_explicit(&lane->live[i], memory_order_relaxed) - lane->offset[i] : 0);
}

/* The part of `own` that no collector has booked: the old segment's collector has ended. */
static void unbooked(const struct shm_lane *old, const uint64_t own[SHM_COUNTERS], uint64_t ret_gap[SHM_COUNTERS]) {
        for (int i = 0; i < SHM_COUNTERS; i++) {
                /* Relaxed: a value from before the old collector's last settlement makes the gap larger; that
                 * collector's books are no longer read. */
                uint64_t booked = atomic_load_explicit(&old->booked[i], memory_order_relaxed);
                uint64_t known = booked > old->offset[i] ? booked - old->offset[i] : 0;

                if (known < old->own[i]) /* counts from before that lane stay in `before`, booked or not */
                        known = old->own[i];
                ret_gap[i] = own[i] > known ? own[i] - known : 0;
        }
}

/* The process is no longer attached: the thread counts in its own memory again. */
static void drop(struct sa_thread *self) {
        struct shm_lane *lane = has_lane(self) ? self->lane : NULL;

        if (lane) {
                lifetime_counters(self, self->pending, self->pending);
                sa_lane_leave(lane);
        }
        self->lane = NULL;
        self->epoch = SA_NO_EPOCH;
}

/* What the thread counted while it moved in: a handler of it, or the program's own function.  Atomic against a handler. */
static void take_pending(struct sa_thread *self, struct shm_lane *lane, const uint64_t taken[SHM_COUNTERS]) {
        for (int i = 0; i < SHM_COUNTERS; i++) {
                uint64_t more = __atomic_exchange_n(&self->pending[i], 0, __ATOMIC_RELAXED) - taken[i];

                if (more)
                        atomic_fetch_add_explicit(&lane->live[i], more, memory_order_relaxed);
        }
}

static struct shm_lane *move_in(struct sa_thread *self, struct sa_attachment *a, uint32_t epoch, bool may_call) {
        struct shm_lane *old = has_lane(self) ? self->lane : NULL, *lane;
        uint64_t own[SHM_COUNTERS], gap[SHM_COUNTERS] = {0}, taken[SHM_COUNTERS];

        shm_load_counters(taken, self->pending);
        lifetime_counters(self, taken, own);
        if (old)
                unbooked(old, own, gap);
        lane = sa_lane_claim(self, a, own, gap, may_call);
        if (!lane) {
                self->patience = SA_NO_LANE | 4096;
                return NULL;
        }
        self->patience = 0;
        if (old || taken[SHM_ALLOC_COUNT] || taken[SHM_DEALLOC_COUNT])
                sa_left_note(self, lane, old);
        if (old) {
                if (atomic_load_explicit(&old->depth, memory_order_relaxed)) /* its own */
                        self->ring = sa_ring_mapped(a, shm_span_lane(lane->next_instance));
                resync(self, old, lane);
                sa_foreign_move(old, lane);
                sa_lane_leave(old);
        }
        self->lane = lane;
        self->epoch = epoch;
        atomic_signal_fence(memory_order_seq_cst);
        take_pending(self, lane, taken);
        return lane;
}

struct shm_lane *sa_lane_slow(struct sa_thread *self) {
        struct sa_attachment *a;
        struct shm_lane *lane = NULL;
        uint32_t epoch;
        struct stay stay;
        int saved = errno;

        sa_notice_fork();
        /* [G1] acquire of `epoch`, pairs with the release in attach().  Publishes: the attachment. */
        epoch = atomic_load_explicit(&sa_gate.epoch, memory_order_acquire);
        if (self->epoch == epoch)
                return self->lane;
        if (sa_is_nested(self)) { /* a handler interrupted a call on that lane: the thread stays there */
                if (has_lane(self))
                        shm_add(self->lane->refused.nested, 1);
                return NULL;
        }
        if (!epoch) {
                if (self->epoch == SA_NO_EPOCH)
                        return NULL;
                stay = stay_begin(self);
                drop(self);
                stay_end(self, stay);
                errno = saved;
                return NULL;
        }
        if (self->patience > SA_NO_LANE) { /* no lane was free: search again after some calls */
                self->patience--;
                return NULL;
        }
        stay = stay_begin(self);
        a = sa_attachment_get(&epoch);
        if (a && self->epoch == epoch) /* a signal handler moved the thread before the signals were blocked */
                lane = self->lane;
        else if (a && epoch == sa_gate_epoch()) /* else it is being published: a lane there would not be valid yet */
                lane = move_in(self, a, epoch, stay.may_call);
        if (a)
                sa_attachment_put(a);
        stay_end(self, stay);
        errno = saved;
        return lane;
}
