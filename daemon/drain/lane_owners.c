/* SPDX-License-Identifier: MIT */
/*
 * Whose lane it is: threads that come to one, one after the other, and the names under which `outside` is kept.
 */
#include <string.h>

#include "base/clean_text.h"
#include "daemon/attribution/interval.h"
#include "daemon/drain/drain_private.h"

/* The entry of a thread's name among those under which `outside` is kept; 0, (other), when the table is full. */
static uint32_t thread_entry(struct books *books, const char *comm) {
        char name[SHM_COMM_BYTES] = {0};
        uint32_t n = books->book->threads;

        text_clean(name, sizeof name, comm, SHM_COMM_BYTES - 1);
        for (uint32_t i = 0; i < n; i++)
                if (!strncmp(books->threads[i].name, name, sizeof name))
                        return i;
        if (n == books->limits.threads)
                return 0;
        touch(books, &books->threads[n].name);
        memcpy(books->threads[n].name, name, sizeof name);
        touch(books, &books->book->threads);
        books->book->threads++;
        return n;
}

static void set_thread(struct books *books, struct lane *lane, uint32_t entry) {
        if (lane->thread == entry)
                return;
        touch(books, &lane->thread);
        lane->thread = entry;
}

/* A thread that the books have not met has the lane, and all that came before it is booked. */
static void meet(struct books *books, struct lane *lane, const struct reader_occupant *who) {
        if (lane->occupancy == who->occupancy)
                return;
        touch(books, &lane->occupancy);
        lane->occupancy = who->occupancy;
        set_thread(books, lane, thread_entry(books, who->comm));
}

/* What the lane's last thread had not told is booked to it, and what the present one had counted before is not.  Where one
 * died while it moved in, `offset` is old as long as `before` is, and then nothing is taken for it. */
void drain_receive(struct drain *drain, uint32_t i, const struct reader_occupant *who) {
        struct books *books = drain->books;
        struct lane *lane = &books->lanes[i];
        struct reader_occupant past;
        uint32_t occupancy = who->occupancy + (who->occupancy & 1), missed = occupancy - lane->occupancy;

        if (missed) {
                /* Those who came and went since the last look, one after the other; not the oldest entry, in which the next
                 * one may be signing in. */
                for (uint32_t k = missed / 2 < SHM_PAST ? missed / 2 : SHM_PAST - 1; k-- > 1;) {
                        if (!reader_past(&drain->reader, i, occupancy - 2 * k, &past))
                                continue;
                        frames_settle(books, i, past.offset, 0);
                        meet(books, lane, &past);
                        interval_before(books, lane, past.before);
                        interval_gap(books, lane, past.gap);
                }
                frames_settle(books, i, who->offset, 0);
                if (occupancy == who->occupancy)
                        meet(books, lane, who);
        }
        interval_before(books, lane, who->before);
        interval_gap(books, lane, who->gap);
}

/* The same at the thread's first records: what it counted before them is its own, not its predecessor's. */
void drain_receive_at_before(struct drain *drain, uint32_t i, uint64_t occupancy) {
        struct reader_occupant who;

        if (drain->books->lanes[i].occupancy == occupancy || occupancy > UINT32_MAX)
                return;
        if ((reader_occupant(&drain->reader, i, &who) && who.occupancy == occupancy) ||
            reader_past(&drain->reader, i, (uint32_t)occupancy, &who))
                drain_receive(drain, i, &who);
}

void drain_name_thread(struct drain *drain, uint32_t lane, uint32_t tid, const char *comm) {
        struct books *books = drain->books;

        if (lane >= drain->reader.lanes || reader_tid(&drain->reader, lane) != tid)
                return;
        books_begin(books, books->book->now_ns);
        set_thread(books, &books->lanes[lane], thread_entry(books, comm));
        drain_commit(drain);
}
