/* SPDX-License-Identifier: MIT */
/*
 * See drain.h.
 *
 * A pass.  (1) Each lane is drained to its head on arrival; closes are queued.  (2) If there are any: the number of
 * lanes is read, then all heads, and each lane is drained to exactly these; then the closes of (1) are applied, and
 * those of (2) wait for the next pass.  Whatever a program did before it closed a span was published before the close
 * was, so it lies below the heads of (2).
 *
 * A user's share of a pass may end in the middle of either.  After (1), so far as it came, (2) is begun all the same: a
 * lane that (1) did not reach is drained by (2).  After (2), the next pass goes on with it, to the same heads.
 */
#include "daemon/drain/drain_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/attribution/frames.h"
#include "daemon/books/open_spans.h"
#include "daemon/drain/segment_reader.h"

/* A high-water mark that forgets: two stretches of five seconds. */
#define FILL_NS UINT64_C(5000000000)

/* Each takes some pages that are not touched yet. */
#define NEW_LANES        256u

#define PARTIALS_PORTION 2048u /* spans of which an enter was refused, that one call looks up */

int drain_new(struct drain **ret, int memfd, const struct shm_geometry *geometry, struct books *books) {
        struct drain *drain;
        int r;

        drain = calloc(1, sizeof *drain);
        if (!drain)
                return -ENOMEM;
        drain->books = books;
        drain->released = calloc(geometry->lane_capacity, sizeof *drain->released);
        drain->booked = calloc(geometry->lane_capacity, sizeof *drain->booked);
        drain->targets = calloc(geometry->lane_capacity, sizeof *drain->targets);
        drain->closes = calloc(geometry->close_capacity + 1, sizeof *drain->closes);
        r = drain->released && drain->booked && drain->targets && drain->closes
                    ? segment_init(&drain->reader, memfd, geometry)
                    : -ENOMEM;
        if (r < 0) {
                drain_free(drain);
                return r;
        }
        *ret = drain;
        return 0;
}

struct drain *drain_free(struct drain *drain) {
        if (!drain)
                return NULL;
        quota_give(drain->reader.quota, QUOTA_THREADS, drain->reader.lanes);
        segment_deinit(&drain->reader);
        free(drain->released);
        free(drain->booked);
        free(drain->targets);
        free(drain->closes);
        free(drain);
        return NULL;
}

void drain_set_quota(struct drain *drain, struct quota *quota) {
        drain->reader.quota = quota;
}

/* Records that may still be drained in this call. */
static uint64_t share(const struct drain *drain) {
        uint64_t room = quota_room(drain->reader.quota, QUOTA_RECORDS);

        return room < drain->slice && !drain->is_finishing ? room : drain->slice;
}

/* Takes `records`, or work that takes as long, from the share. */
static void charge(struct drain *drain, uint64_t records) {
        quota_add(drain->reader.quota, QUOTA_RECORDS, records);
        drain->slice -= records < drain->slice ? records : drain->slice;
}

/* The share is used up, or the rest of a look is left to the next call. */
static int cut(struct drain *drain) {
        if (quota_room(drain->reader.quota, QUOTA_RECORDS))
                return DRAIN_CUT;
        quota_hit(drain->reader.quota, QUOTA_RECORDS);
        return DRAIN_MORE;
}

/* ------------------------------------------------------------------------------------------------------ batches -- */

void drain_changes_lane(struct drain *drain, uint32_t i) {
        if (drain->changed_from == drain->changed_to) {
                drain->changed_from = i;
                drain->changed_to = i + 1;
        }
        if (i < drain->changed_from)
                drain->changed_from = i;
        if (i >= drain->changed_to)
                drain->changed_to = i + 1;
}

/* Reading the counters of one lane takes some tens of nanoseconds: a thousandth of the time at most. */
#define PEAK_NS_FOR_LANE UINT64_C(40000)

/* Reads the counters of all threads in one go.  The books have each lane as it was at its own last record: their sum
 * is of no moment, and can be much larger than the heap ever was, above all after a time without a collector. */
