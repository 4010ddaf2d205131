/* SPDX-License-Identifier: MIT */
/*
 * A thread's place in the books, and the gate that every call passes first.
 *
 * What lives here: the 64 bytes of thread-local storage, the page that fork wipes, and the check that ties them
 * together.  What does not: how a place is found (lane.c), or given (attach.c).
 *
 * The gate lies in a page that the kernel wipes in a forked child (MADV_WIPEONFORK), however the child was made.  Its
 * epoch is 0 while the process is not attached; a thread whose epoch differs from it must not touch its lane, which
 * may belong to a parent, or to a collector that is gone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "shm/layout.h"

#define sa_likely(x)   __builtin_expect(!!(x), 1)
#define sa_unlikely(x) __builtin_expect(!!(x), 0)
#define sa_cold        __attribute__((cold, noinline))
#define sa_aside       __attribute__((noinline))             /* seldom, but not slow */
#define sa_inline      inline __attribute__((always_inline)) /* each call of its own: a pair's every instruction counts */

struct sa_thread {
        /* Opens, or counts, until the next look for a collector; or SA_NO_LANE + calls until the next look for a lane.  The
         * public header counts it down, too, by the name of spanalloc_patience_. */
        uint32_t patience;
        uint32_t epoch; /* the gate's when `lane` was claimed; SA_NO_EPOCH: no lane */
        struct shm_lane *lane;
        struct shm_record *ring;
        uint64_t pending[SHM_COUNTERS]; /* what was counted while there was no lane */
        uint16_t lane_index;
        uint8_t busy;      /* inside a call: a signal handler's call stays out, and nothing moves the thread */
        uint8_t look_tick; /* when it looked for a collector last */
        uint32_t mask;     /* of ring positions */
};
/* Epochs fall, by this much from one attachment to the next: an older one less a newer one, or less 0, or SA_NO_EPOCH less
 * any, is never less than this less 1.  The counting allocator adds the difference to a size (client/malloc/headers.h). */
#define SA_EPOCH_STEP   0x8000u
#define SA_QUICK_EPOCHS (UINT32_MAX / SA_EPOCH_STEP)
/* What the word before a block has beyond the block's size, and what of it the block cannot use. */
#define SA_QUICK 9u
/* No gate ever has it: one comparison tells both that there is a lane and that it is good. */
#define SA_NO_EPOCH UINT32_MAX
#define SA_NO_LANE  0x80000000u
/* Whether it is not yet time to look for a collector. */
#define sa_is_patient(self) ((self)->patience - 1 < SA_NO_LANE - 1)
_Static_assert(sizeof(struct sa_thread) <= 64, "at most 64 bytes of thread-local storage");
_Static_assert(offsetof(struct sa_thread, patience) == 0, "spanalloc_patience_ is where the struct is");

extern _Thread_local struct sa_thread sa_self __attribute__((tls_model("initial-exec"), visibility("hidden")));

struct sa_attachment;

struct sa_gate {
        _Atomic uint32_t epoch;     /* of the attachment; 0: none.  [G1] */
        _Atomic uint32_t attaching; /* a thread is at it; the others go on unattached */
        struct sa_attachment *_Atomic attachment;
        const struct shm_beacon *_Atomic beacon;
        _Atomic uint32_t generation;
        bool child;             /* forked from an attached process */
        _Atomic uint32_t alive; /* 0: wiped by a fork that nobody has noticed yet; 2: somebody is at it; else 1 */
        _Atomic uint64_t quick; /* `epoch` + SA_QUICK, where the counting allocator may count the quick way; else 0 */
};

#define SA_GATE_ALIGN 65536 /* the largest page size of any target */
extern union sa_gate_page {
        struct sa_gate gate;
        char page[SA_GATE_ALIGN];
} sa_gate_page __attribute__((visibility("hidden")));
#define sa_gate (sa_gate_page.gate)

/* The calling thread's counters when it has no lane of this epoch: finds or claims one, or says where to count
 * meanwhile.  Never NULL.  The address is good for this one call. */
_Atomic uint64_t *sa_counters_slow(void);

/* Where the calling thread counts its allocations (enum shm_counter); for the counting allocator.  To be asked for
 * each time: a fork or a new collector moves it. */
static inline _Atomic uint64_t *sa_counters(void) {
        struct sa_thread *self = &sa_self;

        /* Relaxed: equality means that this thread itself stored its epoch after the lane was whole. */
        uint32_t epoch = atomic_load_explicit(&sa_gate.epoch, memory_order_relaxed);
        if (sa_likely(self->epoch == epoch))
                return self->lane->live;
        /* Not attached: for itself, until it is time to look for a collector.  Only the copy that leads is ever alive, and
         * only until the next fork.  Relaxed: a forked child has one thread. */
        if (self->epoch == SA_NO_EPOCH && !epoch && sa_is_patient(self) &&
            atomic_load_explicit(&sa_gate.alive, memory_order_relaxed)) {
                self->patience--;
                return (_Atomic uint64_t *)self->pending;
        }
        return sa_counters_slow();
}

/* The epoch of the n-th attachment, from 0.  When those are used up there are others, which nobody counts quickly by. */
static inline uint32_t sa_nth_epoch(uint32_t n) {
        if (n < SA_QUICK_EPOCHS)
                return (SA_QUICK_EPOCHS - n) * SA_EPOCH_STEP;
        return SA_EPOCH_STEP + 1 + 2 * (n - SA_QUICK_EPOCHS);
}

/* What the gate says to those who may count the quick way. */
static inline uint64_t sa_quick_of(uint32_t epoch) {
        return epoch && epoch % SA_EPOCH_STEP == 0 ? (uint64_t)epoch + SA_QUICK : 0;
}

/* By how much a thread is behind the gate, less SA_QUICK: that alone where it counts in its lane, and the quick way.
 * Relaxed, as above. */
static sa_inline uint64_t sa_behind(const struct sa_thread *self) {
        uint64_t behind = self->epoch;

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
        /* One instruction less than gcc takes for an atomic load. */
        __asm__("subq %1, %0" : "+r"(behind) : "m"(sa_gate.quick) : "cc");
        return behind;
#else
        return behind - atomic_load_explicit(&sa_gate.quick, memory_order_relaxed);
#endif
}

/* Adds to a counter that only this thread writes: a plain load and store, since nobody else's increment can be lost,
 * and the collector that reads it beside us accepts any value it once had. */
static inline void sa_bump(_Atomic uint64_t *counter, uint64_t by) {
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
        /* One instruction where gcc makes three of two relaxed accesses; and a handler's own cannot come between. */
        __asm__("addq %1, %0" : "+m"(*counter) : "er"(by) : "cc");
#else
        atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by, memory_order_relaxed);
#endif
}
