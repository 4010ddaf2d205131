/* SPDX-License-Identifier: MIT */
/*
 * The workers and their input: new files from the corpus, and messages from other workers.
 *
 * Each worker owns one database, and only it uses that.  So a file's job begins on any free worker and goes on with the
 * owner of the package's database.  A query goes to all workers.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "corpus.h"
#include "store.h"

enum { WORKERS_MAX = 64 };

struct job;
struct query;

/* One of the two. */
struct message {
        struct message *next;
        struct job *job;
        struct query *query;
};

struct worker {
        struct pool *pool;
        unsigned number;
        pthread_t thread;
        struct store *store;
        struct message *first, **last; /* under the pool's lock */
        unsigned jobs;
};

struct pool {
        const struct corpus *corpus;
        unsigned workers_count;
        unsigned pace;        /* per cent of a core for each worker */
        unsigned rounds;      /* through the corpus; 0: until the deadline */
        uint64_t deadline_ns; /* monotonic; 0: none */
        bool verbose;

        pthread_mutex_t lock;
        pthread_cond_t news;
        size_t files_taken, in_flight;

        atomic_bool stop; /* set from a signal handler */
        atomic_ulong files, entries, bytes, queries, hits, bad_files, failures;
        struct worker workers[WORKERS_MAX];
};

/* The caller has filled in the settings.  Returns when all is done: 0 or -errno. */
int pool_run(struct pool *pool);

/* For jobs. */
void pool_post(struct pool *pool, unsigned worker, struct message message);
void pool_begin_work(struct pool *pool); /* one more job or query begins */
void pool_end_work(struct pool *pool);   /* a job or query is done */
