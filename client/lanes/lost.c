/* SPDX-License-Identifier: MIT */
/* Keeps lane->lost, one store for each change; see lost.h. */
#include "client/lanes/lost.h"

#include "client/lanes/record.h"

static bool top_is_refused(const struct shm_lane *lane) {
        uint32_t depth = atomic_load_explicit(&lane->depth, memory_order_relaxed);

        if (lane->beyond)
                return true;
        /* Where a fork interrupted a call, its child finds any depth. */
        return depth - 1 < SHM_DEPTH && (lane->stack[depth - 1].state & SHM_FRAME_STATE_MASK) == SHM_FRAME_REFUSED;
}

/* The half of lane->lost that is valid.  Relaxed: only this thread turns it. */
static struct shm_lost *lost_now(struct shm_lane *lane) {
        return &lane->lost[atomic_load_explicit(&lane->lost_turn, memory_order_relaxed) & 1];
}

/* The half that is written next. */
static struct shm_lost *lost_next(struct shm_lane *lane) {
        return &lane->lost[~atomic_load_explicit(&lane->lost_turn, memory_order_relaxed) & 1];
}

static void turn_lost(struct shm_lane *lane) {
        uint32_t turn = atomic_load_explicit(&lane->lost_turn, memory_order_relaxed);

        /* Release: after all of lost_next().  The collector reads both once the thread is dead ([O1]). */
        atomic_store_explicit(&lane->lost_turn, turn + 1, memory_order_release);
}

void sa_lost_begin(struct shm_lane *lane, const uint64_t at[SHM_COUNTERS]) {
        shm_store_counters(lost_now(lane)->since, at);
}

void sa_leave_top(struct shm_lane *lane, const uint64_t at[SHM_COUNTERS]) {
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

void sa_reach_top(struct shm_lane *lane) {
        if (!atomic_load_explicit(&lane->refused_frames, memory_order_relaxed) &&
            !atomic_load_explicit(&lane->lost_stretches, memory_order_relaxed))
                atomic_fetch_and_explicit(&lane->attention, ~(uint32_t)SHM_ATTENTION_REFUSED, memory_order_relaxed);
}

/* What waited was published.  A second time it changes nothing. */
static void forget_lost(struct shm_lane *lane) {
        static const uint64_t nothing[SHM_COUNTERS];
        struct shm_lost *now = lost_now(lane), *next = lost_next(lane);

        shm_store_counters(next->waiting, nothing);
        shm_store_counters(next->since, now->since);
        turn_lost(lane);
        atomic_store_explicit(&lane->lost_stretches, 0, memory_order_release);
        atomic_store_explicit(&lane->lost_until, 0, memory_order_release);
}

uint64_t sa_flush_lost(struct sa_thread *self, struct shm_lane *lane, uint64_t head) {
        uint64_t stretches = atomic_load_explicit(&lane->lost_stretches, memory_order_relaxed);

        if (!stretches)
                return head;
        sa_put(self, head, stretches, 0, SHM_KIND_LOST, 0, 0, lost_now(lane)->waiting);
        /* Release, here and below: for the compiler, so that a death finds them in this order. */
        atomic_store_explicit(&lane->lost_until, head + 1, memory_order_release);
        ring_publish(lane, head + 1);
        forget_lost(lane);
        return head + 1;
}

void sa_lost_settle(struct shm_lane *lane) {
        uint64_t until = atomic_load_explicit(&lane->lost_until, memory_order_relaxed);

        if (until && atomic_load_explicit(&lane->head, memory_order_relaxed) >= until)
                forget_lost(lane);
        else
                atomic_store_explicit(&lane->lost_until, 0, memory_order_release);
}
