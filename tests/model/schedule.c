/* SPDX-License-Identifier: MIT */
/* See schedule.h. */
#include "tests/model/schedule.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "tests/model/oracle.h"

const char *const hazard_names[HAZARDS] = {
        [HAZARD_CYCLES] = "cycles on several threads",
        [HAZARD_AT_ONCE] = "one span on several threads at once",
        [HAZARD_REENTRY] = "re-entry on one thread",
        [HAZARD_RECURSION] = "recursion through a name",
        [HAZARD_MIGRATED] = "entered here, exited there",
        [HAZARD_DISORDER] = "exits out of order",
        [HAZARD_UNWOUND] = "scopes unwound",
        [HAZARD_UNMATCHED] = "exits without an enter",
        [HAZARD_CLOSE_ENTERED] = "closes while entered",
        [HAZARD_CLOSE_NEVER] = "closes never sent",
        [HAZARD_CLOSE_OVERTAKES] = "closes beside the last exit",
        [HAZARD_STALE] = "uses after the close",
        [HAZARD_DEPTH] = "frames beyond 64",
        [HAZARD_NAMES] = "more names than the table holds",
        [HAZARD_PATHS] = "more paths than the table holds",
        [HAZARD_EVICTED] = "more live spans than the table holds",
        [HAZARD_REFUSED_ENTER] = "refused enters",
        [HAZARD_REFUSED_OPEN] = "refused opens",
        [HAZARD_OVERFLOWED_CLOSE] = "closes while the ring is full",
        [HAZARD_REFUSED_CLOSE] = "refused closes",
        [HAZARD_LOST] = "work that is lost",
        [HAZARD_LIVE] = "open spans shown from live counters",
        [HAZARD_SHARED] = "scopes entered by handle",
        [HAZARD_DEATH] = "threads that end inside spans",
        [HAZARD_SWITCH] = "spans taken up after a switch of stacks",
        [HAZARD_RACE] = "races of two threads",
};

/* ---------------------------------------------------------------------------------------------------- dice -- */

uint64_t dice_roll(struct dice *dice) {
        uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        return z ^ z >> 31;
}

uint32_t dice_below(struct dice *dice, uint32_t n) {
        return n ? (uint32_t)(dice_roll(dice) % n) : 0;
}

bool dice_permille(struct dice *dice, uint32_t permille) {
        return dice_below(dice, 1000) < permille;
}

void setup_of_seed(struct setup *setup, uint64_t seed, uint32_t length) {
        struct dice dice = {.state = seed ^ UINT64_C(0x5e7a9)};
        static const uint32_t drains[] = {2, 5, 20, 60};

        *setup = (struct setup){
                .seed = seed,
                .length = length,
                .threads = 1 + dice_below(&dice, SCHEDULE_THREADS),
                .names = 3 + dice_below(&dice, 8),
                .name_capacity = 256,
                .path_capacity = 512,
                .close_capacity = 1 + dice_below(&dice, 32),
                .instances = 4096,
                .drains = drains[dice_below(&dice, 4)],
                .deep = dice_permille(&dice, 400) ? 4 : 0,
                .has_parallel = dice_permille(&dice, 700),
                .relays = 5,
        };
        switch (dice_below(&dice, 8)) {
        case 0: /* tables that are too small */
                setup->names = SCHEDULE_NAMES;
                setup->name_capacity = 8 + dice_below(&dice, 32);
                setup->path_capacity = 8 + dice_below(&dice, 64);
                setup->has_parallel = false; /* who comes too late for a table hangs on the order */
                break;
        case 1: /* long paths */
                setup->names = SCHEDULE_NAMES;
                setup->has_parallel = false;
                break;
        case 2:
                setup->instances = 4 + dice_below(&dice, 12);
                setup->is_evicting = true;
                setup->drains = 60;
                break;
        }
}

/* -------------------------------------------------------------------------------------------------- choosing -- */

