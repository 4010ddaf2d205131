/* SPDX-License-Identifier: MIT */
/*
 * What libspanalloc-malloc needs of the client: where to count, and how to announce itself.
 */
#pragma once

#include "client/gate/gate.h"

/* Each of these in its constructor, in this order. */
/* It may take the quick way (quick.h) where this copy leads. */
void sa_root_set_quick(void);
/* It counts, or another malloc stands before its own, in the executable or in a library loaded earlier
 * (SHM_COUNTING_BYPASSED). */
void sa_root_set_counting(enum shm_counting counting);
/* Attaches at load time, for a process that may never open a span; does nothing with SPANALLOC=0.  Forked children then
 * attach when they first allocate. */
void sa_root_attach_early(void);

/* The calling thread's counters if it has no lane of this epoch: finds or claims one, or returns where to count
 * meanwhile.  Never NULL.  The address is valid for one call. */
_Atomic uint64_t *sa_counters_slow(void);

/* Returns the counters of the calling thread (enum shm_counter).  Call it for each allocation, do not keep the pointer: a
 * fork or a new collector moves the counters. */
static inline _Atomic uint64_t *sa_counters(void) {
        struct sa_thread *self = &sa_self;
        uint32_t epoch = sa_gate_epoch();

        if (sa_likely(self->epoch == epoch))
                return self->lane->live;
        /* Not attached: in the thread's own memory, until the next search for a collector.  `alive` is 1 only in the
         * copy that leads, and until the next fork.  Relaxed: a forked child has one thread. */
        if (self->epoch == SA_NO_EPOCH && !epoch && sa_is_patient(self) &&
            atomic_load_explicit(&sa_gate.alive, memory_order_relaxed)) {
                self->patience--;
                return (_Atomic uint64_t *)self->pending;
        }
        return sa_counters_slow();
}

/* Adds to a counter that only this thread writes.  A plain load and store: no other increment can be lost, and the
 * collector accepts any value that the counter once had. */
static inline void sa_bump(_Atomic uint64_t *counter, uint64_t by) {
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
        /* One instruction where gcc makes three of two relaxed accesses; and no handler can interrupt it half-way. */
        __asm__("addq %1, %0" : "+m"(*counter) : "er"(by) : "cc");
#else
        atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + by, memory_order_relaxed);
#endif
}
