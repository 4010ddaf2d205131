/* SPDX-License-Identifier: MIT */
/* See attaching.h. */
#include "client/segment/attaching.h"

#include <errno.h>

#include "client/gate/gate.h"
#include "client/gate/quiet_process.h"

bool sa_thread_is_gone(uint32_t tid) {
        return sa_call(SYS_tgkill, sa_call(SYS_getpid, 0, 0, 0, 0, 0, 0), tid, 0, 0, 0, 0) == -ESRCH;
}

bool sa_attaching_begin(void) {
        uint32_t own = (uint32_t)sa_call(SYS_gettid, 0, 0, 0, 0, 0, 0), holder = 0;

        if (atomic_compare_exchange_strong(&sa_gate.attaching, &holder, own))
                return true;
        return sa_thread_is_gone(holder) && atomic_compare_exchange_strong(&sa_gate.attaching, &holder, own);
}

void sa_attaching_end(void) {
        atomic_store(&sa_gate.attaching, 0);
}
