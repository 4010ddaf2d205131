/* SPDX-License-Identifier: MIT */
/*
 * See play.h.
 *
 * One thread acts at a time, and its result goes to the oracle, except in three kinds of blocks.  In a relay the calls
 * also follow one another, but the drain runs beside them, as fast as it can.  In a parallel block all threads run at
 * once, each on spans of its own, with the drain beside them: the numbers do not depend on the order.  In a race two
 * threads call on one span at once.  Then there is an oracle for each order of their calls, and at the next check all
 * that differ from the books are dropped.  One must be left.
 */
#include "tests/model/play.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spanalloc/spanalloc.h"
#include "tests/model/actors.h"
#include "tests/model/side.h"

#define ORDERS_MAX 512u
#define RIVALS_MAX 6u /* states from which a race may begin: of each come at most 35 orders */

static struct player {
        struct record *record;
        struct side side;
        struct dice dice;
        uint32_t spans;
        struct actor actors[SCHEDULE_THREADS];
        struct oracle *states[ORDERS_MAX]; /* those that may be; [0] leads */
        unsigned state_count;
        uint32_t at; /* the action that is played */
        bool failed;
} p;

static void fail(const char *format, ...) {
        size_t n = strlen(p.record->failure);
        va_list args;

        va_start(args, format);
        vsnprintf(p.record->failure + n, sizeof p.record->failure - n, format, args);
        va_end(args);
        p.failed = true;
}

/* ------------------------------------------------------------------------------------------------- threads -- */

static void start(unsigned slot) {
        struct actor *actor = &p.actors[slot];
        bool is_first = !p.side.drain;

        if (actor->runs || p.failed)
                return;
        if (!actor_start(actor, slot, is_first ? p.side.socket : NULL, p.at & 1)) {
                fail("no thread\n");
                return;
        }
        if (is_first && side_attach(&p.side, &p.record->setup) < 0)
                fail("the collector's side of the attach failed\n");
        actor_await(actor);
        if (actor->attach_error)
                fail("the attach failed\n");
        for (unsigned s = 0; s < p.state_count; s++) {
                oracle_begin_thread(p.states[s], slot, actor->lane);
                if (is_first)
                        oracle_before(p.states[s], slot, actor_before);
        }
}

/* ------------------------------------------------------------------------------------------- oracles in step -- */

static void resolve(const struct actor_call *call, struct outcome *out) {
        *out = call->outcome;
        if (call->action->act == ACT_CURRENT)
                out->current = actor_span_of(call->current, p.spans);
}

/* Drops the oracles that say that this cannot be; one must be left. */
static void apply(const struct action *a, const struct outcome *out) {
        unsigned kept = 0;

        for (unsigned s = 0; s < p.state_count; s++) {
                if (!oracle_apply(p.states[s], a, out) && (kept || s + 1 < p.state_count || !*p.states[s]->wrong)) {
                        free(p.states[s]);
                        continue;
                }
                p.states[kept++] = p.states[s];
        }
        p.state_count = kept;
        if (*p.states[0]->wrong)
                fail("action %u: %s\n", p.at, p.states[0]->wrong);
}

static bool is_same_path(const struct oracle *a, uint16_t i, const struct oracle *b, uint16_t j) {
        while (i && j && a->paths[i].name == b->paths[j].name) {
                i = a->paths[i].parent;
                j = b->paths[j].parent;
        }
        return !i && !j;
}

/* Of two that agree with the books: whether they will always do so together.  The numbers of paths go by the order of
 * openings, and mean nothing. */
static bool is_same(const struct oracle *a, const struct oracle *b) {
        for (uint32_t i = 1; i <= p.spans; i++) {
                struct oracle_span x = a->spans[i], y = b->spans[i];

                if (!is_same_path(a, x.path, b, y.path))
                        return false;
                x.path = y.path = 0;
                if (memcmp(&x, &y, sizeof x) != 0)
                        return false;
        }
        return memcmp(a->life_of, b->life_of, sizeof a->life_of) == 0 &&
               memcmp(a->lives, b->lives, sizeof a->lives) == 0 && a->unmatched == b->unmatched &&
               a->other_names == b->other_names && a->other_paths == b->other_paths;
}

