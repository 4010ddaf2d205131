/* SPDX-License-Identifier: MIT */
/* See slow_path.h; room.h and lost.h have the rules that it keeps. */
#include "client/calls/slow_path.h"

#include <string.h>

#include "client/lanes/cross_thread.h"
#include "client/lanes/doorbell.h"
#include "client/lanes/first_records.h"
#include "client/lanes/jumped.h"
#include "client/lanes/lost.h"
#include "client/lanes/record.h"
#include "client/lanes/room.h"
#include "client/lanes/snapshot.h"
#include "client/segment/attachments.h"
#include "client/segment/left_behind.h"
#include "shm/span.h"

static void count_refused_path(uint32_t path) {
        uint32_t epoch;
        struct sa_attachment *a = sa_attachment_get(&epoch);
        struct shm_path *entry;

        if (!a)
                return;
        entry = path < a->geometry.path_capacity ? sa_path_at(a, path) : NULL;
        if (entry)
                atomic_fetch_add_explicit(&entry->refused, 1, memory_order_relaxed);
        sa_attachment_put(a);
}

/* The span is known to the books, and they will miss a cycle of it.  Of a span whose opening found no room they know that
 * anyway, by LATE; a scope that is not taken up again has one cycle. */
static void note_partial(struct shm_lane *lane, uint64_t instance, uint16_t flags) {
        uint32_t n = atomic_load_explicit(&lane->partial_count, memory_order_relaxed);

        if ((flags & SHM_FLAG_LATE) || (flags & (SHM_FLAG_SCOPE | SHM_FLAG_SHARED)) == SHM_FLAG_SCOPE)
                return;
        if (n && shm_load(*shm_partial(lane, n - 1)) == instance)
                return;
        shm_store(*shm_partial(lane, n), instance);
        /* [P1] release of `partial_count`, pairs with the acquire in segment_partials().  Publishes: the entry.  Without
         * it: an older span is taken for partial, and this one for whole. */
        atomic_store_explicit(&lane->partial_count, n + 1, memory_order_release);
}

static void refuse(struct shm_lane *lane, spanalloc_span span, uint16_t flags, const uint64_t at[SHM_COUNTERS]) {
        uint32_t depth = atomic_load_explicit(&lane->depth, memory_order_relaxed);
        bool scope = flags & SHM_FLAG_SCOPE, deep = lane->beyond || depth >= SHM_DEPTH;

        atomic_fetch_add_explicit(&lane->refused_frames, 1, memory_order_relaxed);
        atomic_fetch_or_explicit(&lane->attention, SHM_ATTENTION_REFUSED, memory_order_relaxed);
        /* [L2] release fence, pairs with the acquire fence in segment_live_counters().  Publishes: `refused_frames`, before
         * the live counters rise under the frame.  Without it: its allocations are booked to its parent. */
        atomic_thread_fence(memory_order_release);
        if (deep) {
                shm_add(lane->refused.enters_depth, 1);
                shm_add(lane->beyond, 1);
                lane->beyond_scopes += scope;
        } else {
                shm_add(lane->refused.enters, 1);
                sa_push(lane, depth, span.instance, span.path, sa_frame_state(SHM_FRAME_REFUSED, flags), at);
        }
        note_partial(lane, span.instance, flags);
        count_refused_path(span.path);
}

void sa_slow_enter(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t flags) {
        uint64_t head, at[SHM_COUNTERS];
        uint64_t timestamp;
        uint32_t depth, need;

        /* A scope's caller has attended before it read the parent's path.  If another exit were taken now, that
         * parent would no longer be the top. */
        if (!(flags & SHM_FLAG_SCOPE))
                sa_slow_attend(self, lane);
        sa_counters_now(lane, at);
        sa_leave_top(lane, at);
        head = atomic_load_explicit(&lane->head, memory_order_relaxed);
        depth = atomic_load_explicit(&lane->depth, memory_order_relaxed);
        need = 3 + (lane->ring_used ? 0 : 2) +
               (atomic_load_explicit(&lane->lost_stretches, memory_order_relaxed) ? 1 : 0);
        if (lane->beyond || depth >= SHM_DEPTH || !sa_has_room(self, lane, head, need)) {
                refuse(lane, span, flags, at);
                return;
        }
        if (!lane->ring_used)
                head = sa_put_before(self, lane, head);
        head = sa_flush_lost(self, lane, head);
        if (!lane->ring_used)
                head = sa_put_base(self, lane, head, at);
        timestamp = sa_timestamp(lane);
        sa_put(self, head, span.instance, span.path, SHM_KIND_ENTER, flags | sa_timed(timestamp), timestamp, at);
        sa_push(lane, depth, span.instance, span.path, sa_frame_state(SHM_FRAME_ACCEPTED, flags), at);
        ring_publish(lane, head + 1);
        sa_reach_top(lane);
        if (head + 1 >= lane->doorbell_at)
                sa_doorbell(self, lane);
}

