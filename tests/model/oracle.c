/* SPDX-License-Identifier: MIT */
/* See oracle.h. */
#include "tests/model/oracle.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void add(uint64_t to[4], const uint64_t n[4]) {
        for (int i = 0; i < 4; i++)
                to[i] += n[i];
}

static bool is_zero(const uint64_t n[4]) {
        return !(n[0] | n[1] | n[2] | n[3]);
}

static bool wrong(struct oracle *o, const char *format, ...) {
        va_list args;

        va_start(args, format);
        vsnprintf(o->wrong, sizeof o->wrong, format, args);
        va_end(args);
        return false;
}

void oracle_init(struct oracle *o, const struct setup *setup, uint64_t now_ns) {
        memset(o, 0, sizeof *o);
        o->setup = *setup;
        o->now_ns = now_ns;
        o->name_count = 1;
        o->is_name_known[OTHER_NAME] = true;
        o->path_count = 2;
        o->paths[OTHER_PATH] = (struct oracle_path){.name = OTHER_NAME, .depth = 1};
}

/* ------------------------------------------------------------------------------------------ names and paths -- */

static uint16_t intern_name(struct oracle *o, uint16_t name) {
        if (o->is_name_known[name])
                return name;
        if (o->name_count + 1 >= o->setup.name_capacity) { /* id 0 is not used */
                o->other_names++;
                o->hazards[HAZARD_NAMES]++;
                return OTHER_NAME;
        }
        o->is_name_known[name] = true;
        o->name_count++;
        return name;
}

static uint16_t other_path(struct oracle *o) {
        o->other_paths++;
        o->hazards[HAZARD_PATHS]++;
        return OTHER_PATH;
}

/* The path of a span of `name` that is opened under `parent`. */
static uint16_t intern_path(struct oracle *o, uint16_t parent, uint16_t wanted) {
        uint16_t name = intern_name(o, wanted);

        for (uint16_t at = parent; at; at = o->paths[at].parent)
                if (o->paths[at].name == name)
                        return at; /* a name that is on the path folds back to its node */
        if (parent && o->paths[parent].depth >= 64)
                return other_path(o);
        for (uint16_t at = 1; at < o->path_count; at++)
                if (o->paths[at].parent == parent && o->paths[at].name == name)
                        return at;
        if (o->path_count >= o->setup.path_capacity)
                return other_path(o);
        o->paths[o->path_count] = (struct oracle_path){
                .name = name, .parent = parent, .depth = (uint16_t)(parent ? o->paths[parent].depth + 1 : 1)};
        return (uint16_t)o->path_count++;
}

/* A record leads to it: it has a row from now on. */
static void know_path(struct oracle *o, uint16_t path) {
        for (; path && !o->paths[path].known; path = o->paths[path].parent) {
                o->paths[path].known = true;
                o->paths[path].born_ns = o->now_ns;
        }
}

/* ------------------------------------------------------------------------------------------------ the books -- */

static void pend(struct oracle *o, struct oracle_life *life, int what, uint32_t index, const uint64_t n[4]) {
        struct oracle_pending *p = life->pending, *end = p + life->pending_count;

        while (p < end && ((int)p->what != what || p->index != index))
                p++;
        if (p == end) {
                if (life->pending_count == ORACLE_PENDING) {
                        wrong(o, "the oracle's own memory is full");
                        return;
                }
                life->pending_count++;
                *p = (struct oracle_pending){.what = what, .index = index};
        }
        add(p->n, n);
}

static void book(struct oracle *o, struct oracle_life *life, const struct oracle_pending *p) {
        switch (p->what) {
        case PENDING_SELF:
                add(o->paths[p->index].self, p->n);
                for (int i = 0; i < 3; i++)
                        o->paths[p->index].decayed[i] += (double)p->n[1];
                break;
        case PENDING_TOTAL:
                add(o->paths[p->index].total, p->n);
                return;
        case PENDING_SUMS:
                add(o->spans[p->index].sums, p->n);
                return;
        case PENDING_OUTSIDE:
                add(o->outside[life->slot], p->n);
                break;
        case PENDING_LOST:
                add(o->lost, p->n);
                break;
        }
        add(o->counted, p->n);
}

