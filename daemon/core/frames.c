/* See frames.h. */
#include "daemon/core/frames.h"

#include <assert.h>

#include "daemon/core/counters.h"
#include "daemon/core/last.h"
#include "daemon/core/live.h"
#include "daemon/core/tally.h"
#include "daemon/core/times.h"

/* What frames_feed() does not hold in itself, so that what it does every time has the registers. */
#define FRAMES_SELDOM __attribute__((cold, noinline))

static uint64_t minus(uint64_t a, uint64_t b) {
        return a > b ? a - b : 0;
}

struct counters counters_since_slow(struct counters a, struct counters b) {
        uint64_t of_a[SHM_COUNTERS], of_b[SHM_COUNTERS];

        counters_store(of_a, a);
        counters_store(of_b, b);
        for (int i = 0; i < SHM_COUNTERS; i++)
                of_a[i] = minus(of_a[i], of_b[i]);
        return counters_load(of_a);
}

void frames_begin(struct books *books, uint32_t i) {
        touch_line(books, &books->lanes[i]);
        touch_line(books, books->lanes[i].outside);
}

/* ------------------------------------------------------------------------------------------------ intervals -- */

/* Takes from `delta` what is pending, and books it. */
static void take(uint64_t delta[SHM_COUNTERS], const uint64_t pending[SHM_COUNTERS], uint64_t to[SHM_COUNTERS]) {
        for (int i = 0; i < SHM_COUNTERS; i++) {
                uint64_t part = pending[i] < delta[i] ? pending[i] : delta[i];

                delta[i] -= part;
                to[i] += part;
        }
}

/* What is left of an interval. */
static FRAMES_SELDOM struct counters settle_pending(struct books *books, struct lane *lane,
                                                    struct counters of_interval) {
        uint64_t delta[SHM_COUNTERS];

        counters_store(delta, of_interval);
        state_touch(&books->state, lane->before, sizeof lane->before);
        state_touch(&books->state, lane->outside, 64);
        state_touch(&books->state, lane->pending_lost, 64);
        take(delta, lane->pending_before, lane->before);
        take(delta, lane->pending_lost, lane->lost);
        memset(lane->pending_before, 0, sizeof lane->pending_before);
        memset(lane->pending_lost, 0, sizeof lane->pending_lost);
        touch(books, &lane->has_pending);
        lane->has_pending = 0;
        return counters_load(delta);
}

static void outside(struct books *books, struct lane *lane, struct counters delta) {
        struct thread_name *thread = &books->threads[lane->thread];

        counters_add(lane->outside, delta);
        touch_line(books, thread->outside);
        counters_add(thread->outside, delta);
}

/* Ends the interval that began at `last`.  Counters that went back count nothing, and the books go on from the
 * larger value, so that they balance; returned is from where.  ticks: as of times_interval(). */
static inline struct counters interval(struct books *books, struct lane *lane, const uint64_t at[SHM_COUNTERS],
                                       uint64_t ticks) {
        struct counters last = counters_load(lane->last), delta = counters_since(counters_load(at), last);

        if (times_are_due(lane, ticks))
                times_interval(books, lane, ticks);
        if (counters_are_zero(delta) && !lane->has_pending)
                return last;
        last = counters_plus(last, delta);
        counters_store(lane->last, last);
        if (__builtin_expect(lane->has_pending, 0))
                delta = settle_pending(books, lane, delta);
        if (lane->depth) {
                tally_self(books, tally_change(books, lane->frames[lane->depth - 1].path), delta);
                if (BOOKS_ARE_CHECKED) {
                        state_touch(&books->state, lane->self, sizeof lane->self);
                        counters_add(lane->self, delta);
                }
        } else {
                outside(books, lane, delta);
        }
        return last;
}