/* Writes OPEN or CLOSE, without attending. */
static bool put_mark(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t kind) {
        static const uint64_t none[SHM_COUNTERS];
        uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);

        if (sa_has_room(self, lane, head, 1)) {
                sa_put(self, head, span.instance, span.path, kind, shm_handle_flags(span.reserved) & SHM_FLAG_LATE,
                       sa_timestamp(lane), none);
                ring_publish(lane, head + 1);
                if (head + 1 >= lane->doorbell_at)
                        sa_doorbell(self, lane);
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
        if (kind == SHM_KIND_CLOSE) /* the caller of an OPEN has attended: it has read the parent's path */
                sa_slow_attend(self, lane);
        return put_mark(self, lane, span, kind);
}

/* ------------------------------------------------------------------------------------------------- exits -- */

/* Notes what is about to be done, for sa_move_down(), which a later call may have to repeat (jumped.h). */
static void begin_moving(struct shm_lane *lane, uint32_t i, uint32_t depth, uint64_t head) {
        lane->moving_depth = depth;
        lane->moving_head = head;
        atomic_signal_fence(memory_order_release);
        lane->moving = i + 1;
        atomic_signal_fence(memory_order_release);
}

/* Takes frame `i` out of the stack, and writes its EXIT if its ENTER was written. */
static void take_out(struct sa_thread *self, struct shm_lane *lane, uint32_t i, uint16_t flags,
                     const uint64_t at[SHM_COUNTERS]) {
        uint32_t depth = atomic_load_explicit(&lane->depth, memory_order_relaxed), state = lane->stack[i].state;
        uint32_t path = lane->stack[i].path;
        uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);
        uint64_t instance = atomic_load_explicit(&lane->stack[i].instance, memory_order_relaxed);
        uint64_t timestamp;

        if ((state & SHM_FRAME_STATE_MASK) == SHM_FRAME_ACCEPTED) {
                head = sa_flush_lost(self, lane, head);
                if (state & SHM_FRAME_SHARED)
                        flags |= SHM_FLAG_SHARED;
                timestamp = sa_timestamp(lane);
                begin_moving(lane, i, depth - 1, head + 1);
                sa_put(self, head, instance, path, SHM_KIND_EXIT, flags | sa_timed(timestamp), timestamp, at);
                if (flags & SHM_FLAG_MIGRATED)
                        atomic_store_explicit(&lane->taken_until, head + 1, memory_order_release);
        } else if (flags & SHM_FLAG_MIGRATED) { /* no ENTER, so no EXIT */
                atomic_store_explicit(&lane->taken, 0, memory_order_release);
        }
        if ((state & SHM_FRAME_STATE_MASK) == SHM_FRAME_ACCEPTED) {
                sa_move_down(lane);
        } else {
                begin_moving(lane, i, depth - 1, head);
                sa_move_down(lane);
                /* [L3] release of `refused_frames`, pairs with the acquire in segment_live_counters().  Publishes:
                 * `lost_stretches`.  Without it: lost allocations are booked to the frame's parent. */
                atomic_fetch_sub_explicit(&lane->refused_frames, 1, memory_order_release);
                /* No record opened it, but other threads may have entered it by its handle. */
                if ((flags & SHM_FLAG_SCOPE) && (state & SHM_FRAME_SCOPE) && (state & SHM_FRAME_SHARED))
                        put_mark(self, lane, (spanalloc_span){instance, path, shm_handle_word(SHM_FLAG_LATE)},
                                 SHM_KIND_CLOSE);
        }
}

