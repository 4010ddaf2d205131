/* SPDX-License-Identifier: MIT */
/*
 * What happens between records: books are brought up to live counters, dead threads are ended, and processes.
 */
#include <stdio.h>

#include "daemon/drain/drain_private.h"
#include "shm/clock.h"

/* The thread is dead, or gone to another segment.  If another comes meanwhile, nothing is booked: what was read may be
 * the other's. */
static void retire(struct drain *drain, uint32_t i, const struct lane_owner *owner) {
        struct books *books = drain->books;
        struct lane *lane = books_lane(books, i);
        struct frames_remains remains;
        uint64_t last[SHM_COUNTERS];

        if (lane->retired == owner->occupancy)
                return;
        segment_last_counters(&drain->reader, i, last);
        segment_remains(&drain->reader, i, lane->position, last, &remains);
        if (!segment_is_still(&drain->reader, i, owner->occupancy))
                return;
        drain_receive(drain, i, owner);
        frames_retire(books, i, last, &remains);
        touch(books, &lane->retired);
        lane->retired = owner->occupancy;
}

/* Brings one lane up to its thread's live counters, or ends it if the thread is dead; is_dead: all of them are, and its
 * records are drained. */
static int settle_lane(struct drain *drain, uint32_t i, bool is_dead) {
        struct books *books = drain->books;
        struct lane *lane = books_lane(books, i);
        struct lane_owner owner;
        uint64_t live[SHM_COUNTERS], head;
        int r;

        drain_changes_lane(drain, i);
        segment_ask_timing(&drain->reader, i, books_timing(books));
        if (!segment_lane_owner(&drain->reader, i, &owner) && !is_dead)
                return 0;
        if (!owner.occupancy)
                return 0;
        if (owner.alive && !is_dead) {
                bool is_live = segment_live_counters(&drain->reader, i, lane->position, live);
                uint64_t ticks = books_timing(books) ? shm_clock() : 0;

                if (segment_has_records(&drain->reader, i, lane->position) ||
                    !segment_is_still(&drain->reader, i, owner.occupancy))
                        return 0;
                /* The counts of the previous owner are booked even if this thread has refused frames now. */
                drain_receive(drain, i, &owner);
                if (is_live)
                        frames_settle(books, i, live, ticks);
                return 0;
        }
        if (is_dead) {
                retire(drain, i, &owner);
                return 0;
        }
        /* [O1] The owner is dead, so nothing more will come: the head that is read now is the last. */
        atomic_thread_fence(memory_order_acquire);
        r = segment_head(&drain->reader, i, lane->position, &head);
        if (r >= 0)
                r = drain_some(drain, i, head, SPANS_SECOND_LOOK);
        if (r < 0 || lane->position != head)
                return r;
        retire(drain, i, &owner);
        return 0;
}

/* A thread counts what it refuses first for itself and then for the path: so long after it was seen to do anything at
 * all there is nothing more to come, unless it was stopped right between; then its next doing shows it. */
#define MOVED_NS UINT64_C(2000000000)

/* Lanes and paths that are looked at in one call. */
#define LANES_PORTION 1024u
#define PATHS_PORTION 16384u

/* To look at each path, here and in the segment, took a sixth of what a `top` over processes that sleep cost us. */
static bool paths_may_differ(struct drain *drain, const struct shm_refused *refused) {
        uint64_t moved = segment_activity(&drain->reader) + refused->enters + refused->enters_depth + refused->opens;

        if (moved != drain->moved) {
                drain->moved = moved;
                drain->moved_ns = drain->now_ns;
        }
        return drain->now_ns - drain->moved_ns < MOVED_NS;
}

/* Of `portion` paths at most; the next ones are read at the next call. */
static void settle_refused_paths(struct drain *drain, uint32_t portion) {
        uint32_t count = books_path_count(drain->books);

        for (; drain->refused_left && portion; drain->refused_left--, portion--) {
                uint32_t path = drain->refused_path < count ? drain->refused_path + 1 : 1;

                drain->refused_path = path;
                if (!names_have_path(drain->books, path))
                        continue;
                if (books_batch_is_full(drain->books))
                        drain_next_batch(drain);
                books_set_path_refused(drain->books, path, segment_path_refused(&drain->reader, path));
        }
}

static void settle_refused(struct drain *drain, bool is_dead) {
        struct shm_refused refused = {0};

        for (uint32_t i = 0; i < drain->reader.lanes; i++)
                segment_refused(&drain->reader, i, &refused);
        books_set_refused(drain->books, &refused, segment_refused_threads(&drain->reader));
        books_set_forks(drain->books, segment_forks(&drain->reader));
        if (is_dead || (paths_may_differ(drain, &refused) && !drain->refused_left))
                drain->refused_left = books_path_count(drain->books);
        settle_refused_paths(drain, PATHS_PORTION);
}

/* A portion of the lanes, from `settled` on, which is 0 again behind the last one. */
static int settle_lanes(struct drain *drain) {
        uint32_t end = drain->settled + LANES_PORTION;
        int r = drain->settled ? 0 : drain_look_at_lanes(drain);

        if (r < 0 || (!drain->settled && drain_lacks_lanes(drain)))
                return r;
        for (; r >= 0 && drain->settled < drain->reader.lanes && drain->settled < end; drain->settled++) {
                if (books_batch_is_full(drain->books))
                        drain_next_batch(drain);
                r = settle_lane(drain, drain->settled, false);
        }
        if (drain->settled == drain->reader.lanes) {
                drain->settled = 0;
                drain->rounds++;
        }
        return r;
}

