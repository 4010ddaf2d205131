/* SPDX-License-Identifier: MIT */
/*
 * See lane.h.
 *
 * A lane is claimed by the compare-and-swap of its occupancy from even to odd.  One that had an owner may be claimed
 * when the kernel says that this owner is dead, or it left by itself, and either its stack is empty or the collector
 * has settled what was on it.
 */
#include "client/lane.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/foreign.h"
#include "client/root_private.h"
#include "client/slow.h"

_Thread_local struct sa_thread sa_self __attribute__((tls_model("initial-exec"))) = {.epoch = SA_NO_EPOCH};
/* Its patience, for the header. */
extern _Thread_local int32_t spanalloc_patience_ __attribute__((alias("sa_self"), tls_model("initial-exec")));

uint64_t sa_instance_block(uint32_t lane_index) {
        /* Relaxed: only the number matters. */
        uint64_t block = atomic_fetch_add_explicit(&sa_root.next_block, 1, memory_order_relaxed) + 1;

        return shm_span_first(block, lane_index);
}

/* So many are claimed before threads that the collector has not met may be crowded out of a lane's memory. */
#define FRESH_LANES 64u

/* ----------------------------------------------------------------------------------------------- claiming -- */

static bool is_vacant(const struct shm_lane *lane, uint32_t occupancy) {
        uint32_t word;

        if (!occupancy || (occupancy & 1))
                return false;
        word = shm_owner_word(lane);
        atomic_thread_fence(memory_order_acquire); /* [O1] what a dead owner did is read below */
        if ((word & SHM_OWNER_TID) && !(word & SHM_OWNER_DIED))
                return false;
        shm_tell_owner_is_dead(lane);
        if (atomic_load_explicit(&lane->retired, memory_order_acquire) == occupancy)
                return true; /* [O2] acquire, pairs with the release in drain.c: the collector has read the stack */
        /* The kernel takes the dead owner's number out of the word.  Without its mark, the lane was left behind by a move:
         * then only the collector knows when it is through. */
        return (word & SHM_OWNER_DIED) && !atomic_load(&lane->depth) && !shm_load(lane->beyond) &&
               !atomic_load(&lane->lost_stretches);
}

/* Whether the collector may still have to learn of more threads of this lane than the lane remembers. */
static bool is_crowded(const struct shm_lane *lane, uint32_t occupancy) {
        return occupancy - atomic_load_explicit(&lane->retired, memory_order_relaxed) >= 2 * (SHM_PAST - 2);
        /* Relaxed: at worst a lane is passed over, or a thread is counted under another's name. */
}

static struct shm_lane *claim_used(struct sa_attachment *a, uint32_t *ret_index, bool crowded) {
        uint32_t n = atomic_load(&a->header->lanes_claimed);

        for (uint32_t i = 0; i < n && i < a->geometry.lane_capacity; i++) {
                struct shm_lane *lane = shm_lane_at(a->map, &a->geometry, i);
                uint32_t occupancy = atomic_load(&lane->occupancy);

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
                if (i >= a->geometry.lane_capacity)
                        return NULL;
        } while (!atomic_compare_exchange_weak(&a->header->lanes_claimed, &i, i + 1));
        lane = shm_lane_at(a->map, &a->geometry, i);
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
        /* Nobody has it: its last owner is dead, or has unlocked it. */
        if (pthread_mutex_lock(&lane->owner) == EOWNERDEAD)
                pthread_mutex_consistent(&lane->owner);
}

/* Starts the thread's books in this lane: its own counts so far are `before`, but for what an earlier collector should
 * have booked and had not; the lane's counters go on from what they were.  In this order: if the process dies meanwhile, all of `offset` is where the last thread's counts end as soon as
 * any of `before` is there to be taken from what follows.  The fences are for the compiler. */
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