/* The topmost frame of `instance` that an exit with these flags ends, or -1.  For a scope's end: the scope's frame.
 * Else: a frame of spanalloc_enter(), and the scope's frame only if there is none. */
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

/* Ends the scopes above frame `i`, which a longjmp or an exception went over.  Frames of spanalloc_enter() stay. */
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

/* Ends a cycle of `instance` on this thread.  False if it has none. */
static bool exit_here(struct sa_thread *self, struct shm_lane *lane, uint64_t instance, uint16_t flags) {
        uint64_t at[SHM_COUNTERS];
        int i = find(lane, instance, flags);

        if (i < 0)
                return false;
        sa_counters_now(lane, at);
        sa_leave_top(lane, at);
        if (!(flags & SHM_FLAG_MIGRATED))
                unwind(self, lane, i, at);
        take_out(self, lane, (uint32_t)i, flags, at);
        sa_reach_top(lane);
        return true;
}

/* The same for a frame beyond SHM_DEPTH: only the number of these is known.  False if there is none. */
static bool exit_beyond(struct shm_lane *lane, bool scope) {
        uint64_t at[SHM_COUNTERS];

        if (scope ? !lane->beyond_scopes : lane->beyond == lane->beyond_scopes)
                return false;
        sa_counters_now(lane, at);
        sa_leave_top(lane, at);
        shm_add(lane->beyond, -1u);
        lane->beyond_scopes -= scope;
        atomic_fetch_sub_explicit(&lane->refused_frames, 1, memory_order_release); /* [L3] */
        sa_reach_top(lane);
        return true;
}

void sa_slow_exit(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t flags) {
        bool scope = flags & SHM_FLAG_SCOPE;

        sa_slow_attend(self, lane);
        /* A scope is more likely beyond the stack than on another thread; a frame of spanalloc_enter() is not. */
        if (!exit_here(self, lane, span.instance, flags) && !(scope && exit_beyond(lane, true))) {
                if (!sa_foreign_exit(lane, span.instance) && (scope || !exit_beyond(lane, false)))
                        shm_add(lane->refused.exits, 1);
                if (scope)
                        sa_slow_mark(self, lane, span, SHM_KIND_CLOSE);
        }
        if (atomic_load_explicit(&lane->head, memory_order_relaxed) >= lane->doorbell_at)
                sa_doorbell(self, lane);
}

/* ------------------------------------------------------------------------------------------------ coroutines -- */

/* The layout of a struct spanalloc_stack, whose fields are private. */
struct saved_stack {
        uint32_t count, beyond, beyond_scopes, reserved;
        struct {
                uint64_t instance;
                uint32_t path, flags; /* of the ENTER record with which the frame is entered again */
        } frames[SHM_DEPTH];
};
_Static_assert(sizeof(struct saved_stack) <= sizeof(struct spanalloc_stack), "");

/* The flags of a handle of the frame, as spanalloc_current() gives it; of a scope SCOPE and SHARED, too. */
static uint32_t saved_flags(uint32_t state) {
        uint32_t flags = state >> SHM_FRAME_FLAGS_SHIFT & (SHM_FLAG_SHARED | SHM_FLAG_LATE);

        if (!(state & SHM_FRAME_SCOPE))
                return flags;
        if (!(state & SHM_FRAME_BY_HANDLE) && (state & SHM_FRAME_STATE_MASK) == SHM_FRAME_REFUSED)
                flags |= SHM_FLAG_LATE; /* no record has opened it */
        return flags | SHM_FLAG_SCOPE | SHM_FLAG_SHARED;
}

