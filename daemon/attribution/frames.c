/* SPDX-License-Identifier: MIT */
/* See frames.h. */
#include "daemon/attribution/frames.h"

#include <assert.h>

#include "daemon/attribution/interval.h"
#include "daemon/attribution/stacks.h"
#include "daemon/books/last_open.h"

#define FINISH_PORTION 16384u /* spans and paths that one call looks at */

/* What frames_feed() does not hold in itself, so that what it does every time has the registers. */
#define FRAMES_SELDOM __attribute__((cold, noinline))

static void push(struct books *books, struct lane *lane, const struct shm_record *record, struct counters enter,
                 uint64_t ticks) {
        uint32_t depth = lane->depth, name = tally_of(books, record->path)->name;
        uint32_t flags = FRAME_OUTER_NAME | FRAME_OUTER_INSTANCE;
        /* A scope is taken up again from another stack than its own. */
        bool is_placed = record->kind == SHM_KIND_ENTER && !(record->flags & SHM_FLAG_SHARED);
        uint32_t page = is_placed ? stack_page(record) : 0;
        struct frame *frame = &lane->frames[depth];

        for (uint32_t i = 0; i < depth; i++) {
                if (lane->frames[i].name == name)
                        flags &= ~(uint32_t)FRAME_OUTER_NAME;
                if (lane->frames[i].instance == record->instance)
                        flags &= ~(uint32_t)FRAME_OUTER_INSTANCE;
        }
        if (record->flags & SHM_FLAG_SCOPE)
                flags |= record->flags & SHM_FLAG_SHARED ? FRAME_TAKEN : FRAME_SCOPE;
        if (depth && __builtin_expect(stack_is_off(frame - 1, page, STACK_NEAR, STACK_NEAR), 0))
                stacks_entered_off(books, lane, record->path, page);
        touch_line(books, frame);
        frame->instance = record->instance;
        frame->path = record->path;
        frame->name = name;
        frame->flags = flags | page << FRAME_STACK_SHIFT;
        frame->entry = 0;
        counters_store(frame->enter, enter);
        frame->entered = ticks;
        lane->depth = depth + 1;
}

static void enter(struct books *books, struct lane *lane, const struct shm_record *record) {
        if ((record->flags & (SHM_FLAG_SCOPE | SHM_FLAG_SHARED)) == SHM_FLAG_SCOPE)
                spans_begin_scope(books, lane, record);
        else
                spans_enter(books, &lane->frames[lane->depth - 1], record);
}

/* The next frame of the same name, and of the same instance, above the one that is going: they are the outermost now.
 * */
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
        touch_bytes(books, &lane->frames[i], above * sizeof(struct frame));
        memmove(&lane->frames[i], &lane->frames[i + 1], above * sizeof(struct frame));
}

/* The interval that ended the cycle was timed. */
static FRAMES_SELDOM void time_cycle(struct books *books, struct lane *lane, const struct frame *frame,
                                     struct cycle *cycle) {
        if (cycle->flags & FRAME_OUTER_NAME)
                span_time_total(books, lane, frame);
        cycle->is_timed = !(cycle->flags & FRAME_OUTER_INSTANCE) || span_time_cycle(lane, frame, &cycle->ticks);
}

/* Ends the cycle of frame `i` at `at`; the interval has been ended there already. */
static void end_cycle(struct books *books, struct lane *lane, uint32_t i, struct counters at, unsigned end,
                      enum spans_pass pass) {
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
        if (spans_is_whole_scope(&cycle, end))
                spans_end_scope(books, t, &cycle);
        else
                spans_exit(books, &cycle, end, pass);
}
_Static_assert(CYCLE_MIGRATED == 1, "it is added");

/* The topmost frame of `instance` that an exit ends: for a scope's end, the scope's; else one that was entered by hand,
 * and the scope's only where there is none. */
static int find_frame(const struct lane *lane, uint64_t instance, bool is_scopes_end) {
        int other = -1;

        for (int i = (int)lane->depth - 1; i >= 0; i--) {
                if (lane->frames[i].instance != instance)
                        continue;
                if (!(lane->frames[i].flags & (FRAME_SCOPE | FRAME_TAKEN)) == !is_scopes_end)
                        return i;
                if (other < 0)
                        other = i;
        }
        return is_scopes_end ? -1 : other;
}

static FRAMES_SELDOM void abort_all(struct books *books, struct lane *lane, enum spans_pass pass) {
        while (lane->depth)
                end_cycle(books, lane, lane->depth - 1, counters_load(lane->last), CYCLE_ABORTED, pass);
}

/* -------------------------------------------------------------------------------------------------- records -- */

static uint64_t clock_of(const struct shm_record *record) {
        return record->flags & SHM_FLAG_TIMED ? record->timestamp : 0;
}