/* What a cumulative value has grown by since `seen`, which becomes it; added to what is pending. */
static bool grow(struct books *books, uint64_t seen[SHM_COUNTERS], const uint64_t is[SHM_COUNTERS],
                 uint64_t pending[SHM_COUNTERS]) {
        struct counters delta = counters_since(counters_load(is), counters_load(seen));

        if (counters_are_zero(delta))
                return false;
        state_touch(&books->state, seen, sizeof(uint64_t[SHM_COUNTERS]));
        state_touch(&books->state, pending, sizeof(uint64_t[SHM_COUNTERS]));
        counters_add(seen, delta);
        counters_add(pending, delta);
        return true;
}

static void set_pending(struct books *books, struct lane *lane) {
        touch(books, &lane->has_pending);
        lane->has_pending = 1;
}

void frames_before(struct books *books, uint32_t i, const uint64_t before[SHM_COUNTERS]) {
        struct lane *lane = &books->lanes[i];

        if (grow(books, lane->before_seen, before, lane->pending_before))
                set_pending(books, lane);
}

void frames_gap(struct books *books, uint32_t i, const uint64_t gap[SHM_COUNTERS]) {
        struct lane *lane = &books->lanes[i];

        if (grow(books, lane->gap_seen, gap, lane->pending_lost))
                set_pending(books, lane);
}

static FRAMES_SELDOM void lost(struct books *books, struct lane *lane, const uint64_t counters[SHM_COUNTERS]) {
        state_touch(&books->state, lane->pending_lost, sizeof lane->pending_lost);
        counters_add(lane->pending_lost, counters_load(counters));
        set_pending(books, lane);
        if (lane->depth)
                tally_change(books, lane->frames[lane->depth - 1].path)->lost_touches++;
}

/* --------------------------------------------------------------------------------------------------- spans -- */

/* Whether a span was numbered before this segment: its opening is in the books of an earlier one. */
static bool is_older(const struct books *books, uint64_t instance) {
        return instance >> 32 <= books->book->instance_floor;
}

/* Whether a span was opened, as far as its number tells: it is not above the last that its lane opened.  Not to be told
 * where it is older than this segment. */
static bool is_past(const struct books *books, uint64_t instance) {
        uint32_t lane = (uint32_t)(instance & 0xfff);

        if (is_older(books, instance) || lane >= books->limits.lanes)
                return false;
        return instance <= books->lanes[lane].opened_max;
}

/* Whether a span that is no scope may have had an entry before. */
static bool is_seen(const struct books *books, uint64_t instance) {
        return is_past(books, instance) || is_older(books, instance);
}

/* Whether a span that is not among the live, and whose opening found room, is closed.  Where spans were evicted, it may be
 * one of these. */
static bool is_stale(const struct books *books, uint64_t instance) {
        return !books->book->evicted && is_past(books, instance);
}

/* The frame of a scope on the stack of the lane that opened it; NULL: it has left that. */
static struct frame *scope_frame(const struct books *books, uint64_t instance) {
        uint32_t lane = (uint32_t)(instance & 0xfff);
        struct lane *home;

        if (lane >= books->limits.lanes)
                return NULL;
        home = &books->lanes[lane];
        for (uint32_t i = 0; i < home->depth; i++)
                if (home->frames[i].instance == instance && (home->frames[i].flags & FRAME_SCOPE))
                        return &home->frames[i];
        return NULL;
}

static void saw_open(struct lane *lane, uint64_t instance) {
        if (instance <= lane->opened_max)
                return;
        lane->opened_max = instance;
}

static FRAMES_SELDOM void count_stale(struct books *books) {
        touch(books, &books->book->stale);
        books->book->stale++;
}

/* The entry of a span that is opened, or entered before its opening is seen: that may lie on a lane that this look has
 * not come to.  `entry`: what there is of it, or NULL.  `is_known`: its opening was seen; where it has no entry all the same, it was evicted.  `counts`: no other
 * record will tell of its opening. */