static uint64_t lost_waiting(const struct oracle_life *life) {
        for (uint32_t i = 0; i < life->pending_count; i++)
                if (life->pending[i].what == PENDING_LOST && !is_zero(life->pending[i].n))
                        return 1;
        return 0;
}

static bool has_refused(const struct oracle_life *life) {
        for (uint32_t i = 0; i < life->depth; i++)
                if (life->frames[i].refused)
                        return true;
        return life->beyond > 0;
}

/* The thread's books are brought up to now. */
static void show(struct oracle *o, struct oracle_life *life) {
        if (lost_waiting(life))
                for (uint32_t i = life->depth; i-- > 0;)
                        if (!life->frames[i].refused) {
                                o->paths[o->spans[life->frames[i].span].path].touched_by_loss = true;
                                break;
                        }
        for (uint32_t i = 0; i < life->pending_count; i++)
                book(o, life, &life->pending[i]);
        life->pending_count = 0;
}

/* Whom each unit of work belongs to. */
static void work(struct oracle *o, struct oracle_life *life, const uint64_t n[4]) {
        if (life->beyond || (life->depth && life->frames[life->depth - 1].refused)) {
                pend(o, life, PENDING_LOST, 0, n);
                o->hazards[HAZARD_LOST]++;
        } else if (life->depth) {
                pend(o, life, PENDING_SELF, o->spans[life->frames[life->depth - 1].span].path, n);
        } else {
                pend(o, life, PENDING_OUTSIDE, 0, n);
        }
        for (uint32_t i = 0; i < life->depth; i++) {
                const struct oracle_frame *frame = &life->frames[i];
                const struct oracle_span *span = &o->spans[frame->span];
                bool is_outer_name = !frame->refused, is_outer_span = !frame->refused && !frame->stale;

                for (uint32_t j = 0; j < i; j++) {
                        const struct oracle_frame *below = &life->frames[j];

                        if (below->refused)
                                continue;
                        if (o->paths[o->spans[below->span].path].name == o->paths[span->path].name)
                                is_outer_name = false;
                        if (below->span == frame->span)
                                is_outer_span = false;
                }
                if (is_outer_name)
                        pend(o, life, PENDING_TOTAL, span->path, n);
                if (is_outer_span)
                        pend(o, life, PENDING_SUMS, frame->span, n);
        }
}

/* -------------------------------------------------------------------------------------------------- closes -- */

static void close_now(struct oracle *o, struct oracle_span *span) {
        span->closed = true;
        span->counts = span->cycles > 0 && !span->partial;
        o->paths[span->path].closed++;
}

/* `is_late`: by a handle that says so; of such a span the books cannot tell whether it was closed before. */
static void request_close(struct oracle *o, struct oracle_span *span, bool is_late) {
        know_path(o, span->path);
        span->close_called = true;
        if (span->known && !span->closed && !span->aborted && !span->close_requested) {
                if (span->entered)
                        o->hazards[HAZARD_CLOSE_ENTERED]++;
                span->close_requested = true;
        } else if (!is_late) {
                o->stale++;
                o->hazards[HAZARD_STALE]++;
        }
}

void oracle_drain(struct oracle *o) {
        for (uint32_t i = 1; i < o->span_count; i++) {
                struct oracle_span *span = &o->spans[i];

                if (!span->close_requested || span->close_applied || span->closed)
                        continue;
                span->close_applied = true;
                if (!span->entered)
                        close_now(o, span);
        }
}

/* -------------------------------------------------------------------------------------------------- cycles -- */

static void remove_frame(struct oracle_life *life, uint32_t i) {
        memmove(&life->frames[i], &life->frames[i + 1], (life->depth - i - 1) * sizeof life->frames[0]);
        life->depth--;
}

/* An accepted frame ends. */
static void end_cycle(struct oracle *o, struct oracle_life *life, uint32_t i, bool is_migrated, bool closes) {
        struct oracle_frame frame = life->frames[i];
        struct oracle_span *span = &o->spans[frame.span];

        show(o, life);
        remove_frame(life, i);
        o->paths[span->path].cycles++;
        o->paths[span->path].migrated += is_migrated;
        o->hazards[HAZARD_MIGRATED] += is_migrated;
        if (frame.stale)
                return;
        span->entered--;
        if (span->aborted)
                return;
        span->cycles++;
        if (closes && !frame.shared)
                close_now(o, span);
        else if (closes)
                span->close_requested = true;
        else if (span->close_applied && !span->entered)
                span->close_applied = false; /* at the next look, if no thread has entered it until then */
}