static void feed_exit(struct books *books, struct lane *lane, const struct shm_record *record, enum spans_pass pass) {
        unsigned end = 0;
        int i = find_frame(lane, record->instance, record->flags & SHM_FLAG_SCOPE);
        struct counters at = interval_end(books, lane, record->counters, clock_of(record));

        if (i < 0) { /* after a restart of the collector without this frame's RESYNC; or a client's mistake */
                books_count_stale(books);
                return;
        }
        if (record->flags & SHM_FLAG_SCOPE) {
                end |= CYCLE_CLOSES;
                if (stack_is_off(&lane->frames[i], stack_page(record), STACK_END_DOWN, STACK_END_UP))
                        stacks_exited_off(books, lane, (uint32_t)i);
        }
        if (record->flags & SHM_FLAG_UNWOUND)
                stacks_unwound(books, lane, (uint32_t)i);
        if (record->flags & SHM_FLAG_MIGRATED)
                end |= CYCLE_MIGRATED;
        if (record->flags & SHM_FLAG_SHARED)
                end |= CYCLE_SHARED;
        end_cycle(books, lane, (uint32_t)i, at, end, pass);
}

void frames_begin(struct books *books, uint32_t i) {
        interval_begin(books, books_lane(books, i));
}

/* With all that it calls in one function: a seventh fewer instructions. */
__attribute__((flatten)) void frames_feed(struct books *books, uint32_t i, const struct shm_record *record,
                                          enum spans_pass pass) {
        struct lane *lane = books_lane(books, i);
        struct counters at;

        assert(is_touched(books, lane) && is_touched(books, lane->outside));
        switch ((enum shm_kind)record->kind) {
        case SHM_KIND_BEFORE:
                interval_before(books, lane, record->counters);
                break;
        case SHM_KIND_BASE:
                interval_end(books, lane, record->counters, clock_of(record));
                abort_all(books, lane, pass);
                break;
        case SHM_KIND_ENTER:
                at = interval_end(books, lane, record->counters, clock_of(record));
                if (lane->depth == SHM_DEPTH) {
                        books_count_stale(books);
                        break;
                }
                push(books, lane, record, at, lane->timed_until);
                enter(books, lane, record);
                break;
        case SHM_KIND_RESYNC:
                if (lane->depth == SHM_DEPTH) {
                        books_count_stale(books);
                        break;
                }
                push(books, lane, record, counters_load(record->counters), 0);
                enter(books, lane, record);
                break;
        case SHM_KIND_EXIT:
                feed_exit(books, lane, record, pass);
                break;
        case SHM_KIND_OPEN:
                spans_open(books, lane, record);
                break;
        case SHM_KIND_CLOSE:
                spans_close(books, record->instance, record->path, record->flags, pass);
                break;
        case SHM_KIND_LOST:
                interval_lost(books, lane, record->counters);
                break;
        case SHM_KIND_INVALID:
                break;
        }
}

void frames_settle(struct books *books, uint32_t i, const uint64_t live[SHM_COUNTERS], uint64_t ticks) {
        frames_begin(books, i);
        interval_end(books, books_lane(books, i), live, ticks);
}

/* Frames that another thread had exited are cycles like others; the rest are cut off. */
static void retire_frames(struct books *books, struct lane *lane, const uint64_t marks[SHM_DEPTH]) {
        for (unsigned m = 0; m < SHM_DEPTH; m++) {
                int i = marks[m] ? find_frame(lane, marks[m], false) : -1;

                if (i >= 0)
                        end_cycle(books, lane, (uint32_t)i, counters_load(lane->last), CYCLE_MIGRATED,
                                  SPANS_BETWEEN_LOOKS);
        }
        abort_all(books, lane, SPANS_BETWEEN_LOOKS);
}

void frames_retire(struct books *books, uint32_t i, const uint64_t live[SHM_COUNTERS],
                   const struct frames_remains *remains) {
        struct lane *lane = books_lane(books, i);

        frames_begin(books, i);
        if (remains->lost[0] | remains->lost[1] | remains->lost[2] | remains->lost[3])
                interval_lost(books, lane, remains->lost);
        interval_end(books, lane, live, 0);
        retire_frames(books, lane, remains->marks);
}

bool frames_finish(struct books *books, struct frames_finishing *at) {
        uint32_t left = FINISH_PORTION;

        if (!books_are_finished(books) && !last_open_note_some(books, &at->spans, FINISH_PORTION))
                return false;
        for (; at->paths < books_path_count(books); at->paths++) {
                uint32_t path = at->paths + 1;
                const struct tally *t = tally_of(books, path);
                uint64_t ended = t->closed + t->aborted, open = t->opened > ended ? t->opened - ended : 0;

                if (!left-- || books_batch_is_full(books))
                        return false;
                if (t->name && open)
                        tally_change(books, path)->aborted += open;
        }
        books_set_finished(books);
        return true;
}
