/*
 * The calls that a program makes, as short as they can be: everything that is in order, here; all else, in slow.c.
 *
 * A call is in order when the thread has a lane of the current epoch, is not inside another call (a signal handler may
 * be), nobody asked for its attention, and the ring has room.
 */
#include "client/include/spanalloc/spanalloc.h"

#include "client/intern.h"
#include "client/record.h"
#include "client/root_private.h"
#include "client/slow.h"

#define EXPORT   __attribute__((visibility("default")))

#define PATIENCE 16 /* opens between two looks at the clock while no collector is there */

static const spanalloc_span none = SPANALLOC_SPAN_INIT;

/* The thread's lane if it is good for a call right now.  NULL: see lane_slow(). */
static inline struct shm_lane *lane_fast(struct sa_thread *self) {
        /* Relaxed: see sa_counters(). */
        uint32_t epoch = atomic_load_explicit(&sa_gate.epoch, memory_order_relaxed);

        return sa_likely(self->epoch == epoch) ? self->lane : NULL;
}

/* A lane for a call that is not an open: without one, nothing can have been entered here. */
static sa_cold struct shm_lane *lane_slow(struct sa_thread *self) {
        if (!self->epoch && !atomic_load_explicit(&sa_gate.epoch, memory_order_relaxed))
                return NULL;
        return sa_lane_slow(self);
}

/* … for an open, which may also attach. */
static sa_cold struct shm_lane *lane_attach(struct sa_thread *self) {
        if (!sa_forward() && atomic_load_explicit(&sa_root.state, memory_order_relaxed) == SA_READY) {
                if (!atomic_load_explicit(&sa_gate.epoch, memory_order_relaxed) || sa_is_stale())
                        sa_attach(NULL, false);
        }
        return sa_lane_slow(self);
}

/* While nobody listens: once in a while somebody might. */
static inline bool is_patient(struct sa_thread *self) {
        if (sa_likely(sa_is_patient(self))) {
                self->patience--;
                return true;
        }
        self->patience = PATIENCE;
        return false;
}

/* Marks the lane as busy, after which nothing moves the thread elsewhere.  Returns the lane that the call is to use; NULL
 * when it interrupts another call. */
static inline struct shm_lane *begin_call(struct sa_thread *self, struct shm_lane *lane) {
        for (;;) {
                if (sa_unlikely(lane->busy)) {
                        shm_add(lane->refused.nested, 1);
                        return NULL;
                }
                lane->busy = 1;
                /* So that a signal handler sees `busy` before anything else of this call. */
                atomic_signal_fence(memory_order_seq_cst);
                if (sa_likely(*(struct shm_lane *volatile *)&self->lane == lane))
                        return lane;
                /* A handler came between, and met a new collector: the thread lives in another lane now. */
                lane->busy = 0;
                lane = self->lane;
                if (!lane)
                        return NULL;
        }
}

static inline void end_call(struct shm_lane *lane) {
        atomic_signal_fence(memory_order_seq_cst);
        lane->busy = 0;
        shm_tell_call_ends(lane);
}

static inline bool wants_attention(const struct shm_lane *lane) {
        /* Relaxed: what is behind a bit is acquired where the bit is taken ([F2]). */
        return atomic_load_explicit(&lane->attention, memory_order_relaxed);
}

static inline uint32_t path_of(spanalloc_site *site, uint32_t parent) {
        /* [N3] acquire of the site's cache, pairs with the release in sa_path_intern(). */
        uint64_t cache = __atomic_load_n(&site->cache, __ATOMIC_ACQUIRE);

        if (sa_likely((uint32_t)(cache >> 32) == parent && cache))
                return (uint32_t)cache;
        return sa_path_intern(site, parent);
}

/* The path of what the thread is in; first what others have ended is taken off the stack. */
static inline uint32_t top_path(struct sa_thread *self, struct shm_lane *lane) {
        uint32_t depth;

        if (sa_unlikely(wants_attention(lane)))
                sa_slow_attend(self, lane);
        depth = atomic_load_explicit(&lane->depth, memory_order_relaxed);
        return depth ? lane->stack[depth - 1].path : 0;
}

