/* SPDX-License-Identifier: MIT */
/*
 * A forked child: its gate is wiped, and it forgets the parent's attachments, lane and pauses.
 */
#pragma once

#include "client/gate/gate.h"

/* Call before each use of the gate outside the hot paths.  A load and a branch, except once in a child.  Relaxed: the
 * child has one thread. */
void sa_notice_fork_slow(void);
static inline void sa_notice_fork(void) {
        if (sa_unlikely(!atomic_load_explicit(&sa_gate.alive, memory_order_relaxed)))
                sa_notice_fork_slow();
}

/* In the child, right after fork(): the same, and memory for a call that the fork interrupted. */
void sa_after_fork(void);
