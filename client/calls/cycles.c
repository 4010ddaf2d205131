/* SPDX-License-Identifier: MIT */
/*
 * The calls that begin and end a cycle, as short as they can be: enter and exit, and the scopes, which open and close
 * as well.  See call.h for what they have in common.
 */
#include "client/gate/api.h"

#include "client/calls/call.h"
#include "client/calls/slow_path.h"
#include "client/lanes/instance.h"
#include "client/lanes/room.h"
#include "client/segment/intern.h"

static sa_inline bool can_enter(const struct shm_lane *lane, struct place at) {
        return sa_likely(at.depth < SHM_DEPTH) && fits(lane, at, 3);
}

static sa_inline struct sa_what what_of(spanalloc_span span) {
        return (struct sa_what){.half = sa_handle_half(span)};
}

static sa_inline struct sa_what with(struct sa_what what, uint16_t kind_or_state, uint16_t flags) {
        what.added |= sa_kind_and_flags(kind_or_state, flags);
        return what;
}

/* `what` has the flags that the ENTER and its frame share. */
static sa_inline void put_enter(struct sa_thread *self, struct shm_lane *lane, struct place at, uint64_t instance,
                                struct sa_what what, uint64_t timestamp) {
        struct sa_now now = sa_now(lane);

        sa_put_now(self, at.head, instance, with(what, SHM_KIND_ENTER, timestamp ? SHM_FLAG_TIMED : 0), timestamp, now);
        sa_push_now(lane, at.depth, instance, with(what, SHM_FRAME_ACCEPTED, 0), now);
        ring_publish_next(lane);
}

/* Short with timestamps, too, and after a new read of the tail; else the slow path. */
static void enter_any(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t flags) {
        struct place at = place_of(lane);
        uint32_t asked = sa_attention(lane);

        if (!(asked & ~(uint32_t)SHM_ATTENTION_TIMING) && at.depth < SHM_DEPTH &&
            (can_enter(lane, at) || sa_finds_room(self, lane, 3)))
                put_enter(self, lane, at, span.instance, with(what_of(span), 0, flags), asked ? sa_clock() : 0);
        else
                sa_slow_enter(self, lane, span, shm_handle_flags(span.reserved) | flags);
}

static sa_aside void enter_aside(spanalloc_span span, struct shm_lane *lane) {
        enter_any(&sa_self, lane, span, 0);
        end(&sa_self, lane);
}

static sa_cold void enter_slow(spanalloc_span span) {
        struct shm_lane *lane = sa_begin_slow(&sa_self, false);

        if (lane)
                enter_aside(span, lane);
        else if (sa_leader())
                sa_leader()->enter(span);
}

EXPORT void spanalloc_do_enter_(spanalloc_span span) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane;
        struct place at;

        if (sa_unlikely(!begin(self, sa_gate_epoch()))) {
                enter_slow(span);
                return;
        }
        lane = self->lane;
        at = place_of(lane);
        if (sa_unlikely(sa_attention(lane)) || !can_enter(lane, at)) {
                enter_aside(span, lane);
                return;
        }
        put_enter(self, lane, at, span.instance, what_of(span), 0);
        end(self, lane);
}

EXPORT void spanalloc_enter(spanalloc_span span) {
        if (sa_likely(span.instance))
                spanalloc_do_enter_(span);
}

static sa_inline bool is_top(struct shm_lane *lane, struct place at, uint64_t instance) {
        const void *top = &top_of(lane, at)->instance; /* only this thread writes it: a plain load suffices */

        return *(const sa_two_words *)top == instance;
}

static sa_inline void put_exit(struct sa_thread *self, struct shm_lane *lane, struct place at, spanalloc_span span,
                               uint16_t flags, uint64_t timestamp) {
        sa_put_now(self, at.head, span.instance,
                   (struct sa_what){span.path, sa_kind_and_flags(SHM_KIND_EXIT, flags), .is_path = true}, timestamp,
                   sa_now(lane));
        sa_add_depth(lane, -1);
        ring_publish_next(lane);
}

/* Short for a frame whose span other threads may have entered by a handle, and with timestamps; else the slow path. */
static void leave_any(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t flags) {
        struct place at = place_of(lane);
        uint64_t timestamp;
        uint32_t state = top_of(lane, at)->state;
        /* Only if a scope's handle was read can other frames of its span be on the same stack. */
        bool is_plain = !(state & (SHM_FRAME_SHARED | SHM_FRAME_BY_HANDLE)) ||
                        !(state & SHM_FRAME_SCOPE) == !(flags & SHM_FLAG_SCOPE);

        if ((sa_attention(lane) & ~(uint32_t)SHM_ATTENTION_TIMING) || !is_top(lane, at, span.instance) || !is_plain) {
                sa_slow_exit(self, lane, span, flags);
                return;
        }
        if (state & SHM_FRAME_SHARED)
                flags |= SHM_FLAG_SHARED;
        timestamp = sa_timestamp(lane);
        put_exit(self, lane, at, span, flags | sa_timed(timestamp), timestamp);
}

