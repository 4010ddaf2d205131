/* SPDX-License-Identifier: MIT */
/* Checks for room in a ring, and waits for it if the program has asked for that; see room.h. */
#include "client/lanes/room.h"

#include <time.h>

#include "client/gate/gate.h"
#include "client/lanes/doorbell.h"
#include "client/lanes/lane.h"
#include "client/lanes/record.h"
#include "client/segment/attachments.h"
#include "client/segment/lease.h"

#define PAUSE_NS     100000l  /* the first pause; each one is twice as long as the last */
#define PAUSE_MAX_NS 3200000l /* the longest: a hundred waiting threads must leave the collector a processor */
#define PATIENCE_S   10       /* since the collector's last sign of work: it visits each process once a second */
#define LONGEST_S    60
#define STALE_S      2 /* where another collector serves: if it has this segment, it drains it soon */

static bool has_patience(time_t waited_s, time_t waited_in_vain_s) {
        return waited_s < LONGEST_S && waited_in_vain_s < (sa_is_stale() ? STALE_S : PATIENCE_S);
}

/* How often a collector has read the state of this process by the thread's own segment: it moves as long as that collector
 * works.  A later collector that does not have this segment does not drain the ring. */
static uint32_t looks_at(const struct sa_thread *self) {
        uint32_t looks = 0;

        for (uint32_t i = 0; i < SA_ATTACHMENTS; i++) {
                struct sa_attachment *a = sa_attachment_nth(i);

                if (!a)
                        continue;
                if (a->epoch == self->epoch) /* Relaxed: how often, not what. */
                        looks = atomic_load_explicit(&a->header->looks, memory_order_relaxed);
                sa_attachment_put(a);
        }
        return looks;
}

static bool wait_for_room(struct sa_thread *self, struct shm_lane *lane, uint64_t head, uint64_t need) {
        struct timespec pause = {.tv_nsec = PAUSE_NS};
        struct timespec begin, last, t;
        uint32_t looks = looks_at(self);
        bool room = false;

        if (sa_quiet())
                return false;
        if (lane->impatient) /* gave up before, and there was no room since */
                return false;
        shm_add(lane->refused.waits, 1);
        sa_ring_bell();
        clock_gettime(CLOCK_MONOTONIC_COARSE, &begin);
        last = begin;
        do {
                if (!sa_may_call(self))
                        break;
                /* Not clock_nanosleep(3): that is a cancellation point. */
                sa_call(SYS_nanosleep, (long)&pause, 0, 0, 0, 0, 0);
                sa_calls_end(self);
                if (pause.tv_nsec < PAUSE_MAX_NS)
                        pause.tv_nsec *= 2;
                room = ring_has_room(lane, head, need, self->mask + 1);
                clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
                if (looks != looks_at(self)) {
                        looks = looks_at(self);
                        last = t;
                }
        } while (!room && has_patience(t.tv_sec - begin.tv_sec, t.tv_sec - last.tv_sec));
        lane->impatient = !room;
        return room;
}

void sa_bound_short_calls(struct shm_lane *lane) {
        uint64_t bell = lane->doorbell_at + 2 + sa_owed(lane);

        if (!lane->ring_used)
                lane->limit = 0;
        else if (lane->limit > bell)
                lane->limit = bell;
}

bool sa_has_room(struct sa_thread *self, struct shm_lane *lane, uint64_t head, uint32_t need) {
        bool room;

        if (head >= lane->doorbell_at)
                sa_doorbell(self, lane);
        room = sa_lane_find_ring(self) && ring_has_room(lane, head, need + sa_owed(lane), self->mask + 1);
        if (room) {
                lane->impatient = 0;
        } else {
                sa_doorbell(self, lane);
                if (self->ring && sa_attention(lane) & SHM_ATTENTION_WAIT)
                        room = wait_for_room(self, lane, head, need + sa_owed(lane));
        }
        sa_bound_short_calls(lane);
        return room;
}

bool sa_finds_room(struct sa_thread *self, struct shm_lane *lane, uint32_t need) {
        return lane->ring_used &&
               sa_has_room(self, lane, atomic_load_explicit(&lane->head, memory_order_relaxed), need);
}
