/* SPDX-License-Identifier: MIT */
/*
 * The calls that a program makes, as short as they can be: everything that is in order, here; all else, in slow.c.
 *
 * A call is in order when the thread has a lane of the current epoch, is not inside another call (a signal handler may
 * be), nobody asked for its attention, and the ring has room.
 *
 * The header looks before it calls.  What it calls is spanalloc_do_X_(): there somebody listens, or it is time to find out,
 * and a span that is given is one.  spanalloc_X() is for callers without that look.
 *
 * Each call is a leaf: where something is out of order, it ends by a jump into another function, and keeps nothing on the
 * stack for it.  That takes three steps: spanalloc_do_X_() is the short one; X_aside() goes on with a lane in hand, and ends
 * the call; X_slow() begins with finding a lane.  tests/integration/instructions.sh counts what is left.
 */
#include "client/api.h"

#include "client/intern.h"
#include "client/record.h"
#include "client/root_private.h"
#include "client/slow.h"

#define EXPORT __attribute__((visibility("default")))

static const spanalloc_span none = SPANALLOC_SPAN_INIT;

/* The copy of the library that does the work, where this one does not. */
static inline const struct sa_api *other(void) {
        /* [I1] acquire of the leader's interface, pairs with the release in sa_root_init(). */
        return atomic_load_explicit(&sa_leader_api, memory_order_acquire);
}

/* ------------------------------------------------------------------------------------------ beginning and end -- */

/* Relaxed: see sa_counters(). */
static sa_inline uint32_t gate_epoch(void) {
        return atomic_load_explicit(&sa_gate.epoch, memory_order_relaxed);
}

/* Marks the thread as busy, after which nothing moves it elsewhere; its lane is good then.  If not, see begin_slow().
 * `epoch` is the gate's, read before. */
static sa_inline bool begin(struct sa_thread *self, uint32_t epoch) {
        if (sa_unlikely(self->busy))
                return false;
        self->busy = 1;
        /* So that a signal handler sees `busy` before anything else of this call; one that came before, and met a new
         * collector, has left another epoch. */
        atomic_signal_fence(memory_order_seq_cst);
        if (sa_likely(self->epoch == epoch))
                return true;
        self->busy = 0;
        return false;
}

static sa_inline void end(struct sa_thread *self, struct shm_lane *lane) {
        atomic_signal_fence(memory_order_seq_cst);
        self->busy = 0;
        shm_tell_call_ends(lane);
}

/* The same when not everything is in order.  NULL: there is no lane for this call. */
static sa_cold struct shm_lane *begin_slow(struct sa_thread *self, bool opens) {
        if (other())
                return NULL;
        if (self->busy) { /* this call interrupts another one */
                if (self->lane && self->epoch == gate_epoch())
                        shm_add(self->lane->refused.nested, 1);
                return NULL;
        }
        if (opens) {
                if (!sa_forward() && (!gate_epoch() || sa_is_stale()))
                        sa_attach(NULL, false);
        } else if (self->epoch == SA_NO_EPOCH && !gate_epoch()) {
                return NULL; /* nothing can have been entered here */
        }
        do /* again where a handler came between, and met a new collector */
                if (!sa_lane_slow(self))
                        return NULL;
        while (!begin(self, gate_epoch()));
        return self->lane;
}

/* Whether nobody listens.  Once in a while somebody might, and it is time to look. */
static sa_inline bool is_alone(struct sa_thread *self) {
        if (gate_epoch() || self->epoch != SA_NO_EPOCH || !sa_is_patient(self))
                return false;
        self->patience--;
        return true;
}

/* Whether there is anything to do for a call that opens, and was out of order.  The header's look lets some through that
 * could have gone by: a forked child's, until it has noticed. */
static bool is_due(struct sa_thread *self) {
        if (gate_epoch())
                return true;
        if (self->epoch != SA_NO_EPOCH && !self->busy)
                sa_lane_slow(self); /* detached, or forked: it leaves its lane */
        return !is_alone(self) && sa_attach_is_due(self);
}

/* … for a call that opens a span. */
static sa_inline bool begin_open(struct sa_thread *self) {
        if (sa_unlikely(!begin(self, gate_epoch())))
                return false;
        if (sa_likely(!sa_is_stale()))
                return true;
        self->busy = 0;
        return false;
}