static struct instance *open_instance(struct books *books, struct instance *entry, uint64_t instance, uint32_t path,
                                      bool is_known, bool counts) {
        if (entry) {
                live_use(books, entry);
        } else {
                entry = live_make(books, instance, path);
                if (is_known && books->book->evicted)
                        entry->flags |= INSTANCE_PARTIAL;
        }
        if (counts && !(entry->flags & INSTANCE_COUNTED)) {
                entry->flags |= INSTANCE_COUNTED;
                tally_change(books, path)->opened++;
        }
        entry->flags |= INSTANCE_OPENED;
        return entry;
}

/* A scope counts itself as opened; its entry is made when others come to it, or when it ends after that. */
static struct instance *scope_instance(struct books *books, struct instance *entry, uint64_t instance, uint32_t path,
                                       bool was_followed) {
        entry = open_instance(books, entry, instance, path, was_followed, false);
        entry->flags |= INSTANCE_SCOPE;
        return entry;
}

/* Somebody enters a scope by its handle. */
static struct instance *visit_scope(struct books *books, struct instance *entry, uint64_t instance, uint32_t path) {
        struct frame *frame = scope_frame(books, instance);

        entry = scope_instance(books, entry, instance, path, frame && (frame->flags & FRAME_FOLLOWED));

        if (frame) {
                touch(books, &frame->flags);
                frame->flags |= FRAME_FOLLOWED;
        }
        return entry;
}

static bool is_entered(const struct books *books, const struct instance *entry) {
        return entry->entered || ((entry->flags & INSTANCE_SCOPE) && scope_frame(books, entry->instance));
}

/* The span has ended, and all its cycles have. */
static void close_instance(struct books *books, struct instance *entry) {
        struct tally *t = tally_change(books, entry->path);
        struct books_event event = {.instance = entry->instance, .path = entry->path, .cycles = entry->cycles};

        memcpy(event.sums, entry->sums, sizeof event.sums);
        if (entry->flags & INSTANCE_PARTIAL) {
                event.cycles = 0;
                t->estimated = 1;
        }
        if (event.cycles && !(entry->flags & INSTANCE_UNTIMED)) {
                event.ticks = entry->ticks;
                times_call(books, entry->path, entry->ticks);
        }
        tally_closed(books, t, entry->sums[SHM_ALLOC_BYTES], event.cycles);
        live_remove(books, entry);
        /* As in the tracing layer: a span that completed no cycle emits nothing. */
        if (event.cycles)
                books_emit(books, &event);
}

void frames_close(struct books *books, uint64_t instance, uint32_t path, uint32_t flags, enum frames_pass pass) {
        const struct frame *scope = scope_frame(books, instance);
        struct instance *entry = live_find(books, instance);

        if (!(flags & SHM_FLAG_LATE) && !entry && is_stale(books, instance) && !scope) {
                count_stale(books);
                return;
        }
        if (entry) {
                live_use(books, entry);
        } else { /* it may still be unknown: its OPEN can lie on a lane that this look has not come to */
                entry = live_make(books, instance, path);
                if (books->book->evicted && (scope ? scope->flags & FRAME_FOLLOWED : is_seen(books, instance)))
                        entry->flags |= INSTANCE_PARTIAL;
        }
        if (entry->flags & (INSTANCE_QUEUED | INSTANCE_CLOSING)) {
                if (!(flags & SHM_FLAG_LATE))
                        count_stale(books);
                return;
        }
        if (flags & SHM_FLAG_LATE)
                entry->flags |= INSTANCE_LATE;
        live_queue_close(books, entry, pass == FRAMES_SECOND_LOOK);
}

