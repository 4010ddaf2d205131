/* SPDX-License-Identifier: MIT */
/* See cross_thread.h. */
#include "client/lanes/cross_thread.h"

#include "client/segment/attachments.h"
#include "shm/span.h"

/* The number of cycles of `instance` on a lane that have no mark. */
static int count_unmarked(const struct shm_lane *lane, uint64_t instance) {
        /* [F1] acquire of `depth`, pairs with the releases in sa_push(), sa_add_depth() and sa_move_down(). */
        uint32_t depth = atomic_load_explicit(&lane->depth, memory_order_acquire);
        int n = 0;

        /* From the top, since frames move down.  [F1] acquire of each, pairs with the releases in sa_move_down() and
         * sa_push(). */
        for (uint32_t i = depth < SHM_DEPTH ? depth : SHM_DEPTH; i-- > 0;)
                n += atomic_load_explicit(&lane->stack[i].instance, memory_order_acquire) == instance;
        if (!n)
                return 0;
        for (unsigned i = 0; i < SHM_DEPTH; i++)
                n -= atomic_load_explicit(&lane->marks[i], memory_order_relaxed) == instance;
        return n;
}

/* True if the thread is dead and the collector has ended the cycles on its stack: no thread would take a mark. */
static bool is_settled(const struct shm_lane *lane) {
        /* Relaxed: at worst a mark is set too late, as a mark that was set a moment before the end is. */
        return atomic_load_explicit(&lane->retired, memory_order_relaxed) ==
               atomic_load_explicit(&lane->occupancy, memory_order_relaxed);
}

static bool mark(struct shm_lane *lane, uint64_t instance) {
        for (unsigned i = 0; i < SHM_DEPTH; i++) {
                uint64_t expected = 0;

                if (!atomic_compare_exchange_strong_explicit(&lane->marks[(instance + i) % SHM_DEPTH], &expected,
                                                             instance, memory_order_relaxed, memory_order_relaxed))
                        continue;
                /* [F2] release of `attention`, pairs with the acquire in sa_slow_attend().  Publishes: the mark. */
                atomic_fetch_or_explicit(&lane->attention, SHM_ATTENTION_FOREIGN, memory_order_release);
                return true;
        }
        return false;
}

/* Marks a lane whose thread may be moving to another one.  False if the thread has moved, with its frames. */
static bool mark_on_its_way(struct shm_lane *lane, uint64_t instance) {
        if (!mark(lane, instance))
                return false;
        /* [F3] seq_cst fence between the store of the mark and the load of `depth`, pairs with the one in
         * sa_foreign_move() between the store of `depth` and the loads of the marks.  Without it: the mark stays on the
         * old lane. */
        atomic_thread_fence(memory_order_seq_cst);
        if (atomic_load_explicit(&lane->depth, memory_order_relaxed))
                return true;
        for (unsigned i = 0; i < SHM_DEPTH; i++) {
                uint64_t mine = instance;

                if (atomic_compare_exchange_strong(&lane->marks[i], &mine, 0))
                        return false;
        }
        return true; /* sa_foreign_move() has moved it */
}

void sa_foreign_move(struct shm_lane *from, struct shm_lane *to) {
        /* Release: a thread that reads this 0 finds the frames on the new lane. */
        atomic_store_explicit(&from->depth, 0, memory_order_release);
        atomic_thread_fence(memory_order_seq_cst); /* [F3] */
        for (unsigned i = 0; i < SHM_DEPTH; i++) {
                uint64_t instance = atomic_exchange(&from->marks[i], 0);

                if (instance)
                        mark(to, instance);
        }
}

void sa_foreign_settle(struct shm_lane *lane) {
        uint64_t taken = atomic_load_explicit(&lane->taken, memory_order_relaxed);
        uint64_t until = atomic_load_explicit(&lane->taken_until, memory_order_relaxed);
        bool any = false, is_marked = false;

        for (unsigned i = 0; i < SHM_DEPTH; i++) {
                uint64_t instance = atomic_load_explicit(&lane->marks[i], memory_order_relaxed);

                any |= instance != 0;
                is_marked |= instance == taken;
        }
        if (taken && !is_marked && !(until && atomic_load_explicit(&lane->head, memory_order_relaxed) >= until))
                mark(lane, taken);
        else if (any)
                atomic_fetch_or_explicit(&lane->attention, SHM_ATTENTION_FOREIGN, memory_order_release); /* [F2] */
        /* As in sa_slow_attend(). */
        atomic_store_explicit(&lane->taken, 0, memory_order_release);
        atomic_store_explicit(&lane->taken_until, 0, memory_order_release);
}

static bool find_foreign(struct sa_attachment *a, const struct shm_lane *own, uint64_t instance) {
        uint32_t n = atomic_load(&a->header->lanes_claimed), first;

        if (n > a->geometry.lane_capacity)
                n = a->geometry.lane_capacity;
        if (!n)
                return false;
        /* The lane that opened the span is the most likely one. */
        first = shm_span_lane(instance) % n;
        for (uint32_t k = 0; k < n; k++) {
                struct shm_lane *lane = sa_lane_at(a, (first + k) % n);

                if (lane && lane != own && count_unmarked(lane, instance) > 0 && !is_settled(lane) &&
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
        /* The thread may still have its lane in an earlier segment, or have moved after the search above. */
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
                struct shm_close *slot = sa_close_mapped(a, i);
                uint64_t empty = 0;

                if (!slot)
                        break;
                /* [C2] acquire of an empty slot, pairs with the release in segment_free_close(). */
                if (!atomic_compare_exchange_strong_explicit(&slot->instance, &empty, SHM_CLOSE_CLAIMED,
                                                             memory_order_acquire, memory_order_relaxed))
                        continue;
                slot->path = span.path;
                slot->flags = shm_handle_flags(span.reserved) & SHM_FLAG_LATE;
                /* [C1] release of the slot, pairs with the acquire in segment_close().  Publishes: its path. */
                atomic_store_explicit(&slot->instance, span.instance, memory_order_release);
                /* [C1] release, pairs with the acquire in segment_posted_closes().  Publishes: the slot, with the count. */
                atomic_fetch_add_explicit(&a->header->closes_posted, 1, memory_order_release);
                done = true;
        }
        sa_attachment_put(a);
        return done;
}
