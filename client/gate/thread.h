/* SPDX-License-Identifier: MIT */
/*
 * The 64 bytes of thread-local storage, and the words for the compiler that all files here use.
 *
 * How a thread gets its lane is lane_move.h's; the page that its epoch is compared with is gate.h's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "shm/layout.h"

#define sa_likely(x)   __builtin_expect(!!(x), 1)
#define sa_unlikely(x) __builtin_expect(!!(x), 0)
#define sa_cold        __attribute__((cold, noinline))
#define sa_aside       __attribute__((noinline))             /* seldom, but not slow */
#define sa_inline      inline __attribute__((always_inline)) /* for the hot paths, where each instruction counts */

struct sa_thread {
        /* Opens, or counts, until the next search for a collector; or SA_NO_LANE + calls until the next search for a
         * lane.  The public header decrements it, by the name of spanalloc_patience_. */
        uint32_t patience;
        uint32_t epoch; /* the gate's when `lane` was claimed; SA_NO_EPOCH: no lane */
        struct shm_lane *lane;
        struct shm_record *ring;
        uint64_t pending[SHM_COUNTERS]; /* counted while the thread had no lane */
        /* Inside a call: the lower half of the call's stack pointer; else 0.  A signal handler's call is not recorded then,
         * and the thread keeps its lane; jumped.h has the calls that a handler jumps out of, quiet_process.c the low bits. */
        uint32_t busy;
        uint32_t mask; /* of ring positions */
};
/* No gate has this epoch, so one comparison checks that there is a lane and that it is valid. */
#define SA_NO_EPOCH UINT32_MAX
#define SA_NO_LANE  0x80000000u
/* True until the next search for a collector is due. */
#define sa_is_patient(self) ((self)->patience - 1 < SA_NO_LANE - 1)
_Static_assert(sizeof(struct sa_thread) <= 64, "at most 64 bytes of thread-local storage");
_Static_assert(offsetof(struct sa_thread, patience) == 0, "spanalloc_patience_ is where the struct is");

extern _Thread_local struct sa_thread sa_self __attribute__((tls_model("initial-exec"), visibility("hidden")));