/* For a collector that comes too late to meet this thread. */
static void sign_in(struct shm_lane *lane) {
        uint32_t occupancy = atomic_load_explicit(&lane->occupancy, memory_order_relaxed) + 1;
        struct shm_past *past = &lane->past[occupancy / 2 % SHM_PAST];

        shm_store(past->occupancy, occupancy);
        shm_store_text(past->comm, lane->comm, sizeof past->comm);
        shm_store_counters(past->offset, lane->offset);
        shm_store_counters(past->before, lane->before);
}

/* Relaxed: the collector looks at every lane's own word again and again. */
static uint32_t first_attention(const struct sa_attachment *a) {
        uint32_t asked = atomic_load_explicit(&a->header->attention, memory_order_relaxed);

        return sa_slow_attention() | (asked & SHM_ATTENTION_TIMING);
}

static void begin(const struct sa_attachment *a, struct shm_lane *lane, uint32_t ring_records,
                  const uint64_t own[SHM_COUNTERS], const uint64_t gap[SHM_COUNTERS]) {
        static const uint64_t nothing[SHM_COUNTERS];
        char comm[SHM_COMM_BYTES] = {0};
        uint64_t head;

        /* [O3] release fence after the odd occupancy, pairs with the acquire fence in segment_is_still().  Publishes: it,
         * before anything below.  Without it: this thread's counters are booked as its predecessor's. */
        atomic_thread_fence(memory_order_release);
        lock_owner(lane);
        head = atomic_load_explicit(&lane->head, memory_order_relaxed);
        shm_store(lane->tid, (uint32_t)syscall(SYS_gettid));
        prctl(PR_GET_NAME, comm);
        shm_store_text(lane->comm, comm, sizeof comm);
        lane->ring_records = ring_records;
        lane->ring_used = 0;
        lane->limit = 0; /* the first record finds out, and writes BASE before itself */
        atomic_store_explicit(&lane->depth, 0, memory_order_relaxed);
        lane->doorbell_at = head + sa_slow_doorbell_distance(ring_records);
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
        /* [O3] release of the even occupancy, pairs with the acquire in segment_lane_owner().  Publishes: all above. */
        atomic_fetch_add_explicit(&lane->occupancy, 1, memory_order_release);
        shm_tell_call_ends(lane);
}

static struct shm_lane *claim(struct sa_thread *self, struct sa_attachment *a, const uint64_t own[SHM_COUNTERS],
                              const uint64_t gap[SHM_COUNTERS]) {
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
        self->lane_index = (uint16_t)i;
        self->ring = shm_ring_at(a->map, &a->geometry, i);
        self->mask = shm_ring_records(&a->geometry, i) - 1;
        begin(a, lane, self->mask + 1, own, gap);
        atomic_fetch_add(&sa_root.threads, 1);
        return lane;
}

/* ------------------------------------------------------------------------------------------------- moving -- */

/* A handler must not find a thread between two lanes; nor must a cancellation end it there, which libc makes a signal,
 * too.  Not by pthread_sigmask(3): that leaves libc's own signals out. */
static uint64_t block_signals(void) {
        uint64_t all = UINT64_MAX, old = 0;

        syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof all);
        return old;
}

static void restore_signals(uint64_t old) {
        syscall(SYS_rt_sigprocmask, SIG_SETMASK, &old, NULL, sizeof old);
}

/* What this thread has counted in its life, in the lane that it leaves and beside it. */
static void own_counters(const struct sa_thread *self, uint64_t own[SHM_COUNTERS]) {
        if (!self->lane || atomic_load(&sa_root.snapshot)) {
                sa_slow_own(self, own);
                return;
        }
        for (int i = 0; i < SHM_COUNTERS; i++)
                own[i] = atomic_load_explicit(&self->lane->live[i], memory_order_relaxed) - self->lane->offset[i] +
                         self->pending[i];
}

