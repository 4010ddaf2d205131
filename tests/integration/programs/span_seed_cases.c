/* SPDX-License-Identifier: MIT */
/*
 * What the tracing layer's arithmetic gets wrong, done for real: each case of that table (docs/semantics.md) with real
 * allocations, and a ledger of what it must have cost.
 *
 *     span_seed_cases
 *
 * Says "ready" and waits for a line; goes through the cases, whose producer's blocks are then still live, says "live" and
 * waits again; frees them on another thread, prints the ledger, one line for each span name (name, allocations, their
 * usable bytes, frees, theirs), then what else is to be known (migrations), says "done" and waits for the end of stdin.
 */
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <spanalloc/spanalloc.h>

enum { BLOCK = 100 };

struct ledger {
        unsigned long allocs, bytes, frees, freed;
};

/* Through volatile pointers: a compiler may drop an allocation that it sees the end of. */
static void *(*volatile do_malloc)(size_t) = malloc;
static void (*volatile do_free)(void *) = free;

static void *take(struct ledger *ledger, size_t size) {
        void *block = do_malloc(size);

        if (!block)
                abort();
        ledger->allocs++;
        ledger->bytes += malloc_usable_size(block);
        return block;
}

static void drop(struct ledger *ledger, void *block) {
        ledger->frees++;
        ledger->freed += malloc_usable_size(block);
        do_free(block);
}

static void take_many(struct ledger *ledger, unsigned times) {
        while (times--)
                take(ledger, BLOCK);
}

/* Makes the calling thread an old, busy one, whose counters are far from a fresh thread's. */
static void be_busy(void) {
        struct ledger nobody = {0};

        for (int i = 0; i < 300000; i++)
                drop(&nobody, take(&nobody, 1000));
}

static void post(sem_t *sem) {
        if (sem_post(sem) < 0)
                abort();
}

static void await(sem_t *sem) {
        while (sem_wait(sem) < 0)
                ;
}

static pthread_t start(void *(*fn)(void *), void *userdata) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, fn, userdata) != 0)
                abort();
        return thread;
}

/* Two threads that take turns. */
static sem_t to_a, to_b;
static spanalloc_span span;

/* --------------------------------------------------------------------- enter on thread A, exit on B, and reversed -- */

static struct ledger xthread, xthread_rev;

static void *exit_as_busy(void *unused) {
        (void)unused;
        be_busy();
        post(&to_a);
        await(&to_b);
        spanalloc_exit(span);
        post(&to_a);
        return NULL;
}

static void *exit_as_fresh(void *unused) {
        (void)unused;
        await(&to_b);
        spanalloc_exit(span);
        post(&to_a);
        return NULL;
}

SPANALLOC_SITE(xthread_site, "xthread");
SPANALLOC_SITE(xthread_rev_site, "xthread_rev");

/* The cycle ends with A's first call after B's exit; so here A makes one at once. */
static void end_of_cycle(void) {
        if (spanalloc_current().instance)
                abort();
}

static void *fresh_a(void *unused) {
        struct ledger outside = {0};

        (void)unused;
        span = spanalloc_open(&xthread_site);
        spanalloc_enter(span);
        take(&xthread, BLOCK);
        post(&to_b);
        await(&to_a);
        end_of_cycle();
        take_many(&outside, 10);
        spanalloc_close(span);
        return NULL;
}

static void *busy_a(void *unused) {
        (void)unused;
        be_busy();
        span = spanalloc_open(&xthread_rev_site);
        spanalloc_enter(span);
        take_many(&xthread_rev, 500);
        post(&to_b);
        await(&to_a);
        end_of_cycle();
        spanalloc_close(span);
        return NULL;
}

static void exit_on_another_thread(void) {
        pthread_t a, b = start(exit_as_busy, NULL);

        await(&to_a);
        a = start(fresh_a, NULL);
        pthread_join(a, NULL);
        pthread_join(b, NULL);

        b = start(exit_as_fresh, NULL);
        a = start(busy_a, NULL);
        pthread_join(a, NULL);
        pthread_join(b, NULL);
}

/* ------------------------------------------------------------------------------ one span entered on two threads -- */

static struct ledger shared, shared_b;
SPANALLOC_SITE(shared_site, "shared");

static void *second_in_shared(void *unused) {
        (void)unused;
        await(&to_b);
        spanalloc_enter(span);
        post(&to_a);
        await(&to_b);
        take_many(&shared_b, 3);
        spanalloc_exit(span);
        post(&to_a);
        return NULL;
}

