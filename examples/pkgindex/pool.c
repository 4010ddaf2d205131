/* SPDX-License-Identifier: MIT */
#include "pool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "jobs.h"

enum {
        QUERY_EVERY = 4, /* files */
        THINK_MAX_NS = 100000000,
};

static uint64_t now_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void pool_post(struct pool *pool, unsigned worker, struct message message) {
        struct message *copy = malloc(sizeof *copy);
        struct worker *to = &pool->workers[worker];

        if (!copy)
                abort();
        *copy = message;
        copy->next = NULL;
        pthread_mutex_lock(&pool->lock);
        *to->last = copy;
        to->last = &copy->next;
        pthread_cond_broadcast(&pool->news);
        pthread_mutex_unlock(&pool->lock);
}

void pool_begin_work(struct pool *pool) {
        pthread_mutex_lock(&pool->lock);
        pool->in_flight++;
        pthread_mutex_unlock(&pool->lock);
}

void pool_end_work(struct pool *pool) {
        pthread_mutex_lock(&pool->lock);
        pool->in_flight--;
        pthread_cond_broadcast(&pool->news);
        pthread_mutex_unlock(&pool->lock);
}

static bool is_over(const struct pool *pool) {
        if (atomic_load(&pool->stop))
                return true;
        if (pool->rounds && pool->files_taken >= pool->rounds * pool->corpus->count)
                return true;
        return pool->deadline_ns && now_ns() >= pool->deadline_ns;
}

/* Waits for work: a message, or else a new file while not too much is under way.  False: there will be none. */
static bool next_work(struct worker *worker, struct message **ret_message, const char **ret_file) {
        struct pool *pool = worker->pool;
        bool found = true;

        *ret_message = NULL;
        *ret_file = NULL;
        pthread_mutex_lock(&pool->lock);
        for (;;) {
                if (worker->first) {
                        *ret_message = worker->first;
                        worker->first = worker->first->next;
                        if (!worker->first)
                                worker->last = &worker->first;
                        break;
                }
                if (is_over(pool)) {
                        found = pool->in_flight > 0;
                        if (!found)
                                break;
                } else if (pool->in_flight < 4 * pool->workers_count) {
                        *ret_file = pool->corpus->files[pool->files_taken++ % pool->corpus->count];
                        pool->in_flight++;
                        break;
                }
                pthread_cond_wait(&pool->news, &pool->lock);
        }
        pthread_mutex_unlock(&pool->lock);
        return found;
}

/* So that each worker takes its share of a core and no more. */
static void think(const struct pool *pool, uint64_t busy_ns) {
        uint64_t ns = busy_ns * (100 - pool->pace) / pool->pace;

        if (ns > THINK_MAX_NS)
                ns = THINK_MAX_NS;
        nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

static void *work(void *userdata) {
        struct worker *worker = userdata;
        struct message *message;
        const char *file;
        char name[16];

        snprintf(name, sizeof name, "worker-%u", worker->number);
        pthread_setname_np(pthread_self(), name);
        while (next_work(worker, &message, &file)) {
                uint64_t begun_ns = now_ns();

                if (file) {
                        job_begin(worker, file);
                        if (++worker->jobs % QUERY_EVERY == 0)
                                query_begin(worker);
                } else if (message->job) {
                        job_go_on(worker, message->job);
                } else {
                        query_go_on(worker, message->query);
                }
                free(message);
                think(worker->pool, now_ns() - begun_ns);
        }
        return NULL;
}

static int start(struct pool *pool, unsigned number) {
        struct worker *worker = &pool->workers[number];

        worker->pool = pool;
        worker->number = number;
        worker->last = &worker->first;
        if (store_new(&worker->store) < 0) {
                fprintf(stderr, "pkgindex: cannot make a database: %s\n", store_error(worker->store));
                return -EIO;
        }
        return 0;
}

int pool_run(struct pool *pool) {
        unsigned running = 0;
        int r = 0;

        pthread_mutex_init(&pool->lock, NULL);
        pthread_cond_init(&pool->news, NULL);
        for (unsigned i = 0; r == 0 && i < pool->workers_count; i++)
                r = start(pool, i);
        for (; r == 0 && running < pool->workers_count; running++) {
                r = -pthread_create(&pool->workers[running].thread, NULL, work, &pool->workers[running]);
                if (r < 0)
                        break;
        }
        if (r < 0)
                atomic_store(&pool->stop, true);
        while (running > 0)
                pthread_join(pool->workers[--running].thread, NULL);
        for (unsigned i = 0; i < pool->workers_count; i++)
                store_free(pool->workers[i].store);
        pthread_cond_destroy(&pool->news);
        pthread_mutex_destroy(&pool->lock);
        return r;
}
