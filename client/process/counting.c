/* SPDX-License-Identifier: MIT */
/* See counting.h. */
#include "client/process/counting.h"

#include "client/gate/quick.h"
#include "client/lanes/jumped.h"
#include "client/lanes/lane_move.h"
#include "client/process/library.h"
#include "client/segment/attach.h"
#include "client/segment/attaching.h"
#include "client/segment/fork.h"
#include "client/segment/left_behind.h"

#define COUNTS_PATIENCE 64 /* allocations and frees between two reads of the clock while the process is not attached */

void sa_root_set_quick(void) {
        atomic_store(&sa_root.quick, 1);
        /* A constructor that ran before may have opened a span.  A thread that attaches at the moment stores `quick`
         * itself. */
        if (!sa_attaching_begin())
                return;
        atomic_store(&sa_gate.quick, sa_quick_of(atomic_load(&sa_gate.epoch)));
        sa_attaching_end();
}

void sa_root_set_counting(enum shm_counting counting) {
        const struct sa_api *leader = sa_forward();

        if (leader)
                leader->set_counting(counting);
        else
                atomic_store(&sa_root.counting, counting);
}

void sa_root_attach_early(void) {
        const struct sa_api *leader = sa_forward();

        if (leader) {
                leader->attach_early();
                return;
        }
        atomic_store(&sa_root.early, 1);
        sa_attach(NULL, false);
}

/* A process that only counts searches for a collector, and for a new one, now and then; a forked child at once. */
static void look_for_collector(struct sa_thread *self) {
        if (sa_gate_epoch()) {
                if (sa_is_stale())
                        sa_attach(NULL, false);
        } else if (sa_is_patient(self)) {
                self->patience--;
        } else {
                self->patience = sa_attach(NULL, false) < 0 ? COUNTS_PATIENCE : 0; /* 0: its lane at once */
        }
}

/* Malloc begins or ends here.  Not in a call that it interrupts. */
static void settle_left(struct sa_thread *self) {
        if (sa_is_busy(self))
                return;
        sa_set_busy(self);
        atomic_signal_fence(memory_order_seq_cst);
        sa_left_settle(self, true);
        atomic_signal_fence(memory_order_seq_cst);
        self->busy = 0;
}

_Atomic uint64_t *sa_counters_slow(void) {
        const struct sa_api *leader = sa_leader();
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane;

        if (leader)
                return leader->counters();
        if (sa_likely(atomic_load_explicit(&sa_root.state, memory_order_relaxed) == SA_READY)) {
                sa_notice_fork();
                if (atomic_load(&sa_root.early))
                        look_for_collector(self);
                if (self->epoch != SA_NO_EPOCH || sa_gate_epoch()) {
                        lane = sa_lane_slow(self);
                        if (lane) {
                                if (sa_unlikely(atomic_load_explicit(&sa_left_used, memory_order_relaxed)))
                                        settle_left(self);
                                return lane->live;
                        }
                }
        }
        /* Plain memory of this thread; the caller's accesses are relaxed. */
        return (_Atomic uint64_t *)self->pending;
}
