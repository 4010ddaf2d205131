/* SPDX-License-Identifier: MIT */
/*
 * See lane.h.
 *
 * A lane is claimed by the compare-and-swap of its occupancy from even to odd.  A lane that had an owner may be claimed
 * if that owner is dead, as the kernel reports, or has left it, and either its stack is empty or the collector has
 * booked what was on it.
 */
#include "client/lanes/lane.h"

#include <errno.h>
#include <pthread.h>
#include <sys/prctl.h>

#include "client/gate/quiet_process.h"
#include "client/gate/root.h"
#include "client/lanes/doorbell.h"
#include "client/lanes/instance.h"

/* Below this number a fresh lane is claimed rather than a crowded one: see is_crowded(). */
#define FRESH_LANES 64u

static bool is_vacant(const struct shm_lane *lane, uint32_t occupancy) {
        uint32_t word;

        if (!occupancy || (occupancy & 1))
                return false;
        word = shm_owner_word(lane);
        /* [O1] acquire fence, pairs with the kernel's mark of a death and with the unlock in sa_lane_leave().
         * Publishes: the last stores of the owner. */
        atomic_thread_fence(memory_order_acquire);
        if ((word & SHM_OWNER_TID) && !(word & SHM_OWNER_DIED))
                return false;
        shm_tell_owner_is_dead(lane);
        if (atomic_load_explicit(&lane->retired, memory_order_acquire) == occupancy)
                return true; /* [O2] acquire, pairs with the release in segment_set_retired(): the collector has read the stack */
        /* The kernel clears a dead owner's number and sets DIED.  Without DIED the owner moved to another lane, and
         * only `retired` says when the collector has read this one. */
        return (word & SHM_OWNER_DIED) && !atomic_load(&lane->depth) && !shm_load(lane->beyond) &&
               !atomic_load(&lane->lost_stretches);
}

/* True if the lane had more threads since the collector last read it than lane->past holds. */
static bool is_crowded(const struct shm_lane *lane, uint32_t occupancy) {
        return occupancy - atomic_load_explicit(&lane->retired, memory_order_relaxed) >= 2 * (SHM_PAST - 2);
        /* Relaxed: at worst a lane is passed over, or a thread is counted under another's name. */
}

static struct shm_lane *claim_used(struct sa_attachment *a, uint32_t *ret_index, bool crowded) {
        uint32_t n = atomic_load(&a->header->lanes_claimed);

        for (uint32_t i = 0; i < n && i < a->geometry.lane_capacity; i++) {
                struct shm_lane *lane = sa_lane_at(a, i);
                uint32_t occupancy = lane ? atomic_load(&lane->occupancy) : 0;

                if (is_vacant(lane, occupancy) && (crowded || !is_crowded(lane, occupancy)) &&
                    atomic_compare_exchange_strong(&lane->occupancy, &occupancy, occupancy + 1)) {
                        *ret_index = i;
                        return lane;
                }
        }
        return NULL;
}

static struct shm_lane *claim_fresh(struct sa_attachment *a, uint32_t *ret_index) {
        uint32_t i = atomic_load(&a->header->lanes_claimed);
        struct shm_lane *lane;

        do {
                lane = i < a->geometry.lane_capacity ? sa_lane_mapped(a, i) : NULL;
                if (!lane)
                        return NULL;
        } while (!atomic_compare_exchange_weak(&a->header->lanes_claimed, &i, i + 1));
        atomic_store(&lane->occupancy, 1);
        *ret_index = i;
        return lane;
}

static void lock_owner(struct shm_lane *lane) {
        pthread_mutexattr_t attr;

        if (atomic_load_explicit(&lane->occupancy, memory_order_relaxed) == 1) { /* Relaxed: stored by this thread. */
                pthread_mutexattr_init(&attr);
                pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
                pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
                pthread_mutex_init(&lane->owner, &attr);
        }
        /* It is free: its last owner is dead, or has unlocked it. */
        if (pthread_mutex_lock(&lane->owner) == EOWNERDEAD)
                pthread_mutex_consistent(&lane->owner);
}

/* Counts that the thread made before it claimed the lane go to `before`; counts that an earlier collector missed go
 * to `gap`; the lane's counters continue from their values.  `offset` must be complete before the first store to
 * `before`: if the process dies in between, the collector books up to `offset` for the last thread, and `before`
 * takes nothing from it.  The fences are for the compiler. */
static void begin_counters(struct shm_lane *lane, const uint64_t own[SHM_COUNTERS], const uint64_t gap[SHM_COUNTERS]) {
        for (int i = 0; i < SHM_COUNTERS; i++)
                shm_store(lane->offset[i], atomic_load_explicit(&lane->live[i], memory_order_relaxed));
        atomic_signal_fence(memory_order_seq_cst);
        for (int i = 0; i < SHM_COUNTERS; i++)
                shm_add(lane->before[i], own[i] - gap[i]);
        for (int i = 0; i < SHM_COUNTERS; i++) {
                shm_add(lane->gap[i], gap[i]);
                shm_store(lane->own[i], own[i]);
        }
        atomic_signal_fence(memory_order_seq_cst);
        for (int i = 0; i < SHM_COUNTERS; i++)
                atomic_store_explicit(&lane->live[i], lane->offset[i] + own[i], memory_order_relaxed);
}

