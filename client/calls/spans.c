/* SPDX-License-Identifier: MIT */
/*
 * The calls that open and close a span, as short as they can be, and the one that reads the current span.  See call.h
 * for what they have in common with the cycles.
 */
#include "client/gate/api.h"

#include "client/calls/call.h"
#include "client/calls/slow_path.h"
#include "client/lanes/instance.h"
#include "client/segment/intern.h"

/* A handle without flags, made of two words: of its three fields gcc 13 and later put the second word together with nine
 * instructions. */
static sa_inline spanalloc_span handle(uint64_t instance, uint64_t path) {
        const union {
                uint64_t words[2];
                spanalloc_span span;
        } both = {.words = {instance, path}};

        return both.span;
}

/* True if OPEN or CLOSE fits. */
static sa_inline bool can_mark(const struct shm_lane *lane, struct place at) {
        return fits(lane, at, 1);
}

static sa_inline void put_mark(struct sa_thread *self, struct shm_lane *lane, struct place at, spanalloc_span span,
                               uint16_t kind) {
        sa_put_now(self, at.head, span.instance,
                   (struct sa_what){span.path, sa_kind_and_flags(kind, 0), .is_path = true}, 0, (struct sa_now){0});
        ring_publish_next(lane);
}

static sa_cold spanalloc_span open_at(struct sa_thread *self, struct shm_lane *lane, spanalloc_site *site,
                                      uint32_t parent) {
        spanalloc_span span = {sa_instance(lane), sa_path_of(site, parent), 0};

        /* LATE in the handle: the span's first ENTER opens it. */
        if (!sa_slow_mark(self, lane, span, SHM_KIND_OPEN))
                span.reserved = shm_handle_word(SHM_FLAG_LATE);
        end(self, lane);
        return span;
}

static sa_cold spanalloc_span open_aside(spanalloc_site *site, struct shm_lane *lane) {
        return open_at(&sa_self, lane, site, sa_current_path(&sa_self, lane));
}

static sa_cold spanalloc_span open_slow(spanalloc_site *site) {
        struct shm_lane *lane;

        if (sa_is_due(&sa_self)) {
                lane = sa_begin_slow(&sa_self, true);
                if (lane)
                        return open_aside(site, lane);
        }
        return sa_leader() ? sa_leader()->open(site) : SPANALLOC_NONE;
}

/* Opens a span under `parent` and ends the call, or returns none if that cannot be short. */
static sa_inline spanalloc_span open_fast(struct sa_thread *self, struct shm_lane *lane, struct place at,
                                          spanalloc_site *site, uint32_t parent) {
        uint32_t path = sa_path_at_hand(site, parent);
        spanalloc_span span;

        if (sa_unlikely(sa_attention(lane)) || sa_unlikely(!path) || !sa_has_instance(lane) || !can_mark(lane, at))
                return SPANALLOC_NONE;
        span = handle(sa_instance(lane), path);
        put_mark(self, lane, at, span, SHM_KIND_OPEN);
        end(self, lane);
        return span;
}

EXPORT spanalloc_span spanalloc_do_open_(spanalloc_site *site) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane;
        struct place at;
        spanalloc_span span;

        if (sa_unlikely(!begin_open(self)))
                return open_slow(site);
        lane = self->lane;
        at = place_of(lane);
        span = open_fast(self, lane, at, site, top_path(lane, at));
        return sa_likely(span.instance) ? span : open_aside(site, lane);
}

EXPORT spanalloc_span spanalloc_open(spanalloc_site *site) {
        return is_alone(&sa_self) ? SPANALLOC_NONE : spanalloc_do_open_(site);
}

static sa_cold spanalloc_span open_under_aside(spanalloc_site *site, spanalloc_span parent, struct shm_lane *lane) {
        if (sa_attention(lane))
                sa_slow_attend(&sa_self, lane);
        return open_at(&sa_self, lane, site, parent.instance ? parent.path : 0);
}

