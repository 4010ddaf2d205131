/* SPDX-License-Identifier: MIT */
/*
 * The owners of a lane: threads that use it one after the other, and the names under which `outside` is kept.
 */
#include "base/clean_text.h"
#include "daemon/attribution/interval.h"
#include "daemon/drain/drain_private.h"

/* The entry of a thread's name among those under which `outside` is kept. */
static uint32_t thread_entry(struct books *books, const char *comm) {
        char name[SHM_COMM_BYTES] = {0};

        text_clean(name, sizeof name, comm, SHM_COMM_BYTES - 1);
        return thread_names_entry(books, name);
}

static void set_thread(struct books *books, struct lane *lane, uint32_t entry) {
        if (lane->thread == entry)
                return;
        touch(books, &lane->thread);
        lane->thread = entry;
}

/* A thread that the books have not met has the lane, and all that came before it is booked. */
static void meet(struct books *books, struct lane *lane, const struct lane_owner *owner) {
        if (lane->occupancy == owner->occupancy)
                return;
        touch(books, &lane->occupancy);
        lane->occupancy = owner->occupancy;
        set_thread(books, lane, thread_entry(books, owner->comm));
}

/* What the lane's last thread had not told is booked to it, and what the present one had counted before is not.  Where
 * one died while it moved in, `offset` is old as long as `before` is, and then nothing is taken for it. */
void drain_receive(struct drain *drain, uint32_t i, const struct lane_owner *owner) {
        struct books *books = drain->books;
        struct lane *lane = books_lane(books, i);
        struct lane_owner past;
        uint32_t occupancy = owner->occupancy + (owner->occupancy & 1), missed = occupancy - lane->occupancy;

        if (missed) {
                /* The owners between the last pass and this one, in order; not the oldest entry, which the next owner
                 * may be writing. */
                for (uint32_t k = missed / 2 < SHM_PAST ? missed / 2 : SHM_PAST - 1; k-- > 1;) {
                        if (!segment_past_owner(&drain->reader, i, occupancy - 2 * k, &past))
                                continue;
                        frames_settle(books, i, past.offset, 0);
                        meet(books, lane, &past);
                        interval_before(books, lane, past.before);
                        interval_gap(books, lane, past.gap);
                }
                frames_settle(books, i, owner->offset, 0);
                if (occupancy == owner->occupancy)
                        meet(books, lane, owner);
        }
        interval_before(books, lane, owner->before);
        interval_gap(books, lane, owner->gap);
}

/* The same at the thread's first records: what it counted before them is its own, not its predecessor's. */
void drain_receive_at_before(struct drain *drain, uint32_t i, uint64_t occupancy) {
        struct lane_owner owner;

        if (books_lane(drain->books, i)->occupancy == occupancy || occupancy > UINT32_MAX)
                return;
        if ((segment_lane_owner(&drain->reader, i, &owner) && owner.occupancy == occupancy) ||
            segment_past_owner(&drain->reader, i, (uint32_t)occupancy, &owner))
                drain_receive(drain, i, &owner);
}

void drain_name_thread(struct drain *drain, uint32_t lane, uint32_t tid, const char *comm) {
        struct books *books = drain->books;

        if (lane >= drain->reader.lanes || segment_tid(&drain->reader, lane) != tid)
                return;
        books_begin(books, books_now(books));
        set_thread(books, books_lane(books, lane), thread_entry(books, comm));
        drain_commit(drain);
}