/* Takes a frame out, accepted or not.  True: a close of an unknown scope has to be sent after it. */
static bool take_out(struct oracle *o, struct oracle_life *life, uint32_t i, bool is_migrated, bool closes) {
        struct oracle_frame frame = life->frames[i];

        if (!frame.refused) {
                end_cycle(o, life, i, is_migrated, closes && frame.scope);
                return false;
        }
        remove_frame(life, i);
        return closes && frame.scope && frame.shared;
}

/* A scope that does not end by itself: what came after it was left belongs to the frame below. */
static void mix(struct oracle *o, const struct oracle_life *life, uint32_t i) {
        if (life->frames[i].refused)
                return;
        o->paths[o->spans[life->frames[i].span].path].mixed = true;
        while (i--)
                if (!life->frames[i].refused) {
                        o->paths[o->spans[life->frames[i].span].path].mixed = true;
                        break;
                }
}

/* The frame that an exit ends: a scope's end ends the scope's, any other exit first what was entered by hand. */
static int find(const struct oracle_life *life, uint32_t span, bool is_scopes_end) {
        for (int want_scope = is_scopes_end; want_scope < 2; want_scope++)
                for (int i = (int)life->depth - 1; i >= 0; i--)
                        if (life->frames[i].span == span && life->frames[i].scope == want_scope)
                                return i;
        return -1;
}

/* The exit of a frame of this thread.  `closes`: a scope's end. */
static void exit_here(struct oracle *o, struct oracle_life *life, int at, bool is_migrated, bool closes,
                      const struct outcome *out) {
        uint32_t late[ORACLE_DEPTH], n = 0;

        if (!is_migrated) {
                if ((uint32_t)at + 1 < life->depth)
                        o->hazards[HAZARD_DISORDER]++;
                life->beyond -= life->beyond_scopes;
                life->beyond_scopes = 0;
                for (int j = (int)life->depth - 1; j > at; j--) {
                        uint32_t span = life->frames[j].span;

                        if (!life->frames[j].scope)
                                continue;
                        o->hazards[HAZARD_UNWOUND]++;
                        mix(o, life, (uint32_t)j);
                        if (take_out(o, life, (uint32_t)j, false, true))
                                late[n++] = span;
                }
        }
        {
                uint32_t span = life->frames[at].span;

                if (take_out(o, life, (uint32_t)at, is_migrated, closes))
                        late[n++] = span;
        }
        /* Room does not come back within a call: the last ones are those that found none. */
        for (uint32_t k = 0; k < n; k++) {
                o->spans[late[k]].close_called = true;
                if (k + out->refused_closes < n)
                        request_close(o, &o->spans[late[k]], true);
        }
}

/* Another thread that is in the span with a cycle that has not been ended: the lane that opened the span is searched
 * first, then those after it. */
static struct oracle_life *find_elsewhere(struct oracle *o, const struct oracle_life *self, uint32_t span) {
        for (uint32_t k = 0; k < o->lanes; k++) {
                uint32_t lane = (o->spans[span].home + k) % o->lanes;

                for (uint32_t l = 0; l < ORACLE_LIVES; l++) {
                        struct oracle_life *life = &o->lives[l];
                        int entered = 0;

                        if (!life->in_use || life == self || life->lane != lane)
                                continue;
                        for (uint32_t i = 0; i < life->depth; i++)
                                entered += life->frames[i].span == span;
                        for (uint32_t i = 0; i < life->mark_count; i++)
                                entered -= life->marks[i] == span;
                        if (entered > 0)
                                return life;
                }
        }
        return NULL;
}

static bool exit_elsewhere(struct oracle *o, const struct oracle_life *self, uint32_t span) {
        struct oracle_life *life = find_elsewhere(o, self, span);

        if (!life || life->mark_count == ORACLE_DEPTH)
                return false;
        life->marks[life->mark_count++] = span;
        return true;
}

