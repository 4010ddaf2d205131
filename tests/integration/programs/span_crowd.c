/* SPDX-License-Identifier: MIT */
/*
 * One of a crowd: threads that open, enter, exit and close spans as fast as they can, a tenth of which begin on one
 * thread and go on, or end, on another; with counters of its own, so that the sums are known exactly.
 *
 *     span_crowd THREADS PAIRS [LEDGER]
 *
 * LEDGER is a file of struct ledger, shared with the test: while the program runs, it holds the least number of records
 * written so far, and with PAIRS 0 the test stops the program by it.
 *
 * A pair is an enter with its exit.  Prints the expected books, one line: a name and its numbers (closed cycles
 * alloc_count alloc_bytes dealloc_count dealloc_bytes migrated), then how often the rings wrapped at least, then waits
 * for the end of its stdin.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

static _Thread_local struct spanalloc_counters now;

static void snapshot(struct spanalloc_counters *out) {
        *out = now;
}

struct sums {
        unsigned long closed, cycles, allocs, bytes, frees, freed, migrated;
};

/* A span on its way to the next thread. */
struct parcel {
        spanalloc_span span;
        int is_entered; /* entered by the sender, to be exited by the receiver */
};

struct thread {
        pthread_t thread;
        unsigned number, pairs;
        struct sums local, handed, inner;
        pthread_mutex_t lock;
        struct parcel parcels[64];
        unsigned count;
};

static struct ledger {
        _Atomic unsigned long stop;
        unsigned long pad[7];
        struct {
                _Atomic unsigned long records;
                unsigned long pad[7];
        } threads[64];
} * ledger;

static struct thread threads[64];
static unsigned thread_count;
static atomic_uint finished;

SPANALLOC_SITE(handed_site, "handed");

static void spend(struct sums *sums, unsigned allocs) {
        now.alloc_count += allocs;
        now.alloc_bytes += 3 * allocs;
        now.dealloc_count += allocs / 2;
        now.dealloc_bytes += allocs;
        sums->allocs += allocs;
        sums->bytes += 3 * allocs;
        sums->frees += allocs / 2;
        sums->freed += allocs;
}

/* A scope in a scope: two pairs. */
static void work_here(struct thread *t, unsigned i) {
        struct sums before = t->inner;
        SPANALLOC_SCOPE("local");

        spend(&t->local, 1 + i % 5);
        {
                SPANALLOC_SCOPE("inner");
                spend(&t->inner, 1 + i % 3);
        }
        t->inner.closed++;
        t->inner.cycles++;
        t->local.closed++;
        t->local.cycles++;
        /* local's total has inner's in it */
        t->local.allocs += t->inner.allocs - before.allocs;
        t->local.bytes += t->inner.bytes - before.bytes;
        t->local.frees += t->inner.frees - before.frees;
        t->local.freed += t->inner.freed - before.freed;
}

static int give(struct thread *to, struct parcel parcel) {
        int given;

        pthread_mutex_lock(&to->lock);
        given = to->count < 64;
        if (given)
                to->parcels[to->count++] = parcel;
        pthread_mutex_unlock(&to->lock);
        return given;
}

static int take(struct thread *t, struct parcel *parcel) {
        int taken;

        pthread_mutex_lock(&t->lock);
        taken = t->count > 0;
        if (taken)
                *parcel = t->parcels[--t->count];
        pthread_mutex_unlock(&t->lock);
        return taken;
}

static void finish(struct thread *t, struct parcel parcel) {
        if (parcel.is_entered) { /* exit here what was entered there */
                spanalloc_exit(parcel.span);
        } else { /* a second cycle, on this thread */
                spanalloc_enter(parcel.span);
                spend(&t->handed, 2);
                spanalloc_exit(parcel.span);
                t->handed.cycles++;
        }
        spanalloc_close(parcel.span);
        t->handed.closed++;
}

/* The first cycle is the sender's; every other one is left entered, and the sender spends nothing until its next
 * call, so what it counts does not depend on when the other thread exits. */