/* Drops the oracles that differ from the books, and all but one of those that always will agree; one must be left. */
static void look(bool settles) {
        struct oracle *first = p.states[0];
        unsigned kept = 0, n = p.state_count;

        for (unsigned s = 0; s < n; s++) {
                struct oracle *o = p.states[s];
                bool is_kept;

                if (settles)
                        oracle_settle(o);
                is_kept = side_compare(&p.side, o, actor_instances(), NULL) == 0;
                for (unsigned k = 0; k < kept && is_kept; k++)
                        is_kept = !is_same(p.states[k], o);
                if (is_kept)
                        p.states[kept++] = o;
                else if (o != first)
                        free(o);
        }
        if (!kept) {
                FILE *to = fmemopen(p.record->failure, sizeof p.record->failure, "w");

                fprintf(to, "at action %u, of %u orders:\n", p.at, n);
                side_compare(&p.side, first, actor_instances(), to);
                fclose(to);
                p.failed = true;
                p.states[kept++] = first;
        } else if (p.states[0] != first) {
                free(first);
        }
        p.state_count = kept;
        p.record->checks++;
}

static void drain(void) {
        if (p.side.drain && drain_pass(p.side.drain, p.side.now_ns) < 0)
                fail("expelled: %s\n", drain_fault(p.side.drain));
}

static bool allows(const struct oracle *o, const struct spanalloc_stats *stats) {
        return stats->refused_enters == o->refused_enters && stats->refused_depth == o->refused_depth &&
               stats->refused_opens == o->refused_opens && stats->refused_closes == o->refused_closes &&
               stats->other_names == o->other_names && stats->other_paths == o->other_paths &&
               stats->unmatched_exits == o->unmatched && !stats->nested;
}

