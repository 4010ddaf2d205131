/* SPDX-License-Identifier: MIT */
/*
 * Spans of three cycles: the first allocates, the second does nothing, the last frees.  Eight are open at once, and they
 * come in bursts that a small ring does not hold.
 */
#include <spanalloc/spanalloc.h>
#include <stdlib.h>
#include <time.h>

#define TASKS 8

SPANALLOC_SITE(site, "task");

static void poll_all(spanalloc_span tasks[TASKS], void *volatile blocks[TASKS], int turn) {
        for (int i = 0; i < TASKS; i++) {
                spanalloc_enter(tasks[i]);
                if (turn == 0)
                        blocks[i] = malloc(100);
                else if (turn == 2)
                        free(blocks[i]);
                spanalloc_exit(tasks[i]);
        }
}

int main(void) {
        const struct timespec pause = {.tv_nsec = 2000000};

        for (int burst = 0; burst < 300; burst++) {
                /* So that the ring is full at another place of a task each time. */
                for (int i = 0; i < burst % 29; i++) {
                        SPANALLOC_SCOPE("shift");
                }
                for (int round = 0; round < 4 + burst % 3; round++) {
                        spanalloc_span tasks[TASKS];
                        void *volatile blocks[TASKS];

                        for (int i = 0; i < TASKS; i++)
                                tasks[i] = spanalloc_open(&site);
                        for (int turn = 0; turn < 3; turn++)
                                poll_all(tasks, blocks, turn);
                        for (int i = 0; i < TASKS; i++)
                                spanalloc_close(tasks[i]);
                }
                nanosleep(&pause, NULL);
        }
        return 0;
}
