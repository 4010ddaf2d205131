/* SPDX-License-Identifier: MIT */
/*
 * See slow.h.
 *
 * Room.  Every accepted frame owns two slots: for its EXIT, and for a LOST right before it.  What is owed is their sum, so an
 * exit needs no check.  ENTER asks for its own record, the two of its frame, and what must stand before it.
 *
 * Lost.  While a refused frame is the top of the stack, what the thread counts is put into lane->lost, from the moment
 * when it became the top to the moment when it no longer is.  It goes out as LOST right before the next record that ends
 * an interval.  The process may be killed between any two instructions, and then the collector reads on: so each change
 * of what is lost is one store.  `since` is set to now before a refused frame can become the top; `waiting` and `since`
 * change together, by a turn; and a LOST that was published is told by its position from what still waits.
 */
#include "client/slow.h"

#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "client/foreign.h"
#include "client/record.h"
#include "client/root_private.h"
#include "client/wait.h"

uint32_t sa_slow_attention(void) {
        uint32_t bits = 0;

        if (atomic_load(&sa_root.snapshot))
                bits |= SHM_ATTENTION_SNAPSHOT;
        if (sa_root.on_full == SPANALLOC_WAIT)
                bits |= SHM_ATTENTION_WAIT;
        return bits;
}

static uint32_t attention(const struct shm_lane *lane) {
        return atomic_load_explicit(&lane->attention, memory_order_relaxed);
}

static uint64_t timestamp(const struct shm_lane *lane) {
        return attention(lane) & SHM_ATTENTION_TIMING ? shm_clock() : 0;
}

/* The thread's counters now, in the lane's terms. */
static void now(struct shm_lane *lane, uint64_t ret[SHM_COUNTERS]) {
        spanalloc_snapshot_fn fn;
        struct spanalloc_counters own = {0, 0, 0, 0};

        if (!(attention(lane) & SHM_ATTENTION_SNAPSHOT)) {
                sa_live(lane, ret);
                return;
        }
        fn = atomic_load(&sa_root.snapshot);
        fn(&own);
        ret[SHM_ALLOC_COUNT] = lane->offset[SHM_ALLOC_COUNT] + own.alloc_count;
        ret[SHM_ALLOC_BYTES] = lane->offset[SHM_ALLOC_BYTES] + own.alloc_bytes;
        ret[SHM_DEALLOC_COUNT] = lane->offset[SHM_DEALLOC_COUNT] + own.dealloc_count;
        ret[SHM_DEALLOC_BYTES] = lane->offset[SHM_DEALLOC_BYTES] + own.dealloc_bytes;
        /* So that the lane's next thread, and the collector after a death, go on from here. */
        for (int i = 0; i < SHM_COUNTERS; i++)
                atomic_store_explicit(&lane->live[i], ret[i], memory_order_relaxed);
}

void sa_slow_own(const struct sa_thread *self, uint64_t ret_own[SHM_COUNTERS]) {
        spanalloc_snapshot_fn fn = atomic_load(&sa_root.snapshot);
        struct spanalloc_counters own = {0, 0, 0, 0};

        if (!fn) {
                memcpy(ret_own, self->pending, sizeof self->pending);
                return;
        }
        fn(&own);
        ret_own[SHM_ALLOC_COUNT] = own.alloc_count;
        ret_own[SHM_ALLOC_BYTES] = own.alloc_bytes;
        ret_own[SHM_DEALLOC_COUNT] = own.dealloc_count;
        ret_own[SHM_DEALLOC_BYTES] = own.dealloc_bytes;
}

/* --------------------------------------------------------------------------------------------------- lost -- */

static bool top_is_refused(const struct shm_lane *lane) {
        uint32_t depth = atomic_load_explicit(&lane->depth, memory_order_relaxed);

        if (lane->beyond)
                return true;
        return depth && (lane->stack[depth - 1].state & SHM_FRAME_STATE_MASK) == SHM_FRAME_REFUSED;
}

static struct shm_lost *lost_now(struct shm_lane *lane) {
        /* Relaxed: this thread alone turns it. */
        return &lane->lost[atomic_load_explicit(&lane->lost_turn, memory_order_relaxed) & 1];
}