static sa_inline uint32_t attention(const struct shm_lane *lane) {
        /* Relaxed: what is behind a bit is acquired where the bit is taken ([F2]). */
        return atomic_load_explicit(&lane->attention, memory_order_relaxed);
}

/* ---------------------------------------------------------------------------------------------------- cycles -- */

/* Where a thread stands.  Read once a call: the compiler must read an atomic as often as it is told to. */
struct place {
        uint64_t head;
        uint64_t depth;
};

static sa_inline struct place place_of(const struct shm_lane *lane) {
        return (struct place){atomic_load_explicit(&lane->head, memory_order_relaxed),
                              atomic_load_explicit(&lane->depth, memory_order_relaxed)};
}

/* Whether a record of this thread, and all that is owed, fit for all that it knows.  `need` is without what is owed to the
 * frames on the stack, none of which is refused, or the thread would have its own attention. */
static sa_inline bool fits(const struct shm_lane *lane, struct place at, uint64_t need) {
        return sa_likely(at.head + need + 2 * at.depth <= lane->limit);
}

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

/* `what` has the flags that are the ENTER's and the frame's. */
static sa_inline void put_enter(struct sa_thread *self, struct shm_lane *lane, struct place at, uint64_t instance,
                                struct sa_what what, uint64_t timestamp) {
        struct sa_now now = sa_now(lane);

        sa_put_now(self, at.head, instance, with(what, SHM_KIND_ENTER, timestamp ? SHM_FLAG_TIMED : 0), timestamp, now);
        sa_push_now(lane, at.depth, instance, with(what, SHM_FRAME_ACCEPTED, 0), now);
        ring_publish_next(lane);
}

/* With timestamps it is still short, and where the thread only did not know how much room there is; all else is not. */
static void enter_any(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t flags) {
        struct place at = place_of(lane);
        uint32_t asked = attention(lane);

        if (!(asked & ~(uint32_t)SHM_ATTENTION_TIMING) && at.depth < SHM_DEPTH &&
            (can_enter(lane, at) || sa_slow_finds_room(self, lane, 3)))
                put_enter(self, lane, at, span.instance, with(what_of(span), 0, flags), asked ? shm_clock() : 0);
        else
                sa_slow_enter(self, lane, span, shm_handle_flags(span.reserved) | flags);
}

static sa_aside void enter_aside(spanalloc_span span, struct shm_lane *lane) {
        enter_any(&sa_self, lane, span, 0);
        end(&sa_self, lane);
}

static sa_cold void enter_slow(spanalloc_span span) {
        struct shm_lane *lane = begin_slow(&sa_self, false);

        if (lane)
                enter_aside(span, lane);
        else if (other())
                other()->enter(span);
}

EXPORT void spanalloc_do_enter_(spanalloc_span span) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane;
        struct place at;

        if (sa_unlikely(!begin(self, gate_epoch()))) {
                enter_slow(span);
                return;
        }
        lane = self->lane;
        at = place_of(lane);
        if (sa_unlikely(attention(lane)) || !can_enter(lane, at)) {
                enter_aside(span, lane);
                return;
        }
        put_enter(self, lane, at, span.instance, what_of(span), 0);
        end(self, lane);
}

/* The top of the stack.  Of an empty one it is what lies before the stack, where nothing is ever written: a frame of no
 * span, which is neither accepted nor refused. */
static sa_inline struct shm_frame *top_of(struct shm_lane *lane, struct place at) {
        return sa_frame_at(lane, at.depth) - 1;
}
_Static_assert(offsetof(struct shm_lane, stack) - sizeof(struct shm_frame) >=
                       offsetof(struct shm_lane, past) + sizeof((struct shm_lane *)0)->past,
               "there is a frame's room before the stack");