void drain_note_peak(struct drain *drain) {
        uint64_t sum = 0, counted[SHM_COUNTERS];

        if (drain->peak_ns && drain->now_ns - drain->peak_ns < PEAK_NS_FOR_LANE * drain->reader.lanes)
                return;
        drain->peak_ns = drain->now_ns;
        for (uint32_t i = 0; i < drain->reader.lanes; i++) {
                segment_last_counters(&drain->reader, i, counted);
                sum += counted[SHM_ALLOC_BYTES] - counted[SHM_DEALLOC_BYTES];
        }
        books_note_peak(drain->books, sum);
}

static void tell_producer(struct drain *drain, uint32_t i) {
        const struct lane *lane = books_lane(drain->books, i);

        if (memcmp(drain->booked[i], lane->last, sizeof drain->booked[i]) != 0) {
                memcpy(drain->booked[i], lane->last, sizeof drain->booked[i]);
                segment_set_booked(&drain->reader, i, drain->booked[i]);
        }
        if (drain->released[i] != lane->position) {
                drain->released[i] = lane->position;
                segment_release(&drain->reader, i, lane->position);
        }
}

/* Commits; only then may the producers overwrite what was drained. */
void drain_commit(struct drain *drain) {
        books_commit(drain->books);
        for (uint32_t i = drain->changed_from; i < drain->changed_to; i++)
                tell_producer(drain, i);
        drain->changed_from = drain->changed_to = 0;
        while (drain->close_count)
                segment_free_close(&drain->reader, drain->closes[--drain->close_count]);
}

void drain_next_batch(struct drain *drain) {
        drain_commit(drain);
        books_begin(drain->books, drain->now_ns);
}

void drain_begin(struct drain *drain, uint64_t now_ns) {
        drain->now_ns = now_ns;
        books_begin(drain->books, now_ns);
}

void drain_publish_retired(struct drain *drain, uint32_t from, uint32_t to) {
        for (uint32_t i = from; i < to; i++)
                if (books_lane(drain->books, i)->retired)
                        segment_set_retired(&drain->reader, i, books_lane(drain->books, i)->retired);
}

/* What the last commit said is said again: its writer may have died before it had told the client. */
void drain_resume(struct drain *drain) {
        struct books *books = drain->books;
        struct shm_close close;

        quota_add(drain->reader.quota, QUOTA_THREADS, books_lanes(books) - drain->reader.lanes);
        drain->reader.lanes = books_lanes(books);
        for (uint32_t i = 0; i < drain->reader.lanes; i++) {
                drain->released[i] = books_lane(books, i)->position;
                segment_release(&drain->reader, i, books_lane(books, i)->position);
                drain_changes_lane(drain, i); /* what it has booked, the next commit says again */
        }
        drain_publish_retired(drain, 0, drain->reader.lanes);
        /* A close is given once, so one that is there still was taken before the slot could be freed. */
        for (uint32_t slot = 0; slot < drain->reader.geometry.close_capacity; slot++)
                if (books_taken_close(books, slot) && segment_close(&drain->reader, slot, &close) &&
                    close.instance == books_taken_close(books, slot))
                        segment_free_close(&drain->reader, slot);
}

/* ------------------------------------------------------------------------------------------------------- passes -- */

/* How many of the lanes that are claimed are looked at. */
static uint32_t limit_lanes(const struct drain *drain, uint32_t claimed) {
        const struct segment_reader *reader = &drain->reader;
        uint64_t room = quota_room(reader->quota, QUOTA_THREADS);
        uint32_t n = claimed < books_limits(drain->books)->lanes ? claimed : books_limits(drain->books)->lanes;

        return n <= reader->lanes || n - reader->lanes <= room ? n : reader->lanes + (uint32_t)room;
}

