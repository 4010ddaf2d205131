/* SPDX-License-Identifier: MIT */
/* See foreign.h. */
#include "client/foreign.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "client/lane.h"
#include "client/root_private.h"

/* How many cycles of `instance` a lane has that nobody has marked. */
static int count_unmarked(const struct shm_lane *lane, uint64_t instance) {
        /* [F1] acquire of `depth`, pairs with the release in sa_push(). */
        uint32_t depth = atomic_load_explicit(&lane->depth, memory_order_acquire);
        int n = 0;

        /* From the top, as frames that move move down.  [F1] acquire of each, pairs with the release in take_out(). */
        for (uint32_t i = depth < SHM_DEPTH ? depth : SHM_DEPTH; i-- > 0;)
                n += atomic_load_explicit(&lane->stack[i].instance, memory_order_acquire) == instance;
        if (!n)
                return 0;
        for (unsigned i = 0; i < SHM_DEPTH; i++)
                n -= atomic_load_explicit(&lane->marks[i], memory_order_relaxed) == instance;
        return n;
}

/* The thread is gone, and the collector has ended what was on its stack: nobody would take a mark. */
static bool is_settled(const struct shm_lane *lane) {
        /* Relaxed: at worst a mark is set that comes too late, as one that is set a moment earlier does. */
        return atomic_load_explicit(&lane->retired, memory_order_relaxed) ==
               atomic_load_explicit(&lane->occupancy, memory_order_relaxed);
}

static bool mark(struct shm_lane *lane, uint64_t instance) {
        for (unsigned i = 0; i < SHM_DEPTH; i++) {
                uint64_t nobody = 0;

                if (!atomic_compare_exchange_strong_explicit(&lane->marks[(instance + i) % SHM_DEPTH], &nobody,
                                                             instance, memory_order_relaxed, memory_order_relaxed))
                        continue;
                /* [F2] release of `attention`, pairs with the acquire in sa_slow_attend().  Publishes: the mark. */
                atomic_fetch_or_explicit(&lane->attention, SHM_ATTENTION_FOREIGN, memory_order_release);
                return true;
        }
        return false;
}

/* Marks a lane of a thread that may be on its way to another one.  False when it has gone, and took its frames along. */
static bool mark_on_its_way(struct shm_lane *lane, uint64_t instance) {
        if (!mark(lane, instance))
                return false;
        /* [F3] seq_cst fence between the mark and the look at `depth`, pairs with the one in sa_foreign_move() between
         * `depth` and the look at the marks: one of the two sees the other's.  Without it: the mark stays behind. */
        atomic_thread_fence(memory_order_seq_cst);
        if (atomic_load_explicit(&lane->depth, memory_order_relaxed))
                return true;
        for (unsigned i = 0; i < SHM_DEPTH; i++) {
                uint64_t mine = instance;

                if (atomic_compare_exchange_strong(&lane->marks[i], &mine, 0))
                        return false;
        }
        return true; /* it has taken it along */
}

void sa_foreign_move(struct shm_lane *from, struct shm_lane *to) {
        /* Release: who sees it sees the frames on the new lane. */
        atomic_store_explicit(&from->depth, 0, memory_order_release);
        atomic_thread_fence(memory_order_seq_cst); /* [F3] */
        for (unsigned i = 0; i < SHM_DEPTH; i++) {
                uint64_t instance = atomic_exchange(&from->marks[i], 0);

                if (instance)
                        mark(to, instance);
        }
}

static bool find_foreign(struct sa_attachment *a, const struct shm_lane *own, uint64_t instance) {
        uint32_t n = atomic_load(&a->header->lanes_claimed), first;

        if (n > a->geometry.lane_capacity)
                n = a->geometry.lane_capacity;
        if (!n)
                return false;
        /* The lane that opened the span is the likeliest. */
        first = shm_span_lane(instance) % n;
        for (uint32_t k = 0; k < n; k++) {
                struct shm_lane *lane = shm_lane_at(a->map, &a->geometry, (first + k) % n);

                if (lane != own && count_unmarked(lane, instance) > 0 && !is_settled(lane) &&
                    mark_on_its_way(lane, instance))
                        return true;
        }
        return false;
}

bool sa_foreign_exit(const struct shm_lane *own, uint64_t instance) {
        uint32_t epoch;
        struct sa_attachment *a = sa_attachment_get(&epoch);
        bool found;

        if (!a)
                return false;
        found = find_foreign(a, own, instance);
        sa_attachment_put(a);
        /* Its thread may still be where an earlier collector was; or have come here after we looked. */
        for (uint32_t i = 0; !found && i < SA_ATTACHMENTS; i++) {
                struct sa_attachment *other = sa_attachment_nth(i);

                if (!other)
                        continue;
                found = find_foreign(other, own, instance);
                sa_attachment_put(other);
        }
        return found;
}

bool sa_foreign_close(spanalloc_span span) {
        uint32_t epoch;
        struct sa_attachment *a = sa_attachment_get(&epoch);
        bool done = false;

        if (!a)
                return false;
        for (uint32_t i = 0; i < a->geometry.close_capacity && !done; i++) {
                struct shm_close *slot = &shm_closes(a->map, &a->geometry)[i];
                uint64_t empty = 0;

                /* [C2] acquire of an empty slot, pairs with the release in segment_free_close(). */
                if (!atomic_compare_exchange_strong_explicit(&slot->instance, &empty, SHM_CLOSE_CLAIMED,
                                                             memory_order_acquire, memory_order_relaxed))
                        continue;
                slot->path = span.path;
                slot->flags = shm_handle_flags(span.reserved) & SHM_FLAG_LATE;
                /* [C1] release of the slot, pairs with the acquire in segment_close().  Publishes: its path. */
                atomic_store_explicit(&slot->instance, span.instance, memory_order_release);
                /* [C1] release, too: who sees the count sees the slot. */
                atomic_fetch_add_explicit(&a->header->closes_posted, 1, memory_order_release);
                done = true;
        }
        sa_attachment_put(a);
        return done;
}

void sa_ring_bell(void) {
        uint32_t epoch;
        struct sa_attachment *a = sa_attachment_get(&epoch);
        int saved = errno;

        if (!a)
                return;
        atomic_fetch_add(&a->header->bell, 1);
        syscall(SYS_futex, &a->header->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
        errno = saved;
        sa_attachment_put(a);
}
