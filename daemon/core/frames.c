/* See frames.h. */
#include "daemon/core/frames.h"

#include "daemon/core/last.h"
#include "daemon/core/live.h"
#include "daemon/core/tally.h"
#include "daemon/core/times.h"

static uint64_t minus(uint64_t a, uint64_t b) {
        return a > b ? a - b : 0;
}

/* By the processor's carry: made vectors of, which cannot compare such words, it takes six times the instructions. */
static inline void difference(uint64_t ret[SHM_COUNTERS], const uint64_t a[SHM_COUNTERS],
                              const uint64_t b[SHM_COUNTERS]) {
#pragma GCC unroll 4
        for (int i = 0; i < SHM_COUNTERS; i++)
                if (__builtin_sub_overflow(a[i], b[i], &ret[i]))
                        ret[i] = 0;
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

static void settle_pending(struct books *books, struct lane *lane, uint64_t delta[SHM_COUNTERS]) {
        state_touch(&books->state, lane->before, sizeof lane->before);
        state_touch(&books->state, lane->outside, 64);
        state_touch(&books->state, lane->pending_lost, 64);
        take(delta, lane->pending_before, lane->before);
        take(delta, lane->pending_lost, lane->lost);
        memset(lane->pending_before, 0, sizeof lane->pending_before);
        memset(lane->pending_lost, 0, sizeof lane->pending_lost);
        touch(books, &lane->has_pending);
        lane->has_pending = 0;
}

static void outside(struct books *books, struct lane *lane, const uint64_t delta[SHM_COUNTERS]) {
        struct thread_name *thread = &books->threads[lane->thread];

        touch_line(books, lane->outside);
        tally_add(lane->outside, delta);
        touch_line(books, thread->outside);
        tally_add(thread->outside, delta);
}

/* Ends the interval that began at `last`.  Counters that went back count nothing, and the books go on from the
 * larger value, so that they balance.  ticks: as of times_interval(). */
static inline void interval(struct books *books, struct lane *lane, const uint64_t at[SHM_COUNTERS], uint64_t ticks) {
        uint64_t delta[SHM_COUNTERS];

        if (times_are_due(lane, ticks))
                times_interval(books, lane, ticks);
        difference(delta, at, lane->last);
        if (!(delta[0] | delta[1] | delta[2] | delta[3]) && !lane->has_pending)
                return;
        touch_line(books, lane->last);
        tally_add(lane->last, delta);
        if (__builtin_expect(lane->has_pending, 0))
                settle_pending(books, lane, delta);
        if (lane->depth) {
                tally_self(books, lane->frames[lane->depth - 1].path, delta);
                if (BOOKS_ARE_CHECKED) {
                        state_touch(&books->state, lane->self, sizeof lane->self);
                        tally_add(lane->self, delta);
                }
        } else {
                outside(books, lane, delta);
        }
}

void frames_before(struct books *books, uint32_t i, const uint64_t before[SHM_COUNTERS]) {
        struct lane *lane = &books->lanes[i];
        uint64_t delta[SHM_COUNTERS];

        difference(delta, before, lane->before_seen);
        if (!(delta[0] | delta[1] | delta[2] | delta[3]))
                return;
        state_touch(&books->state, lane->before_seen, sizeof lane->before_seen);
        state_touch(&books->state, lane->pending_before, sizeof lane->pending_before);
        touch(books, &lane->has_pending);
        tally_add(lane->before_seen, delta);
        tally_add(lane->pending_before, delta);
        lane->has_pending = 1;
}

void frames_gap(struct books *books, uint32_t i, const uint64_t gap[SHM_COUNTERS]) {
        struct lane *lane = &books->lanes[i];
        uint64_t delta[SHM_COUNTERS];

        difference(delta, gap, lane->gap_seen);
        if (!(delta[0] | delta[1] | delta[2] | delta[3]))
                return;
        state_touch(&books->state, &lane->has_pending, 64);
        state_touch(&books->state, lane->pending_lost, sizeof lane->pending_lost);
        tally_add(lane->gap_seen, delta);
        tally_add(lane->pending_lost, delta);
        lane->has_pending = 1;
}

static void lost(struct books *books, struct lane *lane, const uint64_t counters[SHM_COUNTERS]) {
        state_touch(&books->state, lane->pending_lost, sizeof lane->pending_lost);
        touch(books, &lane->has_pending);
        tally_add(lane->pending_lost, counters);
        lane->has_pending = 1;
        if (lane->depth)
                tally_lost(books, lane->frames[lane->depth - 1].path);
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

static void saw_open(struct books *books, struct lane *lane, uint64_t instance) {
        if (instance <= lane->opened_max)
                return;
        touch(books, &lane->opened_max);
        lane->opened_max = instance;
}

static void count_stale(struct books *books) {
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
                tally_opened(books, path);
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
        struct books_event event = {.instance = entry->instance, .path = entry->path, .cycles = entry->cycles};

        memcpy(event.sums, entry->sums, sizeof event.sums);
        if (entry->flags & INSTANCE_PARTIAL) {
                event.cycles = 0;
                tally_estimated(books, entry->path);
        }
        if (event.cycles && !(entry->flags & INSTANCE_UNTIMED)) {
                event.ticks = entry->ticks;
                times_call(books, entry->path, entry->ticks);
        }
        tally_closed(books, entry->path, entry->sums[SHM_ALLOC_BYTES], event.cycles);
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
                if (!state_has_room(&books->state, BOOKS_LINES_PER_STEP))
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
                                tally_closed(books, entry->path, 0, 0);
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

static void push(struct books *books, struct lane *lane, const struct shm_record *record,
                 const uint64_t enter[SHM_COUNTERS], uint64_t ticks) {
        struct frame *frame = &lane->frames[lane->depth];
        uint32_t name = books->tallies[record->path].name, flags = FRAME_OUTER_NAME | FRAME_OUTER_INSTANCE;

        for (uint32_t i = 0; i < lane->depth; i++) {
                if (lane->frames[i].name == name)
                        flags &= ~(uint32_t)FRAME_OUTER_NAME;
                if (lane->frames[i].instance == record->instance)
                        flags &= ~(uint32_t)FRAME_OUTER_INSTANCE;
        }
        if (record->flags & SHM_FLAG_SCOPE)
                flags |= FRAME_SCOPE;
        touch_line(books, frame);
        touch_line(books, &frame->entered);
        frame->instance = record->instance;
        frame->path = record->path;
        frame->name = name;
        frame->flags = flags;
        memcpy(frame->enter, enter, sizeof frame->enter);
        memcpy(frame->credit, enter, sizeof frame->credit);
        frame->entered = frame->credited = ticks;
        touch(books, &lane->depth);
        lane->depth++;
}

static void enter_instance(struct books *books, struct lane *lane, const struct shm_record *record) {
        struct frame *frame = &lane->frames[lane->depth - 1];
        bool is_scopes = record->flags & SHM_FLAG_SHARED, is_late = record->flags & SHM_FLAG_LATE;
        uint64_t instance = record->instance;
        struct instance *entry;

        if (record->flags & SHM_FLAG_SCOPE) {
                /* A scope needs no entry of its own, unless others have entered it. */
                tally_opened(books, record->path);
                saw_open(books, lane, instance);
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
}

/* The next frame of the same name, and of the same instance, above the one that is going: they are the outermost now. */
static void pass_on(struct books *books, struct lane *lane, uint32_t i, const uint64_t at[SHM_COUNTERS]) {
        struct frame *gone = &lane->frames[i];
        uint32_t flags = gone->flags & (FRAME_OUTER_NAME | FRAME_OUTER_INSTANCE);

        for (uint32_t j = i + 1; j < lane->depth && flags; j++) {
                struct frame *next = &lane->frames[j];

                if ((flags & FRAME_OUTER_NAME) && next->name == gone->name) {
                        touch(books, next);
                        next->flags |= FRAME_OUTER_NAME;
                        memcpy(next->credit, at, sizeof next->credit);
                        next->credited = lane->timed_until;
                        flags &= ~(uint32_t)FRAME_OUTER_NAME;
                }
                if ((flags & FRAME_OUTER_INSTANCE) && next->instance == gone->instance) {
                        touch(books, next);
                        next->flags |= FRAME_OUTER_INSTANCE;
                        memcpy(next->enter, at, sizeof next->enter);
                        next->entered = lane->timed_until;
                        flags &= ~(uint32_t)FRAME_OUTER_INSTANCE;
                }
        }
}

/* Takes frame `i` out from under others. */
static void take_out(struct books *books, struct lane *lane, uint32_t i, const uint64_t at[SHM_COUNTERS]) {
        uint32_t above = lane->depth - i - 1;

        pass_on(books, lane, i, at);
        state_touch(&books->state, &lane->frames[i], above * sizeof(struct frame));
        memmove(&lane->frames[i], &lane->frames[i + 1], above * sizeof(struct frame));
}

enum cycle_end { CYCLE_EXIT = 0, CYCLE_MIGRATED = 1, CYCLE_CLOSES = 2, CYCLE_SHARED = 4, CYCLE_ABORTED = 8 };

/* A cycle that has ended: of what, and what it spent of its span's; nothing where another frame of the span is below. */
struct cycle {
        uint64_t instance;
        uint32_t path, flags; /* as its frame's */
        uint64_t sums[SHM_COUNTERS], ticks;
        bool is_timed;
};

/* A scope ends with its only cycle. */
static void close_scope(struct books *books, const struct cycle *cycle) {
        if (cycle->is_timed)
                times_call(books, cycle->path, cycle->ticks);
        tally_closed(books, cycle->path, cycle->sums[SHM_ALLOC_BYTES], 1);
        if (books->on_event) {
                struct books_event event = {.instance = cycle->instance, .path = cycle->path, .cycles = 1};

                memcpy(event.sums, cycle->sums, sizeof event.sums);
                event.ticks = cycle->is_timed ? cycle->ticks : 0;
                books_emit(books, &event);
        }
}

/* A scope whose thread is dead. */
static void abort_scope(struct books *books, const struct cycle *cycle) {
        struct instance *entry = live_find(books, cycle->instance);

        tally_aborted(books, cycle->path, 1);
        last_note(books, cycle->instance, cycle->path, cycle->sums);
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

static void exit_instance(struct books *books, const struct cycle *cycle, unsigned end, enum frames_pass pass) {
        struct instance *entry;
        bool is_scope = cycle->flags & FRAME_SCOPE;

        if (cycle->flags & FRAME_STALE)
                return;
        if (is_scope && (end & CYCLE_ABORTED)) {
                abort_scope(books, cycle);
                return;
        }
        if (is_scope && (end & CYCLE_CLOSES) && !(end & CYCLE_SHARED)) {
                close_scope(books, cycle);
                return;
        }
        if (is_scope) {
                entry = scope_instance(books, live_find(books, cycle->instance), cycle->instance, cycle->path,
                                       cycle->flags & FRAME_FOLLOWED);
        } else {
                entry = live_find(books, cycle->instance);
                if (!entry) /* evicted meanwhile */
                        return;
                live_use(books, entry);
                if (entry->entered)
                        entry->entered--;
        }
        tally_add(entry->sums, cycle->sums);
        entry->ticks += cycle->ticks;
        if (!cycle->is_timed)
                entry->flags |= INSTANCE_UNTIMED;
        entry->cycles += !(end & CYCLE_ABORTED);
        if (end & CYCLE_CLOSES)
                live_queue_close(books, entry, pass == FRAMES_SECOND_LOOK);
        else if ((entry->flags & INSTANCE_CLOSING) && !(entry->flags & INSTANCE_QUEUED) && !is_entered(books, entry))
                end_closing(books, entry, pass);
}

/* Ends the cycle of frame `i` at `at`; the interval has been ended there already. */
static void end_cycle(struct books *books, struct lane *lane, uint32_t i, const uint64_t at[SHM_COUNTERS], unsigned end,
                      enum frames_pass pass) {
        const struct frame *frame = &lane->frames[i];
        struct cycle cycle = {frame->instance, frame->path, frame->flags, .is_timed = true};
        uint64_t credit[SHM_COUNTERS];

        if (cycle.flags & FRAME_OUTER_NAME) {
                difference(credit, at, frame->credit);
                tally_total(books, cycle.path, credit);
                times_total(books, lane, frame);
        }
        if (cycle.flags & FRAME_OUTER_INSTANCE) {
                difference(cycle.sums, at, frame->enter);
                cycle.is_timed = times_cycle(lane, frame, &cycle.ticks);
        }
        if (i + 1 < lane->depth)
                take_out(books, lane, i, at);
        touch(books, &lane->depth);
        lane->depth--;
        if (!(end & CYCLE_ABORTED))
                tally_cycle(books, cycle.path, end & CYCLE_MIGRATED);
        exit_instance(books, &cycle, end, pass);
}

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

static void abort_all(struct books *books, struct lane *lane, enum frames_pass pass) {
        while (lane->depth)
                end_cycle(books, lane, lane->depth - 1, lane->last, CYCLE_ABORTED, pass);
}

/* -------------------------------------------------------------------------------------------------- records -- */

static uint64_t clock_of(const struct shm_record *record) {
        return record->flags & SHM_FLAG_TIMED ? record->timestamp : 0;
}

static void feed_exit(struct books *books, struct lane *lane, const struct shm_record *record, enum frames_pass pass) {
        unsigned end = 0;
        int i = find_frame(lane, record->instance, record->flags & SHM_FLAG_SCOPE);

        interval(books, lane, record->counters, clock_of(record));
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
        end_cycle(books, lane, (uint32_t)i, lane->last, end, pass);
}

/* With all that it calls in one function: a seventh fewer instructions. */
__attribute__((flatten)) void frames_feed(struct books *books, uint32_t i, const struct shm_record *record,
                                          enum frames_pass pass) {
        struct lane *lane = &books->lanes[i];

        switch ((enum shm_kind)record->kind) {
        case SHM_KIND_BEFORE:
                frames_before(books, i, record->counters);
                break;
        case SHM_KIND_BASE:
                interval(books, lane, record->counters, clock_of(record));
                abort_all(books, lane, pass);
                break;
        case SHM_KIND_ENTER:
                interval(books, lane, record->counters, clock_of(record));
                if (lane->depth == SHM_DEPTH) {
                        count_stale(books);
                        break;
                }
                push(books, lane, record, lane->last, lane->timed_until);
                enter_instance(books, lane, record);
                break;
        case SHM_KIND_RESYNC:
                if (lane->depth == SHM_DEPTH) {
                        count_stale(books);
                        break;
                }
                push(books, lane, record, record->counters, 0);
                enter_instance(books, lane, record);
                break;
        case SHM_KIND_EXIT:
                feed_exit(books, lane, record, pass);
                break;
        case SHM_KIND_OPEN:
                open_instance(books, live_find(books, record->instance), record->instance, record->path, false, true);
                saw_open(books, lane, record->instance);
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
        interval(books, &books->lanes[i], live, ticks);
}

/* Frames that another thread had exited are cycles like others; the rest are cut off. */
static void retire_frames(struct books *books, struct lane *lane, const uint64_t marks[SHM_DEPTH]) {
        for (unsigned m = 0; m < SHM_DEPTH; m++) {
                int i = marks[m] ? find_frame(lane, marks[m], false) : -1;

                if (i >= 0)
                        end_cycle(books, lane, (uint32_t)i, lane->last, CYCLE_MIGRATED, FRAMES_BETWEEN_LOOKS);
        }
        abort_all(books, lane, FRAMES_BETWEEN_LOOKS);
}

void frames_retire(struct books *books, uint32_t i, const uint64_t live[SHM_COUNTERS],
                   const struct frames_remains *remains) {
        struct lane *lane = &books->lanes[i];

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

                if (!state_has_room(&books->state, BOOKS_LINES_PER_STEP))
                        return false;
                if (t->name && open)
                        tally_aborted(books, *path, open);
        }
        touch(books, &books->book->finished);
        books->book->finished = 1;
        return true;
}