static sa_cold spanalloc_span open_under_slow(spanalloc_site *site, spanalloc_span parent) {
        struct shm_lane *lane;

        if (sa_is_due(&sa_self)) {
                lane = sa_begin_slow(&sa_self, true);
                if (lane)
                        return open_under_aside(site, parent, lane);
        }
        return sa_leader() ? sa_leader()->open_under(site, parent) : SPANALLOC_NONE;
}

EXPORT spanalloc_span spanalloc_do_open_under_(spanalloc_site *site, spanalloc_span parent) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane;
        spanalloc_span span;

        if (sa_unlikely(!begin_open(self)))
                return open_under_slow(site, parent);
        lane = self->lane;
        span = open_fast(self, lane, place_of(lane), site, parent.instance ? parent.path : 0);
        return sa_likely(span.instance) ? span : open_under_aside(site, parent, lane);
}

EXPORT spanalloc_span spanalloc_open_under(spanalloc_site *site, spanalloc_span parent) {
        return is_alone(&sa_self) ? SPANALLOC_NONE : spanalloc_do_open_under_(site, parent);
}

static sa_aside void close_aside(spanalloc_span span, struct shm_lane *lane) {
        sa_slow_mark(&sa_self, lane, span, SHM_KIND_CLOSE);
        end(&sa_self, lane);
}

static sa_cold void close_slow(spanalloc_span span) {
        struct shm_lane *lane = sa_begin_slow(&sa_self, false);

        if (lane)
                close_aside(span, lane);
        else if (sa_leader())
                sa_leader()->close(span);
}

EXPORT void spanalloc_do_close_(spanalloc_span span) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane;
        struct place at;

        if (sa_unlikely(!begin(self, sa_gate_epoch()))) {
                close_slow(span);
                return;
        }
        lane = self->lane;
        at = place_of(lane);
        if (sa_unlikely(sa_attention(lane) | span.reserved) || !can_mark(lane, at)) {
                close_aside(span, lane);
                return;
        }
        put_mark(self, lane, at, span, SHM_KIND_CLOSE);
        end(self, lane);
}

EXPORT void spanalloc_close(spanalloc_span span) {
        if (sa_likely(span.instance))
                spanalloc_do_close_(span);
}

/* The handle of the innermost span.  Its flags say how the span was opened, for an ENTER through this handle. */
static spanalloc_span handle_of_top(struct shm_lane *lane) {
        uint32_t depth = atomic_load_explicit(&lane->depth, memory_order_relaxed), known;
        struct shm_frame *top;

        if (!depth)
                return SPANALLOC_NONE;
        top = &lane->stack[depth - 1];
        known = top->state >> SHM_FRAME_FLAGS_SHIFT & (SHM_FLAG_SHARED | SHM_FLAG_LATE);
        if (top->state & SHM_FRAME_SCOPE)
                known = (top->state & SHM_FRAME_STATE_MASK) == SHM_FRAME_ACCEPTED ? SHM_FLAG_SHARED : SHM_FLAG_LATE;
        /* From now on other threads may enter the span, and its close waits for them. */
        shm_store(top->state, top->state | SHM_FRAME_SHARED);
        return (spanalloc_span){atomic_load_explicit(&top->instance, memory_order_relaxed), top->path,
                                shm_handle_word(known)};
}

EXPORT spanalloc_span spanalloc_do_current_(void) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane = sa_likely(begin(self, sa_gate_epoch())) ? self->lane : sa_begin_slow(self, false);
        spanalloc_span span;

        if (sa_unlikely(!lane))
                return sa_leader() ? sa_leader()->current() : SPANALLOC_NONE;
        if (sa_unlikely(sa_attention(lane)))
                sa_slow_attend(self, lane);
        span = handle_of_top(lane);
        end(self, lane);
        return span;
}

EXPORT spanalloc_span spanalloc_current(void) {
        return spanalloc_do_current_();
}
