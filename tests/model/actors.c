/* SPDX-License-Identifier: MIT */
/* See actors.h. */
#include "tests/model/actors.h"
#include "shm/span.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "client/process/counting.h"
#include "spanalloc/spanalloc.h"

const uint64_t actor_before[4] = {7, 700, 5, 300};

static spanalloc_site sites[SCHEDULE_NAMES];
static char site_names[SCHEDULE_NAMES][8];

static spanalloc_span handles[SCHEDULE_SPANS]; /* of all */
static spanalloc_span scopes[SCHEDULE_SPANS];  /* of scopes, for their own end */
static spanalloc_span shared[SCHEDULE_SPANS];  /* for calls of any thread: a scope's only once it was read */
static uint64_t instances[SCHEDULE_SPANS];
static struct spanalloc_stack stacks[SCHEDULE_STACKS];

static struct spanalloc_stack *stack_of(uint32_t i) {
        return i && i < SCHEDULE_STACKS ? &stacks[i] : NULL;
}

void actors_init(void) {
        for (unsigned i = 1; i < SCHEDULE_NAMES; i++) {
                snprintf(site_names[i], sizeof site_names[i], "n%u", i);
                sites[i] = (spanalloc_site){
                        .abi = SPANALLOC_ABI, .name = site_names[i], .file = "program.c", .line = i};
        }
}

static void count(const uint64_t n[4]) {
        _Atomic uint64_t *counters = sa_counters();

        for (int i = 0; i < 4; i++)
                sa_bump(&counters[i], n[i]);
}

static _Atomic uint32_t turns; /* calls of a relay that are done, and one */

void actors_line_up(void) {
        atomic_store(&turns, 1);
}

static void perform(struct actor_call *call) {
        const struct action *a = call->action;
        struct shm_refused before, after;
        uint64_t head;
        bool opens = a->act == ACT_OPEN || a->act == ACT_OPEN_UNDER || a->act == ACT_SCOPE;
        spanalloc_span span = shared[a->span];

        before = sa_self.lane->refused;
        head = sa_self.lane->head;
        switch ((enum act)a->act) {
        case ACT_WORK:
                count(a->n);
                break;
        case ACT_OPEN:
                handles[a->span] = shared[a->span] = spanalloc_open(&sites[a->name]);
                break;
        case ACT_OPEN_UNDER:
                handles[a->span] = shared[a->span] = spanalloc_open_under(&sites[a->name], handles[a->parent]);
                break;
        case ACT_SCOPE:
                handles[a->span] = scopes[a->span] = spanalloc_scope_begin(&sites[a->name]);
                break;
        case ACT_SCOPE_END:
                spanalloc_scope_end(scopes[a->span]);
                break;
        case ACT_ENTER:
                spanalloc_enter(span);
                break;
        case ACT_EXIT:
                spanalloc_exit(span);
                break;
        case ACT_CLOSE:
                spanalloc_close(span);
                break;
        case ACT_CURRENT:
                span = spanalloc_current();
                call->current = span.instance;
                for (uint32_t i = 1; span.instance && i < SCHEDULE_SPANS; i++)
                        if (handles[i].instance == span.instance)
                                shared[i] = span;
                break;
        case ACT_SWITCH:
                spanalloc_stack_switch(stack_of(a->span), stack_of(a->parent));
                break;
        default:
                break;
        }
        after = sa_self.lane->refused;
        call->outcome = (struct outcome){
                .refused_enters = after.enters - before.enters,
                .refused_depth = after.enters_depth - before.enters_depth,
                .refused_opens = after.opens - before.opens,
                .refused_closes = after.closes - before.closes,
                .unmatched = after.exits - before.exits,
                .lane = shm_span_lane(sa_self.lane->next_instance),
                .none = opens && !handles[a->span].instance,
                .overflowed = a->act == ACT_CLOSE && span.instance && sa_self.lane->head == head &&
                              after.closes == before.closes,
        };
        if (opens)
                instances[a->span] = handles[a->span].instance;
}

static void *work(void *userdata) {
        struct actor *actor = userdata;
        char name[16];

        snprintf(name, sizeof name, "t%u", actor->slot);
        pthread_setname_np(pthread_self(), name);
        if (actor->socket) {
                const struct spanalloc_options options = {.size = sizeof options, .socket = actor->socket};

                count(actor_before);
                actor->attach_error = spanalloc_attach(&options);
        }
        if (actor->counts_first)
                sa_counters();
        else
                spanalloc_current();
        actor->lane = shm_span_lane(sa_self.lane->next_instance);
        sem_post(&actor->done);
        for (;;) {
                while (sem_wait(&actor->go) < 0)
                        ;
                if (actor->quits)
                        return NULL;
                for (uint32_t i = 0; i < actor->n; i++) {
                        while (actor->calls[i].turn && atomic_load(&turns) != actor->calls[i].turn)
                                sched_yield();
                        perform(&actor->calls[i]);
                        if (actor->calls[i].turn)
                                atomic_fetch_add(&turns, 1);
                }
                sem_post(&actor->done);
        }
}

bool actor_start(struct actor *actor, unsigned slot, const char *socket, bool counts_first) {
        memset(actor, 0, sizeof *actor);
        actor->slot = slot;
        actor->socket = socket;
        actor->counts_first = counts_first;
        sem_init(&actor->go, 0, 0);
        sem_init(&actor->done, 0, 0);
        actor->runs = pthread_create(&actor->thread, NULL, work, actor) == 0;
        return actor->runs;
}

void actor_go(struct actor *actor) {
        sem_post(&actor->go);
}

bool actor_is_done(struct actor *actor) {
        return sem_trywait(&actor->done) == 0;
}

void actor_await(struct actor *actor) {
        while (sem_wait(&actor->done) < 0)
                ;
}

void actor_stop(struct actor *actor) {
        if (!actor->runs)
                return;
        actor->quits = true;
        sem_post(&actor->go);
        pthread_join(actor->thread, NULL);
        actor->runs = false;
}

const uint64_t *actor_instances(void) {
        return instances;
}

uint32_t actor_span_of(uint64_t instance, uint32_t spans) {
        for (uint32_t i = 1; instance && i <= spans; i++)
                if (instances[i] == instance)
                        return i;
        return instance ? UINT32_MAX : 0;
}
