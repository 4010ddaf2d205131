/*
 * See drain.h.
 *
 * A pass.  (1) Each lane is drained to its head on arrival; closes are queued.  (2) If there are any: the number of lanes
 * is read, then all heads, and each lane is drained to exactly these; then the closes of (1) are applied, and those of (2)
 * wait for the next pass.  Whatever a program did before it closed a span was published before the close was, so it lies
 * below the heads of (2).
 *
 * A user's share of a pass may end in the middle of either.  After (1), so far as it came, (2) is begun all the same: a lane
 * that (1) did not reach is drained by (2).  After (2), the next pass goes on with it, to the same heads.
 */
#include "daemon/core/drain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/frames.h"
#include "daemon/core/live.h"
#include "daemon/core/reader.h"
#include "daemon/core/text.h"
#include "shm/segment.h"

struct drain {
        struct reader reader;
        struct books *books;
        uint64_t *released;               /* for each lane, the position that its producer knows */
        uint64_t (*booked)[SHM_COUNTERS]; /* … and counters, up to which it knows them to be in the books */
        uint64_t *targets;                /* heads of the second look */
        uint32_t *closes;                 /* slots of the overflow list that were taken in this batch */
        uint32_t close_count;
        uint32_t first;        /* the lane with which the next first look begins */
        uint32_t target_count; /* lanes of a second look that is not at its end; 0: none is */
        bool is_unbounded;     /* the process is dead: all of it, whatever its user's share */
        uint64_t now_ns;
        uint64_t fill_ns; /* when fill[0] began */
        uint32_t fill[2]; /* the fullest ring of this stretch of time and of the one before, in millionths */
};

/* A high-water mark that forgets: two stretches of five seconds. */
#define FILL_NS UINT64_C(5000000000)

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
                    ? reader_init(&drain->reader, memfd, geometry)
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
        reader_deinit(&drain->reader);
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

/* Records that may still be drained in this pass. */
static uint64_t share(const struct drain *drain) {
        return drain->is_unbounded ? UINT64_MAX : quota_room(drain->reader.quota, QUOTA_RECORDS);
}

/* ------------------------------------------------------------------------------------------------------ batches -- */

/* Commits; only then may the producers overwrite what was drained. */
static void commit(struct drain *drain) {
        books_commit(drain->books);
        for (uint32_t i = 0; i < drain->reader.lanes; i++) {
                uint64_t position = drain->books->lanes[i].position;

                if (memcmp(drain->booked[i], drain->books->lanes[i].last, sizeof drain->booked[i]) != 0) {
                        memcpy(drain->booked[i], drain->books->lanes[i].last, sizeof drain->booked[i]);
                        reader_book(&drain->reader, i, drain->booked[i]);
                }
                if (drain->released[i] == position)
                        continue;
                drain->released[i] = position;
                reader_release(&drain->reader, i, position);
        }
        while (drain->close_count)
                reader_free_close(&drain->reader, drain->closes[--drain->close_count]);
}

static void next_batch(struct drain *drain) {
        commit(drain);
        books_begin(drain->books, drain->now_ns);
}

static void begin(struct drain *drain, uint64_t now_ns) {
        drain->now_ns = now_ns;
        books_begin(drain->books, now_ns);
}

static void publish_retired(struct drain *drain) {
        for (uint32_t i = 0; i < drain->reader.lanes; i++)
                if (drain->books->lanes[i].retired)
                        reader_retire(&drain->reader, i, drain->books->lanes[i].retired);
}

/* What the last commit said is said again: its writer may have died before it had told the client. */
void drain_resume(struct drain *drain) {
        struct books *books = drain->books;
        struct shm_close close;

        quota_add(drain->reader.quota, QUOTA_THREADS, books->book->lanes - drain->reader.lanes);
        drain->reader.lanes = books->book->lanes;
        for (uint32_t i = 0; i < drain->reader.lanes; i++) {
                drain->released[i] = books->lanes[i].position;
                reader_release(&drain->reader, i, books->lanes[i].position);
        }
        publish_retired(drain);
        /* A close is given once, so one that is there still was taken before the slot could be freed. */
        for (uint32_t slot = 0; slot < drain->reader.geometry.close_capacity; slot++)
                if (books->closes[slot] && reader_close(&drain->reader, slot, &close) &&
                    close.instance == books->closes[slot])
                        reader_free_close(&drain->reader, slot);
}

/* ------------------------------------------------------------------------------------------------------- passes -- */

