/* SPDX-License-Identifier: MIT */
/*
 * The threads of a played program: each runs its list of actions through the real library, and records the results.
 *
 * Threads: actor_go() hands the list over, actor_await() or actor_is_done() takes it back; in between it is the actor's.
 */
#pragma once

#include <pthread.h>
#include <semaphore.h>

#include "tests/model/oracle.h"

#define ACTOR_CALLS 1024u

struct actor_call {
        struct action *action;
        struct outcome outcome;
        uint32_t turn;    /* it waits until so many calls of the relay are done; 0: it does not wait */
        uint64_t current; /* ACT_CURRENT: the instance that it returned */
};

struct actor {
        pthread_t thread;
        sem_t go, done;
        unsigned slot;
        bool runs, quits, counts_first;
        const char *socket; /* to attach to before anything else; NULL: attached already */
        int attach_error;
        uint32_t lane;
        uint32_t n;
        struct actor_call calls[ACTOR_CALLS];
};

/* What the thread that attaches counts before it does so. */
extern const uint64_t actor_before[4];

void actors_init(void);
/* A relay begins: no call of it is done. */
void actors_line_up(void);
/* Begins a thread for `slot`; it gets its lane by counting, or by a call.  Then actor_await().  False: no thread. */
bool actor_start(struct actor *actor, unsigned slot, const char *socket, bool counts_first);
void actor_go(struct actor *actor);
bool actor_is_done(struct actor *actor);
void actor_await(struct actor *actor);
void actor_stop(struct actor *actor);
/* The instance of each span, once it was opened; and the span of an instance: 0 none, UINT32_MAX not of this
 * schedule. */
const uint64_t *actor_instances(void);
uint32_t actor_span_of(uint64_t instance, uint32_t spans);