/* What every call begins with: exits that others called for this thread's cycles. */
static void attend(struct oracle *o, struct oracle_life *life) {
        static const struct outcome nothing;
        uint32_t n = o->is_blind ? life->seen_marks : life->mark_count, marks[ORACLE_DEPTH];

        memcpy(marks, life->marks, sizeof marks);
        memmove(life->marks, life->marks + n, (life->mark_count - n) * sizeof *life->marks);
        life->mark_count -= n;
        life->seen_marks = 0;
        for (uint32_t m = 0; m < n; m++) {
                int i = find(life, marks[m], false);

                if (i >= 0)
                        exit_here(o, life, i, true, false, &nothing);
                else if (!exit_elsewhere(o, life, marks[m]))
                        o->unmatched++;
        }
}

/* --------------------------------------------------------------------------------------------------- calls -- */

static void note_entry(struct oracle *o, const struct oracle_life *life, uint32_t id) {
        const struct oracle_span *span = &o->spans[id];
        bool is_inside = find(life, id, false) >= 0, is_elsewhere = false;

        for (uint32_t l = 0; l < ORACLE_LIVES; l++)
                if (o->lives[l].in_use && &o->lives[l] != life && find(&o->lives[l], id, false) >= 0)
                        is_elsewhere = true;
        o->hazards[HAZARD_REENTRY] += is_inside;
        o->hazards[HAZARD_AT_ONCE] += is_elsewhere;
        o->hazards[HAZARD_SHARED] += span->is_scope;
        o->hazards[HAZARD_CYCLES] += span->cycles && life->lane != span->home;
        for (uint32_t i = 0; i < life->depth && !is_inside; i++)
                if (o->paths[o->spans[life->frames[i].span].path].name == o->paths[span->path].name) {
                        o->hazards[HAZARD_RECURSION]++;
                        break;
                }
}

static bool enter(struct oracle *o, struct oracle_life *life, uint32_t id, bool is_scope, const struct outcome *out) {
        struct oracle_span *span = &o->spans[id];
        bool deep = life->beyond || life->depth >= ORACLE_DEPTH;
        struct oracle_frame frame = {.span = id, .scope = is_scope, .refused = out->refused_enters > 0};

        if (deep != (out->refused_depth > 0))
                return wrong(o, "at depth %u the enter was %s", life->depth + life->beyond,
                             deep ? "not refused for its depth" : "refused for its depth");
        if (!is_scope)
                note_entry(o, life, id);
        span->wandered |= life->lane != span->home;
        if (deep || frame.refused) {
                o->paths[span->path].refused++;
                span->partial |= !is_scope && !span->closed;
        }
        if (deep) {
                o->refused_depth++;
                o->hazards[HAZARD_DEPTH]++;
                life->beyond++;
                life->beyond_scopes += is_scope;
                return true;
        }
        if (frame.refused) {
                o->refused_enters++;
                o->hazards[HAZARD_REFUSED_ENTER]++;
        } else {
                show(o, life);
                know_path(o, span->path);
                if (!span->known) {
                        span->known = true;
                        span->partial |= !is_scope; /* it is late */
                        o->paths[span->path].opened++;
                }
                if (span->closed || span->aborted) {
                        frame.stale = true;
                        o->stale++;
                        o->hazards[HAZARD_STALE]++;
                } else {
                        span->entered++;
                }
        }
        life->frames[life->depth++] = frame;
        return true;
}

static void leave(struct oracle *o, struct oracle_life *life, uint32_t id, bool is_scope, const struct outcome *out) {
        int i = find(life, id, is_scope);

        if (i >= 0) {
                exit_here(o, life, i, false, is_scope, out);
                return;
        }
        if (is_scope && life->beyond_scopes) {
                life->beyond_scopes--;
                life->beyond--;
                return;
        }
        if (!exit_elsewhere(o, life, id)) {
                if (!is_scope && life->beyond > life->beyond_scopes) {
                        life->beyond--; /* which one it was is not known, only that there is one */
                } else {
                        o->unmatched++;
                        o->hazards[HAZARD_UNMATCHED]++;
                }
        }
        if (!is_scope)
                return;
        o->spans[id].close_called = true;
        if (!out->refused_closes)
                request_close(o, &o->spans[id], false);
}