/* Writes the thread into lane->past, for a collector that reads the lane after its end. */
static void sign_in(struct shm_lane *lane) {
        uint32_t occupancy = atomic_load_explicit(&lane->occupancy, memory_order_relaxed) + 1;
        struct shm_past *past = &lane->past[occupancy / 2 % SHM_PAST];

        shm_store(past->occupancy, occupancy);
        shm_store_text(past->comm, lane->comm, sizeof past->comm);
        shm_store_counters(past->offset, lane->offset);
        shm_store_counters(past->before, lane->before);
}

/* Relaxed: if this load misses the bit, the collector sets it in the lane at its next pass. */
static uint32_t first_attention(const struct sa_attachment *a) {
        uint32_t asked = atomic_load_explicit(&a->header->attention, memory_order_relaxed);

        uint32_t own = atomic_load(&sa_root.snapshot) ? SHM_ATTENTION_SNAPSHOT : 0;

        if (sa_root.on_full == SPANALLOC_WAIT)
                own |= SHM_ATTENTION_WAIT;
        return own | (asked & SHM_ATTENTION_TIMING);
}

static void begin(const struct sa_attachment *a, struct shm_lane *lane, uint32_t ring_records,
                  const uint64_t own[SHM_COUNTERS], const uint64_t gap[SHM_COUNTERS], bool may_call) {
        static const uint64_t nothing[SHM_COUNTERS];
        char comm[SHM_COMM_BYTES] = {0};
        uint64_t head;

        /* [O3] release fence after the odd occupancy, pairs with the acquire fence in segment_is_still().  Publishes:
         * the odd occupancy, before any store below.  Without it: this thread's counters are booked as its
         * predecessor's. */
        atomic_thread_fence(memory_order_release);
        lock_owner(lane);
        head = atomic_load_explicit(&lane->head, memory_order_relaxed);
        /* libc has just written the thread's number there. */
        shm_store(lane->tid, shm_owner_word(lane) & SHM_OWNER_TID);
        if (may_call)
                sa_call(SYS_prctl, PR_GET_NAME, (long)comm, 0, 0, 0, 0);
        shm_store_text(lane->comm, comm, sizeof comm);
        lane->ring_records = ring_records;
        lane->ring_used = 0;
        lane->limit = 0; /* so the first record takes the slow path, which writes BASE before it */
        atomic_store_explicit(&lane->depth, 0, memory_order_relaxed);
        lane->doorbell_at = head + sa_doorbell_distance(ring_records);
        shm_store(lane->beyond, 0);
        lane->beyond_scopes = 0;
        atomic_store_explicit(&lane->refused_frames, 0, memory_order_relaxed);
        for (unsigned i = 0; i < 2; i++) {
                shm_store_counters(lane->lost[i].waiting, nothing);
                shm_store_counters(lane->lost[i].since, nothing);
        }
        atomic_store_explicit(&lane->lost_stretches, 0, memory_order_relaxed);
        atomic_store_explicit(&lane->lost_until, 0, memory_order_relaxed);
        atomic_store_explicit(&lane->taken, 0, memory_order_relaxed);
        atomic_store_explicit(&lane->taken_until, 0, memory_order_relaxed);
        for (unsigned i = 0; i < SHM_DEPTH; i++)
                atomic_store_explicit(&lane->marks[i], 0, memory_order_relaxed);
        atomic_store_explicit(&lane->attention, first_attention(a), memory_order_relaxed);
        begin_counters(lane, own, gap);
        sign_in(lane);
        /* [O3] release of the even occupancy, pairs with the acquire in segment_lane_owner().  Publishes: all stores
         * above.  Without it: one thread's counts are booked under another's name. */
        atomic_fetch_add_explicit(&lane->occupancy, 1, memory_order_release);
        shm_tell_call_ends(lane);
}

struct shm_lane *sa_lane_claim(struct sa_thread *self, struct sa_attachment *a, const uint64_t own[SHM_COUNTERS],
                               const uint64_t gap[SHM_COUNTERS], bool may_call) {
        struct shm_lane *lane;
        uint32_t i;

        lane = claim_used(a, &i, false);
        if (!lane && atomic_load(&a->header->lanes_claimed) < FRESH_LANES)
                lane = claim_fresh(a, &i);
        if (!lane)
                lane = claim_used(a, &i, true);
        if (!lane)
                lane = claim_fresh(a, &i);
        if (!lane) {
                atomic_fetch_add(&sa_root.refused_threads, 1);
                atomic_fetch_add(&a->header->refused_threads, 1);
                return NULL;
        }
        if (!lane->next_instance) /* the lane's number, for sa_instance(); no span's yet */
                lane->next_instance = i;
        self->ring = NULL; /* for its first record: sa_lane_find_ring() */
        self->mask = shm_ring_records(&a->geometry, i) - 1;
        begin(a, lane, self->mask + 1, own, gap, may_call);
        atomic_fetch_add(&sa_root.threads, 1);
        return lane;
}

bool sa_lane_find_ring(struct sa_thread *self) {
        /* Not by the gate, which may have another attachment since this call began. */
        for (uint32_t i = 0; !self->ring && i < SA_ATTACHMENTS; i++) {
                struct sa_attachment *a = sa_attachment_nth(i);

                if (!a)
                        continue;
                if (a->epoch == self->epoch)
                        self->ring = sa_ring_mapped(a, shm_span_lane(self->lane->next_instance));
                sa_attachment_put(a);
        }
        return self->ring;
}

void sa_lane_leave(struct shm_lane *lane) {
        /* [O1] release by the unlock, pairs with the acquire fences in is_vacant() and settle_lane().  Publishes:
         * all that this thread wrote to the lane. */
        pthread_mutex_unlock(&lane->owner);
}