static sa_inline bool is_top(struct shm_lane *lane, struct place at, uint64_t instance) {
        const void *top = &top_of(lane, at)->instance; /* written by this thread only: a plain load will do */

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

/* Frames that others may have entered by a handle, and timestamps, are still short. */
static void leave_any(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t flags) {
        struct place at = place_of(lane);
        uint32_t state = top_of(lane, at)->state;
        /* Only a scope's frame whose handle was read can be on one stack with others of the same span. */
        bool is_plain = !(state & (SHM_FRAME_SHARED | SHM_FRAME_BY_HANDLE)) ||
                        !(state & SHM_FRAME_SCOPE) == !(flags & SHM_FLAG_SCOPE);

        if ((attention(lane) & ~(uint32_t)SHM_ATTENTION_TIMING) || !is_top(lane, at, span.instance) || !is_plain) {
                sa_slow_exit(self, lane, span, flags);
                return;
        }
        if (state & SHM_FRAME_SHARED)
                flags |= SHM_FLAG_SHARED;
        if (attention(lane))
                put_exit(self, lane, at, span, flags | SHM_FLAG_TIMED, shm_clock());
        else
                put_exit(self, lane, at, span, flags, 0);
}

/* Whether it is the frame that an exit with these flags ends, and nothing else is to be said of it. */
static sa_inline bool can_leave(struct shm_lane *lane, struct place at, spanalloc_span span, uint16_t flags) {
        return sa_likely(is_top(lane, at, span.instance) &&
                         top_of(lane, at)->state == sa_frame_state(SHM_FRAME_ACCEPTED, flags));
}

static sa_aside void exit_aside(spanalloc_span span, struct shm_lane *lane) {
        leave_any(&sa_self, lane, span, 0);
        end(&sa_self, lane);
}

static sa_cold void exit_slow(spanalloc_span span) {
        struct shm_lane *lane = begin_slow(&sa_self, false);

        if (lane)
                exit_aside(span, lane);
        else if (other())
                other()->exit(span);
}

EXPORT void spanalloc_do_exit_(spanalloc_span span) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane;
        struct place at;

        if (sa_unlikely(!begin(self, gate_epoch()))) {
                exit_slow(span);
                return;
        }
        lane = self->lane;
        if (sa_unlikely(attention(lane)) || (at = place_of(lane), !can_leave(lane, at, span, 0))) {
                exit_aside(span, lane);
                return;
        }
        put_exit(self, lane, at, span, 0, 0);
        end(self, lane);
}

/* ---------------------------------------------------------------------------------------------------- scopes -- */

static sa_inline uint32_t top_path(struct shm_lane *lane, struct place at) {
        return top_of(lane, at)->path; /* 0, no path, of an empty stack */
}

/* The path of a site's span under `parent`; 0: to be looked up. */
static sa_inline uint32_t path_at_hand(const spanalloc_site *site, uint32_t parent) {
        /* [N3] acquire of the site's cache, pairs with the release in sa_path_intern(). */
        uint64_t cache = __atomic_load_n(&site->cache, __ATOMIC_ACQUIRE);

        return sa_likely(cache >> 32 == parent) ? (uint32_t)cache : 0;
}

static uint32_t path_of(spanalloc_site *site, uint32_t parent) {
        uint32_t path = path_at_hand(site, parent);

        return path ? path : sa_path_intern(site, parent);
}

/* The path of what the thread is in; first what others have ended is taken off the stack. */
static uint32_t current_path(struct sa_thread *self, struct shm_lane *lane) {
        if (attention(lane))
                sa_slow_attend(self, lane);
        return top_path(lane, place_of(lane));
}

static sa_aside spanalloc_span scope_begin_aside(spanalloc_site *site, struct shm_lane *lane) {
        struct sa_thread *self = &sa_self;
        spanalloc_span span = {sa_instance(self, lane), path_of(site, current_path(self, lane)), 0};

        enter_any(self, lane, span, SHM_FLAG_SCOPE);
        end(self, lane);
        return span;
}

static sa_cold spanalloc_span scope_begin_slow(spanalloc_site *site) {
        struct shm_lane *lane;

        if (is_due(&sa_self)) {
                lane = begin_slow(&sa_self, true);
                if (lane)
                        return scope_begin_aside(site, lane);
        }
        return other() ? other()->scope_begin(site) : none;
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
        path = path_at_hand(site, top_path(lane, at));
        if (sa_unlikely(attention(lane)) || sa_unlikely(!path) || !sa_has_instance(lane) || !can_enter(lane, at))
                return scope_begin_aside(site, lane);
        span = (spanalloc_span){sa_instance(self, lane), path, 0};
        put_enter(self, lane, at, span.instance,
                  (struct sa_what){path, sa_kind_and_flags(0, SHM_FLAG_SCOPE), .is_path = true}, 0);
        end(self, lane);
        return span;
}