static inline void enter(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t flags) {
        uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed), at[SHM_COUNTERS];
        uint32_t depth = atomic_load_explicit(&lane->depth, memory_order_relaxed);

        if (sa_unlikely(wants_attention(lane) || depth >= SHM_DEPTH || !lane->ring_used ||
                        !ring_has_room(lane, head, 3 + lane->owed, self->mask + 1))) {
                sa_slow_enter(self, lane, span, flags);
                return;
        }
        sa_live(lane, at);
        sa_put(self, head, span.instance, span.path, SHM_KIND_ENTER, flags, 0, at);
        sa_push(lane, depth, span.instance, span.path, sa_frame_state(SHM_FRAME_ACCEPTED, flags), at);
        lane->owed += 2;
        ring_publish(lane, head + 1);
        if (sa_unlikely(head + 1 >= lane->doorbell_at))
                sa_slow_doorbell(self, lane);
}

static inline void leave(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t flags) {
        uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed), at[SHM_COUNTERS];
        uint32_t depth = atomic_load_explicit(&lane->depth, memory_order_relaxed);

        if (sa_unlikely(wants_attention(lane) || !depth ||
                        atomic_load_explicit(&lane->stack[depth - 1].instance, memory_order_relaxed) !=
                                span.instance)) {
                sa_slow_exit(self, lane, span, flags);
                return;
        }
        if (sa_unlikely(lane->stack[depth - 1].state & (SHM_FRAME_SHARED | SHM_FRAME_BY_HANDLE))) {
                /* Only then can a scope's frame and others of the same span be on one stack. */
                if (!(lane->stack[depth - 1].state & SHM_FRAME_SCOPE) != !(flags & SHM_FLAG_SCOPE)) {
                        sa_slow_exit(self, lane, span, flags);
                        return;
                }
                if (lane->stack[depth - 1].state & SHM_FRAME_SHARED)
                        flags |= SHM_FLAG_SHARED;
        }
        sa_live(lane, at);
        sa_put(self, head, span.instance, span.path, SHM_KIND_EXIT, flags, 0, at);
        atomic_store_explicit(&lane->depth, depth - 1, memory_order_release); /* [F1] */
        lane->owed -= 2;
        ring_publish(lane, head + 1);
        if (sa_unlikely(head + 1 >= lane->doorbell_at))
                sa_slow_doorbell(self, lane);
}

/* Whether it found room. */
static inline bool mark(struct sa_thread *self, struct shm_lane *lane, spanalloc_span span, uint16_t kind) {
        static const uint64_t zero[SHM_COUNTERS];
        uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);

        if (sa_unlikely(wants_attention(lane) || !ring_has_room(lane, head, 1 + lane->owed, self->mask + 1)))
                return sa_slow_mark(self, lane, span, kind);
        sa_put(self, head, span.instance, span.path, kind, span.reserved & SHM_FLAG_LATE, 0, zero);
        ring_publish(lane, head + 1);
        if (sa_unlikely(head + 1 >= lane->doorbell_at))
                sa_slow_doorbell(self, lane);
        return true;
}

/* The lane for a call that opens a span; NULL while nobody listens. */
static inline struct shm_lane *lane_for_open(struct sa_thread *self) {
        struct shm_lane *lane = lane_fast(self);

        if (sa_unlikely(!lane)) {
                if (!self->epoch && !atomic_load_explicit(&sa_gate.epoch, memory_order_relaxed) && is_patient(self))
                        return NULL;
                lane = lane_attach(self);
        } else if (sa_unlikely(sa_is_stale())) {
                lane = lane_attach(self);
        }
        return lane;
}

/* The lane for any other call. */
static inline struct shm_lane *lane_for(struct sa_thread *self) {
        struct shm_lane *lane = lane_fast(self);

        return sa_likely(lane != NULL) ? lane : lane_slow(self);
}

/* The copy of the library that does the work, where this one does not. */
static inline const struct sa_api *other(void) {
        /* [I1] acquire of the leader's interface, pairs with the release in sa_root_init(). */
        return atomic_load_explicit(&sa_leader_api, memory_order_acquire);
}

