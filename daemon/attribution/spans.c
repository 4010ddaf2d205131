/* SPDX-License-Identifier: MIT */
/* See spans.h. */
#include "daemon/attribution/spans.h"

#include "daemon/books/last_open.h"
#include "daemon/books/open_spans.h"
#include "daemon/books/span_time.h"
#include "shm/span.h"

/* Whether a span was numbered before this segment: its opening is in the books of an earlier one. */
static bool is_older(const struct books *books, uint64_t instance) {
        return shm_span_block(instance) <= books_instance_floor(books);
}

/* Whether a span was opened, as far as its number tells: it is not above the last that its lane opened.  Not to be told
 * where it is older than this segment. */
static bool is_past(const struct books *books, uint64_t instance) {
        uint32_t lane = shm_span_lane(instance);

        if (is_older(books, instance) || lane >= books_limits(books)->lanes)
                return false;
        return instance <= books_lane(books, lane)->opened_max;
}

/* Whether a span that is no scope may have had an entry before. */
static bool is_seen(const struct books *books, uint64_t instance) {
        return is_past(books, instance) || is_older(books, instance);
}

/* Whether a span that is not among the open spans, and whose opening found room, is closed.  Where spans were evicted,
 * it may be one of these. */
static bool is_stale(const struct books *books, uint64_t instance) {
        return !books_evicted(books) && is_past(books, instance);
}

/* The frame of a scope on the stack of the lane that opened it; NULL: it has left that. */
static struct frame *scope_frame(const struct books *books, uint64_t instance) {
        uint32_t lane = shm_span_lane(instance);
        struct lane *home;

        if (lane >= books_limits(books)->lanes)
                return NULL;
        home = books_lane(books, lane);
        for (uint32_t i = 0; i < home->depth; i++)
                if (home->frames[i].instance == instance && (home->frames[i].flags & FRAME_SCOPE))
                        return &home->frames[i];
        return NULL;
}

/* The entry of a span that is opened, or entered before its opening is seen: that may lie on a lane that this look has
 * not come to.  `entry`: what there is of it, or NULL.
 * `is_known`: its opening was seen; where it has no entry all the same, it was evicted.  `counts`: no other record will
 * tell of its opening. */