/* How many of the lanes that are claimed are looked at. */
static uint32_t limit_lanes(const struct drain *drain, uint32_t claimed) {
        const struct reader *reader = &drain->reader;
        uint64_t room = quota_room(reader->quota, QUOTA_THREADS);
        uint32_t n = claimed < drain->books->limits.lanes ? claimed : drain->books->limits.lanes;

        return n <= reader->lanes || n - reader->lanes <= room ? n : reader->lanes + (uint32_t)room;
}

static int look_at_lanes(struct drain *drain) {
        struct book *book = drain->books->book;
        uint32_t before = drain->reader.lanes, claimed;
        int r;

        r = reader_lanes(&drain->reader);
        if (r < 0)
                return r;
        claimed = drain->reader.lanes;
        drain->reader.lanes = before;
        drain->reader.lanes = limit_lanes(drain, claimed);
        quota_add(drain->reader.quota, QUOTA_THREADS, drain->reader.lanes - before);
        if (drain->reader.lanes < claimed && drain->reader.lanes < drain->books->limits.lanes)
                quota_hit(drain->reader.quota, QUOTA_THREADS);
        if (drain->reader.lanes > book->lanes) {
                touch(drain->books, &book->lanes);
                book->lanes = drain->reader.lanes;
        }
        if (!book->instance_floor) {
                touch(drain->books, &book->instance_floor);
                book->instance_floor = reader_instance_floor(&drain->reader);
        }
        return 0;
}

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
static void receive(struct drain *drain, uint32_t i, const struct reader_occupant *who) {
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
                        frames_settle(books, i, past.offset);
                        meet(books, lane, &past);
                        frames_before(books, i, past.before);
                        frames_gap(books, i, past.gap);
                }
                frames_settle(books, i, who->offset);
                if (occupancy == who->occupancy)
                        meet(books, lane, who);
        }
        frames_before(books, i, who->before);
        frames_gap(books, i, who->gap);
}

/* The same at the thread's first records: what it counted before them is its own, not its predecessor's. */
static void receive_at_before(struct drain *drain, uint32_t i, uint64_t occupancy) {
        struct reader_occupant who;

        if (drain->books->lanes[i].occupancy == occupancy || occupancy > UINT32_MAX)
                return;
        if ((reader_occupant(&drain->reader, i, &who) && who.occupancy == occupancy) ||
            reader_past(&drain->reader, i, (uint32_t)occupancy, &who))
                receive(drain, i, &who);
}

static void count_records(struct books *books, uint64_t n) {
        if (!n)
                return;
        touch(books, &books->book->records);
        books->book->records += n;
}

/* Records ahead of the present one, when the memory of their spans is fetched: first the index, then the entry. */
enum { FAR_AHEAD = 16, AHEAD = 8, LIVE_FITS_CACHE = 4096 };

/* Spans that live long lie anywhere in the books: without it, each record waits for memory several times. */
static void look_ahead(const struct drain *drain, uint32_t i, uint64_t position) {
        uint64_t instance = reader_span_ahead(&drain->reader, i, position + FAR_AHEAD);

        if (instance)
                live_expect(drain->books, instance);
        instance = reader_span_ahead(&drain->reader, i, position + AHEAD);
        if (instance)
                live_expect_soon(drain->books, instance);
}

