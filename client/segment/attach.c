/* SPDX-License-Identifier: MIT */
/*
 * See attach.h.
 *
 * A thread attaches at most once a second, alone, and in one go: no descriptor stays open, so none can be closed,
 * reused or inherited by the host.  A collector that does not answer costs a span 100 ms, and each time a pause twice
 * as long, up to a minute.  SPANALLOC_ATTACH_MS gives it more time: `run` sets it, since its collector certainly
 * exists, but may have hundreds of processes to answer at once.
 */
#include "client/segment/attach.h"

#include <errno.h>
#include <time.h>

#include "client/gate/quick.h"
#include "client/gate/root.h"
#include "client/segment/attaching.h"
#include "client/segment/attachments.h"
#include "client/segment/fork.h"
#include "client/segment/handshake.h"
#include "client/segment/inherited.h"
#include "client/segment/intern.h"
#include "client/segment/lease.h"
#include "client/segment/left_behind.h"
#include "client/segment/listening.h"

#define ASKED_TIMEOUT_MS 5000 /* if the program calls for it, or waits for room anyway */
#define BACK_OFF_MAX_S   60u

static uint64_t now_ns(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
        return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void lower(_Atomic uint32_t *limit, uint32_t to) {
        uint32_t old = atomic_load(limit);

        while (to < old && !atomic_compare_exchange_weak(limit, &old, to))
                ;
}

static int attach(const char *path, uint32_t ring_kib, long timeout_ms) {
        struct sa_attachment *a, *old;
        int r;

        sa_left_reap();
        sa_attachments_reap(sa_inherited_keep);
        a = sa_attachments_vacant();
        if (!a)
                return -EAGAIN;
        old = atomic_load(&sa_gate.attachment);
        r = sa_handshake(a, old, path, ring_kib, timeout_ms);
        if (r < 0 || r == SA_KEPT)
                return r < 0 ? r : 0;
        /* A fork in a signal handler: this is the child, and the segment is the parent's. */
        r = atomic_load(&sa_gate.attaching) ? sa_intern_map(a) : -EAGAIN;
        if (r < 0) {
                sa_segment_unmap(&a->map);
                if (r != -EAGAIN)
                        sa_tell_unmapped(path, -r);
                return r;
        }

        lower(&sa_root.name_limit, a->geometry.name_capacity);
        lower(&sa_root.path_limit, a->geometry.path_capacity);
        atomic_store(&a->header->counting, atomic_load(&sa_root.counting));
        atomic_store(&a->header->instance_floor, atomic_load(&sa_root.next_block));
        atomic_store(&sa_root.options, a->header->options);
        a->epoch = sa_nth_epoch(atomic_fetch_add(&sa_root.epoch, 1));
        atomic_store(&a->in_use, SA_MAPPED);
        atomic_store(&sa_gate.attachment, a); /* [N1] seq_cst, before sa_intern_copy() loads the entries */
        r = sa_intern_copy(a);
        if (r < 0) {
                atomic_store(&sa_gate.attachment, old);
                sa_tell_unmapped(path, -r);
                return r;
        }
        atomic_store(&sa_gate.generation, a->generation);
        atomic_store(&sa_beacon.now, a->beacon);
        sa_set_listening(1);
        atomic_store(&sa_gate.quick, 0);
        /* [G1] release of `epoch`, pairs with the acquire in sa_lane_slow().  Publishes: the attachment, with all
         * names and paths; and the 0 of `quick`.  Without it: a lane is claimed in a segment without names, or a newer
         * thread's epoch is compared with an older `quick`. */
        atomic_store_explicit(&sa_gate.epoch, a->epoch, memory_order_release);
        atomic_store(&sa_gate.quick, atomic_load(&sa_root.quick) ? sa_quick_of(a->epoch) : 0);
        return 0;
}

/* Sets when to try next.  The pause doubles, up to BACK_OFF_MAX_S, unless the collector is not there, or ends: what else
 * failed, as a mapping without address space, fails again, and each attempt costs the collector a segment. */
static void back_off(int error) {
        uint32_t seconds = 1;

        if (error < 0 && error != -ENOENT && error != -ECONNREFUSED && error != -ECONNRESET) {
                seconds = atomic_load(&sa_root.back_off) * 2;
                seconds = seconds < 1 ? 1 : seconds > BACK_OFF_MAX_S ? BACK_OFF_MAX_S : seconds;
        }
        atomic_store(&sa_root.back_off, seconds);
        atomic_store(&sa_root.next_try_ns, now_ns() + seconds * UINT64_C(1000000000));
}

static bool is_current(void) {
        return atomic_load(&sa_gate.epoch) && !sa_is_stale();
}

/* Opens between two reads of the clock.  A thread that opens ten spans a second searches again within 1.6 s.  A
 * thread whose last two reads met the same tick opens so many that the lesser number takes milliseconds, and reads
 * the clock less often. */
#define PATIENCE       16u
#define PATIENCE_BUSY  64u
#define PATIENCE_EVER  (1u << 20) /* where no collector can be found */
#define LOOK_TICK_BITS 24         /* 17 ms */
/* The clock's tick at a thread's last search.  Two threads may share one: the one's next search then comes later. */
#define LAST_TICKS 1024u
static _Atomic uint8_t last_ticks[LAST_TICKS];

bool sa_attach_is_due(struct sa_thread *self) {
        uint32_t state = atomic_load(&sa_root.state);
        _Atomic uint8_t *last;
        uint8_t tick;
        uint64_t now;

        if (state != SA_READY) {
                if (state == SA_NEW || sa_leader())
                        return true; /* the call starts the library, or goes to the copy that leads */
                self->patience = PATIENCE_EVER;
                return false;
        }
        if (sa_quiet()) {
                self->patience = PATIENCE_EVER;
                return false;
        }
        now = now_ns();
        tick = (uint8_t)(now >> LOOK_TICK_BITS);
        last = &last_ticks[(uintptr_t)self / sizeof *self % LAST_TICKS];
        self->patience = tick == atomic_load_explicit(last, memory_order_relaxed) ? PATIENCE_BUSY : PATIENCE;
        atomic_store_explicit(last, tick, memory_order_relaxed);
        return now >= atomic_load_explicit(&sa_root.next_try_ns, memory_order_relaxed);
}

/* A raw clone(2) leaves the child without a robust list: the kernel would not report its threads' deaths, and libc's
 * own list still points into the parent's segment.  Such a child does not attach. */
static bool has_robust_list(void) {
        void *head = NULL;
        size_t n;

        return sa_call(SYS_get_robust_list, 0, (long)&head, (long)&n, 0, 0, 0) == 0 && head;
}

/* By the one thread that attaches. */
static int attach_alone(const char *path, uint32_t ring_kib, long timeout_ms) {
        int r = 0;

        if (!is_current()) {
                /* Other threads do not try again before this time either. */
                atomic_store(&sa_root.next_try_ns, now_ns() + UINT64_C(1000000000));
                atomic_fetch_add(&sa_root.attach_attempts, 1);
                r = !has_robust_list() ? -EOPNOTSUPP : attach(path, ring_kib, timeout_ms);
                atomic_store(&sa_root.attach_error, r);
                back_off(r);
        }
        sa_attaching_end();
        return r;
}

/* Signals are blocked: a handler could install a filter, fork, jump out, or end the thread in the middle. */
static int attach_undisturbed(const char *path, uint32_t ring_kib, long timeout_ms) {
        uint64_t signals;
        int r;

        if (!sa_may_call_undisturbed(&sa_self, &signals)) {
                atomic_store(&sa_root.attach_error, -EPERM);
                return -EPERM;
        }
        r = sa_attaching_begin() ? attach_alone(path, ring_kib, timeout_ms) : -EAGAIN;
        sa_calls_end_undisturbed(&sa_self, signals);
        return r;
}

int sa_attach(const struct spanalloc_options *options, bool asked) {
        const char *path = options && options->socket ? options->socket : sa_root.socket;
        uint32_t ring_kib = options && options->ring_kib ? options->ring_kib : sa_root.ring_kib;
        long timeout_ms = sa_root.answer_ms;
        int saved = errno, r;

        if (atomic_load(&sa_root.state) != SA_READY)
                return -EPERM;
        sa_notice_fork();
        if (atomic_load(&sa_gate.alive) != 1)
                return -EAGAIN; /* a forked child, in the middle of sa_notice_fork_slow() */
        if (is_current())
                return 0;
        if (sa_quiet())
                return -EPERM;
        if ((asked || sa_root.on_full == SPANALLOC_WAIT) && timeout_ms < ASKED_TIMEOUT_MS)
                timeout_ms = ASKED_TIMEOUT_MS;
        if (!asked && now_ns() < atomic_load(&sa_root.next_try_ns))
                return -EAGAIN;
        r = attach_undisturbed(path, ring_kib, timeout_ms);
        errno = saved;
        return r;
}

void sa_attach_rest(void) {
        if (!sa_may_call(&sa_self))
                return;
        if (sa_attaching_begin()) {
                if (!atomic_load(&sa_gate.epoch))
                        sa_set_listening(0);
                sa_attaching_end();
        }
        sa_calls_end(&sa_self);
}