/* The library's own statistics: one of the orders that are left allows them. */
static void check_stats(void) {
        struct spanalloc_stats stats = {.size = sizeof stats};
        const struct oracle *o = p.states[0];

        spanalloc_stats(&stats);
        for (unsigned s = 0; s < p.state_count; s++)
                if (allows(p.states[s], &stats))
                        return;
        fail("action %u: the library's own statistics differ from those of %u orders\n", p.at, p.state_count);
#define WORD(name_, member_)                                                                                           \
        if (stats.name_ != o->member_)                                                                                 \
        fail("  %s is %llu, must be %llu\n", #name_, (unsigned long long)stats.name_, (unsigned long long)o->member_)
        WORD(refused_enters, refused_enters);
        WORD(refused_depth, refused_depth);
        WORD(refused_opens, refused_opens);
        WORD(refused_closes, refused_closes);
        WORD(other_names, other_names);
        WORD(other_paths, other_paths);
        WORD(unmatched_exits, unmatched);
#undef WORD
}

/* Time passes only here, when all that can be booked is. */
static void check(void) {
        if (!p.side.drain)
                return;
        drain();
        if (!p.failed && drain_settle(p.side.drain, p.side.now_ns) < 0)
                fail("expelled: %s\n", drain_fault(p.side.drain));
        if (p.failed)
                return;
        for (unsigned s = 0; s < p.state_count; s++)
                oracle_drain(p.states[s]);
        look(true);
        if (!p.failed)
                check_stats();
        p.side.now_ns += (uint64_t)(p.at % 7) * 400000000;
        for (unsigned s = 0; s < p.state_count; s++)
                oracle_advance(p.states[s], p.side.now_ns);
}

static void reset(void) {
        check();
        if (p.failed || !p.side.drain)
                return;
        books_reset(p.side.books, p.side.now_ns);
        for (unsigned s = 0; s < p.state_count; s++)
                oracle_reset(p.states[s]);
        look(false);
}

/* ---------------------------------------------------------------------------------------------------- blocks -- */

/* The dead are buried first: else it would happen somewhere within the block. */
static void settle_dead(void) {
        if (!p.side.drain)
                return;
        drain();
        if (!p.failed && drain_settle(p.side.drain, p.side.now_ns) < 0)
                fail("expelled: %s\n", drain_fault(p.side.drain));
        for (unsigned s = 0; s < p.state_count; s++) {
                oracle_drain(p.states[s]);
                oracle_settle(p.states[s]);
        }
}

/* Collects what follows up to the join.  Returns the index after it. */
static uint32_t collect(uint32_t at, bool in_turn) {
        struct record *r = p.record;
        uint32_t turn = 0;

        for (unsigned t = 0; t < SCHEDULE_THREADS; t++)
                p.actors[t].n = 0;
        for (; at < r->count && r->actions[at].act != ACT_JOIN; at++) {
                struct action *a = &r->actions[at];
                struct actor *actor = &p.actors[a->thread];

                if (a->act >= ACT_END || actor->n == ACTOR_CALLS)
                        continue;
                start(a->thread);
                actor->calls[actor->n].turn = in_turn ? ++turn : 0;
                actor->calls[actor->n++].action = a;
        }
        return at < r->count ? at + 1 : at;
}

static void run_block(void) {
        unsigned running = 0;

        for (unsigned t = 0; t < SCHEDULE_THREADS; t++)
                if (p.actors[t].n && p.actors[t].runs) {
                        actor_go(&p.actors[t]);
                        running |= 1u << t;
                }
        while (running && !p.failed) {
                drain();
                if (!p.failed && drain_settle(p.side.drain, p.side.now_ns) < 0)
                        fail("expelled: %s\n", drain_fault(p.side.drain));
                for (unsigned t = 0; t < SCHEDULE_THREADS; t++)
                        if (running & 1u << t && actor_is_done(&p.actors[t]))
                                running &= ~(1u << t);
        }
        for (unsigned t = 0; t < SCHEDULE_THREADS; t++)
                if (running & 1u << t)
                        actor_await(&p.actors[t]);
}

/* Thread by thread: the order does not matter. */
static void apply_all(void) {
        struct outcome out;

        for (unsigned t = 0; t < SCHEDULE_THREADS; t++)
                for (uint32_t i = 0; i < p.actors[t].n && !p.failed; i++) {
                        resolve(&p.actors[t].calls[i], &out);
                        apply(p.actors[t].calls[i].action, &out);
                }
}

/* All orders of what two threads did, from one state. */
static void interleave(const struct oracle *from, struct actor *a, uint32_t i, struct actor *b, uint32_t j,
                       struct oracle **results, unsigned *n) {
        struct actor *const who[2] = {a, b};
        const uint32_t next[2] = {i, j};

        if (i == a->n && j == b->n) {
                if (*n < ORDERS_MAX) {
                        results[*n] = malloc(sizeof **results);
                        memcpy(results[(*n)++], from, sizeof *from);
                } else {
                        fail("more orders than there is room for\n");
                }
                return;
        }
        for (int variant = 0; variant < 4; variant++) {
                int k = variant & 1;
                bool (*play_call)(struct oracle *, const struct action *,
                                  const struct outcome *) = variant & 2 ? oracle_apply_blind : oracle_apply;
                struct oracle *after;
                struct outcome out;

                if (next[k] == who[k]->n)
                        continue;
                after = malloc(sizeof *after);
                memcpy(after, from, sizeof *after);
                resolve(&who[k]->calls[next[k]], &out);
                if (play_call(after, who[k]->calls[next[k]].action, &out))
                        interleave(after, a, i + (k == 0), b, j + (k == 1), results, n);
                free(after);
        }
}

/* In the order in which they were called. */
static void apply_in_turn(void) {
        uint32_t at[SCHEDULE_THREADS] = {0}, turn = 0;
        bool found = true;

        while (found && !p.failed) {
                found = false;
                turn++;
                for (unsigned t = 0; t < SCHEDULE_THREADS && !found; t++) {
                        struct actor *actor = &p.actors[t];
                        struct outcome out;

                        if (at[t] == actor->n || actor->calls[at[t]].turn != turn)
                                continue;
                        resolve(&actor->calls[at[t]], &out);
                        for (unsigned s = 0; s < p.state_count; s++)
                                p.states[s]->hazards[HAZARD_CLOSE_OVERTAKES] += actor->calls[at[t]].action->act ==
                                                                                ACT_CLOSE;
                        apply(actor->calls[at[t]++].action, &out);
                        found = true;
                }
        }
}

static void race(void) {
        static struct oracle *results[ORDERS_MAX];
        struct actor *two[2] = {NULL, NULL};
        unsigned n = 0, k = 0;
        uint64_t exits = 0, closes = 0;

        run_block();
        for (unsigned t = 0; t < SCHEDULE_THREADS; t++)
                if (p.actors[t].n && k < 2)
                        two[k++] = &p.actors[t];
        if (!k)
                return;
        if (k == 1) { /* a part of a race, in a shortened schedule */
                apply_all();
                return;
        }
        for (uint32_t i = 0; i < two[0]->n + two[1]->n; i++) {
                const struct action *a = i < two[0]->n ? two[0]->calls[i].action : two[1]->calls[i - two[0]->n].action;

                exits += a->act == ACT_EXIT;
                closes += a->act == ACT_CLOSE;
        }
        for (unsigned s = 0; s < p.state_count; s++) {
                oracle_begin_race(p.states[s]);
                interleave(p.states[s], two[0], 0, two[1], 0, results, &n);
        }
        for (unsigned s = 0; s < n; s++)
                oracle_end_race(results[s]);
        if (!n) {
                fail("action %u: no order of these calls allows what they came back with\n", p.at);
                return;
        }
        for (unsigned s = 0; s < p.state_count; s++)
                free(p.states[s]);
        memcpy(p.states, results, n * sizeof results[0]);
        p.state_count = n;
        for (unsigned s = 0; s < n; s++) {
                p.states[s]->hazards[HAZARD_RACE]++;
                p.states[s]->hazards[HAZARD_CLOSE_OVERTAKES] += exits && closes;
        }
}

/* ------------------------------------------------------------------------------------------------------ steps -- */

static void step(struct action *a) {
        struct actor *actor = &p.actors[a->thread];
        struct outcome out = {0};

        start(a->thread);
        if (p.failed)
                return;
        if (a->act == ACT_END) {
                actor_stop(&p.actors[a->thread]);
        } else {
                actor->calls[0].action = a;
                actor->calls[0].turn = 0;
                actor->n = 1;
                actor_go(actor);
                actor_await(actor);
                resolve(&actor->calls[0], &out);
        }
        apply(a, &out);
}

/* Plays action `at`, or the block that begins there.  Returns where to go on. */
static uint32_t play_one(uint32_t at) {
        struct action *a = &p.record->actions[at];
        uint32_t next = at + 1;
        enum act act = a->act;

        p.at = at;
        if (act == ACT_RACE && p.state_count > RIVALS_MAX)
                act = ACT_RELAY;
        switch (act) {
        case ACT_DRAIN:
                drain();
                for (unsigned s = 0; s < p.state_count && p.side.drain; s++)
                        oracle_drain(p.states[s]);
                break;
        case ACT_CHECK:
                check();
                break;
        case ACT_RESET:
                reset();
                break;
        case ACT_PARALLEL:
                settle_dead();
                next = collect(next, false);
                run_block();
                apply_all();
                break;
        case ACT_RACE:
                settle_dead();
                next = collect(next, false);
                race();
                break;
        case ACT_RELAY:
                settle_dead();
                next = collect(next, true);
                actors_line_up();
                run_block();
                apply_in_turn();
                break;
        case ACT_JOIN:
                break;
        default:
                step(a);
        }
        return next;
}

static void finish(void) {
        if (!p.side.drain)
                return;
        check();
        if (p.failed)
                return;
        if (drain_finish(p.side.drain, p.side.now_ns) < 0) {
                fail("expelled at the end: %s\n", drain_fault(p.side.drain));
                return;
        }
        for (unsigned s = 0; s < p.state_count; s++)
                oracle_finish(p.states[s]);
        look(false);
}

bool play(struct record *record) {
        bool is_new = !record->count;

        p.record = record;
        p.dice.state = record->setup.seed;
        for (uint32_t i = 0; i < record->count; i++)
                if (record->actions[i].span > p.spans)
                        p.spans = record->actions[i].span;
        actors_init();
        if (side_init(&p.side) < 0) {
                fail("the collector's side could not begin\n");
                return false;
        }
        p.states[0] = malloc(sizeof *p.states[0]);
        p.state_count = 1;
        oracle_init(p.states[0], &record->setup, p.side.now_ns);
        for (uint32_t at = 0; !p.failed;) {
                if (is_new && at == record->count) {
                        if (at >= record->setup.length || at + 1100 > SCHEDULE_ACTIONS ||
                            p.spans + 1100 > SCHEDULE_SPANS)
                                break;
                        record->count += schedule_next(&p.dice, p.states[0], &p.spans, &record->actions[at], 1100);
                }
                if (at >= record->count)
                        break;
                at = play_one(at);
        }
        if (!p.failed)
                finish();
        memcpy(record->hazards, p.states[0]->hazards, sizeof record->hazards);
        if (p.side.books) {
                struct books_process_row row;

                books_process_row(p.side.books, &row);
                record->evicted = row.evicted;
        }
        for (unsigned t = 0; t < SCHEDULE_THREADS; t++)
                actor_stop(&p.actors[t]);
        side_deinit(&p.side);
        return !p.failed;
}