bool frames_apply_closes(struct books *books) {
        struct instance *entry;

        while (books->book->queued_first) {
                if (books_batch_is_full(books))
                        return false;
                entry = live_next_close(books);
                touch(books, &books->book->closes_applied);
                books->book->closes_applied++;
                if (!(entry->flags & INSTANCE_OPENED) && scope_frame(books, entry->instance))
                        entry->flags |= INSTANCE_OPENED | INSTANCE_SCOPE;
                if (entry->flags & INSTANCE_ABORTED) {
                        live_remove(books, entry);
                } else if (!(entry->flags & INSTANCE_OPENED)) {
                        /* Everything that was before the close has been seen now, and no opening was. */
                        if (books->book->evicted)
                                tally_closed(books, tally_change(books, entry->path), 0, 0);
                        else if (!(entry->flags & INSTANCE_LATE) && !is_older(books, entry->instance))
                                count_stale(books);
                        live_remove(books, entry);
                } else if (is_entered(books, entry)) {
                        entry->flags |= INSTANCE_CLOSING;
                } else {
                        close_instance(books, entry);
                }
        }
        live_advance_queue(books);
        return true;
}

/* -------------------------------------------------------------------------------------------------- frames -- */

static void push(struct books *books, struct lane *lane, const struct shm_record *record, struct counters enter,
                 uint64_t ticks) {
        uint32_t depth = lane->depth, name = books->tallies[record->path].name;
        uint32_t flags = FRAME_OUTER_NAME | FRAME_OUTER_INSTANCE;
        struct frame *frame = &lane->frames[depth];

        for (uint32_t i = 0; i < depth; i++) {
                if (lane->frames[i].name == name)
                        flags &= ~(uint32_t)FRAME_OUTER_NAME;
                if (lane->frames[i].instance == record->instance)
                        flags &= ~(uint32_t)FRAME_OUTER_INSTANCE;
        }
        if (record->flags & SHM_FLAG_SCOPE)
                flags |= FRAME_SCOPE;
        touch_line(books, frame);
        frame->instance = record->instance;
        frame->path = record->path;
        frame->name = name;
        frame->flags = flags;
        frame->entry = 0;
        counters_store(frame->enter, enter);
        frame->entered = ticks;
        lane->depth = depth + 1;
}

static void enter_instance(struct books *books, struct lane *lane, const struct shm_record *record) {
        struct frame *frame = &lane->frames[lane->depth - 1];
        bool is_scopes = record->flags & SHM_FLAG_SHARED, is_late = record->flags & SHM_FLAG_LATE;
        uint64_t instance = record->instance;
        struct instance *entry;

        if (record->flags & SHM_FLAG_SCOPE) {
                /* A scope needs no entry of its own, unless others have entered it. */
                tally_change(books, record->path)->opened++;
                saw_open(lane, instance);
                return;
        }
        entry = live_find(books, instance);
        if (!entry && (is_scopes ? is_past(books, instance) && !scope_frame(books, instance)
                                 : !is_late && is_stale(books, instance))) {
                count_stale(books);
                frame->flags |= FRAME_STALE;
                return;
        }
        if (is_scopes) {
                entry = visit_scope(books, entry, instance, record->path);
        } else {
                bool is_known = !is_late && is_past(books, instance);
                bool is_from_elsewhere = is_older(books, instance) || record->kind == SHM_KIND_RESYNC;

                entry = open_instance(books, entry, instance, record->path, is_known || is_older(books, instance),
                                      !is_known && (is_late || is_from_elsewhere));
        }
        entry->entered++;
        frame->entry = live_number(books, entry);
}

/* The next frame of the same name, and of the same instance, above the one that is going: they are the outermost now. */
static void pass_on(struct books *books, struct lane *lane, uint32_t i, struct counters at) {
        struct frame *gone = &lane->frames[i];
        uint32_t flags = gone->flags & (FRAME_OUTER_NAME | FRAME_OUTER_INSTANCE);

        for (uint32_t j = i + 1; j < lane->depth && flags; j++) {
                struct frame *next = &lane->frames[j];
                bool is_name = (flags & FRAME_OUTER_NAME) && next->name == gone->name;
                bool is_instance = (flags & FRAME_OUTER_INSTANCE) && next->instance == gone->instance;

                if (!is_name && !is_instance)
                        continue;
                touch_line(books, next);
                frame_set_apart(books, next);
                if (is_name) {
                        next->flags |= FRAME_OUTER_NAME;
                        counters_store(next->credit, at);
                        next->credited = lane->timed_until;
                        flags &= ~(uint32_t)FRAME_OUTER_NAME;
                }
                if (is_instance) {
                        next->flags |= FRAME_OUTER_INSTANCE;
                        counters_store(next->enter, at);
                        next->entered = lane->timed_until;
                        flags &= ~(uint32_t)FRAME_OUTER_INSTANCE;
                }
        }
}