struct maker {
        struct dice *dice;
        const struct oracle *o;
        uint32_t *spans; /* the last number given out */
        struct action *ret;
        uint32_t n, room;
};

static struct action *put(struct maker *m, enum act act, unsigned thread) {
        static struct action beyond;
        struct action *a = m->n < m->room ? &m->ret[m->n++] : &beyond;

        *a = (struct action){.act = (uint8_t)act, .thread = (uint8_t)thread};
        return a;
}

static uint16_t any_name(struct maker *m) {
        return (uint16_t)(1 + dice_below(m->dice, m->o->setup.names - 1));
}

static uint32_t new_span(struct maker *m) {
        return ++*m->spans;
}

static void put_work(struct maker *m, unsigned thread) {
        struct action *a = put(m, ACT_WORK, thread);
        unsigned scale = dice_permille(m->dice, 20) ? 40 : dice_below(m->dice, 16);

        for (int i = 0; i < 4; i++)
                if (dice_permille(m->dice, i < 2 ? 800 : 400))
                        a->n[i] = dice_roll(m->dice) & ((UINT64_C(1) << scale) - 1);
}

static void put_open(struct maker *m, unsigned thread, enum act act) {
        struct action *a = put(m, act, thread);

        a->name = any_name(m);
        a->span = new_span(m);
}

static void put_span(struct maker *m, enum act act, unsigned thread, uint32_t span) {
        put(m, act, thread)->span = span;
}

/* One of the last spans that fit; 0: there is none. */
static uint32_t any_span(struct maker *m, bool (*fits)(const struct oracle_span *)) {
        uint32_t newest = *m->spans, found = 0, seen = 0;

        for (uint32_t k = 0; k < 96 && k < newest; k++)
                if (fits(&m->o->spans[newest - k]) && !dice_below(m->dice, ++seen))
                        found = newest - k;
        return found;
}

static bool is_enterable(const struct oracle_span *s) {
        return s->exists && !s->closed && !s->aborted && !s->close_called && (!s->is_scope || s->shared);
}

static bool is_open_explicit(const struct oracle_span *s) {
        return is_enterable(s) && !s->is_scope && !s->saved; /* what is closed while it is saved would be stale */
}

static bool is_idle(const struct oracle_span *s) {
        return is_open_explicit(s) && !s->entered;
}

/* A span whose opening found no room opens again when it is used after its close: the books cannot tell. */
static bool is_past(const struct oracle_span *s) {
        return s->exists && s->closed && s->known && !s->late && (!s->is_scope || s->shared);
}

static bool has_handle(const struct oracle_span *s) {
        return s->exists && (!s->is_scope || s->shared);
}

static bool is_entered_past(const struct oracle_span *s) {
        return s->exists && s->close_requested && s->entered && !s->late && !s->is_scope;
}

/* ---------------------------------------------------------------------------------------------- single steps -- */

static uint32_t frame_of(struct maker *m, const struct oracle_life *life, bool top) {
        if (!life || !life->depth)
                return 0;
        return life->frames[top ? life->depth - 1 : dice_below(m->dice, life->depth)].span;
}

static void put_exit_of(struct maker *m, unsigned thread, uint32_t span) {
        const struct oracle_life *life = oracle_life_of(m->o, thread);
        bool is_scope = false;

        if (!span)
                return;
        for (uint32_t i = 0; life && i < life->depth; i++)
                if (life->frames[i].span == span)
                        is_scope = life->frames[i].scope;
        put_span(m, is_scope && !dice_permille(m->dice, 10) ? ACT_SCOPE_END : ACT_EXIT, thread, span);
}

static void put_foreign_exit(struct maker *m, unsigned thread) {
        unsigned other = (thread + 1 + dice_below(m->dice, m->o->setup.threads)) % m->o->setup.threads;
        uint32_t span = frame_of(m, oracle_life_of(m->o, other), dice_permille(m->dice, 700));

        if (span && has_handle(&m->o->spans[span]))
                put_span(m, ACT_EXIT, thread, span);
}