/* True if the top is the frame that an exit with these flags ends, and its EXIT needs no other flags. */
static sa_inline bool can_leave(struct shm_lane *lane, struct place at, spanalloc_span span, uint16_t flags) {
        return sa_likely(is_top(lane, at, span.instance) &&
                         top_of(lane, at)->state == sa_frame_state(SHM_FRAME_ACCEPTED, flags));
}

static sa_aside void exit_aside(spanalloc_span span, struct shm_lane *lane) {
        leave_any(&sa_self, lane, span, 0);
        end(&sa_self, lane);
}

static sa_cold void exit_slow(spanalloc_span span) {
        struct shm_lane *lane = sa_begin_slow(&sa_self, false);

        if (lane)
                exit_aside(span, lane);
        else if (sa_leader())
                sa_leader()->exit(span);
}

EXPORT void spanalloc_do_exit_(spanalloc_span span) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane;
        struct place at;

        if (sa_unlikely(!begin(self, sa_gate_epoch()))) {
                exit_slow(span);
                return;
        }
        lane = self->lane;
        if (sa_unlikely(sa_attention(lane)) || (at = place_of(lane), !can_leave(lane, at, span, 0))) {
                exit_aside(span, lane);
                return;
        }
        put_exit(self, lane, at, span, 0, 0);
        end(self, lane);
}

EXPORT void spanalloc_exit(spanalloc_span span) {
        if (sa_likely(span.instance))
                spanalloc_do_exit_(span);
}

/* ---------------------------------------------------------------------------------------------------- scopes -- */

static sa_aside spanalloc_span scope_begin_aside(spanalloc_site *site, struct shm_lane *lane) {
        struct sa_thread *self = &sa_self;
        spanalloc_span span = {sa_instance(lane), sa_path_of(site, sa_current_path(self, lane)), 0};

        enter_any(self, lane, span, SHM_FLAG_SCOPE);
        end(self, lane);
        return span;
}

static sa_cold spanalloc_span scope_begin_slow(spanalloc_site *site) {
        struct shm_lane *lane;

        if (sa_is_due(&sa_self)) {
                lane = sa_begin_slow(&sa_self, true);
                if (lane)
                        return scope_begin_aside(site, lane);
        }
        return sa_leader() ? sa_leader()->scope_begin(site) : SPANALLOC_NONE;
}

EXPORT spanalloc_span spanalloc_do_scope_begin_(spanalloc_site *site) {
        struct sa_thread *self = &sa_self;
        uint32_t path;
        struct shm_lane *lane;
        struct place at;
        spanalloc_span span;

        if (sa_unlikely(!begin_open(self)))
                return scope_begin_slow(site);
        lane = self->lane;
        at = place_of(lane);
        path = sa_path_at_hand(site, top_path(lane, at));
        if (sa_unlikely(sa_attention(lane)) || sa_unlikely(!path) || !sa_has_instance(lane) || !can_enter(lane, at))
                return scope_begin_aside(site, lane);
        span = (spanalloc_span){sa_instance(lane), path, 0};
        put_enter(self, lane, at, span.instance,
                  (struct sa_what){path, sa_kind_and_flags(0, SHM_FLAG_SCOPE), .is_path = true}, 0);
        end(self, lane);
        return span;
}

EXPORT spanalloc_span spanalloc_scope_begin(spanalloc_site *site) {
        return is_alone(&sa_self) ? SPANALLOC_NONE : spanalloc_do_scope_begin_(site);
}

static sa_aside void scope_end_aside(spanalloc_span span, struct shm_lane *lane) {
        leave_any(&sa_self, lane, span, SHM_FLAG_SCOPE);
        end(&sa_self, lane);
}

static sa_cold void scope_end_slow(spanalloc_span span) {
        struct shm_lane *lane = sa_begin_slow(&sa_self, false);

        if (lane)
                scope_end_aside(span, lane);
        else if (sa_leader())
                sa_leader()->scope_end(span);
}

EXPORT void spanalloc_do_scope_end_(spanalloc_span span) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane;
        struct place at;

        if (sa_unlikely(!begin(self, sa_gate_epoch()))) {
                scope_end_slow(span);
                return;
        }
        lane = self->lane;
        if (sa_unlikely(sa_attention(lane)) || (at = place_of(lane), !can_leave(lane, at, span, SHM_FLAG_SCOPE))) {
                scope_end_aside(span, lane);
                return;
        }
        put_exit(self, lane, at, span, SHM_FLAG_SCOPE, 0);
        end(self, lane);
}

EXPORT void spanalloc_scope_end(spanalloc_span span) {
        if (sa_likely(span.instance))
                spanalloc_do_scope_end_(span);
}
