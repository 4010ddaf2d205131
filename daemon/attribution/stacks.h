/* SPDX-License-Identifier: MIT */
/*
 * Where a thread's stack was at its records, and what that says of the frames: that it jumped out of a scope, or went on
 * with another coroutine, without a call that says so.  What was counted since then went to the wrong paths, and they are
 * marked: their quality is `mixed`.
 *
 * A record without a timestamp has the stack pointer instead.  A frame keeps the number of the page, as far as its flags
 * have room for it; 0 is none.  Pure; everything runs in a batch.
 */
#pragma once

#include "daemon/attribution/spans.h"

#define STACK_PAGE_SHIFT 12
#define STACK_PAGE_BITS  (32 - FRAME_STACK_SHIFT)

/* Distances of stack addresses, in pages.  A function, and the functions that it calls, use addresses that are at
 * most STACK_CLOSE_DOWN lower and STACK_CLOSE_UP higher.  Two records that follow each other on one stack are mostly at
 * most STACK_NEAR apart. */
#define STACK_NEAR       8
#define STACK_CLOSE_DOWN 4
#define STACK_CLOSE_UP   1
/* Also in pages.  The stack pointer at a scope's end may be lower than at its beginning, by the size of an
 * alloca(); a higher one only by the frame of a function that began the scope for its caller. */
#define STACK_END_DOWN 2048
#define STACK_END_UP   16

static inline uint32_t stack_page(const struct shm_record *record) {
        if (record->flags & SHM_FLAG_TIMED)
                return 0;
        return (uint32_t)(record->timestamp >> STACK_PAGE_SHIFT) & ((1u << STACK_PAGE_BITS) - 1);
}

static inline uint32_t stack_page_of(const struct frame *frame) {
        return frame->flags >> FRAME_STACK_SHIFT;
}

/* True if `page` is more than so many pages below or above the frame's.  False where one of the two is not known. */
static inline bool stack_is_off(const struct frame *frame, uint32_t page, int32_t down, int32_t up) {
        int32_t by = (int32_t)((page - stack_page_of(frame)) << FRAME_STACK_SHIFT) >> FRAME_STACK_SHIFT;

        return (by < -down || by > up) && page && stack_page_of(frame);
}

/* An ENTER of `path` that is not near the top frame: marks, if it is close to a frame further below, that frame,
 * all above it and `path`.  The thread has gone back there, and what it entered since then has not ended. */
void stacks_entered_off(struct books *books, struct lane *lane, uint32_t path, uint32_t page);

/* An EXIT of frame `i`, which is on the lane still. */
void stacks_exited_off(struct books *books, struct lane *lane, uint32_t i);
void stacks_unwound(struct books *books, struct lane *lane, uint32_t i);