static void put_enter(struct maker *m, unsigned thread) {
        const struct oracle_life *life = oracle_life_of(m->o, thread);
        uint32_t kind = dice_below(m->dice, 100), span = 0;

        if (kind < 20)
                span = frame_of(m, life, false);
        if (span && !is_enterable(&m->o->spans[span]))
                span = 0;
        if (!span && kind >= 96 && !m->o->setup.is_evicting)
                span = any_span(m, kind < 98 ? is_past : is_entered_past);
        if (!span)
                span = any_span(m, is_enterable);
        if (span)
                put_span(m, ACT_ENTER, thread, span);
        else
                put_open(m, thread, ACT_OPEN);
}

static void put_exit(struct maker *m, unsigned thread) {
        const struct oracle_life *life = oracle_life_of(m->o, thread);
        uint32_t kind = dice_below(m->dice, 100);

        if (kind < 60)
                put_exit_of(m, thread, frame_of(m, life, true));
        else if (kind < 70)
                put_exit_of(m, thread, frame_of(m, life, false));
        else if (kind < 92)
                put_foreign_exit(m, thread);
        else if (kind < 96)
                put_span(m, ACT_EXIT, thread, any_span(m, is_idle));
        else
                put_span(m, ACT_EXIT, thread, any_span(m, has_handle));
}

static void put_close(struct maker *m, unsigned thread) {
        uint32_t span = any_span(m, dice_permille(m->dice, 600) ? is_idle : is_open_explicit);

        if (!span && !m->o->setup.is_evicting)
                span = any_span(m, is_past);
        if (span && !m->o->spans[span].is_scope)
                put_span(m, ACT_CLOSE, thread, span);
}

/* Below the 64th frame there is no name to a frame: any scope's end ends one. */
static void put_scope_end(struct maker *m, unsigned thread) {
        const struct oracle_life *life = oracle_life_of(m->o, thread);

        if (life && life->beyond_scopes && dice_permille(m->dice, 900)) {
                put_span(m, ACT_SCOPE_END, thread, *m->spans);
                return;
        }
        for (uint32_t i = life ? life->depth : 0; i-- > 0;)
                if (life->frames[i].scope && dice_permille(m->dice, 850)) {
                        put_span(m, ACT_SCOPE_END, thread, life->frames[i].span);
                        return;
                }
}

static void put_switch(struct maker *m, unsigned thread) {
        const struct oracle_life *life = oracle_life_of(m->o, thread);
        struct action *a;
        uint32_t save = dice_below(m->dice, SCHEDULE_STACKS);

        for (uint32_t i = 0; life && i < life->depth; i++)
                if (m->o->spans[life->frames[i].span].close_called)
                        return;
        a = put(m, ACT_SWITCH, thread);
        a->span = dice_permille(m->dice, 900) ? save : 0;
        a->parent = dice_permille(m->dice, 900) ? dice_below(m->dice, SCHEDULE_STACKS) : 0;
}

static void put_step(struct maker *m, unsigned thread) {
        const struct oracle_life *life = oracle_life_of(m->o, thread);
        uint32_t kind = dice_below(m->dice, 1000), deep = life ? life->depth : 0;

        if (kind < 260)
                put_work(m, thread);
        else if (kind < 380 && deep < 60)
                put_open(m, thread, ACT_SCOPE);
        else if (kind < 510)
                put_scope_end(m, thread);
        else if (kind < 590)
                put_open(m, thread, ACT_OPEN);
        else if (kind < 620) {
                uint32_t parent = any_span(m, has_handle);

                put_open(m, thread, ACT_OPEN_UNDER);
                if (m->n && m->n <= m->room)
                        m->ret[m->n - 1].parent = parent;
        } else if (kind < 750)
                put_enter(m, thread);
        else if (kind < 910)
                put_exit(m, thread);
        else if (kind < 955)
                put_close(m, thread);
        else if (kind < 975)
                put(m, ACT_CURRENT, thread);
        else if (kind < 988)
                put_switch(m, thread);
        else
                put(m, ACT_END, thread);
}