static sa_aside void scope_end_aside(spanalloc_span span, struct shm_lane *lane) {
        leave_any(&sa_self, lane, span, SHM_FLAG_SCOPE);
        end(&sa_self, lane);
}

static sa_cold void scope_end_slow(spanalloc_span span) {
        struct shm_lane *lane = begin_slow(&sa_self, false);

        if (lane)
                scope_end_aside(span, lane);
        else if (other())
                other()->scope_end(span);
}

EXPORT void spanalloc_do_scope_end_(spanalloc_span span) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane;
        struct place at;

        if (sa_unlikely(!begin(self, gate_epoch()))) {
                scope_end_slow(span);
                return;
        }
        lane = self->lane;
        if (sa_unlikely(attention(lane)) || (at = place_of(lane), !can_leave(lane, at, span, SHM_FLAG_SCOPE))) {
                scope_end_aside(span, lane);
                return;
        }
        put_exit(self, lane, at, span, SHM_FLAG_SCOPE, 0);
        end(self, lane);
}

/* ------------------------------------------------------------------------------------------- opening and closing -- */

/* Whether a mark can be written at once. */
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
        spanalloc_span span = {sa_instance(self, lane), path_of(site, parent), 0};

        /* The handle carries what the books were not told: its first enter will say so. */
        if (!sa_slow_mark(self, lane, span, SHM_KIND_OPEN))
                span.reserved = shm_handle_word(SHM_FLAG_LATE);
        end(self, lane);
        return span;
}

static sa_cold spanalloc_span open_aside(spanalloc_site *site, struct shm_lane *lane) {
        return open_at(&sa_self, lane, site, current_path(&sa_self, lane));
}

static sa_cold spanalloc_span open_slow(spanalloc_site *site) {
        struct shm_lane *lane;

        if (is_due(&sa_self)) {
                lane = begin_slow(&sa_self, true);
                if (lane)
                        return open_aside(site, lane);
        }
        return other() ? other()->open(site) : none;
}