static void open_span(struct oracle *o, struct oracle_life *life, uint32_t id, uint16_t parent, uint16_t name,
                      bool is_scope) {
        o->spans[id] = (struct oracle_span){.path = intern_path(o, parent, name), .exists = true, .is_scope = is_scope};
        o->spans[id].home = life->lane;
        if (id >= o->span_count)
                o->span_count = id + 1;
}

static void tell_open(struct oracle *o, uint32_t id, const struct outcome *out) {
        struct oracle_span *span = &o->spans[id];

        if (out->refused_opens) {
                span->late = true;
                o->paths[span->path].refused++;
                o->refused_opens++;
                o->hazards[HAZARD_REFUSED_OPEN]++;
                return;
        }
        know_path(o, span->path);
        span->known = true;
        o->paths[span->path].opened++;
}

static uint16_t current_path(const struct oracle *o, const struct oracle_life *life) {
        return life->depth ? o->spans[life->frames[life->depth - 1].span].path : NO_PATH;
}

static bool current(struct oracle *o, struct oracle_life *life, const struct outcome *out) {
        struct oracle_frame *top = life->depth ? &life->frames[life->depth - 1] : NULL;
        uint32_t want = top ? top->span : 0;

        if (out->current != want)
                return wrong(o, "the current span is %u, must be %u", out->current, want);
        if (!top)
                return true;
        top->shared = true;
        if (o->spans[want].is_scope) {
                o->spans[want].shared = true;
                if (top->refused)
                        o->spans[want].late = true;
        }
        return true;
}

static struct oracle_life *life_of(struct oracle *o, unsigned slot) {
        return o->life_of[slot] ? &o->lives[o->life_of[slot] - 1] : NULL;
}

const struct oracle_life *oracle_life_of(const struct oracle *o, unsigned slot) {
        return life_of((struct oracle *)o, slot);
}

static void end_thread(struct oracle *o, struct oracle_life *life) {
        if (life->depth)
                o->hazards[HAZARD_DEATH]++;
        life->dead = true;
        o->life_of[life->slot] = 0;
}

/* The cycles end, from the top down; no span is closed. */
static void save_stack(struct oracle *o, struct oracle_life *life, struct oracle_stack *stack) {
        if (stack)
                *stack = (struct oracle_stack){
                        .depth = life->depth, .beyond = life->beyond, .beyond_scopes = life->beyond_scopes};
        life->beyond = life->beyond_scopes = 0;
        while (life->depth) {
                uint32_t i = life->depth - 1;

                if (stack) {
                        stack->frames[i].span = life->frames[i].span;
                        stack->frames[i].scope = life->frames[i].scope;
                        o->spans[life->frames[i].span].saved++;
                }
                if (life->frames[i].refused && life->frames[i].scope && !life->frames[i].taken)
                        o->spans[life->frames[i].span].late = true; /* no record has opened it */
                take_out(o, life, i, false, false);
        }
}

/* Where one finds no room, those after it do not find any. */
static bool take_stack(struct oracle *o, struct oracle_life *life, struct oracle_stack *stack,
                       const struct outcome *out) {
        uint32_t refused = (uint32_t)out->refused_enters;

        if (refused > stack->depth)
                return wrong(o, "%u of %u frames were refused", refused, stack->depth);
        for (uint32_t i = 0; i < stack->depth; i++) {
                const struct outcome one = {.refused_enters = i + refused >= stack->depth};
                struct oracle_frame *frame;

                o->hazards[HAZARD_SWITCH]++;
                o->spans[stack->frames[i].span].saved--;
                if (!enter(o, life, stack->frames[i].span, false, &one))
                        return false;
                frame = &life->frames[life->depth - 1];
                frame->scope = frame->taken = stack->frames[i].scope;
                frame->shared |= frame->taken;
        }
        life->beyond = stack->beyond;
        life->beyond_scopes = stack->beyond_scopes;
        *stack = (struct oracle_stack){0};
        return true;
}

static bool switch_stack(struct oracle *o, struct oracle_life *life, const struct action *a,
                         const struct outcome *out) {
        struct oracle_stack *save = a->span < SCHEDULE_STACKS && a->span ? &o->stacks[a->span] : NULL;
        struct oracle_stack *take = a->parent < SCHEDULE_STACKS && a->parent ? &o->stacks[a->parent] : NULL;

        save_stack(o, life, save);
        return !take || take_stack(o, life, take, out);
}