/* ------------------------------------------------------------------------------------------------- in one go -- */

/* Far down, by scopes or by hand, and sometimes all the way back in one exit. */
static void put_descent(struct maker *m, unsigned thread) {
        uint32_t n = 40 + dice_below(m->dice, 50), first = 0;

        for (uint32_t i = 0; i < n; i++) {
                enum act act = dice_permille(m->dice, 900) ? ACT_SCOPE : ACT_OPEN;

                put_open(m, thread, act);
                if (!first && act == ACT_SCOPE)
                        first = *m->spans;
                if (act == ACT_OPEN)
                        put_span(m, ACT_ENTER, thread, *m->spans);
                if (dice_permille(m->dice, 300))
                        put_work(m, thread);
        }
        if (first && dice_permille(m->dice, 500)) /* as a longjmp leaves it */
                put_span(m, ACT_SCOPE_END, thread, first);
}

/* A path of more names than a path may have. */
static void put_chain(struct maker *m, unsigned thread) {
        uint32_t parent = 0, n = 60 + dice_below(m->dice, 40);

        for (uint32_t i = 1; i < n && i < m->o->setup.names; i++) {
                struct action *a = put(m, ACT_OPEN_UNDER, thread);

                a->name = (uint16_t)i;
                a->parent = parent;
                a->span = parent = new_span(m);
                if (dice_permille(m->dice, 300)) {
                        put_span(m, ACT_ENTER, thread, parent);
                        put_work(m, thread);
                        put_span(m, ACT_EXIT, thread, parent);
                }
                if (dice_permille(m->dice, 700))
                        put_span(m, ACT_CLOSE, thread, parent);
        }
}

/* More records than a ring holds, without a drain in between. */
static void put_flood(struct maker *m, unsigned thread) {
        uint32_t n = 100 + dice_below(m->dice, 200);

        for (uint32_t i = 0; i < n; i++) {
                switch (dice_below(m->dice, 4)) {
                case 0:
                        put_open(m, thread, ACT_SCOPE);
                        put_work(m, thread);
                        put_span(m, ACT_SCOPE_END, thread, *m->spans);
                        break;
                case 1:
                        put_open(m, thread, ACT_OPEN);
                        put_span(m, ACT_ENTER, thread, *m->spans);
                        put_work(m, thread);
                        put_span(m, ACT_EXIT, thread, *m->spans);
                        put_span(m, ACT_CLOSE, thread, *m->spans);
                        break;
                case 2:
                        put_open(m, thread, ACT_OPEN);
                        break;
                default:
                        put_close(m, thread);
                }
        }
}

static void put_private(struct maker *m, unsigned thread) {
        uint32_t stack[24], mine[24], depth = 0, open = 0, n = 10 + dice_below(m->dice, 120);
        bool is_scope[24];

        for (uint32_t i = 0; i < n; i++) {
                uint32_t kind = dice_below(m->dice, 100);

                if (kind < 30) {
                        put_work(m, thread);
                } else if (kind < 50 && depth < 24) {
                        put_open(m, thread, ACT_SCOPE);
                        is_scope[depth] = true;
                        stack[depth++] = *m->spans;
                } else if (kind < 60 && open < 24) {
                        put_open(m, thread, ACT_OPEN);
                        mine[open++] = *m->spans;
                } else if (kind < 70 && open && depth < 24) {
                        is_scope[depth] = false;
                        stack[depth] = mine[dice_below(m->dice, open)];
                        put_span(m, ACT_ENTER, thread, stack[depth++]);
                } else if (kind < 90 && depth) {
                        depth--;
                        put_span(m, is_scope[depth] ? ACT_SCOPE_END : ACT_EXIT, thread, stack[depth]);
                } else if (kind < 96 && open) {
                        put_span(m, ACT_CLOSE, thread, mine[--open]);
                }
        }
        while (depth--)
                if (is_scope[depth])
                        put_span(m, ACT_SCOPE_END, thread, stack[depth]);
}