static void hand_over(struct thread *t, unsigned i) {
        struct parcel parcel = {spanalloc_open(&handed_site), (int)(i & 1)};

        spanalloc_enter(parcel.span);
        spend(&t->handed, 4);
        if (!parcel.is_entered)
                spanalloc_exit(parcel.span);
        t->handed.cycles++;
        if (!give(&threads[(t->number + 1 + i % (thread_count - 1)) % thread_count], parcel)) {
                parcel.is_entered ? spanalloc_exit(parcel.span) : (void)0;
                spanalloc_close(parcel.span);
                t->handed.closed++;
        } else if (parcel.is_entered) {
                t->handed.migrated++;
                /* Until the receiver has exited it, what this thread does next would run inside it: wait. */
                for (int waiting = 1, tries = 0; waiting;) {
                        struct parcel other;

                        if (take(t, &other))
                                finish(t, other);
                        waiting = spanalloc_current().instance == parcel.span.instance;
                        if (waiting)
                                usleep(50 << (tries < 6 ? tries++ : 6));
                }
        }
}

static void *run(void *userdata) {
        struct thread *t = userdata;
        struct parcel parcel;

        for (unsigned i = 0; t->pairs ? i < t->pairs : !atomic_load(&ledger->stop); i += 2) {
                if (i % 20 == 0)
                        hand_over(t, i / 20);
                else
                        work_here(t, i);
                if (i % 40 == 0 && take(t, &parcel))
                        finish(t, parcel);
                if (ledger)
                        atomic_fetch_add_explicit(&ledger->threads[t->number].records, 4, memory_order_relaxed);
        }
        /* Others may still wait for us. */
        atomic_fetch_add(&finished, 1);
        while (atomic_load(&finished) < thread_count)
                if (take(t, &parcel))
                        finish(t, parcel);
                else
                        usleep(500);
        while (take(t, &parcel))
                finish(t, parcel);
        return NULL;
}

static void print(const char *name, size_t offset) {
        struct sums sum = {0};

        for (unsigned i = 0; i < thread_count; i++) {
                const struct sums *s = (const void *)((const char *)&threads[i] + offset);

                sum.closed += s->closed;
                sum.cycles += s->cycles;
                sum.allocs += s->allocs;
                sum.bytes += s->bytes;
                sum.frees += s->frees;
                sum.freed += s->freed;
                sum.migrated += s->migrated;
        }
        printf("%s %lu %lu %lu %lu %lu %lu %lu\n", name, sum.closed, sum.cycles, sum.allocs, sum.bytes, sum.frees,
               sum.freed, sum.migrated);
}

static struct ledger *open_ledger(const char *path) {
        int fd = open(path, O_RDWR | O_CREAT, 0600);
        void *p;

        if (fd < 0 || ftruncate(fd, sizeof *ledger) < 0)
                return NULL;
        p = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        close(fd);
        return p == MAP_FAILED ? NULL : p;
}

int main(int argc, char **argv) {
        unsigned pairs = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
        struct spanalloc_stats stats = {.size = sizeof stats};

        thread_count = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
        if (argc > 3)
                ledger = open_ledger(argv[3]);
        if (thread_count < 2 || thread_count > 64 || (!pairs && !ledger))
                return 2;
        if (spanalloc_set_snapshot(snapshot) != 0 || spanalloc_attach(NULL) != 0)
                return 1;
        for (unsigned i = 0; i < thread_count; i++) {
                pthread_mutex_init(&threads[i].lock, NULL);
                threads[i].number = i;
                threads[i].pairs = pairs;
        }
        for (unsigned i = 0; i < thread_count; i++)
                pthread_create(&threads[i].thread, NULL, run, &threads[i]);
        for (unsigned i = 0; i < thread_count; i++)
                pthread_join(threads[i].thread, NULL);
        spanalloc_stats(&stats);
        print("local", offsetof(struct thread, local));
        print("inner", offsetof(struct thread, inner));
        print("handed", offsetof(struct thread, handed));
        printf("refused %lu\n", (unsigned long)(stats.refused_enters + stats.refused_opens + stats.refused_closes +
                                                stats.refused_depth + stats.unmatched_exits + stats.nested));
        puts("done");
        fflush(stdout);
        while (getchar() != EOF)
                ;
        return 0;
}
