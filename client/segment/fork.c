/* SPDX-License-Identifier: MIT */
/* Resets, in a forked child, the state that belonged to the parent; see fork.h. */
#include "client/segment/fork.h"

#include <string.h>

#include "client/gate/quiet_process.h"
#include "client/gate/root.h"
#include "client/segment/attachments.h"
#include "client/segment/inherited.h"
#include "client/segment/left_behind.h"
#include "client/segment/listening.h"

void sa_after_fork(void) {
        /* Relaxed: as in sa_notice_fork(). */
        if (!atomic_load_explicit(&sa_gate.alive, memory_order_relaxed) && !sa_quiet())
                sa_attachments_fill(&sa_self);
        sa_notice_fork();
}

void sa_notice_fork_slow(void) {
        /* By the process's epoch, not by this thread's lane: the thread may not have counted anything yet. */
        bool was_attached = atomic_load(&sa_root.epoch) != 0;
        struct sa_thread *self = &sa_self;
        uint32_t wiped = 0;

        if (atomic_load(&sa_root.state) != SA_READY || !atomic_compare_exchange_strong(&sa_gate.alive, &wiped, 2))
                return;
        sa_gate.child = was_attached;
        sa_attachments_forget();
        sa_left_forget();
        sa_inherited_begin();
        sa_set_listening(0);
        atomic_store(&sa_root.next_try_ns, 0);
        atomic_store(&sa_root.back_off, 0);
        /* A call that the fork interrupted goes on, on what was the parent's lane and ring (segment_map.c).  Until it
         * ends the thread stays busy: if it had a lane of its own by then, that call would write there. */
        self->patience = 0;
        self->epoch = SA_NO_EPOCH;
        memset(self->pending, 0, sizeof self->pending);
        atomic_store(&sa_gate.alive, 1);
}