/* Takes frame `i` out from under others. */
static FRAMES_SELDOM void take_out(struct books *books, struct lane *lane, uint32_t i, struct counters at) {
        uint32_t above = lane->depth - i - 1;

        pass_on(books, lane, i, at);
        state_touch(&books->state, &lane->frames[i], above * sizeof(struct frame));
        memmove(&lane->frames[i], &lane->frames[i + 1], above * sizeof(struct frame));
}

enum cycle_end { CYCLE_EXIT = 0, CYCLE_MIGRATED = 1, CYCLE_CLOSES = 2, CYCLE_SHARED = 4, CYCLE_ABORTED = 8 };

/* A cycle that has ended: of what, and what it spent of its span's; nothing where another frame of the span is below. */
struct cycle {
        uint64_t instance;
        uint32_t path, flags, entry; /* as its frame's */
        struct counters sums;
        uint64_t ticks;
        bool is_timed;
};

/* A scope ends with its only cycle. */
static void close_scope(struct books *books, struct tally *t, const struct cycle *cycle) {
        if (cycle->is_timed)
                times_call(books, cycle->path, cycle->ticks);
        tally_closed(books, t, counters_alloc_bytes(cycle->sums), 1);
        if (books->on_event) {
                struct books_event event = {.instance = cycle->instance, .path = cycle->path, .cycles = 1};

                counters_store(event.sums, cycle->sums);
                event.ticks = cycle->is_timed ? cycle->ticks : 0;
                books_emit(books, &event);
        }
}

/* A scope whose thread is dead. */
static FRAMES_SELDOM void abort_scope(struct books *books, const struct cycle *cycle) {
        struct instance *entry = live_find(books, cycle->instance);
        uint64_t sums[SHM_COUNTERS];

        tally_change(books, cycle->path)->aborted++;
        counters_store(sums, cycle->sums);
        last_note(books, cycle->instance, cycle->path, sums);
        if (!entry)
                return;
        touch_line(books, entry);
        if (entry->flags & INSTANCE_QUEUED)
                entry->flags |= INSTANCE_ABORTED;
        else
                live_remove(books, entry);
}

/* The last cycle of a closed span has ended, for all that was read: an enter that came before may lie on a lane that this
 * look has not come to. */
static void end_closing(struct books *books, struct instance *entry, enum frames_pass pass) {
        if (pass == FRAMES_BETWEEN_LOOKS)
                close_instance(books, entry);
        else
                live_queue_close(books, entry, pass == FRAMES_SECOND_LOOK);
}

static void exit_instance(struct books *books, struct tally *t, const struct cycle *cycle, unsigned end,
                          enum frames_pass pass) {
        struct instance *entry;
        bool is_scope = cycle->flags & FRAME_SCOPE;

        if (cycle->flags & FRAME_STALE)
                return;
        if (is_scope && (end & CYCLE_ABORTED)) {
                abort_scope(books, cycle);
                return;
        }
        if (is_scope && (end & CYCLE_CLOSES) && !(end & CYCLE_SHARED)) {
                close_scope(books, t, cycle);
                return;
        }
        if (is_scope) {
                entry = scope_instance(books, live_find(books, cycle->instance), cycle->instance, cycle->path,
                                       cycle->flags & FRAME_FOLLOWED);
        } else {
                entry = live_find_again(books, cycle->instance, cycle->entry);
                if (!entry) /* evicted meanwhile */
                        return;
                live_use(books, entry);
                if (entry->entered)
                        entry->entered--;
        }
        counters_add(entry->sums, cycle->sums);
        entry->ticks += cycle->ticks;
        if (!cycle->is_timed)
                entry->flags |= INSTANCE_UNTIMED;
        entry->cycles += !(end & CYCLE_ABORTED);
        if (end & CYCLE_CLOSES)
                live_queue_close(books, entry, pass == FRAMES_SECOND_LOOK);
        else if ((entry->flags & INSTANCE_CLOSING) && !(entry->flags & INSTANCE_QUEUED) && !is_entered(books, entry))
                end_closing(books, entry, pass);
}