/* The other one, to be written. */
static struct shm_lost *lost_next(struct shm_lane *lane) {
        return &lane->lost[~atomic_load_explicit(&lane->lost_turn, memory_order_relaxed) & 1];
}

static void turn_lost(struct shm_lane *lane) {
        uint32_t turn = atomic_load_explicit(&lane->lost_turn, memory_order_relaxed);

        /* Release: after all of lost_next().  The collector reads both once the thread is dead ([O1]). */
        atomic_store_explicit(&lane->lost_turn, turn + 1, memory_order_release);
}

/* The top of the stack is about to change: ends the stretch under a refused one, and lets the next begin here. */
static void leave_top(struct shm_lane *lane, const uint64_t at[SHM_COUNTERS]) {
        struct shm_lost *now = lost_now(lane), *next = lost_next(lane);
        uint64_t spent = 0;

        if (!top_is_refused(lane)) {
                shm_store_counters(now->since, at);
                return;
        }
        for (int i = 0; i < SHM_COUNTERS; i++) {
                uint64_t delta = at[i] > now->since[i] ? at[i] - now->since[i] : 0;

                shm_store(next->waiting[i], now->waiting[i] + delta);
                shm_store(next->since[i], now->since[i] + delta);
                spent |= delta;
        }
        if (!spent)
                return;
        atomic_fetch_add_explicit(&lane->lost_stretches, 1, memory_order_relaxed);
        turn_lost(lane);
}

/* … has changed. */
static void reach_top(struct shm_lane *lane) {
        if (!atomic_load_explicit(&lane->refused_frames, memory_order_relaxed) &&
            !atomic_load_explicit(&lane->lost_stretches, memory_order_relaxed))
                atomic_fetch_and_explicit(&lane->attention, ~(uint32_t)SHM_ATTENTION_REFUSED, memory_order_relaxed);
}

static uint64_t flush_lost(struct sa_thread *self, struct shm_lane *lane, uint64_t head) {
        static const uint64_t nothing[SHM_COUNTERS];
        uint64_t stretches = atomic_load_explicit(&lane->lost_stretches, memory_order_relaxed);
        struct shm_lost *now = lost_now(lane), *next = lost_next(lane);

        if (!stretches)
                return head;
        sa_put(self, head, stretches, 0, SHM_KIND_LOST, 0, 0, now->waiting);
        /* Release, here and below: for the compiler, so that a death finds them in this order. */
        atomic_store_explicit(&lane->lost_until, head + 1, memory_order_release);
        ring_publish(lane, head + 1);
        shm_store_counters(next->waiting, nothing);
        shm_store_counters(next->since, now->since);
        turn_lost(lane);
        atomic_store_explicit(&lane->lost_stretches, 0, memory_order_release);
        atomic_store_explicit(&lane->lost_until, 0, memory_order_release);
        return head + 1;
}

static void count_refused_path(uint32_t path) {
        uint32_t epoch;
        struct sa_attachment *a = sa_attachment_get(&epoch);

        if (!a)
                return;
        if (path < a->geometry.path_capacity)
                atomic_fetch_add_explicit(&shm_paths(a->map, &a->geometry)[path].refused, 1, memory_order_relaxed);
        sa_attachment_put(a);
}

static void refuse(struct shm_lane *lane, spanalloc_span span, uint16_t flags, const uint64_t at[SHM_COUNTERS]) {
        uint32_t depth = atomic_load_explicit(&lane->depth, memory_order_relaxed);
        bool scope = flags & SHM_FLAG_SCOPE, deep = lane->beyond || depth >= SHM_DEPTH;

        atomic_fetch_add_explicit(&lane->refused_frames, 1, memory_order_relaxed);
        atomic_fetch_or_explicit(&lane->attention, SHM_ATTENTION_REFUSED, memory_order_relaxed);
        /* [L2] release fence, pairs with the acquire fence in segment_live_counters().  Publishes: that a refused frame is there,
         * before the live counters move under it.  Without it: what it spends is booked to its parent. */
        atomic_thread_fence(memory_order_release);
        if (deep) {
                shm_add(lane->refused.enters_depth, 1);
                shm_add(lane->beyond, 1);
                lane->beyond_scopes += scope;
        } else {
                shm_add(lane->refused.enters, 1);
                sa_push(lane, depth, span.instance, span.path, sa_frame_state(SHM_FRAME_REFUSED, flags), at);
        }
        count_refused_path(span.path);
}