static void *first_in_shared(void *unused) {
        (void)unused;
        be_busy();
        span = spanalloc_open(&shared_site);
        spanalloc_enter(span);
        post(&to_b);
        await(&to_a);
        take_many(&shared, 2);
        spanalloc_exit(span); /* while the other is still in it */
        post(&to_b);
        await(&to_a);
        spanalloc_close(span);
        return NULL;
}

static void shared_by_two(void) {
        pthread_t b = start(second_in_shared, NULL), a = start(first_in_shared, NULL);

        pthread_join(a, NULL);
        pthread_join(b, NULL);
        shared.allocs += shared_b.allocs;
        shared.bytes += shared_b.bytes;
}

/* ---------------------------------------------------------------------------------------------- on one thread -- */

static struct ledger recursive, parent, child;
SPANALLOC_SITE(recursive_site, "recursive");
SPANALLOC_SITE(parent_site, "parent");
SPANALLOC_SITE(child_site, "child");
SPANALLOC_SITE(empty_site, "empty");

static void re_entered(void) {
        spanalloc_span s = spanalloc_open(&recursive_site);

        spanalloc_enter(s);
        take_many(&recursive, 100);
        spanalloc_enter(s);
        take_many(&recursive, 1);
        spanalloc_exit(s);
        take_many(&recursive, 100);
        spanalloc_exit(s);
        spanalloc_close(s);
}

static void nested(void) {
        spanalloc_span p = spanalloc_open(&parent_site), c;

        spanalloc_enter(p);
        take_many(&parent, 10);
        c = spanalloc_open(&child_site);
        spanalloc_enter(c);
        take_many(&child, 100);
        spanalloc_exit(c);
        spanalloc_close(c);
        take_many(&parent, 5);
        spanalloc_exit(p);
        spanalloc_close(p);
}

static void empty_scope(void) {
        SPANALLOC_SCOPE("empty_child");
}

static void empty(void) {
        spanalloc_span s = spanalloc_open(&empty_site);

        for (int i = 0; i < 1000; i++) {
                spanalloc_enter(s);
                spanalloc_exit(s);
        }
        spanalloc_close(s);
        {
                SPANALLOC_SCOPE("empty_parent");
                for (int i = 0; i < 1000; i++)
                        empty_scope();
        }
}

/* ------------------------------------------------------------------------------------- freed by another thread -- */

static struct ledger producer, consumer;
SPANALLOC_SITE(producer_site, "producer");
SPANALLOC_SITE(consumer_site, "consumer");

static void **produce(void) {
        spanalloc_span s = spanalloc_open(&producer_site);
        void **blocks;

        spanalloc_enter(s);
        blocks = take(&producer, 24000);
        for (int i = 0; i < 1000; i++)
                blocks[i] = take(&producer, BLOCK);
        spanalloc_exit(s);
        spanalloc_close(s);
        return blocks;
}

static void *consume(void *userdata) {
        spanalloc_span s = spanalloc_open(&consumer_site);
        void **blocks = userdata;

        spanalloc_enter(s);
        for (int i = 0; i < 1000; i++)
                drop(&consumer, blocks[i]);
        drop(&consumer, blocks);
        spanalloc_exit(s);
        spanalloc_close(s);
        return NULL;
}

/* ---------------------------------------------------------------------------------- 100 spans closed elsewhere -- */

SPANALLOC_SITE(elsewhere_site, "elsewhere");

static void *exit_and_close(void *unused) {
        (void)unused;
        await(&to_b);
        spanalloc_exit(span);
        spanalloc_close(span);
        post(&to_a);
        return NULL;
}

static void closed_elsewhere(void) {
        for (int i = 0; i < 100; i++) {
                pthread_t b = start(exit_and_close, NULL);

                span = spanalloc_open(&elsewhere_site);
                spanalloc_enter(span);
                post(&to_b);
                await(&to_a);
                end_of_cycle();
                pthread_join(b, NULL);
        }
}

/* -------------------------------------------------------------------------- a future of 3000 polls that migrates -- */

enum { WORKERS = 4, POLLS = 3000, STAY = 26 };

static struct ledger future;
static unsigned polls, migrations;
static pthread_t *polled_by; /* the future's own vector: its first allocation, its last free */
static sem_t turn[WORKERS];
static atomic_int is_future_done;
SPANALLOC_SITE(future_site, "migrating");

/* Whether it is done.  3000 polls yield, and one more finds the end. */
static int poll_future(void) {
        if (!polls)
                polled_by = take(&future, 3001 * sizeof *polled_by);
        if (polls == POLLS) {
                drop(&future, polled_by);
                return 1;
        }
        polled_by[polls] = pthread_self();
        migrations += polls && !pthread_equal(polled_by[polls - 1], polled_by[polls]);
        drop(&future, take(&future, BLOCK));
        polls++;
        return 0;
}

