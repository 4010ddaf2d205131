/* SPDX-License-Identifier: MIT */
/* The seldom parts of a call's beginning; see call.h. */
#include "client/calls/call.h"

#include "client/calls/slow_path.h"
#include "client/lanes/jumped.h"
#include "client/lanes/lane_move.h"
#include "client/process/library.h"
#include "client/segment/attach.h"

sa_cold struct shm_lane *sa_begin_slow(struct sa_thread *self, bool opens) {
        if (sa_leader())
                return NULL;
        if (sa_is_nested(self)) { /* this call interrupts another one */
                if (self->lane && self->epoch == sa_gate_epoch())
                        shm_add(self->lane->refused.nested, 1);
                return NULL;
        }
        if (opens) {
                if (!sa_forward() && (!sa_gate_epoch() || sa_is_stale()))
                        sa_attach(NULL, false);
        } else if (self->epoch == SA_NO_EPOCH && !sa_gate_epoch()) {
                return NULL; /* the thread cannot have entered anything */
        }
        do /* again if a handler attached to a new collector in between */
                if (!sa_lane_slow(self))
                        return NULL;
        while (!begin(self, sa_gate_epoch()));
        return self->lane;
}

bool sa_is_due(struct sa_thread *self) {
        if (sa_gate_epoch())
                return true;
        if (self->epoch != SA_NO_EPOCH && !sa_is_nested(self))
                sa_lane_slow(self); /* detached, or forked: the thread leaves its lane */
        return !is_alone(self) && sa_attach_is_due(self);
}

uint32_t sa_current_path(struct sa_thread *self, struct shm_lane *lane) {
        if (sa_attention(lane))
                sa_slow_attend(self, lane);
        return top_path(lane, place_of(lane));
}