int drain_settle(struct drain *drain, uint64_t now_ns) {
        uint32_t from = drain->settled;
        bool any = false;
        int r = 0;

        if (drain->is_finishing)
                return 0;
        drain->slice = DRAIN_SLICE;
        drain_begin(drain, now_ns);
        if (!drain->settled && drain_has_closes(drain)) /* of the last pass's second look */
                r = drain_look(drain, &any);
        segment_ask_timing_of_all(&drain->reader, books_timing(drain->books));
        if (r >= 0)
                r = settle_lanes(drain);
        if (r >= 0 && !drain->settled)
                settle_refused(drain, false);
        drain_note_peak(drain);
        drain_commit(drain);
        drain_publish_retired(drain, from, drain->settled ? drain->settled : drain->reader.lanes);
        return r >= 0 && (drain->settled || drain->refused_left || drain_lacks_lanes(drain)) ? DRAIN_CUT : r;
}

uint64_t drain_settled(const struct drain *drain) {
        return drain->rounds;
}

uint64_t drain_settled_from_now(const struct drain *drain) {
        return drain->rounds + 1 + (drain->settled > 0);
}

/* First the look that it is in the middle of, then one to the heads of this moment: what another process writes into the
 * segment after that is not read.  1: it goes on. */
static int finish_look(struct drain *drain) {
        int r = 0;

        drain->is_finishing = true;
        drain->slice = DRAIN_SLICE;
        if (drain->target_count) {
                r = drain_second_look(drain);
        } else if (!drain->finish_has_heads) {
                drain->finish_has_heads = true;
                drain_take_overflow(drain, SPANS_SECOND_LOOK);
                drain_begin_second_look(drain);
        } else {
                return 0;
        }
        return r < 0 ? r : 1;
}

/* A batch of them: each may have a whole stack that is aborted. */
static int finish_lanes(struct drain *drain) {
        for (; drain->finish_lane < drain->reader.lanes; drain->finish_lane++) {
                int r;

                if (books_batch_is_full(drain->books))
                        return 1;
                r = settle_lane(drain, drain->finish_lane, true);
                if (r < 0)
                        return r;
        }
        settle_refused(drain, true);
        return 0;
}

/* No thread writes any more: queued closes have nothing to wait for.  True: both looks of them are applied. */
static bool finish_closes(struct drain *drain) {
        drain->finish_looks += spans_apply_closes(drain->books);
        return drain->finish_looks == 2;
}

/* In a batch.  0: the step is over; 1: it goes on; or -errno. */
static int finish_step(struct drain *drain) {
        switch (drain->finish) {
        case FINISH_LOOK:
                return finish_look(drain);
        case FINISH_LANES:
                return finish_lanes(drain);
        case FINISH_REFUSED:
                settle_refused_paths(drain, PATHS_PORTION);
                return drain->refused_left > 0;
        case FINISH_CLOSES:
                return !finish_closes(drain);
        case FINISH_OPEN:
                return !frames_finish(drain->books, &drain->finish_open);
        case FINISH_RINGS:
        case FINISH_DONE:
                break;
        }
        return 0;
}

int drain_finish_some(struct drain *drain, uint64_t now_ns) {
        int r;

        if (drain->finish == FINISH_DONE)
                return drain->finish_result;
        if (drain->finish == FINISH_RINGS) {
                r = !segment_forget_rings(&drain->reader, &drain->finish_ring);
        } else {
                drain_begin(drain, now_ns);
                r = finish_step(drain);
                drain_commit(drain);
        }
        if (r < 0) {
                drain->finish_result = r;
                drain->finish = FINISH_DONE;
        } else if (r == 0) {
                drain->finish++;
        }
        return r < 0 || drain->finish == FINISH_DONE ? r : 1;
}

int drain_finish(struct drain *drain, uint64_t now_ns) {
        int r;

        while ((r = drain_finish_some(drain, now_ns)) > 0)
                ;
        return r;
}

void drain_abandon(struct books *books, uint64_t now_ns) {
        static const struct frames_remains nothing;
        struct frames_finishing open = {0};

        books_begin(books, now_ns);
        for (uint32_t i = 0; i < books_lanes(books); i++) {
                if (books_batch_is_full(books)) {
                        books_commit(books);
                        books_begin(books, now_ns);
                }
                frames_retire(books, i, books_lane(books, i)->last, &nothing);
        }
        while (!frames_finish(books, &open)) {
                books_commit(books);
                books_begin(books, now_ns);
        }
        books_commit(books);
}

bool drain_check(const struct drain *drain, char *why, size_t size) {
        for (uint32_t i = 0; i < drain->reader.lanes; i++) {
                const struct lane *lane = books_lane(drain->books, i);
                struct lane_owner owner;
                uint64_t live[SHM_COUNTERS];
                bool is_retired;

                if (!segment_lane_owner(&drain->reader, i, &owner))
                        continue;
                segment_last_counters(&drain->reader, i, live);
                if (!segment_is_still(&drain->reader, i, owner.occupancy))
                        continue;
                is_retired = lane->retired == owner.occupancy;
                for (int c = 0; c < SHM_COUNTERS; c++) {
                        if (is_retired ? lane->last[c] == live[c] : lane->last[c] <= live[c])
                                continue;
                        snprintf(why, size, "lane %u's thread has counted %llu of counter %d, its books %llu", i,
                                 (unsigned long long)live[c], c, (unsigned long long)lane->last[c]);
                        return false;
                }
        }
        return true;
}