static void *worker(void *userdata) {
        unsigned me = (unsigned)(size_t)userdata;
        struct ledger noise = {0};

        for (;;) {
                /* Other work of this thread, before and after. */
                for (unsigned i = 0; i < 10 * me; i++)
                        drop(&noise, take(&noise, 77));
                await(&turn[me]);
                if (atomic_load(&is_future_done))
                        return NULL;
                for (int i = 0; i < STAY && !atomic_load(&is_future_done); i++) {
                        SPANALLOC_SCOPE("executor");
                        spanalloc_enter(span);
                        if (poll_future()) {
                                atomic_store(&is_future_done, 1);
                                for (unsigned k = 0; k < WORKERS; k++)
                                        post(&turn[k]);
                        }
                        spanalloc_exit(span);
                        take(&noise, 77);
                }
                post(&turn[(me + 1) % WORKERS]);
        }
}

static void migrating_future(void) {
        pthread_t workers[WORKERS];

        span = spanalloc_open_under(&future_site, SPANALLOC_NONE);
        for (unsigned i = 0; i < WORKERS; i++) {
                sem_init(&turn[i], 0, 0);
                workers[i] = start(worker, (void *)(size_t)i);
        }
        post(&turn[0]);
        for (unsigned i = 0; i < WORKERS; i++)
                pthread_join(workers[i], NULL);
        spanalloc_close(span);
}

/* -------------------------------------------------------------------------------- one span in 4 concurrent tasks -- */

enum { TASKS = 4 };

static struct ledger fanout, of_task[TASKS];
static unsigned fanout_polls[TASKS];
static pthread_barrier_t all_there;
SPANALLOC_SITE(fanout_site, "fanout");

static void *task(void *userdata) {
        unsigned me = (unsigned)(size_t)userdata, random = 88172645u + me;

        pthread_barrier_wait(&all_there);
        fanout_polls[me] = 1;
        spanalloc_enter(span);
        for (int i = 0; i < 20000; i++) {
                drop(&of_task[me], take(&of_task[me], BLOCK));
                drop(&of_task[me], take(&of_task[me], BLOCK));
                random = random * 1103515245 + 12345;
                if (random >> 16 & 63)
                        continue;
                spanalloc_exit(span); /* yields */
                spanalloc_enter(span);
                fanout_polls[me]++;
        }
        spanalloc_exit(span);
        return NULL;
}

static void concurrent_tasks(void) {
        pthread_t tasks[TASKS];

        span = spanalloc_open(&fanout_site);
        pthread_barrier_init(&all_there, NULL, TASKS);
        for (unsigned i = 0; i < TASKS; i++)
                tasks[i] = start(task, (void *)(size_t)i);
        for (unsigned i = 0; i < TASKS; i++) {
                pthread_join(tasks[i], NULL);
                fanout.allocs += of_task[i].allocs;
                fanout.bytes += of_task[i].bytes;
                fanout.frees += of_task[i].frees;
                fanout.freed += of_task[i].freed;
        }
        spanalloc_close(span);
}

/* ------------------------------------------------------------------------------------------------------------------ */

static void print(const char *name, const struct ledger *l) {
        printf("%s %lu %lu %lu %lu\n", name, l->allocs, l->bytes, l->frees, l->freed);
}

static void print_all(void) {
        const struct ledger nothing = {0};

        print("xthread", &xthread);
        print("xthread_rev", &xthread_rev);
        print("shared", &shared);
        print("recursive", &recursive);
        print("parent", &parent); /* its own */
        print("child", &child);
        print("empty", &nothing);
        print("producer", &producer);
        print("consumer", &consumer);
        print("elsewhere", &nothing);
        print("migrating", &future);
        print("fanout", &fanout);
        printf("migrations %u\n", migrations);
        printf("fanout_polls %u\n", fanout_polls[0] + fanout_polls[1] + fanout_polls[2] + fanout_polls[3]);
        printf("usable %lu\n", xthread.bytes); /* of a block of 100 */
}

static void wait_line(const char *say) {
        char line[64];

        puts(say);
        fflush(stdout);
        if (!fgets(line, sizeof line, stdin))
                exit(1);
}

int main(void) {
        void **blocks;

        wait_line("ready");
        if (spanalloc_attach(NULL) != 0)
                return 1;
        sem_init(&to_a, 0, 0);
        sem_init(&to_b, 0, 0);
        exit_on_another_thread();
        shared_by_two();
        re_entered();
        nested();
        empty();
        closed_elsewhere();
        migrating_future();
        concurrent_tasks();
        blocks = produce();
        wait_line("live");
        pthread_join(start(consume, blocks), NULL);
        print_all();
        wait_line("done");
        return 0;
}