static inline __attribute__((always_inline)) struct instance *open_instance(struct books *books, struct instance *entry,
                                                                            uint64_t instance, uint32_t path,
                                                                            bool is_known, bool counts) {
        if (entry) {
                open_spans_use(books, entry);
        } else {
                entry = open_spans_make(books, instance, path);
                if (is_known && books_evicted(books))
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

/* A thread enters a scope by its handle. */
static __attribute__((noinline)) struct instance *visit_scope(struct books *books, struct instance *entry,
                                                              uint64_t instance, uint32_t path) {
        struct frame *frame = scope_frame(books, instance);

        entry = scope_instance(books, entry, instance, path, frame && (frame->flags & FRAME_FOLLOWED));

        if (frame) {
                touch(books, &frame->flags);
                frame->flags |= FRAME_FOLLOWED;
        }
        return entry;
}

void spans_open(struct books *books, struct lane *lane, const struct shm_record *record) {
        open_instance(books, open_spans_find(books, record->instance), record->instance, record->path, false, true);
        spans_saw_open(lane, record->instance);
}

/* A thread enters a scope by its handle, or again after a switch of stacks, before the scope's own EXIT was seen. */
static bool is_on_its_scope(const struct books *books, const struct shm_record *record) {
        if (!(record->flags & SHM_FLAG_SHARED))
                return false;
        return !(record->flags & SHM_FLAG_SCOPE) || scope_frame(books, record->instance);
}

void spans_enter(struct books *books, struct frame *frame, const struct shm_record *record) {
        bool is_scopes = is_on_its_scope(books, record), is_late = record->flags & SHM_FLAG_LATE;
        uint64_t instance = record->instance;
        struct instance *entry;

        entry = open_spans_find(books, instance);
        if (!entry && (is_scopes ? is_past(books, instance) && !scope_frame(books, instance)
                                 : !is_late && is_stale(books, instance))) {
                books_count_stale(books);
                frame->flags |= FRAME_STALE;
                return;
        }
        if (is_scopes) {
                entry = visit_scope(books, entry, instance, record->path);
        } else {
                bool is_known = !is_late && is_past(books, instance);
                bool is_from_elsewhere = is_older(books, instance) || record->kind == SHM_KIND_RESYNC;
                bool is_first = !entry || !(entry->flags & INSTANCE_COUNTED);

                entry = open_instance(books, entry, instance, record->path, is_known || is_older(books, instance),
                                      !is_known && (is_late || is_from_elsewhere));
                if (is_late && is_first) /* enters before this one may have been refused, too */
                        entry->flags |= INSTANCE_PARTIAL;
        }
        instance_enter(entry);
        frame->entry = open_spans_number(books, entry);
}

bool spans_note_partial(struct books *books, uint64_t instance) {
        struct instance *entry = open_spans_find(books, instance);
        const struct frame *scope = entry ? NULL : scope_frame(books, instance);

        if (scope) /* the next cycle was another thread's, by its handle */
                entry = visit_scope(books, NULL, instance, scope->path);
        if (!entry)
                return is_seen(books, instance);
        touch_line(books, entry);
        entry->flags |= INSTANCE_PARTIAL;
        return true;
}

static bool is_entered(const struct books *books, const struct instance *entry) {
        return instance_is_entered(entry) || ((entry->flags & INSTANCE_SCOPE) && scope_frame(books, entry->instance));
}

/* The span has ended, and all its cycles have. */
static void close_instance(struct books *books, struct instance *entry) {
        struct tally *t = tally_change(books, entry->path);
        struct books_event event = {.instance = entry->instance, .path = entry->path, .cycles = entry->cycles};

        memcpy(event.sums, entry->sums, sizeof event.sums);
        if (entry->flags & INSTANCE_PARTIAL) {
                event.cycles = 0;
                if (books_evicted(books))
                        t->estimated = 1;
        }
        if (event.cycles && !(entry->flags & INSTANCE_UNTIMED)) {
                event.ticks = entry->ticks;
                span_time_call(books, entry->path, entry->ticks);
        }
        tally_closed(books, t, counters_load(entry->sums), event.cycles);
        open_spans_remove(books, entry);
        /* As in the tracing layer: a span that completed no cycle emits nothing. */
        if (event.cycles)
                books_emit(books, &event);
}

/* A scope whose thread is dead. */
static void abort_scope(struct books *books, const struct cycle *cycle) {
        struct instance *entry = open_spans_find(books, cycle->instance);
        uint64_t sums[SHM_COUNTERS];

        tally_change(books, cycle->path)->aborted++;
        counters_store(sums, cycle->sums);
        last_open_note(books, cycle->instance, cycle->path, sums);
        if (!entry)
                return;
        touch_line(books, entry);
        if (entry->flags & INSTANCE_QUEUED)
                entry->flags |= INSTANCE_ABORTED;
        else
                open_spans_remove(books, entry);
}

/* The last cycle of a closed span has ended, for all that was read: an enter that came before may lie on a lane that
 * this look has not come to. */
static void end_closing(struct books *books, struct instance *entry, enum spans_pass pass) {
        if (pass == SPANS_BETWEEN_LOOKS)
                close_instance(books, entry);
        else
                open_spans_queue_close(books, entry, pass == SPANS_SECOND_LOOK);
}

void spans_exit(struct books *books, const struct cycle *cycle, unsigned end, enum spans_pass pass) {
        struct instance *entry;
        bool is_scope = cycle->flags & FRAME_SCOPE;

        if (cycle->flags & FRAME_STALE)
                return;
        if (is_scope && (end & CYCLE_ABORTED)) {
                abort_scope(books, cycle);
                return;
        }
        if (spans_is_whole_scope(cycle, end)) {
                spans_end_scope(books, tally_change(books, cycle->path), cycle);
                return;
        }
        if (is_scope) {
                entry = scope_instance(books, open_spans_find(books, cycle->instance), cycle->instance, cycle->path,
                                       cycle->flags & FRAME_FOLLOWED);
        } else {
                entry = open_spans_find_again(books, cycle->instance, cycle->entry);
                if (!entry) { /* evicted meanwhile */
                        if (end & CYCLE_CLOSES)
                                spans_close(books, cycle->instance, cycle->path, 0, pass);
                        return;
                }
                open_spans_use(books, entry);
                instance_leave(entry);
        }
        counters_add(entry->sums, cycle->sums);
        entry->ticks += cycle->ticks;
        if (!cycle->is_timed)
                entry->flags |= INSTANCE_UNTIMED;
        if (!(end & CYCLE_ABORTED))
                instance_count_cycle(entry);
        if (end & CYCLE_CLOSES)
                open_spans_queue_close(books, entry, pass == SPANS_SECOND_LOOK);
        else if ((entry->flags & INSTANCE_CLOSING) && !(entry->flags & INSTANCE_QUEUED) && !is_entered(books, entry))
                end_closing(books, entry, pass);
}

void spans_close(struct books *books, uint64_t instance, uint32_t path, uint32_t flags, enum spans_pass pass) {
        const struct frame *scope = scope_frame(books, instance);
        struct instance *entry = open_spans_find(books, instance);

        if (!(flags & SHM_FLAG_LATE) && !entry && is_stale(books, instance) && !scope) {
                books_count_stale(books);
                return;
        }
        if (entry) {
                open_spans_use(books, entry);
        } else { /* it may still be unknown: its OPEN can lie on a lane that this look has not come to */
                entry = open_spans_make(books, instance, path);
                if (books_evicted(books) && (scope ? scope->flags & FRAME_FOLLOWED : is_seen(books, instance)))
                        entry->flags |= INSTANCE_PARTIAL;
        }
        if (entry->flags & (INSTANCE_QUEUED | INSTANCE_CLOSING)) {
                if (!(flags & SHM_FLAG_LATE))
                        books_count_stale(books);
                return;
        }
        if (flags & SHM_FLAG_LATE)
                entry->flags |= INSTANCE_LATE;
        open_spans_queue_close(books, entry, pass == SPANS_SECOND_LOOK);
}

bool spans_apply_closes(struct books *books) {
        struct instance *entry;

        while (open_spans_have_queued(books)) {
                if (books_batch_is_full(books))
                        return false;
                entry = open_spans_next_close(books);
                if (!(entry->flags & INSTANCE_OPENED) && scope_frame(books, entry->instance))
                        entry->flags |= INSTANCE_OPENED | INSTANCE_SCOPE;
                if (entry->flags & INSTANCE_ABORTED) {
                        open_spans_remove(books, entry);
                } else if (!(entry->flags & INSTANCE_OPENED)) {
                        /* Everything that was before the close has been seen now, and no opening was. */
                        if (books_evicted(books))
                                tally_closed(books, tally_change(books, entry->path), (struct counters){0}, 0);
                        else if (!(entry->flags & INSTANCE_LATE) && !is_older(books, entry->instance))
                                books_count_stale(books);
                        open_spans_remove(books, entry);
                } else if (is_entered(books, entry)) {
                        entry->flags |= INSTANCE_CLOSING;
                } else {
                        close_instance(books, entry);
                }
        }
        open_spans_advance_queue(books);
        return true;
}