/* ------------------------------------------------------------------------------------------------ records -- */

/* The first records of this thread in this lane: BEFORE, where its predecessor's last interval ends; and BASE, which ends
 * its own first one.  What was lost in that is to be told between the two. */
static uint64_t put_before(struct sa_thread *self, struct shm_lane *lane, uint64_t head) {
        uint64_t occupancy = atomic_load_explicit(&lane->occupancy, memory_order_relaxed);

        sa_put(self, head, occupancy, 0, SHM_KIND_BEFORE, 0, 0, lane->before);
        ring_publish(lane, head + 1);
        return head + 1;
}

static uint64_t put_base(struct sa_thread *self, struct shm_lane *lane, uint64_t head,
                         const uint64_t at[SHM_COUNTERS]) {
        uint64_t occupancy = atomic_load_explicit(&lane->occupancy, memory_order_relaxed);

        sa_put(self, head, occupancy, 0, SHM_KIND_BASE, 0, timestamp(lane), at);
        ring_publish(lane, head + 1);
        lane->ring_used = 1;
        return head + 1;
}

/* How far the short calls may go by themselves: not before BASE is written, nor past where the bell is to be rung, for all
 * that is owed now. */
static void bound_short_calls(struct shm_lane *lane) {
        uint64_t bell = lane->doorbell_at + 2 + sa_owed(lane);

        if (!lane->ring_used)
                lane->limit = 0;
        else if (lane->limit > bell)
                lane->limit = bell;
}

static bool has_room(struct sa_thread *self, struct shm_lane *lane, uint64_t head, uint32_t need) {
        bool room;

        if (head >= lane->doorbell_at)
                sa_slow_doorbell(self, lane);
        room = ring_has_room(lane, head, need + sa_owed(lane), self->mask + 1);
        if (room) {
                lane->impatient = 0;
        } else {
                sa_slow_doorbell(self, lane);
                if (attention(lane) & SHM_ATTENTION_WAIT)
                        room = sa_wait_for_room(self, lane, head, need + sa_owed(lane));
        }
        bound_short_calls(lane);
        return room;
}

bool sa_slow_finds_room(struct sa_thread *self, struct shm_lane *lane, uint32_t need) {
        return lane->ring_used && has_room(self, lane, atomic_load_explicit(&lane->head, memory_order_relaxed), need);
}

void sa_slow_enter(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t flags) {
        uint64_t head, at[SHM_COUNTERS];
        uint32_t depth, need;

        /* A scope's call has attended before it looked for its parent.  Twice in one call would be two moments: the parent
         * is of the one, and what is booked from here on of the other. */
        if (!(flags & SHM_FLAG_SCOPE))
                sa_slow_attend(self, lane);
        now(lane, at);
        leave_top(lane, at);
        head = atomic_load_explicit(&lane->head, memory_order_relaxed);
        depth = atomic_load_explicit(&lane->depth, memory_order_relaxed);
        need = 3 + (lane->ring_used ? 0 : 2) +
               (atomic_load_explicit(&lane->lost_stretches, memory_order_relaxed) ? 1 : 0);
        if (lane->beyond || depth >= SHM_DEPTH || !has_room(self, lane, head, need)) {
                refuse(lane, span, flags, at);
                return;
        }
        if (!lane->ring_used)
                head = put_before(self, lane, head);
        head = flush_lost(self, lane, head);
        if (!lane->ring_used)
                head = put_base(self, lane, head, at);
        sa_put(self, head, span.instance, span.path, SHM_KIND_ENTER,
               flags | (attention(lane) & SHM_ATTENTION_TIMING ? SHM_FLAG_TIMED : 0), timestamp(lane), at);
        sa_push(lane, depth, span.instance, span.path, sa_frame_state(SHM_FRAME_ACCEPTED, flags), at);
        ring_publish(lane, head + 1);
        reach_top(lane);
        if (head + 1 >= lane->doorbell_at)
                sa_slow_doorbell(self, lane);
}