/* The interval that ended the cycle was timed. */
static FRAMES_SELDOM void time_cycle(struct books *books, struct lane *lane, const struct frame *frame,
                                     struct cycle *cycle) {
        if (cycle->flags & FRAME_OUTER_NAME)
                times_total(books, lane, frame);
        cycle->is_timed = !(cycle->flags & FRAME_OUTER_INSTANCE) || times_cycle(lane, frame, &cycle->ticks);
}

/* Ends the cycle of frame `i` at `at`; the interval has been ended there already. */
static void end_cycle(struct books *books, struct lane *lane, uint32_t i, struct counters at, unsigned end,
                      enum frames_pass pass) {
        const struct frame *frame = &lane->frames[i];
        struct cycle cycle = {
                .instance = frame->instance, .path = frame->path, .flags = frame->flags, .entry = frame->entry};
        struct tally *t = tally_change(books, frame->path);
        struct counters sums = counters_since(at, counters_load(frame->enter));

        if (cycle.flags & FRAME_OUTER_NAME) {
                if (__builtin_expect(cycle.flags & FRAME_APART, 0))
                        counters_add(t->total, counters_since(at, counters_load(frame->credit)));
                else
                        counters_add(t->total, sums);
        }
        if (cycle.flags & FRAME_OUTER_INSTANCE)
                cycle.sums = sums;
        if (lane->timed_until)
                time_cycle(books, lane, frame, &cycle);
        if (i + 1 < lane->depth)
                take_out(books, lane, i, at);
        lane->depth--;
        if (!(end & CYCLE_ABORTED)) {
                t->cycles++;
                t->migrated += end & CYCLE_MIGRATED;
        }
        exit_instance(books, t, &cycle, end, pass);
}
_Static_assert(CYCLE_MIGRATED == 1, "it is added");

/* The topmost frame of `instance` that an exit ends: for a scope's end, the scope's; else one that was entered by hand,
 * and the scope's only where there is none. */
static int find_frame(const struct lane *lane, uint64_t instance, bool is_scopes_end) {
        int other = -1;

        for (int i = (int)lane->depth - 1; i >= 0; i--) {
                if (lane->frames[i].instance != instance)
                        continue;
                if (!(lane->frames[i].flags & FRAME_SCOPE) == !is_scopes_end)
                        return i;
                if (other < 0)
                        other = i;
        }
        return is_scopes_end ? -1 : other;
}

static FRAMES_SELDOM void abort_all(struct books *books, struct lane *lane, enum frames_pass pass) {
        while (lane->depth)
                end_cycle(books, lane, lane->depth - 1, counters_load(lane->last), CYCLE_ABORTED, pass);
}

/* -------------------------------------------------------------------------------------------------- records -- */

static uint64_t clock_of(const struct shm_record *record) {
        return record->flags & SHM_FLAG_TIMED ? record->timestamp : 0;
}

static void feed_exit(struct books *books, struct lane *lane, const struct shm_record *record, enum frames_pass pass) {
        unsigned end = 0;
        int i = find_frame(lane, record->instance, record->flags & SHM_FLAG_SCOPE);
        struct counters at = interval(books, lane, record->counters, clock_of(record));

        if (i < 0) { /* after a restart of the collector without this frame's RESYNC; or a client's mistake */
                count_stale(books);
                return;
        }
        if (record->flags & SHM_FLAG_SCOPE)
                end |= CYCLE_CLOSES;
        if (record->flags & SHM_FLAG_MIGRATED)
                end |= CYCLE_MIGRATED;
        if (record->flags & SHM_FLAG_SHARED)
                end |= CYCLE_SHARED;
        end_cycle(books, lane, (uint32_t)i, at, end, pass);
}

