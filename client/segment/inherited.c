/* SPDX-License-Identifier: MIT */
/* See inherited.h. */
#include "client/segment/inherited.h"

#include "client/gate/root.h"
#include "client/segment/attachments.h"
#include "shm/handshake.h"

/* Not in every libc. */
extern char __libc_single_threaded __attribute__((weak));

/* Relaxed throughout: a forked child has one thread, and libc runs the handlers of one fork at a time.  A thread that
 * attaches meanwhile makes the sum an estimate, as any other thread does. */
static struct {
        _Atomic uint64_t inherited; /* at the fork */
        _Atomic uint64_t left;      /* counted by ended threads in segments that are not mapped any more */
        _Atomic uint32_t flags;     /* of `inherited`: SHM_HELLO_ESTIMATED, or UNKNOWN */
        _Atomic uint64_t at_fork;
        _Atomic uint32_t at_fork_flags; /* valid with READY */
} own;

#define UNKNOWN          0x10000u
#define READY            0x20000u

#define get(word)        atomic_load_explicit(&own.word, memory_order_relaxed)
#define set(word, value) atomic_store_explicit(&own.word, (value), memory_order_relaxed)

#define TRIES            16

/* A value that the thread had: no free was counted between two reads of the frees.  A thread that frees without a pause
 * makes the last try an estimate. */
static uint64_t live_net(const struct shm_lane *lane) {
        const _Atomic uint64_t *frees = &lane->live[SHM_DEALLOC_BYTES];
        uint64_t freed = atomic_load(frees), again, allocated;

        for (int i = 0;; i++) {
                allocated = atomic_load(&lane->live[SHM_ALLOC_BYTES]);
                again = atomic_load(frees);
                if (freed == again || i == TRIES)
                        return allocated - again;
                freed = again;
        }
}

/* Of the lanes of one segment: what their threads counted that have ended, and with `living` that of the others.  A
 * thread that left its lane took its counts along. */
static uint64_t net_in(const struct sa_attachment *a, bool living, uint32_t *ret_living) {
        uint32_t n = atomic_load(&a->header->lanes_claimed);
        uint64_t net = 0;

        for (uint32_t i = 0; i < n && i < a->geometry.lane_capacity; i++) {
                const struct shm_lane *lane = sa_lane_at(a, i);
                uint32_t word = lane ? shm_owner_word(lane) : 0;
                bool died = word & SHM_OWNER_DIED, lives = (word & SHM_OWNER_TID) && !died;

                if (!lane)
                        continue;
                *ret_living += lives;
                if (died || (lives && living))
                        net += live_net(lane);
                else
                        net += shm_load(lane->offset[SHM_ALLOC_BYTES]) - shm_load(lane->offset[SHM_DEALLOC_BYTES]);
        }
        return net;
}

/* Over all segments that are mapped. */
static uint64_t net_in_all(bool living, uint32_t *ret_living) {
        uint64_t net = 0;

        for (uint32_t i = 0; i < SA_ATTACHMENTS; i++) {
                struct sa_attachment *a = sa_attachment_nth(i);

                if (!a)
                        continue;
                net += net_in(a, living, ret_living);
                sa_attachment_put(a);
        }
        return net;
}

static bool is_single_threaded(void) {
        return &__libc_single_threaded && __libc_single_threaded;
}

void sa_inherited_before_fork(void) {
        const struct sa_thread *self = &sa_self;
        uint32_t living = 0, flags = get(flags);
        uint64_t net = get(inherited) + get(left) + net_in_all(true, &living);
        bool in_lane = self->lane && self->epoch != SA_NO_EPOCH;

        net += self->pending[SHM_ALLOC_BYTES] - self->pending[SHM_DEALLOC_BYTES];
        /* Other threads count at the same time, and the counts of those without a lane cannot be read. */
        if (living > in_lane || (!in_lane && !is_single_threaded()))
                flags |= SHM_HELLO_ESTIMATED;
        if (atomic_load(&sa_root.snapshot))
                flags |= UNKNOWN;
        set(at_fork, net);
        set(at_fork_flags, flags | READY);
}

void sa_inherited_after_fork(void) {
        struct sa_attachment *a;
        uint32_t epoch;

        set(at_fork_flags, 0);
        a = sa_attachment_get(&epoch);
        if (!a)
                return;
        atomic_fetch_add_explicit(&a->header->forks, 1, memory_order_relaxed); /* a figure by itself */
        sa_attachment_put(a);
}

void sa_inherited_begin(void) {
        uint32_t flags = get(at_fork_flags);

        set(inherited, flags & READY ? get(at_fork) : 0);
        set(flags, flags & READY ? flags & ~READY : UNKNOWN);
        set(left, 0);
        set(at_fork_flags, 0);
}

void sa_inherited_fill(struct shm_hello *hello) {
        uint32_t living = 0;

        if (!(get(flags) & UNKNOWN))
                hello->flags |= SHM_HELLO_INHERITED | get(flags);
        hello->own.inherited = get(inherited);
        hello->own.left = get(left) + net_in_all(false, &living);
}

void sa_inherited_keep(const struct sa_attachment *a) {
        uint32_t living = 0;

        set(left, get(left) + net_in(a, false, &living));
}