static bool call(struct oracle *o, struct oracle_life *life, const struct action *a, const struct outcome *out) {
        struct oracle_span *span = &o->spans[a->span];

        attend(o, life);
        switch ((enum act)a->act) {
        case ACT_OPEN:
                open_span(o, life, a->span, current_path(o, life), a->name, false);
                tell_open(o, a->span, out);
                break;
        case ACT_OPEN_UNDER:
                open_span(o, life, a->span, o->spans[a->parent].exists ? o->spans[a->parent].path : NO_PATH, a->name,
                          false);
                tell_open(o, a->span, out);
                break;
        case ACT_SCOPE:
                open_span(o, life, a->span, current_path(o, life), a->name, true);
                return enter(o, life, a->span, true, out);
        case ACT_ENTER:
                return enter(o, life, a->span, false, out);
        case ACT_EXIT:
                leave(o, life, a->span, false, out);
                break;
        case ACT_SCOPE_END:
                leave(o, life, a->span, true, out);
                break;
        case ACT_CLOSE:
                span->close_called = true;
                if (!out->refused_closes)
                        request_close(o, span, span->late);
                break;
        case ACT_CURRENT:
                return current(o, life, out);
        case ACT_SWITCH:
                return switch_stack(o, life, a, out);
        default:
                break;
        }
        return true;
}

/* A handle that was never had does nothing. */
static bool is_void(const struct oracle *o, const struct action *a) {
        const struct oracle_span *span = &o->spans[a->span];

        switch ((enum act)a->act) {
        case ACT_ENTER:
        case ACT_EXIT:
        case ACT_CLOSE:
                return !span->exists || (span->is_scope && !span->shared);
        case ACT_SCOPE_END:
                return !span->exists || !span->is_scope;
        default:
                return false;
        }
}

bool oracle_apply(struct oracle *o, const struct action *a, const struct outcome *out) {
        struct oracle_life *life = life_of(o, a->thread);

        if (is_void(o, a))
                return true;
        if (out->none)
                return wrong(o, "the call was not recorded");
        o->refused_closes += out->refused_closes;
        o->hazards[HAZARD_REFUSED_CLOSE] += out->refused_closes;
        o->hazards[HAZARD_OVERFLOWED_CLOSE] += out->overflowed;
        if (a->act == ACT_WORK) {
                work(o, life, a->n);
                return !*o->wrong;
        }
        if (a->act == ACT_END) {
                end_thread(o, life);
                return true;
        }
        return call(o, life, a, out) && !*o->wrong;
}

void oracle_begin_race(struct oracle *o) {
        for (uint32_t l = 0; l < ORACLE_LIVES; l++)
                o->lives[l].seen_marks = o->lives[l].mark_count;
}

/* Whether there are more exits for one of its spans than the thread has cycles of it. */
static bool is_overmarked(const struct oracle_life *life) {
        for (uint32_t m = 0; m < life->mark_count; m++) {
                int left = 0;

                for (uint32_t i = 0; i < life->depth; i++)
                        left += life->frames[i].span == life->marks[m];
                for (uint32_t i = 0; i < life->mark_count; i++)
                        left -= life->marks[i] == life->marks[m];
                if (left < 0)
                        return true;
        }
        return false;
}

bool oracle_apply_blind(struct oracle *o, const struct action *a, const struct outcome *out) {
        const struct oracle_life *life = life_of(o, a->thread);
        bool r;

        if ((a->act != ACT_EXIT && a->act != ACT_SCOPE_END) || life->mark_count == life->seen_marks)
                return false;
        o->is_blind = true;
        r = oracle_apply(o, a, out);
        o->is_blind = false;
        return r && is_overmarked(life);
}

void oracle_end_race(struct oracle *o) {
        for (uint32_t l = 0; l < ORACLE_LIVES; l++)
                o->lives[l].seen_marks = 0;
}

/* ------------------------------------------------------------------------------------------ life and death -- */