void sa_slow_save(struct sa_thread *self, struct shm_lane *lane, struct spanalloc_stack *save) {
        struct saved_stack *saved = (struct saved_stack *)(void *)save;
        uint64_t at[SHM_COUNTERS];
        uint32_t depth;

        sa_slow_attend(self, lane);
        sa_counters_now(lane, at);
        sa_leave_top(lane, at);
        depth = atomic_load_explicit(&lane->depth, memory_order_relaxed);
        if (saved) {
                saved->count = depth;
                saved->beyond = lane->beyond;
                saved->beyond_scopes = lane->beyond_scopes;
        }
        atomic_fetch_sub_explicit(&lane->refused_frames, lane->beyond, memory_order_release); /* [L3] */
        shm_store(lane->beyond, 0);
        lane->beyond_scopes = 0;
        while (depth--) {
                struct shm_frame *top = &lane->stack[depth];

                if (saved) {
                        saved->frames[depth].instance = atomic_load_explicit(&top->instance, memory_order_relaxed);
                        saved->frames[depth].path = top->path;
                        saved->frames[depth].flags = saved_flags(top->state);
                }
                take_out(self, lane, depth, 0, at);
        }
        sa_reach_top(lane);
}

void sa_slow_take(struct sa_thread *self, struct shm_lane *lane, struct spanalloc_stack *take) {
        struct saved_stack *saved = (struct saved_stack *)(void *)take;
        uint64_t at[SHM_COUNTERS];

        for (uint32_t i = 0; i < saved->count && i < SHM_DEPTH; i++) {
                const spanalloc_span span = {saved->frames[i].instance, saved->frames[i].path, 0};
                struct shm_frame *top;

                sa_slow_enter(self, lane, span, (uint16_t)saved->frames[i].flags);
                top = &lane->stack[atomic_load_explicit(&lane->depth, memory_order_relaxed) - 1];
                if (saved->frames[i].flags & SHM_FLAG_SCOPE)
                        shm_store(top->state, top->state | SHM_FRAME_SHARED);
        }
        if (saved->beyond) {
                sa_counters_now(lane, at);
                sa_leave_top(lane, at);
                atomic_fetch_add_explicit(&lane->refused_frames, saved->beyond, memory_order_relaxed);
                atomic_fetch_or_explicit(&lane->attention, SHM_ATTENTION_REFUSED, memory_order_relaxed);
                atomic_thread_fence(memory_order_release); /* [L2] */
                shm_add(lane->beyond, saved->beyond);
                lane->beyond_scopes += saved->beyond_scopes;
        }
        saved->count = saved->beyond = saved->beyond_scopes = 0;
}

/* --------------------------------------------------------------------------------------------- attention -- */

void sa_slow_attend(struct sa_thread *self, struct shm_lane *lane) {
        uint32_t bits = sa_attention(lane);

        if (bits & SHM_ATTENTION_DOORBELL) {
                atomic_fetch_and_explicit(&lane->attention, ~(uint32_t)SHM_ATTENTION_DOORBELL, memory_order_relaxed);
                sa_ring_bell();
                shm_add(lane->refused.doorbells, 1);
        }
        if (bits & SHM_ATTENTION_LEFT)
                sa_left_settle(self, false);
        if (!(bits & SHM_ATTENTION_FOREIGN))
                return;
        /* [F2] acquire of `attention`, pairs with the release in mark().  Publishes: the marks.  Without it: the bit is
         * cleared, and a mark stays until the next one. */
        atomic_fetch_and_explicit(&lane->attention, ~(uint32_t)SHM_ATTENTION_FOREIGN, memory_order_acquire);
        for (unsigned i = 0; i < SHM_DEPTH; i++) {
                uint64_t instance = atomic_load_explicit(&lane->marks[i], memory_order_relaxed);

                if (!instance)
                        continue;
                /* Releases, for the compiler: after a death the exit is in the mark, in `taken`, or in both. */
                atomic_store_explicit(&lane->taken, instance, memory_order_release);
                /* [F3] Not a store: mark_on_its_way() may withdraw the mark, and the exit is then another thread's. */
                if (!atomic_compare_exchange_strong(&lane->marks[i], &instance, 0)) {
                        atomic_store_explicit(&lane->taken, 0, memory_order_release);
                        continue;
                }
                /* This thread may have ended the cycle itself meanwhile: then another thread's is meant. */
                if (!exit_here(self, lane, instance, SHM_FLAG_MIGRATED) && !sa_foreign_exit(lane, instance))
                        shm_add(lane->refused.exits, 1);
                atomic_store_explicit(&lane->taken, 0, memory_order_release);
                atomic_store_explicit(&lane->taken_until, 0, memory_order_release);
        }
}