/* With all that it calls in one function: a seventh fewer instructions. */
__attribute__((flatten)) void frames_feed(struct books *books, uint32_t i, const struct shm_record *record,
                                          enum frames_pass pass) {
        struct lane *lane = &books->lanes[i];
        struct counters at;

        assert(state_is_touched(&books->state, lane) && state_is_touched(&books->state, lane->outside));
        switch ((enum shm_kind)record->kind) {
        case SHM_KIND_BEFORE:
                frames_before(books, i, record->counters);
                break;
        case SHM_KIND_BASE:
                interval(books, lane, record->counters, clock_of(record));
                abort_all(books, lane, pass);
                break;
        case SHM_KIND_ENTER:
                at = interval(books, lane, record->counters, clock_of(record));
                if (lane->depth == SHM_DEPTH) {
                        count_stale(books);
                        break;
                }
                push(books, lane, record, at, lane->timed_until);
                enter_instance(books, lane, record);
                break;
        case SHM_KIND_RESYNC:
                if (lane->depth == SHM_DEPTH) {
                        count_stale(books);
                        break;
                }
                push(books, lane, record, counters_load(record->counters), 0);
                enter_instance(books, lane, record);
                break;
        case SHM_KIND_EXIT:
                feed_exit(books, lane, record, pass);
                break;
        case SHM_KIND_OPEN:
                open_instance(books, live_find(books, record->instance), record->instance, record->path, false, true);
                saw_open(lane, record->instance);
                break;
        case SHM_KIND_CLOSE:
                frames_close(books, record->instance, record->path, record->flags, pass);
                break;
        case SHM_KIND_LOST:
                lost(books, lane, record->counters);
                break;
        case SHM_KIND_INVALID:
                break;
        }
}

void frames_settle(struct books *books, uint32_t i, const uint64_t live[SHM_COUNTERS], uint64_t ticks) {
        frames_begin(books, i);
        interval(books, &books->lanes[i], live, ticks);
}

/* Frames that another thread had exited are cycles like others; the rest are cut off. */
static void retire_frames(struct books *books, struct lane *lane, const uint64_t marks[SHM_DEPTH]) {
        for (unsigned m = 0; m < SHM_DEPTH; m++) {
                int i = marks[m] ? find_frame(lane, marks[m], false) : -1;

                if (i >= 0)
                        end_cycle(books, lane, (uint32_t)i, counters_load(lane->last), CYCLE_MIGRATED,
                                  FRAMES_BETWEEN_LOOKS);
        }
        abort_all(books, lane, FRAMES_BETWEEN_LOOKS);
}

void frames_retire(struct books *books, uint32_t i, const uint64_t live[SHM_COUNTERS],
                   const struct frames_remains *remains) {
        struct lane *lane = &books->lanes[i];

        frames_begin(books, i);
        if (remains->lost[0] | remains->lost[1] | remains->lost[2] | remains->lost[3])
                lost(books, lane, remains->lost);
        interval(books, lane, live, 0);
        retire_frames(books, lane, remains->marks);
}

bool frames_finish(struct books *books, uint32_t *path) {
        if (*path == 1 && !books->book->finished) {
                last_prune(books);
                last_note_live(books);
        }
        for (; *path <= books->book->paths; (*path)++) {
                const struct tally *t = &books->tallies[*path];
                uint64_t open = minus(t->opened, t->closed + t->aborted);

                if (books_batch_is_full(books))
                        return false;
                if (t->name && open)
                        tally_change(books, *path)->aborted += open;
        }
        touch(books, &books->book->finished);
        books->book->finished = 1;
        return true;
}
