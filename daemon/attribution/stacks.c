/* SPDX-License-Identifier: MIT */
/* See stacks.h. */
#include "daemon/attribution/stacks.h"

#define STACKS_SELDOM __attribute__((cold, noinline))

static void mark(struct books *books, uint32_t path) {
        if (!tally_of(books, path)->mixed)
                tally_change(books, path)->mixed = 1;
}

STACKS_SELDOM void stacks_entered_off(struct books *books, struct lane *lane, uint32_t path, uint32_t page) {
        uint32_t i = lane->depth - 1;

        while (i--) {
                const struct frame *frame = &lane->frames[i];

                if (!stack_page_of(frame) || stack_is_off(frame, page, STACK_CLOSE_DOWN, STACK_CLOSE_UP))
                        continue;
                for (; i < lane->depth; i++)
                        mark(books, lane->frames[i].path);
                mark(books, path);
                break;
        }
}

/* The scope ends on another stack than it began on. */
STACKS_SELDOM void stacks_exited_off(struct books *books, struct lane *lane, uint32_t i) {
        mark(books, lane->frames[i].path);
}

/* The scope did not end by itself: what ran after the jump or the switch was the frame's below. */
STACKS_SELDOM void stacks_unwound(struct books *books, struct lane *lane, uint32_t i) {
        mark(books, lane->frames[i].path);
        if (i)
                mark(books, lane->frames[i - 1].path);
}