/* Opens a span under `parent` if all is in order; if not, returns none. */
static sa_inline spanalloc_span open_fast(struct sa_thread *self, struct shm_lane *lane, struct place at,
                                          spanalloc_site *site, uint32_t parent) {
        uint32_t path = path_at_hand(site, parent);
        spanalloc_span span;

        if (sa_unlikely(attention(lane)) || sa_unlikely(!path) || !sa_has_instance(lane) || !can_mark(lane, at))
                return none;
        span = (spanalloc_span){sa_instance(self, lane), path, 0};
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

static sa_cold spanalloc_span open_under_aside(spanalloc_site *site, spanalloc_span parent, struct shm_lane *lane) {
        if (attention(lane))
                sa_slow_attend(&sa_self, lane);
        return open_at(&sa_self, lane, site, parent.instance ? parent.path : 0);
}

static sa_cold spanalloc_span open_under_slow(spanalloc_site *site, spanalloc_span parent) {
        struct shm_lane *lane;

        if (is_due(&sa_self)) {
                lane = begin_slow(&sa_self, true);
                if (lane)
                        return open_under_aside(site, parent, lane);
        }
        return other() ? other()->open_under(site, parent) : none;
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

static sa_aside void close_aside(spanalloc_span span, struct shm_lane *lane) {
        sa_slow_mark(&sa_self, lane, span, SHM_KIND_CLOSE);
        end(&sa_self, lane);
}

static sa_cold void close_slow(spanalloc_span span) {
        struct shm_lane *lane = begin_slow(&sa_self, false);

        if (lane)
                close_aside(span, lane);
        else if (other())
                other()->close(span);
}

EXPORT void spanalloc_do_close_(spanalloc_span span) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane;
        struct place at;

        if (sa_unlikely(!begin(self, gate_epoch()))) {
                close_slow(span);
                return;
        }
        lane = self->lane;
        at = place_of(lane);
        if (sa_unlikely(attention(lane) | span.reserved) || !can_mark(lane, at)) {
                close_aside(span, lane);
                return;
        }
        put_mark(self, lane, at, span, SHM_KIND_CLOSE);
        end(self, lane);
}

/* What the books know of a span's opening goes with its handle. */
static spanalloc_span handle_of_top(struct shm_lane *lane) {
        uint32_t depth = atomic_load_explicit(&lane->depth, memory_order_relaxed), known;
        struct shm_frame *top;

        if (!depth)
                return none;
        top = &lane->stack[depth - 1];
        known = top->state >> SHM_FRAME_FLAGS_SHIFT & (SHM_FLAG_SHARED | SHM_FLAG_LATE);
        if (top->state & SHM_FRAME_SCOPE)
                known = (top->state & SHM_FRAME_STATE_MASK) == SHM_FRAME_ACCEPTED ? SHM_FLAG_SHARED : SHM_FLAG_LATE;
        /* Others may enter it from now on: its close has to wait for them. */
        shm_store(top->state, top->state | SHM_FRAME_SHARED);
        return (spanalloc_span){atomic_load_explicit(&top->instance, memory_order_relaxed), top->path,
                                shm_handle_word(known)};
}

EXPORT spanalloc_span spanalloc_do_current_(void) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane = sa_likely(begin(self, gate_epoch())) ? self->lane : begin_slow(self, false);
        spanalloc_span span;

        if (sa_unlikely(!lane))
                return other() ? other()->current() : none;
        if (sa_unlikely(attention(lane)))
                sa_slow_attend(self, lane);
        span = handle_of_top(lane);
        end(self, lane);
        return span;
}

/* ------------------------------------------------------------------------------- without the header's look -- */

EXPORT spanalloc_span spanalloc_open(spanalloc_site *site) {
        return is_alone(&sa_self) ? none : spanalloc_do_open_(site);
}

EXPORT spanalloc_span spanalloc_open_under(spanalloc_site *site, spanalloc_span parent) {
        return is_alone(&sa_self) ? none : spanalloc_do_open_under_(site, parent);
}

EXPORT void spanalloc_enter(spanalloc_span span) {
        if (sa_likely(span.instance))
                spanalloc_do_enter_(span);
}

EXPORT void spanalloc_exit(spanalloc_span span) {
        if (sa_likely(span.instance))
                spanalloc_do_exit_(span);
}

EXPORT void spanalloc_close(spanalloc_span span) {
        if (sa_likely(span.instance))
                spanalloc_do_close_(span);
}

EXPORT spanalloc_span spanalloc_current(void) {
        return spanalloc_do_current_();
}

EXPORT spanalloc_span spanalloc_scope_begin(spanalloc_site *site) {
        return is_alone(&sa_self) ? none : spanalloc_do_scope_begin_(site);
}

EXPORT void spanalloc_scope_end(spanalloc_span span) {
        if (sa_likely(span.instance))
                spanalloc_do_scope_end_(span);
}

/* ---------------------------------------------------------------------------------------------------- cold -- */

EXPORT spanalloc_site *spanalloc_site_intern(const char *name) {
        const struct sa_api *api = sa_forward();

        return api ? api->site_intern(name) : sa_site_intern(name);
}

EXPORT int spanalloc_set_snapshot(spanalloc_snapshot_fn fn) {
        const struct sa_api *api = sa_forward();

        return api ? api->set_snapshot(fn) : sa_root_set_snapshot(fn);
}

EXPORT int spanalloc_attach(const struct spanalloc_options *options) {
        const struct sa_api *api = sa_forward();

        return api ? api->attach(options) : sa_root_attach(options);
}

EXPORT void spanalloc_detach(void) {
        const struct sa_api *api = sa_forward();

        if (api)
                api->detach();
        else
                sa_root_detach();
}

EXPORT void spanalloc_stats(struct spanalloc_stats *out) {
        const struct sa_api *api = sa_forward();

        if (api)
                api->stats(out);
        else
                sa_root_stats(out);
}