static inline spanalloc_span open_at(struct sa_thread *self, struct shm_lane *lane, spanalloc_site *site,
                                     uint32_t parent) {
        spanalloc_span span = {sa_instance(self, lane), path_of(site, parent), 0};

        /* The handle carries what the books were not told: its first enter will say so. */
        if (sa_unlikely(!mark(self, lane, span, SHM_KIND_OPEN)))
                span.reserved = SHM_FLAG_LATE;
        return span;
}

EXPORT spanalloc_span spanalloc_open(spanalloc_site *site) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane = lane_for_open(self);
        spanalloc_span span;

        if (sa_unlikely(!lane))
                return other() ? other()->open(site) : none;
        lane = begin_call(self, lane);
        if (sa_unlikely(!lane))
                return none;
        span = open_at(self, lane, site, top_path(self, lane));
        end_call(lane);
        return span;
}

EXPORT spanalloc_span spanalloc_open_under(spanalloc_site *site, spanalloc_span parent) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane = lane_for_open(self);
        spanalloc_span span;

        if (sa_unlikely(!lane))
                return other() ? other()->open_under(site, parent) : none;
        lane = begin_call(self, lane);
        if (sa_unlikely(!lane))
                return none;
        span = open_at(self, lane, site, parent.instance ? parent.path : 0);
        end_call(lane);
        return span;
}

EXPORT void spanalloc_enter(spanalloc_span span) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane;

        if (!span.instance)
                return;
        lane = lane_for(self);
        if (sa_unlikely(!lane)) {
                if (other())
                        other()->enter(span);
                return;
        }
        lane = begin_call(self, lane);
        if (sa_unlikely(!lane))
                return;
        enter(self, lane, span, span.reserved & (SHM_FLAG_SHARED | SHM_FLAG_LATE));
        end_call(lane);
}

EXPORT void spanalloc_exit(spanalloc_span span) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane;

        if (!span.instance)
                return;
        lane = lane_for(self);
        if (sa_unlikely(!lane)) {
                if (other())
                        other()->exit(span);
                return;
        }
        lane = begin_call(self, lane);
        if (sa_unlikely(!lane))
                return;
        leave(self, lane, span, 0);
        end_call(lane);
}

EXPORT void spanalloc_close(spanalloc_span span) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane;

        if (!span.instance)
                return;
        lane = lane_for(self);
        if (sa_unlikely(!lane)) {
                if (other())
                        other()->close(span);
                return;
        }
        lane = begin_call(self, lane);
        if (sa_unlikely(!lane))
                return;
        mark(self, lane, span, SHM_KIND_CLOSE);
        end_call(lane);
}

EXPORT spanalloc_span spanalloc_scope_begin(spanalloc_site *site) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane = lane_for_open(self);
        spanalloc_span span;

        if (sa_unlikely(!lane))
                return other() ? other()->scope_begin(site) : none;
        lane = begin_call(self, lane);
        if (sa_unlikely(!lane))
                return none;
        span = (spanalloc_span){sa_instance(self, lane), path_of(site, top_path(self, lane)), 0};
        enter(self, lane, span, SHM_FLAG_SCOPE);
        end_call(lane);
        return span;
}

EXPORT void spanalloc_scope_end(spanalloc_span span) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane;

        if (!span.instance)
                return;
        lane = lane_for(self);
        if (sa_unlikely(!lane)) {
                if (other())
                        other()->scope_end(span);
                return;
        }
        lane = begin_call(self, lane);
        if (sa_unlikely(!lane))
                return;
        leave(self, lane, span, SHM_FLAG_SCOPE);
        end_call(lane);
}

/* What the books know of a span's opening goes with its handle. */
static inline spanalloc_span handle_of_top(struct shm_lane *lane) {
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
        return (spanalloc_span){atomic_load_explicit(&top->instance, memory_order_relaxed), top->path, known};
}

EXPORT spanalloc_span spanalloc_current(void) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane = lane_for(self);
        spanalloc_span span;

        if (sa_unlikely(!lane))
                return other() ? other()->current() : none;
        lane = begin_call(self, lane);
        if (sa_unlikely(!lane))
                return none;
        if (sa_unlikely(wants_attention(lane)))
                sa_slow_attend(self, lane);
        span = handle_of_top(lane);
        end_call(lane);
        return span;
}

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