/* What of it no collector has booked: the one that had the old segment is gone. */
static void unbooked(const struct shm_lane *old, const uint64_t own[SHM_COUNTERS], uint64_t ret_gap[SHM_COUNTERS]) {
        for (int i = 0; i < SHM_COUNTERS; i++) {
                /* Relaxed: a look that comes too early takes for lost what is booked a moment later, by one who is not asked
                 * any more. */
                uint64_t booked = atomic_load_explicit(&old->booked[i], memory_order_relaxed);
                uint64_t known = booked > old->offset[i] ? booked - old->offset[i] : 0;

                if (known < old->own[i]) /* what it had counted before it came is before, whoever knows it */
                        known = old->own[i];
                ret_gap[i] = own[i] > known ? own[i] - known : 0;
        }
}

static void leave(struct shm_lane *lane) {
        pthread_mutex_unlock(&lane->owner);
}

/* The process is no longer attached: back to counting for ourselves. */
static void drop(struct sa_thread *self) {
        struct shm_lane *lane = self->lane;

        if (lane) {
                own_counters(self, self->pending);
                leave(lane);
        }
        self->lane = NULL;
        self->epoch = SA_NO_EPOCH;
}

void sa_notice_fork_slow(void) {
        /* Not by this thread's lane: it may not have counted anything yet. */
        bool was_attached = atomic_load(&sa_root.epoch) != 0;
        uint32_t wiped = 0;

        if (atomic_load(&sa_root.state) != SA_READY || !atomic_compare_exchange_strong(&sa_gate.alive, &wiped, 2))
                return;
        sa_gate.child = was_attached;
        sa_attach_forget();
        atomic_store(&sa_root.next_try_ns, 0);
        atomic_store(&sa_root.back_off, 0);
        sa_self = (struct sa_thread){.epoch = SA_NO_EPOCH};
        atomic_store(&sa_gate.alive, 1);
}

static struct shm_lane *move_in(struct sa_thread *self, struct sa_attachment *a, uint32_t epoch) {
        struct shm_lane *old = self->lane, *lane;
        uint64_t own[SHM_COUNTERS], gap[SHM_COUNTERS] = {0};

        own_counters(self, own);
        if (old)
                unbooked(old, own, gap);
        lane = claim(self, a, own, gap);
        if (!lane) {
                self->patience = SA_NO_LANE | 4096;
                return NULL;
        }
        self->patience = 0;
        if (old) {
                sa_slow_resync(self, old, lane);
                sa_foreign_move(old, lane);
                leave(old);
        }
        memset(self->pending, 0, sizeof self->pending);
        self->lane = lane;
        self->epoch = epoch;
        return lane;
}

struct shm_lane *sa_lane_slow(struct sa_thread *self) {
        struct sa_attachment *a;
        struct shm_lane *lane = NULL;
        uint32_t epoch;
        uint64_t signals;
        int saved = errno;

        sa_notice_fork();
        /* [G1] acquire of `epoch`, pairs with the release in attach(). */
        epoch = atomic_load_explicit(&sa_gate.epoch, memory_order_acquire);
        if (self->epoch == epoch)
                return self->lane;
        if (self->busy) { /* a handler, in the middle of a call on that lane: it stays */
                if (self->lane)
                        shm_add(self->lane->refused.nested, 1);
                return NULL;
        }
        if (!epoch) {
                if (self->epoch == SA_NO_EPOCH)
                        return NULL;
                signals = block_signals();
                drop(self);
                restore_signals(signals);
                return NULL;
        }
        if (self->patience > SA_NO_LANE) { /* none was free: do not search at each call */
                self->patience--;
                return NULL;
        }
        signals = block_signals();
        a = sa_attachment_get(&epoch);
        if (a && self->epoch == epoch) /* a handler was faster */
                lane = self->lane;
        else if (a)
                lane = move_in(self, a, epoch);
        if (a)
                sa_attachment_put(a);
        restore_signals(signals);
        errno = saved;
        return lane;
}
