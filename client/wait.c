/* See wait.h. */
#include "client/wait.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "client/foreign.h"
#include "shm/ring.h"

#define PAUSE_NS    100000l
#define PATIENCE_S  10

bool sa_wait_for_room(struct sa_thread *self, struct shm_lane *lane, uint64_t head, uint64_t need) {
        const struct timespec pause = {.tv_nsec = PAUSE_NS};
        struct timespec begin, t;
        int saved = errno;
        bool room = false;

        if (lane->impatient) /* gave up already, and nothing has moved since */
                return false;
        lane->refused.waits++;
        sa_ring_bell();
        clock_gettime(CLOCK_MONOTONIC_COARSE, &begin);
        do {
                /* Not clock_nanosleep(3): that is a cancellation point. */
                syscall(SYS_nanosleep, &pause, NULL);
                room = ring_has_room(lane, head, need, self->mask + 1);
                clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
        } while (!room && t.tv_sec - begin.tv_sec < PATIENCE_S);
        lane->impatient = !room;
        errno = saved;
        return room;
}
