/* SPDX-License-Identifier: MIT */
/* Starts the library; see library.h. */
#include "client/process/library.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "client/process/election.h"
#include "client/process/inherited_filter.h"
#include "client/process/settings.h"
#include "client/segment/attach.h"
#include "client/segment/fork.h"
#include "client/segment/inherited.h"
#include "client/segment/intern.h"
#include "client/segment/lease.h"
#include "client/segment/segment_map.h"
#include "shm/handshake.h"

/* Where the collector wants to be told of every child, a child attaches in fork(), before it does anything. */
static void after_fork_in_child(void) {
        sa_after_fork();
        if (atomic_load(&sa_root.options) & SHM_OPTION_EAGER)
                sa_attach(NULL, true);
}

static void before_fork(void) {
        sa_settle_lease();
        sa_inherited_before_fork();
}

static uint32_t start(void) {
        /* Also where it is switched off: an exec makes system calls to see what it starts. */
        if (sa_filter_may_kill(&sa_root.filters)) {
                sa_set_quiet(SA_QUIET_INHERITED);
                return SA_OFF;
        }
        if (sa_is_switched_off())
                return SA_OFF;
        if (madvise(&sa_gate_page, sizeof sa_gate_page, MADV_WIPEONFORK) < 0)
                return SA_OFF;
        atomic_store(&sa_gate.alive, 1);
        sa_read_settings();
        sa_intern_init();
        sa_may_map = sa_may_call;
        pthread_atfork(before_fork, sa_inherited_after_fork, after_fork_in_child);
        return SA_READY;
}

void sa_library_init(void) {
        static _Atomic uint32_t begun;
        struct sa_root *leader;
        int saved;

        if (sa_likely(atomic_load_explicit(&sa_root.leader, memory_order_acquire) != NULL))
                return;
        if (atomic_exchange(&begun, 1))
                return; /* another thread, or the call that this handler interrupted, starts it: nothing is recorded yet */
        saved = errno;
        leader = sa_elect();
        if (leader != &sa_root) {
                leader->api->init(); /* its constructor may come after ours */
                /* [I1] release of the leader's interface, pairs with the acquire in sa_leader().  Without it: a call
                 * goes to a copy that has not started.  Stored before `state`: SA_OFF without a leader means that no
                 * collector will ever be found (sa_attach_is_due()). */
                atomic_store_explicit(&sa_leader_api, leader->api, memory_order_release);
                atomic_store(&sa_root.state, SA_OFF);
        } else {
                atomic_store(&sa_root.state, start());
        }
        atomic_store_explicit(&sa_root.leader, leader, memory_order_release);
        errno = saved;
}

__attribute__((constructor)) static void construct(void) {
        sa_library_init();
}