/* After a close it may still be on the stack by an enter before it, but is not entered again. */
static void put_parallel(struct maker *m) {
        put(m, ACT_PARALLEL, 0);
        for (unsigned t = 0; t < m->o->setup.threads; t++)
                put_private(m, t);
        put(m, ACT_JOIN, 0);
        put(m, ACT_DRAIN, 0);
}

/* Spans that go from hand to hand and are closed at once, while the collector drains. */
static void put_relay(struct maker *m) {
        unsigned threads = m->o->setup.threads, rounds = 4 + dice_below(m->dice, 12);

        put(m, ACT_RELAY, 0);
        while (rounds--) {
                unsigned legs = 1 + dice_below(m->dice, 4), last = 0, busy = dice_below(m->dice, threads);
                uint32_t span;

                put_open(m, dice_below(m->dice, threads), ACT_OPEN);
                span = *m->spans;
                /* Something that keeps the drain on one lane, while the span passes through those before and after it. */
                for (unsigned i = dice_permille(m->dice, 60) ? 50 : 0; i--;) {
                        put_span(m, ACT_ENTER, busy, span);
                        put_span(m, ACT_EXIT, busy, span);
                }
                while (legs--) {
                        last = dice_below(m->dice, threads);
                        put_span(m, ACT_ENTER, last, span);
                        put_work(m, last);
                        put_span(m, ACT_EXIT, dice_permille(m->dice, 800) ? last : dice_below(m->dice, threads), span);
                }
                put_span(m, ACT_CLOSE, (last + 1) % threads, span);
        }
        put(m, ACT_JOIN, 0);
        put(m, ACT_DRAIN, 0);
}

static void put_rival(struct maker *m, unsigned thread, uint32_t span, bool may_enter) {
        uint32_t n = 1 + dice_below(m->dice, 3);

        for (uint32_t i = 0; i < n; i++) {
                uint32_t kind = dice_below(m->dice, 100);

                if (kind < 40)
                        put_span(m, ACT_EXIT, thread, span);
                else if (kind < 60 && may_enter)
                        put_span(m, ACT_ENTER, thread, span);
                else if (kind < 75)
                        put_work(m, thread);
                else if (kind < 85)
                        put_open(m, thread, ACT_OPEN);
                else
                        put(m, ACT_CURRENT, thread);
        }
}

static void put_race(struct maker *m) {
        unsigned threads = m->o->setup.threads, a = dice_below(m->dice, threads);
        unsigned b = (a + 1 + dice_below(m->dice, threads - 1)) % threads;
        uint32_t span = any_span(m, is_open_explicit);
        bool closes = dice_permille(m->dice, 550);

        if (!span)
                return;
        put(m, ACT_CHECK, 0);
        if (dice_permille(m->dice, 800)) {
                put_span(m, ACT_ENTER, a, span);
                put(m, ACT_DRAIN, 0);
        }
        put(m, ACT_RACE, 0);
        if (closes && dice_permille(m->dice, 600)) {
                put_span(m, ACT_EXIT, a, span);
                put_span(m, ACT_CLOSE, b, span);
        } else {
                put_rival(m, a, span, !closes);
                put_rival(m, b, span, !closes);
                if (closes)
                        put_span(m, ACT_CLOSE, b, span);
        }
        put(m, ACT_JOIN, 0);
        for (unsigned t = 0; t < threads; t++)
                put(m, ACT_CURRENT, t);
        put(m, ACT_CHECK, 0);
}