static int drain_lane(struct drain *drain, uint32_t i, uint64_t to, enum frames_pass pass) {
        struct books *books = drain->books;
        struct lane *lane = &books->lanes[i];
        uint64_t position = lane->position, counted = position;
        bool ahead = books->book->live >= LIVE_FITS_CACHE;
        int r = 0;

        while (position < to) {
                struct shm_record record;

                if (ahead && to - position > FAR_AHEAD)
                        look_ahead(drain, i, position);
                r = reader_record(&drain->reader, i, position, &record);
                if (r < 0)
                        break;
                if (books_batch_is_full(books)) {
                        count_records(books, position - counted);
                        counted = position;
                        next_batch(drain);
                }
                if (record.path || (record.kind >= SHM_KIND_ENTER && record.kind <= SHM_KIND_CLOSE) ||
                    record.kind == SHM_KIND_RESYNC)
                        record.path = reader_path(&drain->reader, books, record.path);
                if (record.kind == SHM_KIND_BEFORE)
                        receive_at_before(drain, i, record.instance);
                frames_feed(books, i, &record, pass);
                touch(books, &lane->position);
                lane->position = ++position;
        }
        count_records(books, position - counted);
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
static int drain_some(struct drain *drain, uint32_t i, uint64_t to, enum frames_pass pass) {
        uint64_t position = drain->books->lanes[i].position, left = share(drain);
        int r;

        if (position >= to)
                return 0;
        r = drain_lane(drain, i, to - position <= left ? to : position + left, pass);
        quota_add(drain->reader.quota, QUOTA_RECORDS, drain->books->lanes[i].position - position);
        return r;
}

static int first_look(struct drain *drain, bool *any) {
        uint32_t n = drain->reader.lanes, i = 0;

        for (uint32_t k = 0; k < n && share(drain); k++) {
                uint64_t head, position;
                int r;

                i = (drain->first + k) % n;
                position = drain->books->lanes[i].position;
                r = reader_head(&drain->reader, i, position, &head);
                if (r < 0)
                        return r;
                if (head == position)
                        continue;
                *any = true;
                note_fill(drain, i, head - position);
                r = drain_some(drain, i, head, FRAMES_FIRST_LOOK);
                if (r < 0)
                        return r;
        }
        /* Who had the least of this pass has the first of the next. */
        drain->first = share(drain) ? 0 : i + 1;
        return 0;
}

static void take_overflow(struct drain *drain, enum frames_pass pass) {
        struct shm_close close;

        if (!reader_has_closes(&drain->reader))
                return;
        for (uint32_t slot = 0; slot < drain->reader.geometry.close_capacity; slot++) {
                if (!reader_close(&drain->reader, slot, &close))
                        continue;
                if (books_batch_is_full(drain->books))
                        next_batch(drain);
                frames_close(drain->books, close.instance, reader_path(&drain->reader, drain->books, close.path),
                             close.flags, pass);
                touch(drain->books, &drain->books->closes[slot]);
                drain->books->closes[slot] = close.instance;
                drain->closes[drain->close_count++] = slot;
        }
}

static int begin_second_look(struct drain *drain) {
        uint32_t n;
        int r;

        r = look_at_lanes(drain);
        n = drain->reader.lanes;
        for (uint32_t i = 0; r >= 0 && i < n; i++)
                r = reader_head(&drain->reader, i, drain->books->lanes[i].position, &drain->targets[i]);
        if (r >= 0)
                drain->target_count = n;
        return r;
}

static int second_look(struct drain *drain) {
        bool is_done = true;
        int r = 0;

        for (uint32_t i = 0; r >= 0 && i < drain->target_count; i++) {
                r = drain_some(drain, i, drain->targets[i], FRAMES_SECOND_LOOK);
                is_done &= drain->books->lanes[i].position >= drain->targets[i];
        }
        if (r < 0 || !is_done)
                return r;
        drain->target_count = 0;
        while (!frames_apply_closes(drain->books))
                next_batch(drain);
        return 0;
}

static int pass(struct drain *drain, bool *any) {
        int r;

        r = look_at_lanes(drain);
        if (r < 0)
                return r;
        if (!drain->target_count) {
                if (!drain->books->book->queued_first)
                        live_advance_queue(drain->books);
                take_overflow(drain, FRAMES_FIRST_LOOK);
                r = first_look(drain, any);
                if (r >= 0 && drain->books->book->queued_first)
                        r = begin_second_look(drain);
        }
        if (r >= 0 && drain->target_count)
                r = second_look(drain);
        return r;
}

static bool has_closes(const struct drain *drain) {
        return drain->books->book->queued_first || drain->books->book->later_first;
}

int drain_pass(struct drain *drain, uint64_t now_ns) {
        bool any = false;
        int r;

        age_fill(drain, now_ns);
        if (!drain_has_records(drain) && !has_closes(drain))
                return DRAIN_IDLE;
        if (!share(drain)) {
                quota_hit(drain->reader.quota, QUOTA_RECORDS);
                return DRAIN_MORE;
        }
        begin(drain, now_ns);
        r = pass(drain, &any);
        commit(drain);
        if (r < 0)
                return r;
        if (!share(drain)) {
                quota_hit(drain->reader.quota, QUOTA_RECORDS);
                return DRAIN_MORE;
        }
        /* What came meanwhile, and closes that wait for the next look, have time until the next pass: to come back at once
         * would be to spin as long as anybody writes. */
        return any || has_closes(drain) ? DRAIN_SOME : DRAIN_IDLE;
}

/* A look ahead of look_at_lanes(), which checks the number. */
static uint32_t claimed_now(const struct drain *drain) {
        const struct shm_header *header = drain->reader.map;

        return limit_lanes(drain, atomic_load_explicit(&header->lanes_claimed, memory_order_acquire));
}

bool drain_has_records(const struct drain *drain) {
        const struct shm_header *header = drain->reader.map;
        uint32_t n = claimed_now(drain);

        if (atomic_load_explicit(&header->closes_posted, memory_order_acquire) != drain->reader.closes_posted)
                return true;
        for (uint32_t i = 0; i < n; i++)
                if (reader_has_records(&drain->reader, i, drain->books->lanes[i].position))
                        return true;
        return false;
}

/* ------------------------------------------------------------------------------------------------------ settling -- */

/* The thread is dead, or gone to another segment.  Nobody may come meanwhile, or what is read would be the next one's. */
static void retire(struct drain *drain, uint32_t i, const struct reader_occupant *who) {
        struct books *books = drain->books;
        struct lane *lane = &books->lanes[i];
        struct frames_remains remains;
        uint64_t last[SHM_COUNTERS];

        if (lane->retired == who->occupancy)
                return;
        reader_last_counters(&drain->reader, i, last);
        reader_remains(&drain->reader, i, lane->position, last, &remains);
        if (!reader_is_still(&drain->reader, i, who->occupancy))
                return;
        receive(drain, i, who);
        frames_retire(books, i, last, &remains);
        touch(books, &lane->retired);
        lane->retired = who->occupancy;
}

/* Brings one lane up to its thread's live counters, or ends it if the thread is dead. */
static int settle_lane(struct drain *drain, uint32_t i, bool is_dead) {
        struct books *books = drain->books;
        struct lane *lane = &books->lanes[i];
        struct reader_occupant who;
        uint64_t live[SHM_COUNTERS], head;
        int r;

        if (!reader_occupant(&drain->reader, i, &who) && !is_dead)
                return 0;
        if (!who.occupancy)
                return 0;
        if (who.alive && !is_dead) {
                bool is_live = reader_live(&drain->reader, i, lane->position, live);

                if (reader_has_records(&drain->reader, i, lane->position) ||
                    !reader_is_still(&drain->reader, i, who.occupancy))
                        return 0;
                /* What its predecessor left is settled also while something refused is about. */
                receive(drain, i, &who);
                if (is_live)
                        frames_settle(books, i, live);
                return 0;
        }
        /* [O1] The owner is dead, so nothing more will come: the head that is read now is the last. */
        atomic_thread_fence(memory_order_acquire);
        r = reader_head(&drain->reader, i, lane->position, &head);
        if (r >= 0)
                r = drain_some(drain, i, head, FRAMES_SECOND_LOOK);
        if (r < 0 || lane->position != head)
                return r;
        retire(drain, i, &who);
        return 0;
}

static void settle_refused(struct drain *drain) {
        struct shm_refused refused = {0};

        for (uint32_t i = 0; i < drain->reader.lanes; i++)
                reader_refused(&drain->reader, i, &refused);
        books_set_refused(drain->books, &refused, reader_refused_threads(&drain->reader));
        for (uint32_t path = 1; path <= drain->books->book->paths; path++) {
                if (!drain->books->tallies[path].name)
                        continue;
                if (books_batch_is_full(drain->books))
                        next_batch(drain);
                books_set_path_refused(drain->books, path, reader_path_refused(&drain->reader, path));
        }
}

static int settle(struct drain *drain, bool is_dead) {
        int r;

        r = look_at_lanes(drain);
        for (uint32_t i = 0; r >= 0 && i < drain->reader.lanes; i++) {
                if (books_batch_is_full(drain->books))
                        next_batch(drain);
                r = settle_lane(drain, i, is_dead);
        }
        if (r >= 0)
                settle_refused(drain);
        return r;
}

int drain_settle(struct drain *drain, uint64_t now_ns) {
        bool any = false;
        int r = 0;

        begin(drain, now_ns);
        if (has_closes(drain)) /* of the last pass's second look */
                r = pass(drain, &any);
        if (r >= 0)
                r = settle(drain, false);
        commit(drain);
        publish_retired(drain);
        return r;
}

int drain_finish(struct drain *drain, uint64_t now_ns) {
        uint32_t path = 1;
        bool any = false;
        int r;

        drain->is_unbounded = true;
        begin(drain, now_ns);
        r = drain->target_count ? pass(drain, &any) : 0; /* first what it is in the middle of */
        if (r >= 0)
                r = pass(drain, &any);
        if (r >= 0)
                r = settle(drain, true);
        if (r >= 0) {
                /* Nobody writes any more: what is queued has nothing to wait for. */
                for (int look = 0; look < 2; look++)
                        while (!frames_apply_closes(drain->books))
                                next_batch(drain);
                while (!frames_finish(drain->books, &path))
                        next_batch(drain);
        }
        commit(drain);
        return r;
}

void drain_abandon(struct books *books, uint64_t now_ns) {
        static const struct frames_remains nothing;
        uint32_t path = 1;

        books_begin(books, now_ns);
        for (uint32_t i = 0; i < books->book->lanes; i++) {
                if (books_batch_is_full(books)) {
                        books_commit(books);
                        books_begin(books, now_ns);
                }
                frames_retire(books, i, books->lanes[i].last, &nothing);
        }
        while (!frames_finish(books, &path)) {
                books_commit(books);
                books_begin(books, now_ns);
        }
        books_commit(books);
}

/* ------------------------------------------------------------------------------------------------------ for others -- */

bool drain_check(const struct drain *drain, char *why, size_t size) {
        for (uint32_t i = 0; i < drain->reader.lanes; i++) {
                const struct lane *lane = &drain->books->lanes[i];
                struct reader_occupant who;
                uint64_t live[SHM_COUNTERS];
                bool is_settled;

                if (!reader_occupant(&drain->reader, i, &who))
                        continue;
                reader_last_counters(&drain->reader, i, live);
                if (!reader_is_still(&drain->reader, i, who.occupancy))
                        continue;
                is_settled = lane->retired == who.occupancy;
                for (int c = 0; c < SHM_COUNTERS; c++) {
                        if (is_settled ? lane->last[c] == live[c] : lane->last[c] <= live[c])
                                continue;
                        snprintf(why, size, "lane %u's thread has counted %llu of counter %d, its books %llu", i,
                                 (unsigned long long)live[c], c, (unsigned long long)lane->last[c]);
                        return false;
                }
        }
        return true;
}

bool drain_is_abandoned(const struct drain *drain) {
        uint32_t n = drain->reader.lanes;

        for (uint32_t i = 0; i < n; i++)
                if (reader_is_alive(&drain->reader, i))
                        return false;
        return n > 0;
}

bool drain_was_left(const struct drain *drain) {
        uint32_t n = claimed_now(drain);

        for (uint32_t i = 0; i < n; i++)
                if (reader_was_left(&drain->reader, i) || reader_is_alive(&drain->reader, i))
                        return true;
        return false;
}

bool drain_has_lanes(const struct drain *drain) {
        return claimed_now(drain) > 0;
}

uint32_t drain_threads(const struct drain *drain) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < drain->reader.lanes; i++)
                n += reader_is_alive(&drain->reader, i);
        return n;
}

