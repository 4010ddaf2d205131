/* SPDX-License-Identifier: MIT */
/* Resets in a forked child all that belonged to the parent; see fork.h. */
#include "client/fork.h"

#include "client/attachments.h"
#include "client/listening.h"
#include "client/root.h"

void sa_notice_fork_slow(void) {
        /* By the process's epoch, not by this thread's lane: the thread may not have counted anything yet. */
        bool was_attached = atomic_load(&sa_root.epoch) != 0;
        uint32_t wiped = 0;

        if (atomic_load(&sa_root.state) != SA_READY || !atomic_compare_exchange_strong(&sa_gate.alive, &wiped, 2))
                return;
        sa_gate.child = was_attached;
        sa_attachments_forget();
        sa_set_listening(0);
        atomic_store(&sa_root.next_try_ns, 0);
        atomic_store(&sa_root.back_off, 0);
        sa_self = (struct sa_thread){.epoch = SA_NO_EPOCH};
        atomic_store(&sa_gate.alive, 1);
}