int drain_look_at_lanes(struct drain *drain) {
        uint32_t before = drain->reader.lanes, claimed, n;
        int r;

        r = segment_lanes(&drain->reader);
        if (r < 0)
                return r;
        claimed = drain->reader.lanes;
        drain->reader.lanes = before;
        n = limit_lanes(drain, claimed);
        if (n < claimed && n < books_limits(drain->books)->lanes)
                quota_hit(drain->reader.quota, QUOTA_THREADS);
        /* What is claimed while these are met waits for the next pass: else a thread that claims one lane after the other
         * would hold up the other processes. */
        if (before >= drain->lanes_wanted || n < drain->lanes_wanted)
                drain->lanes_wanted = n;
        drain->reader.lanes = n - before < NEW_LANES ? n : before + NEW_LANES;
        quota_add(drain->reader.quota, QUOTA_THREADS, drain->reader.lanes - before);
        if (drain->reader.lanes > books_lanes(drain->books))
                books_set_lanes(drain->books, drain->reader.lanes);
        if (!books_instance_floor(drain->books))
                books_set_instance_floor(drain->books, segment_instance_floor(&drain->reader));
        return 0;
}

/* What was read of a lane is booked as read, before the batch that has it in its sums ends. */
static void reach(struct books *books, struct lane *lane, uint64_t position) {
        uint64_t n = position - lane->position;

        if (!n)
                return;
        books_count_records(books, n);
        touch(books, &lane->position);
        lane->position = position;
}

/* The drain prefetches memory for GROUP records at once: the slots of their spans in the index, and, for the group
 * before, the entries that these slots name.  The processor then looks up several pages at the same time, and
 * waits once.  With fewer than FITS_CACHE open spans the index is in the cache, and nothing is prefetched. */
enum { GROUP = 8, FITS_CACHE = 4096 };

/* The spans of the last group, by their hashes. */
struct ahead {
        uint32_t n, hashes[GROUP];
};

/* Spans that live long lie anywhere in the books: without it, each record waits for memory several times. */
static void look_ahead(struct ahead *ahead, const struct books *books, struct segment_ring ring, uint64_t position) {
        struct ahead next = {.n = 0};
        uint64_t instance, before = 0;

        for (uint64_t at = position + 2 * GROUP; at < position + 3 * GROUP; at++) {
                instance = segment_span_ahead(ring, at);
                if (instance && instance != before)
                        next.hashes[next.n++] = open_spans_expect(books, instance);
                before = instance;
        }
        for (uint32_t i = 0; i < ahead->n; i++)
                open_spans_expect_soon(books, ahead->hashes[i]);
        *ahead = next;
}

static int drain_lane(struct drain *drain, uint32_t i, uint64_t to, enum spans_pass pass) {
        struct books *books = drain->books;
        struct lane *lane = books_lane(books, i);
        uint64_t position = lane->position;
        struct segment_ring ring = segment_ring(&drain->reader, i);
        bool is_large = open_spans_count(books) >= FITS_CACHE;
        struct ahead ahead = {.n = 0};
        int r = 0;

        drain_changes_lane(drain, i);
        frames_begin(books, i);
        while (position < to) {
                struct shm_record record;

                if (is_large && position % GROUP == 0 && to - position >= 3 * GROUP)
                        look_ahead(&ahead, books, ring, position);
                r = segment_record(&drain->reader, ring, position, &record);
                if (r < 0)
                        break;
                if (books_batch_is_full(books)) {
                        reach(books, lane, position);
                        drain_next_batch(drain);
                        drain_changes_lane(drain, i);
                        frames_begin(books, i);
                }
                if (record.path || segment_is_of_span(record.kind))
                        record.path = segment_path(&drain->reader, books, record.path);
                if (record.kind == SHM_KIND_BEFORE)
                        drain_receive_at_before(drain, i, record.instance);
                frames_feed(books, i, &record, pass);
                position++;
        }
        reach(books, lane, position);
        return r;
}

static void note_fill(struct drain *drain, uint32_t lane, uint64_t records) {
        uint32_t ppm = (uint32_t)(records * 1000000 / shm_ring_records(&drain->reader.geometry, lane));

        if (ppm > drain->fill[0])
                drain->fill[0] = ppm;
}

static void age_fill(struct drain *drain, uint64_t now_ns) {
        uint64_t age = now_ns - drain->fill_ns;

        if (age < FILL_NS)
                return;
        drain->fill[1] = age < 2 * FILL_NS ? drain->fill[0] : 0;
        drain->fill[0] = 0;
        drain->fill_ns = now_ns;
}