/* Without a look at what others ask for. */
static bool put_mark(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t kind) {
        static const uint64_t none[SHM_COUNTERS];
        uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);

        if (has_room(self, lane, head, 1)) {
                sa_put(self, head, span.instance, span.path, kind, shm_handle_flags(span.reserved) & SHM_FLAG_LATE,
                       timestamp(lane), none);
                ring_publish(lane, head + 1);
                if (head + 1 >= lane->doorbell_at)
                        sa_slow_doorbell(self, lane);
                return true;
        }
        if (kind == SHM_KIND_OPEN) {
                shm_add(lane->refused.opens, 1);
                count_refused_path(span.path);
        } else if (!sa_foreign_close(span)) {
                shm_add(lane->refused.closes, 1);
        }
        return false;
}

bool sa_slow_mark(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t kind) {
        if (kind == SHM_KIND_CLOSE) /* an opening has attended, as in sa_slow_enter() */
                sa_slow_attend(self, lane);
        return put_mark(self, lane, span, kind);
}

/* ------------------------------------------------------------------------------------------------- exits -- */

/* Takes frame `i` out of the stack, and writes its EXIT if its ENTER was written. */
static void take_out(struct sa_thread *self, struct shm_lane *lane, uint32_t i, uint16_t flags,
                     const uint64_t at[SHM_COUNTERS]) {
        uint32_t depth = atomic_load_explicit(&lane->depth, memory_order_relaxed), state = lane->stack[i].state;
        uint32_t path = lane->stack[i].path;
        uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);
        uint64_t instance = atomic_load_explicit(&lane->stack[i].instance, memory_order_relaxed);

        if ((state & SHM_FRAME_STATE_MASK) == SHM_FRAME_ACCEPTED) {
                head = flush_lost(self, lane, head);
                if (state & SHM_FRAME_SHARED)
                        flags |= SHM_FLAG_SHARED;
                if (attention(lane) & SHM_ATTENTION_TIMING)
                        flags |= SHM_FLAG_TIMED;
                sa_put(self, head, instance, path, SHM_KIND_EXIT, flags, timestamp(lane), at);
                if (flags & SHM_FLAG_MIGRATED)
                        atomic_store_explicit(&lane->taken_until, head + 1, memory_order_release);
        } else if (flags & SHM_FLAG_MIGRATED) { /* no cycle in the books, and none to be ended in its place */
                atomic_store_explicit(&lane->taken, 0, memory_order_release);
        }
        for (uint32_t j = i; j + 1 < depth; j++) {
                struct shm_frame *to = &lane->stack[j], *from = &lane->stack[j + 1];

                to->path = from->path;
                shm_store(to->state, from->state);
                memcpy(to->counters, from->counters, sizeof to->counters);
                /* [F1] release of the lower copy, too, pairs with the acquire in count_unmarked().  Publishes: it, before
                 * the upper one is overwritten.  Without it: a search from the top misses a frame that moves down. */
                atomic_store_explicit(&to->instance, atomic_load_explicit(&from->instance, memory_order_relaxed),
                                      memory_order_release);
        }
        atomic_store_explicit(&lane->depth, depth - 1, memory_order_release); /* [F1] */
        if ((state & SHM_FRAME_STATE_MASK) == SHM_FRAME_ACCEPTED) {
                ring_publish(lane, head + 1);
        } else {
                /* [L3] release of `refused_frames`, pairs with the acquire in segment_live_counters().  Publishes: that something
                 * lost is waiting to be written. */
                atomic_fetch_sub_explicit(&lane->refused_frames, 1, memory_order_release);
                /* Nothing told of its opening, but others who read its handle may have entered it. */
                if ((flags & SHM_FLAG_SCOPE) && (state & SHM_FRAME_SCOPE) && (state & SHM_FRAME_SHARED))
                        put_mark(self, lane, (spanalloc_span){instance, path, shm_handle_word(SHM_FLAG_LATE)},
                                 SHM_KIND_CLOSE);
        }
}

/* The topmost frame of `instance` that an exit with these flags ends, or -1: for a scope's end, the scope's; else one that
 * was entered by hand, and the scope's only where there is none. */
static int find(const struct shm_lane *lane, uint64_t instance, uint16_t flags) {
        int scope = -1;

        for (int i = (int)atomic_load_explicit(&lane->depth, memory_order_relaxed) - 1; i >= 0; i--) {
                if (atomic_load_explicit(&lane->stack[i].instance, memory_order_relaxed) != instance)
                        continue;
                if (!(flags & SHM_FLAG_SCOPE) == !(lane->stack[i].state & SHM_FRAME_SCOPE))
                        return i;
                if (lane->stack[i].state & SHM_FRAME_SCOPE)
                        scope = i;
        }
        return scope;
}

