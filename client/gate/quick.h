/* SPDX-License-Identifier: MIT */
/*
 * The one sum of the counting allocator: whether malloc and free may count the quick way, and how many bytes, by one
 * addition and one mask.  It needs glibc's word before each block; client/malloc/headers.h reads that.
 *
 * Three questions have to be answered for each block: is the thread's lane of the gate's epoch, is the block an
 * ordinary one (smaller than SA_EPOCH_STEP, the flag "block before in use", no mapping of its own), and what is its
 * usable size?
 *
 *     sum = header + thread's epoch - gate's quick        gate's quick = gate's epoch + SA_QUICK, or 0
 *     the quick way if !(sum & (~(SA_EPOCH_STEP - 1) | 7)), and then `sum` is the usable size
 *
 * glibc's header is the block's size with its 8 bytes of header included, a multiple of 16, plus flags: 1 "block before
 * in use", 2 "own mapping", 4 "a thread's arena".  The usable size is 8 bytes less, so SA_QUICK is 8 + flag 1.
 *
 * Example.  SA_EPOCH_STEP is 0x8000.  The process attaches for the first time: its epoch is 0xffff8000, quick is
 * 0xffff8009.
 *
 *     thread's epoch             header                      sum       mask    result
 *     0xffff8000, same           0x31, 48 bytes and flag 1   0x28      0       40 bytes, the quick way
 *     0xffff8000, same           0x35, flag 4, too           0x2c      4       quick after ^ 4, as a block of an arena
 *     0xffff8000, same           0x30, block before free     0x27      7       the slow way
 *     0xffff8000, same           0x1002, own mapping         0xff9     1       the slow way
 *     0xffff8000, same           0x8031, large               0x8028    0x8000  the slow way
 *     0xffffffff, no lane        0x31                        0x8027    0x8007  the slow way
 *
 * After the next attachment the gate's epoch is 0xffff0000, its quick 0xffff0009:
 *
 *     0xffff8000, older          0x31                        0x8028    0x8000  the slow way
 *
 * and while the gate's quick is 0 (detached, forked, or no glibc below) every thread's epoch stays in the sum:
 *
 *     0xffff8000                 0x31                     0xffff8031  != 0     the slow way
 *
 * So an epoch that differs must keep the sum at SA_EPOCH_STEP or more.  Epochs fall by SA_EPOCH_STEP; an older one less
 * a newer one, or less 0, or SA_NO_EPOCH less any, is at least SA_EPOCH_STEP - 1, and the least header is 33.
 */
#pragma once

#include "client/gate/gate.h"

#define SA_EPOCH_STEP   0x8000u
#define SA_QUICK_EPOCHS (UINT32_MAX / SA_EPOCH_STEP)
#define SA_QUICK        9u
_Static_assert(SA_EPOCH_STEP - 1 + 33 - SA_QUICK >= SA_EPOCH_STEP, "a thread that is behind exceeds the mask");

/* The epoch of the n-th attachment, from 0.  After SA_QUICK_EPOCHS they are odd, and never the quick way's. */
static inline uint32_t sa_nth_epoch(uint32_t n) {
        if (n < SA_QUICK_EPOCHS)
                return (SA_QUICK_EPOCHS - n) * SA_EPOCH_STEP;
        return SA_EPOCH_STEP + 1 + 2 * (n - SA_QUICK_EPOCHS);
}

/* The gate's `quick` for an epoch. */
static inline uint64_t sa_quick_of(uint32_t epoch) {
        return epoch && epoch % SA_EPOCH_STEP == 0 ? (uint64_t)epoch + SA_QUICK : 0;
}

/* The sum without the header: -SA_QUICK if the thread may count in its lane, the quick way.
 * Relaxed: see sa_gate_epoch(). */
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