uint32_t drain_lanes(const struct drain *drain) {
        return drain->reader.lanes;
}

enum shm_counting drain_counting(const struct drain *drain) {
        return reader_counting(&drain->reader);
}

uint64_t drain_refused(const struct drain *drain) {
        const struct shm_refused *r = &drain->books->book->refused;

        return r->enters + r->enters_depth + r->opens + r->closes;
}

uint64_t drain_refused_threads(const struct drain *drain) {
        const struct shm_header *header = drain->reader.map;
        uint32_t claimed = atomic_load_explicit(&header->lanes_claimed, memory_order_relaxed); /* a count by itself */

        /* What the client itself had no lane for, and lanes that its user's share leaves out. */
        return drain->books->book->refused_threads +
               (claimed > drain->reader.lanes && claimed <= drain->books->limits.lanes ? claimed - drain->reader.lanes
                                                                                       : 0);
}

uint64_t drain_activity(const struct drain *drain) {
        return reader_activity(&drain->reader);
}

bool drain_thread(const struct drain *drain, uint32_t lane, uint32_t *ret_tid) {
        if (lane >= drain->reader.lanes)
                return false;
        *ret_tid = reader_tid(&drain->reader, lane);
        return true;
}

void drain_name_thread(struct drain *drain, uint32_t lane, uint32_t tid, const char *comm) {
        struct books *books = drain->books;

        if (lane >= drain->reader.lanes || reader_tid(&drain->reader, lane) != tid)
                return;
        books_begin(books, books->book->now_ns);
        set_thread(books, &books->lanes[lane], thread_entry(books, comm));
        commit(drain);
}

const uint32_t *drain_bell(const struct drain *drain) {
        return (const uint32_t *)&((struct shm_header *)drain->reader.map)->bell;
}

void drain_ask_doorbell(struct drain *drain) {
        for (uint32_t i = 0; i < drain->reader.lanes; i++)
                if (reader_is_alive(&drain->reader, i))
                        reader_attend(&drain->reader, i, SHM_ATTENTION_DOORBELL);
}

const char *drain_fault(const struct drain *drain) {
        return drain->reader.fault;
}
