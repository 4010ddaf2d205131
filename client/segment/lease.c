/* SPDX-License-Identifier: MIT */
/* Reads what the collector has seen; see lease.h. */
#include "client/segment/lease.h"

#include <signal.h>

#include "client/gate/signals.h"
#include "client/segment/attachments.h"

#define LOOKS_AFTER 2u /* The first of them may have begun before. */

/* 0: no filter is expected; EXPECTED; or SINCE + the collector's number of looks when the lease was read first. */
static _Atomic uint64_t expected;
#define EXPECTED 1u
#define SINCE    2u

static bool is_expected(const struct shm_header *header) {
        uint64_t looks = atomic_load_explicit(&header->looks, memory_order_relaxed), was = atomic_load(&expected);

        if (was == EXPECTED && atomic_compare_exchange_strong(&expected, &was, SINCE + looks))
                return true;
        if (was >= SINCE && looks + SINCE < was) { /* of another segment */
                atomic_compare_exchange_strong(&expected, &was, SINCE + looks);
                return true;
        }
        if (was < SINCE || looks + SINCE - was < LOOKS_AFTER)
                return was != 0;
        atomic_compare_exchange_strong(&expected, &was, 0);
        return false;
}

static bool has_lease(void) {
        uint32_t epoch;
        struct sa_attachment *a = sa_attachment_get(&epoch);
        bool may;

        if (!a)
                return !atomic_load(&expected);
        /* Relaxed: the collector writes what it saw a while ago. */
        if (atomic_load_explicit(&a->header->sandbox, memory_order_relaxed) != SHM_SANDBOX_NONE)
                sa_set_quiet(SA_QUIET_SEEN);
        may = !is_expected(a->header) && !sa_quiet();
        sa_attachment_put(a);
        return may;
}

bool sa_may_call(struct sa_thread *self) {
        if (!sa_calls_begin(self))
                return false;
        if (has_lease())
                return true;
        sa_calls_end(self);
        return false;
}

/* pthread_sigmask(3) would leave libc's own signals out. */
bool sa_may_call_undisturbed(struct sa_thread *self, uint64_t *ret_signals) {
        const uint64_t blocked = ~SA_SYNCHRONOUS;

        if (!sa_may_call(self))
                return false;
        if (sa_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&blocked, (long)ret_signals, sizeof blocked, 0, 0) == 0)
                return true;
        sa_calls_end(self);
        return false;
}

void sa_calls_end_undisturbed(struct sa_thread *self, uint64_t signals) {
        sa_raw_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&signals, 0, sizeof signals, 0, 0);
        sa_calls_end(self);
}

void sa_settle_lease(void) {
        if (atomic_load(&expected))
                (void)has_lease();
}

void sa_filter_comes(enum sa_quiet reason) {
        if (reason != SA_NOT_QUIET) {
                sa_set_quiet(reason);
                return;
        }
        /* The looks count from now on: at the next system call this collector may be gone, and looks no more. */
        atomic_store(&expected, EXPECTED);
        sa_settle_lease();
}
