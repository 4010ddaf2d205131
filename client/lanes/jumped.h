/* SPDX-License-Identifier: MIT */
/*
 * Calls that a signal handler jumps out of, by siglongjmp(3).  Such a call never returns, and the thread stays marked
 * as busy.  The thread's next long call detects that by its stack pointer, and repairs the lane.
 */
#pragma once

#include "client/gate/thread.h"

/* Marks the thread as busy, in one instruction.  Never 0: the calls that use it push nothing, and at their beginning the
 * stack pointer is 8 bytes off a multiple of 16. */
static sa_inline void sa_set_busy(struct sa_thread *self) {
#if defined(__x86_64__)
        __asm__ volatile("movl %%esp, %0" : "=m"(self->busy));
#else
        self->busy = (uint32_t)(uintptr_t)__builtin_frame_address(0) | 8;
#endif
}

static sa_inline bool sa_is_busy(const struct sa_thread *self) {
#if defined(__x86_64__)
        bool is_busy;

        /* One instruction less than gcc takes. */
        __asm__("cmpl $0, %1" : "=@ccne"(is_busy) : "m"(self->busy));
        return is_busy;
#else
        return self->busy;
#endif
}

/* True if the thread is inside a call that this one has interrupted.  If it has only jumped out of one, it is no longer
 * busy afterwards. */
bool sa_is_nested(struct sa_thread *self);

/* Continues the removal of a frame from where lane->moving says: moves the frames above it down, and publishes its
 * record. */
void sa_move_down(struct shm_lane *lane);
