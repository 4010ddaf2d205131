/* SPDX-License-Identifier: MIT */
/*
 * The gate: the page that every call reads first.
 *
 * The kernel wipes it in a forked child (MADV_WIPEONFORK), however the child was made.  Its epoch is 0 while the
 * process is not attached.  A thread whose epoch differs from the gate's must not touch its lane: that may belong to
 * the parent, or to a collector that has ended.  Who writes the gate: attach.c, attaching.c, control.c, counting.c and fork.c.
 */
#pragma once

#include "client/gate/thread.h"

struct sa_attachment;

struct sa_gate {
        _Atomic uint32_t epoch;     /* of the attachment; 0: none.  [G1] */
        _Atomic uint32_t attaching; /* the number of the thread that attaches; see attaching.h */
        struct sa_attachment *_Atomic attachment;
        _Atomic uint32_t generation;
        bool child;             /* forked from an attached process */
        _Atomic uint32_t alive; /* 0: wiped by a fork, not handled yet; 2: the child handles it; else 1 */
        _Atomic uint64_t quick; /* sa_quick_of(epoch) if the counting allocator may take the quick way; else 0 */
        /* On a line of its own: threads that are in a system call of the library (quiet_process.h). */
        _Atomic uint32_t calls __attribute__((aligned(SHM_LINE)));
};

#define SA_GATE_ALIGN 65536 /* the largest page size of any target */
extern union sa_gate_page {
        struct sa_gate gate;
        char page[SA_GATE_ALIGN];
} sa_gate_page __attribute__((visibility("hidden")));
#define sa_gate (sa_gate_page.gate)

/* The collector's beacon; before the first, one of zeros.  Not in the gate: a call that a fork interrupted reads it in the
 * child.  On a line of its own, which is seldom written. */
struct sa_beacon {
        const struct shm_beacon *_Atomic now;
        char pad[SHM_LINE - sizeof(void *)];
};
extern struct sa_beacon sa_beacon __attribute__((visibility("hidden")));

/* Relaxed: equality with the thread's epoch means that this thread itself stored that, after its lane was whole. */
static sa_inline uint32_t sa_gate_epoch(void) {
        return atomic_load_explicit(&sa_gate.epoch, memory_order_relaxed);
}

/* True if the collector of the current attachment has been replaced. */
static inline bool sa_is_stale(void) {
        const struct shm_beacon *beacon = atomic_load_explicit(&sa_beacon.now, memory_order_relaxed);
        /* Relaxed: a new generation leads to a handshake, which orders everything. */
        uint32_t generation = atomic_load_explicit(&beacon->generation, memory_order_relaxed);
        return generation != atomic_load_explicit(&sa_gate.generation, memory_order_relaxed) && generation;
}