/* A jump went over the scopes above frame `i`: they end here.  Explicit frames stay. */
static void unwind(struct sa_thread *self, struct shm_lane *lane, int i, const uint64_t at[SHM_COUNTERS]) {
        if (lane->beyond) {
                shm_add(lane->beyond, -lane->beyond_scopes);
                atomic_fetch_sub_explicit(&lane->refused_frames, lane->beyond_scopes, memory_order_release); /* [L3] */
                lane->beyond_scopes = 0;
        }
        for (int j = (int)atomic_load_explicit(&lane->depth, memory_order_relaxed) - 1; j > i; j--)
                if (lane->stack[j].state & SHM_FRAME_SCOPE)
                        take_out(self, lane, (uint32_t)j, SHM_FLAG_SCOPE | SHM_FLAG_UNWOUND, at);
}

/* Ends a cycle of `instance` on this thread.  Whether there was one. */
static bool exit_here(struct sa_thread *self, struct shm_lane *lane, uint64_t instance, uint16_t flags) {
        uint64_t at[SHM_COUNTERS];
        int i = find(lane, instance, flags);

        if (i < 0)
                return false;
        now(lane, at);
        leave_top(lane, at);
        if (!(flags & SHM_FLAG_MIGRATED))
                unwind(self, lane, i, at);
        take_out(self, lane, (uint32_t)i, flags, at);
        reach_top(lane);
        return true;
}

/* The same for a frame that is too deep to be on the stack: which one it was is not known, only that there is one. */
static bool exit_beyond(struct shm_lane *lane, bool scope) {
        uint64_t at[SHM_COUNTERS];

        if (scope ? !lane->beyond_scopes : lane->beyond == lane->beyond_scopes)
                return false;
        now(lane, at);
        leave_top(lane, at);
        shm_add(lane->beyond, -1u);
        lane->beyond_scopes -= scope;
        atomic_fetch_sub_explicit(&lane->refused_frames, 1, memory_order_release); /* [L3] */
        reach_top(lane);
        return true;
}

void sa_slow_exit(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t flags) {
        bool scope = flags & SHM_FLAG_SCOPE;

        sa_slow_attend(self, lane);
        /* A scope seldom leaves its thread: it is more likely beyond the stack than on another one. */
        if (!exit_here(self, lane, span.instance, flags) && !(scope && exit_beyond(lane, true))) {
                if (!sa_foreign_exit(lane, span.instance) && (scope || !exit_beyond(lane, false)))
                        shm_add(lane->refused.exits, 1);
                if (scope)
                        sa_slow_mark(self, lane, span, SHM_KIND_CLOSE);
        }
        if (atomic_load_explicit(&lane->head, memory_order_relaxed) >= lane->doorbell_at)
                sa_slow_doorbell(self, lane);
}

/* --------------------------------------------------------------------------------------------- attention -- */

void sa_slow_attend(struct sa_thread *self, struct shm_lane *lane) {
        uint32_t bits = attention(lane);

        if (bits & SHM_ATTENTION_DOORBELL) {
                atomic_fetch_and_explicit(&lane->attention, ~(uint32_t)SHM_ATTENTION_DOORBELL, memory_order_relaxed);
                sa_ring_bell();
                shm_add(lane->refused.doorbells, 1);
        }
        if (!(bits & SHM_ATTENTION_FOREIGN))
                return;
        /* [F2] acquire of `attention`, pairs with the release in sa_foreign_exit().  Publishes: the marks. */
        atomic_fetch_and_explicit(&lane->attention, ~(uint32_t)SHM_ATTENTION_FOREIGN, memory_order_acquire);
        for (unsigned i = 0; i < SHM_DEPTH; i++) {
                uint64_t instance = atomic_load_explicit(&lane->marks[i], memory_order_relaxed);

                if (!instance)
                        continue;
                /* Release, here and below: for the compiler, so that a death finds the exit in the mark or here. */
                atomic_store_explicit(&lane->taken, instance, memory_order_release);
                /* Only this thread turns a mark to 0, and whoever sets it anew says so by [F2]. */
                atomic_store_explicit(&lane->marks[i], 0, memory_order_release);
                /* Where this thread has ended the cycle itself meanwhile, the exit is meant for another one. */
                if (!exit_here(self, lane, instance, SHM_FLAG_MIGRATED) && !sa_foreign_exit(lane, instance))
                        shm_add(lane->refused.exits, 1);
                atomic_store_explicit(&lane->taken, 0, memory_order_release);
                atomic_store_explicit(&lane->taken_until, 0, memory_order_release);
        }
}