uint32_t drain_fill_ppm(const struct drain *drain) {
        return drain->fill[0] > drain->fill[1] ? drain->fill[0] : drain->fill[1];
}

/* Up to `to`, or to the end of the user's share. */
int drain_some(struct drain *drain, uint32_t i, uint64_t to, enum spans_pass pass) {
        uint64_t position = books_lane(drain->books, i)->position, left = share(drain);
        int r;

        if (position >= to)
                return 0;
        r = drain_lane(drain, i, to - position <= left ? to : position + left, pass);
        position = books_lane(drain->books, i)->position - position;
        charge(drain, position);
        return r;
}

static int first_look(struct drain *drain, bool *any) {
        uint32_t n = drain->reader.lanes, i = 0;

        for (uint32_t k = 0; k < n && share(drain); k++) {
                uint64_t head, position;
                int r;

                i = (drain->first + k) % n;
                position = books_lane(drain->books, i)->position;
                r = segment_head(&drain->reader, i, position, &head);
                if (r < 0)
                        return r;
                segment_ask_timing(&drain->reader, i, books_timing(drain->books));
                if (head == position)
                        continue;
                *any = true;
                note_fill(drain, i, head - position);
                r = drain_some(drain, i, head, SPANS_FIRST_LOOK);
                if (r < 0)
                        return r;
        }
        /* The lane that this pass did not reach is the first of the next. */
        drain->first = share(drain) ? 0 : i + 1;
        return 0;
}

void drain_take_overflow(struct drain *drain, enum spans_pass pass) {
        struct shm_close close;

        if (!segment_has_closes(&drain->reader))
                return;
        for (uint32_t slot = 0; slot < drain->reader.geometry.close_capacity; slot++) {
                if (!segment_close(&drain->reader, slot, &close))
                        continue;
                if (books_batch_is_full(drain->books))
                        drain_next_batch(drain);
                spans_close(drain->books, close.instance, segment_path(&drain->reader, drain->books, close.path),
                            close.flags, pass);
                books_set_taken_close(drain->books, slot, close.instance);
                drain->closes[drain->close_count++] = slot;
        }
}

void drain_begin_second_look(struct drain *drain) {
        drain->target_count = drain_claimed(drain);
        drain->heads_read = 0;
        drain->next_partial = 0; /* of all lanes, since these heads were read */
}

/* Of lanes that are met now, too, as many as one call meets. */
static int read_heads(struct drain *drain) {
        uint32_t before = drain->reader.lanes;
        int r = before < drain->target_count ? drain_look_at_lanes(drain) : 0;

        if (r < 0)
                return r;
        if (drain->reader.lanes == before && before < drain->target_count)
                drain->target_count = before; /* there is no room for more any longer */
        for (; r >= 0 && drain->heads_read < drain->target_count && drain->heads_read < drain->reader.lanes;
             drain->heads_read++) {
                uint32_t i = drain->heads_read;

                r = segment_head(&drain->reader, i, books_lane(drain->books, i)->position, &drain->targets[i]);
        }
        return r;
}

/* Returns how many spans were looked up. */
static uint32_t note_partials_of(struct drain *drain, uint32_t i) {
        struct lane *lane = books_lane(drain->books, i);
        uint32_t from = lane->partials_seen, n, at = 0;
        uint64_t spans[SHM_PARTIALS];

        if (books_batch_is_full(drain->books))
                drain_next_batch(drain);
        n = segment_partials(&drain->reader, i, &from, spans);
        while (at < n && spans_note_partial(drain->books, spans[at]))
                at++;
        if (from + at != lane->partials_seen) {
                touch(drain->books, &lane->partials_seen);
                lane->partials_seen = from + at;
        }
        return n;
}

/* After the records of a look, so that a span that is closed in it is known as partial before its close is
 * applied.  Some in each call, whatever is left of the share: where a user's share is not enough, more is refused.
 * False: it goes on at the next call. */