uint32_t schedule_next(struct dice *dice, const struct oracle *o, uint32_t *spans, struct action *ret, uint32_t room) {
        struct maker m = {.dice = dice, .o = o, .spans = spans, .ret = ret, .room = room};
        uint32_t kind = dice_below(dice, 1000);
        unsigned thread;

        if (!dice->run--) {
                dice->run = dice_below(dice, 6);
                dice->thread = dice_below(dice, o->setup.threads);
        }
        thread = dice->thread;

        if (kind < o->setup.drains)
                put(&m, dice_permille(dice, 300) ? ACT_CHECK : ACT_DRAIN, 0);
        else if (kind < o->setup.drains + o->setup.deep)
                put_descent(&m, thread);
        else if (kind >= 999 && dice_permille(dice, 300))
                put(&m, ACT_RESET, 0);
        else if (kind >= 994 && o->setup.names == SCHEDULE_NAMES)
                put_chain(&m, thread);
        else if (kind >= 990 && o->setup.drains < 20 && !o->setup.is_evicting)
                put_flood(&m, thread);
        else if (kind >= 975 && o->setup.threads > 1 && !o->setup.is_evicting)
                put_race(&m);
        else if (kind >= 970 && o->setup.has_parallel)
                put_parallel(&m);
        else if (kind >= 970 - o->setup.relays && o->setup.threads > 1)
                put_relay(&m);
        while (!m.n)
                put_step(&m, thread);
        return m.n;
}

/* --------------------------------------------------------------------------------------------------- on paper -- */

static const char *const words[ACTS] = {
        "work",   "open", "open_under", "enter", "exit",  "close",    "scope", "scope_end", "current",
        "switch", "end",  "drain",      "check", "reset", "parallel", "race",  "relay",     "join",
};

void schedule_print(FILE *to, const struct setup *s, const struct action *actions, uint32_t n) {
        fprintf(to, "setup %" PRIu64 " %u %u %u %u %u %u %u %u %u %u %d %d\n", s->seed, s->length, s->threads, s->names,
                s->name_capacity, s->path_capacity, s->close_capacity, s->instances, s->drains, s->deep, s->relays,
                s->is_evicting, s->has_parallel);
        for (uint32_t i = 0; i < n; i++) {
                const struct action *a = &actions[i];

                fprintf(to, "%-10s %u %u %u %u %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", words[a->act],
                        a->thread, a->name, a->span, a->parent, a->n[0], a->n[1], a->n[2], a->n[3]);
        }
}

static int find_word(const char *word) {
        for (int i = 0; i < ACTS; i++)
                if (!strcmp(words[i], word))
                        return i;
        return -1;
}

int schedule_read(FILE *from, struct setup *s, struct action *actions, uint32_t *n) {
        int evicting, parallel;
        char word[16];

        if (fscanf(from, "setup %" SCNu64 " %u %u %u %u %u %u %u %u %u %u %d %d", &s->seed, &s->length, &s->threads,
                   &s->names, &s->name_capacity, &s->path_capacity, &s->close_capacity, &s->instances, &s->drains,
                   &s->deep, &s->relays, &evicting, &parallel) != 13)
                return -EINVAL;
        s->is_evicting = evicting;
        s->has_parallel = parallel;
        for (*n = 0; *n < SCHEDULE_ACTIONS && fscanf(from, " %15s", word) == 1; ++*n) {
                struct action *a = &actions[*n];
                unsigned thread, name;
                int act = find_word(word);

                if (act < 0 || fscanf(from, "%u %u %u %u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, &thread, &name,
                                      &a->span, &a->parent, &a->n[0], &a->n[1], &a->n[2], &a->n[3]) != 8)
                        return -EINVAL;
                if (thread >= SCHEDULE_THREADS || name >= SCHEDULE_NAMES || a->span >= SCHEDULE_SPANS ||
                    a->parent >= SCHEDULE_SPANS)
                        return -EINVAL;
                a->act = (uint8_t)act;
                a->thread = (uint8_t)thread;
                a->name = (uint16_t)name;
        }
        return 0;
}
