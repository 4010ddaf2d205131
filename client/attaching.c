/* SPDX-License-Identifier: MIT */
/* See attaching.h. */
#include "client/attaching.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/gate.h"

/* True if the process has no such thread. */
static bool is_gone(uint32_t tid) {
        int saved = errno;
        bool gone = syscall(SYS_tgkill, syscall(SYS_getpid), tid, 0) < 0 && errno == ESRCH;

        errno = saved;
        return gone;
}

bool sa_attaching_begin(void) {
        uint32_t own = (uint32_t)syscall(SYS_gettid), holder = 0;

        if (atomic_compare_exchange_strong(&sa_gate.attaching, &holder, own))
                return true;
        return is_gone(holder) && atomic_compare_exchange_strong(&sa_gate.attaching, &holder, own);
}

void sa_attaching_end(void) {
        atomic_store(&sa_gate.attaching, 0);
}
