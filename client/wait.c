/* SPDX-License-Identifier: MIT */
/* See wait.h. */
#include "client/wait.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "client/foreign.h"
#include "shm/ring.h"

#define PAUSE_NS     100000l  /* at first; then twice as long each time … */
#define PAUSE_MAX_NS 3200000l /* … up to this: a hundred waiting threads must leave the collector a processor */
#define PATIENCE_S   10
#define STALE_S      2 /* where another collector serves: if it has this segment, it drains it soon */

bool sa_wait_for_room(struct sa_thread *self, struct shm_lane *lane, uint64_t head, uint64_t need) {
        struct timespec pause = {.tv_nsec = PAUSE_NS};
        struct timespec begin, t;
        int saved = errno;
        bool room = false;

        if (lane->impatient) /* gave up already, and nothing has moved since */
                return false;
        shm_add(lane->refused.waits, 1);
        sa_ring_bell();
        clock_gettime(CLOCK_MONOTONIC_COARSE, &begin);
        do {
                /* Not clock_nanosleep(3): that is a cancellation point. */
                syscall(SYS_nanosleep, &pause, NULL);
                if (pause.tv_nsec < PAUSE_MAX_NS)
                        pause.tv_nsec *= 2;
                room = ring_has_room(lane, head, need, self->mask + 1);
                clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
        } while (!room && t.tv_sec - begin.tv_sec < (sa_is_stale() ? STALE_S : PATIENCE_S));
        lane->impatient = !room;
        errno = saved;
        return room;
}