static bool note_partials(struct drain *drain) {
        uint64_t looked_up = 0;

        for (; drain->next_partial < drain->reader.lanes; drain->next_partial++) {
                if (looked_up >= PARTIALS_PORTION)
                        break;
                looked_up += note_partials_of(drain, drain->next_partial);
        }
        charge(drain, looked_up);
        if (drain->next_partial < drain->reader.lanes)
                return false;
        drain->next_partial = 0;
        return true;
}

/* All of its records are drained.  Closes are applied for one batch; the next call goes on. */
static void apply_closes(struct drain *drain) {
        drain->is_applying = !spans_apply_closes(drain->books);
        if (!drain->is_applying)
                drain->target_count = 0;
}

int drain_second_look(struct drain *drain) {
        bool is_done = true;
        int r = drain->heads_read < drain->target_count ? read_heads(drain) : 0;

        if (r < 0 || drain->heads_read < drain->target_count)
                return r;
        for (uint32_t i = 0; r >= 0 && i < drain->target_count; i++) {
                r = drain_some(drain, i, drain->targets[i], SPANS_SECOND_LOOK);
                is_done &= books_lane(drain->books, i)->position >= drain->targets[i];
        }
        if (r < 0 || !is_done)
                return r;
        if (drain->is_applying || note_partials(drain))
                apply_closes(drain);
        return 0;
}

int drain_look(struct drain *drain, bool *any) {
        int r;

        r = drain->target_count ? 0 : drain_look_at_lanes(drain);
        if (r < 0)
                return r;
        /* A look that was cut goes as far as its targets; what was written since needs a look of its own. */
        if (drain->target_count) {
                *any = true;
                r = drain_second_look(drain);
                if (r < 0 || drain->target_count)
                        return r;
        }
        if (!open_spans_have_queued(drain->books))
                open_spans_advance_queue(drain->books);
        drain_take_overflow(drain, SPANS_FIRST_LOOK);
        r = first_look(drain, any);
        if (r >= 0)
                (void)note_partials(drain); /* the rest before the next closes are applied */
        if (r >= 0 && open_spans_have_queued(drain->books)) {
                drain_begin_second_look(drain);
                r = drain_lacks_lanes(drain) ? 0 : drain_second_look(drain);
        }
        return r;
}

bool drain_has_closes(const struct drain *drain) {
        return open_spans_have_queued(drain->books) || open_spans_have_later(drain->books);
}

int drain_pass(struct drain *drain, uint64_t now_ns) {
        bool any = false;
        int r;

        age_fill(drain, now_ns);
        if (!drain_has_records(drain) && !drain_has_closes(drain))
                return DRAIN_IDLE;
        drain->slice = DRAIN_SLICE;
        if (!share(drain))
                return cut(drain);
        drain_begin(drain, now_ns);
        r = drain_look(drain, &any);
        drain_note_peak(drain);
        drain_commit(drain);
        if (r < 0)
                return r;
        if (!share(drain) || drain->target_count || drain_lacks_lanes(drain))
                return cut(drain);
        /* What came meanwhile, and closes that wait for the next look, have time until the next pass: to come back at
         * once would be to spin as long as a thread writes. */
        return any || drain_has_closes(drain) ? DRAIN_SOME : DRAIN_IDLE;
}

/* A look ahead of drain_look_at_lanes(), which checks the number. */
uint32_t drain_claimed(const struct drain *drain) {
        return limit_lanes(drain, segment_claimed(&drain->reader));
}

bool drain_lacks_lanes(const struct drain *drain) {
        return drain->reader.lanes < drain->lanes_wanted;
}

bool drain_has_new_lanes(const struct drain *drain) {
        return drain_claimed(drain) > drain->reader.lanes;
}

bool drain_has_records(const struct drain *drain) {
        if (drain_has_new_lanes(drain))
                return true;
        if (segment_posted_closes(&drain->reader) != drain->reader.closes_posted)
                return true;
        for (uint32_t i = 0; i < drain->reader.lanes; i++)
                if (segment_has_records(&drain->reader, i, books_lane(drain->books, i)->position))
                        return true;
        return false;
}