void sa_slow_doorbell(struct sa_thread *self, struct shm_lane *lane) {
        const struct shm_beacon *beacon = atomic_load_explicit(&sa_gate.beacon, memory_order_relaxed);
        uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);
        uint64_t distance = sa_slow_doorbell_distance(self->mask + 1);
        /* Relaxed: only an estimate of how much is waiting. */
        uint64_t tail = atomic_load_explicit(&lane->tail, memory_order_relaxed);

        if (head - tail < distance) { /* the collector keeps up */
                lane->doorbell_at = tail + distance;
                return;
        }
        /* Sooner than it would be otherwise: one that is awake now may go to sleep without having met all of this. */
        lane->doorbell_at = head + (self->mask + 1) / 8;
        /* [W1] seq_cst fence, pairs with the one in the collector before it looks at the heads for the last time:
         * either it sees our head, or we see it asleep. */
        atomic_thread_fence(memory_order_seq_cst);
        /* Once for each sleep: until the tail has moved, it has not looked. */
        if (!atomic_load_explicit(&beacon->asleep, memory_order_relaxed) || lane->bell_tail == tail + 1)
                return;
        lane->bell_tail = tail + 1;
        sa_ring_bell();
        shm_add(lane->refused.doorbells, 1);
}

/* ------------------------------------------------------------------------------------------------ resync -- */

static void resync_frames(struct sa_thread *self, const struct shm_lane *from, struct shm_lane *to, uint32_t depth,
                          uint64_t head, const uint64_t at[SHM_COUNTERS]) {
        for (uint32_t i = 0; i < depth; i++, head++) {
                const struct shm_frame *frame = &from->stack[i];
                uint64_t instance = atomic_load_explicit(&frame->instance, memory_order_relaxed);
                uint64_t entered[SHM_COUNTERS];
                uint16_t flags = (uint16_t)(frame->state >> SHM_FRAME_FLAGS_SHIFT) &
                                 (SHM_FLAG_SCOPE | SHM_FLAG_SHARED | SHM_FLAG_LATE);

                /* The same moment in the new lane's terms; a frame that was refused is accepted now. */
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
        atomic_thread_fence(memory_order_release); /* [L2] */
        for (uint32_t i = 0; i < depth; i++) {
                const struct shm_frame *frame = &from->stack[i];

                sa_push(to, i, atomic_load_explicit(&frame->instance, memory_order_relaxed), frame->path,
                        SHM_FRAME_REFUSED | (frame->state & ~SHM_FRAME_STATE_MASK), at);
                shm_add(to->refused.enters, 1);
        }
}

void sa_slow_resync(struct sa_thread *self, struct shm_lane *from, struct shm_lane *to) {
        uint32_t depth = atomic_load_explicit(&from->depth, memory_order_relaxed);
        uint64_t head, at[SHM_COUNTERS];

        now(to, at);
        shm_store_counters(lost_now(to)->since, at);
        head = atomic_load_explicit(&to->head, memory_order_relaxed);
        if (!depth)
                ;
        else if (ring_has_room(to, head, 2 + 3 * (uint64_t)depth, self->mask + 1))
                resync_frames(self, from, to, depth, put_base(self, to, put_before(self, to, head), at), at);
        else /* what this lane's last thread wrote is still in the way */
                resync_refused(from, to, depth, at);
        bound_short_calls(to);
        shm_store(to->beyond, from->beyond);
        to->beyond_scopes = from->beyond_scopes;
        if (to->beyond) {
                atomic_fetch_add_explicit(&to->refused_frames, to->beyond, memory_order_relaxed);
                atomic_fetch_or_explicit(&to->attention, SHM_ATTENTION_REFUSED, memory_order_relaxed);
        }
}