void oracle_begin_thread(struct oracle *o, unsigned slot, uint32_t lane) {
        uint32_t i = 0;

        while (i < ORACLE_LIVES && o->lives[i].in_use)
                i++;
        if (i == ORACLE_LIVES) {
                wrong(o, "the oracle has no room for another thread");
                return;
        }
        o->lives[i] = (struct oracle_life){.in_use = true, .slot = (uint8_t)slot, .lane = lane};
        o->life_of[slot] = (uint8_t)(i + 1);
        if (lane >= o->lanes)
                o->lanes = lane + 1;
}

void oracle_before(struct oracle *o, unsigned slot, const uint64_t n[4]) {
        (void)slot;
        add(o->before, n);
        add(o->counted, n);
}

/* A frame is cut off by its thread's death. */
static void abort_frame(struct oracle *o, struct oracle_life *life) {
        struct oracle_frame frame = life->frames[life->depth - 1];
        struct oracle_span *span = &o->spans[frame.span];

        life->depth--;
        if (frame.refused || frame.stale)
                return;
        span->entered--;
        if (span->aborted)
                return;
        if (frame.scope && !frame.taken) {
                span->aborted = true;
                o->paths[span->path].aborted++;
        } else if (span->close_applied && !span->entered) {
                close_now(o, span);
        }
}

static void bury(struct oracle *o, struct oracle_life *life) {
        show(o, life);
        for (uint32_t i = 0; i < life->depth;) /* of a dead thread, refused frames mean nothing any more */
                if (life->frames[i].refused)
                        remove_frame(life, i);
                else
                        i++;
        for (uint32_t m = 0; m < life->mark_count; m++) {
                int i = find(life, life->marks[m], false);

                if (i >= 0)
                        end_cycle(o, life, (uint32_t)i, true, false);
        }
        for (uint32_t i = 1; i < o->span_count; i++)
                if (o->spans[i].close_requested && !o->spans[i].closed && !o->spans[i].entered)
                        close_now(o, &o->spans[i]); /* no other thread's call is in between */
        while (life->depth)
                abort_frame(o, life);
        life->in_use = false;
}

void oracle_settle(struct oracle *o) {
        for (uint32_t l = 0; l < ORACLE_LIVES; l++) {
                struct oracle_life *life = &o->lives[l];

                if (!life->in_use)
                        continue;
                if (life->dead) {
                        bury(o, life);
                } else if (!has_refused(life) && !lost_waiting(life)) {
                        o->hazards[HAZARD_LIVE] += life->depth && life->pending_count;
                        show(o, life);
                }
        }
}

void oracle_finish(struct oracle *o) {
        oracle_drain(o);
        for (uint32_t l = 0; l < ORACLE_LIVES; l++)
                if (o->lives[l].in_use)
                        bury(o, &o->lives[l]);
        for (uint32_t i = 1; i < o->span_count; i++) {
                struct oracle_span *span = &o->spans[i];

                if (!span->exists || !span->known || span->closed || span->aborted)
                        continue;
                o->hazards[HAZARD_CLOSE_NEVER]++;
                span->aborted = true;
                o->paths[span->path].aborted++;
        }
}

void oracle_reset(struct oracle *o) {
        memcpy(o->base, o->paths, sizeof o->base);
        for (uint32_t path = 1; path < o->path_count; path++)
                if (!o->paths[path].known) /* what was refused is seen once there is a row for it */
                        o->base[path].refused = 0;
        memcpy(o->base_before, o->before, sizeof o->base_before);
        memcpy(o->base_lost, o->lost, sizeof o->base_lost);
        memcpy(o->base_outside, o->outside, sizeof o->base_outside);
        memcpy(o->base_counted, o->counted, sizeof o->base_counted);
        for (uint32_t i = 1; i < o->span_count; i++)
                o->spans[i].counts = false;
}

void oracle_advance(struct oracle *o, uint64_t now_ns) {
        static const double window[3] = {10, 60, 600};
        /* The books' rates go by ticks. */
        double seconds = (double)((now_ns >> 27) - (o->now_ns >> 27)) * 134217728.0 / 1e9;

        for (uint32_t p = 1; p < o->path_count; p++)
                for (int i = 0; i < 3; i++)
                        o->paths[p].decayed[i] *= exp(-seconds / window[i]);
        o->now_ns = now_ns;
}
