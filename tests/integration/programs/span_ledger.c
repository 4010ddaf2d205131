/* SPDX-License-Identifier: MIT */
/*
 * Spans whose every block is in a ledger that the program keeps itself, for screens to be compared with.
 *
 *     span_ledger LEDGER SCALE [SPIN_MS]
 *
 * Does its work SCALE times, writes the file LEDGER, prints "ready", and stays so.  Then for each line that it reads it
 * does one request each SPIN_MS until the next line, writes LEDGER again, and prints "done".  Bytes are usable sizes.
 *
 *     process PID THREADS                   open, of its threads: main and "worker"
 *     heap NOW PEAK ALLOCATED               over all threads, what the libraries allocate left out
 *     outside THREAD COUNT BYTES FREES FREED
 *     path PATH OPENED CLOSED COUNT BYTES FREES FREED SELF_COUNT SELF_BYTES
 *     call PATH BYTES NET COUNT             closed spans that are alike
 */
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

enum { PATHS = 32, DEPTH = 8, CALLS = 64, MIB = 1 << 20 };

struct sums {
        uint64_t count, bytes, frees, freed;
};

static struct path {
        char name[64];
        uint64_t opened, closed, self_count, self_bytes;
        struct sums sums;
        struct call {
                uint64_t bytes, count;
                int64_t net;
        } calls[CALLS];
        size_t n_calls;
} paths[PATHS];
static size_t n_paths;

/* The spans that a thread is in, outermost first, each with the sums of this call. */
struct thread {
        const char *name;
        size_t depth;
        struct frame {
                struct path *path;
                struct sums sums;
        } frames[DEPTH];
        struct sums outside;
};
static struct thread threads[2] = {{.name = "span_ledger"}, {.name = "worker"}};
static _Thread_local struct thread *self;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t now_bytes, peak_bytes;
static uint64_t all_bytes;

/* ------------------------------------------------------------------------------------------------ the ledger -- */

static void add(struct sums *sums, uint64_t bytes, uint64_t freed) {
        sums->count += bytes > 0;
        sums->bytes += bytes;
        sums->frees += freed > 0;
        sums->freed += freed;
}

static void enter_into_ledger(uint64_t bytes, uint64_t freed) {
        pthread_mutex_lock(&lock);
        for (size_t i = 0; i < self->depth; i++) {
                add(&self->frames[i].sums, bytes, freed);
                add(&self->frames[i].path->sums, bytes, freed);
        }
        if (self->depth) {
                self->frames[self->depth - 1].path->self_count += bytes > 0;
                self->frames[self->depth - 1].path->self_bytes += bytes;
        } else {
                add(&self->outside, bytes, freed);
        }
        now_bytes += (int64_t)bytes - (int64_t)freed;
        peak_bytes = now_bytes > peak_bytes ? now_bytes : peak_bytes;
        all_bytes += bytes;
        pthread_mutex_unlock(&lock);
}

static void *take(size_t size) {
        void *block = malloc(size);

        if (!block)
                abort();
        memset(block, 1, size);
        enter_into_ledger(malloc_usable_size(block), 0);
        return block;
}

static void give(void *block) {
        enter_into_ledger(0, malloc_usable_size(block));
        free(block);
}

static void begin(const char *name) {
        char full[sizeof(paths[0].name)] = "";
        size_t at = 0;

        pthread_mutex_lock(&lock);
        if (self->depth)
                snprintf(full, sizeof(full), "%.40s/", self->frames[self->depth - 1].path->name);
        strcat(full, name);
        while (at < n_paths && strcmp(paths[at].name, full) != 0)
                at++;
        if (at == n_paths && n_paths < PATHS)
                strcpy(paths[n_paths++].name, full);
        paths[at].opened++;
        self->frames[self->depth++] = (struct frame){.path = &paths[at]};
        pthread_mutex_unlock(&lock);
}

static void end(void) {
        struct frame *frame = &self->frames[--self->depth];
        struct path *path = frame->path;
        int64_t net = (int64_t)(frame->sums.bytes - frame->sums.freed);
        size_t at = 0;

        pthread_mutex_lock(&lock);
        path->closed++;
        while (at < path->n_calls && (path->calls[at].bytes != frame->sums.bytes || path->calls[at].net != net))
                at++;
        if (at == CALLS)
                abort();
        if (at == path->n_calls)
                path->calls[path->n_calls++] = (struct call){.bytes = frame->sums.bytes, .net = net};
        path->calls[at].count++;
        pthread_mutex_unlock(&lock);
}

/* Whole or not at all, for the reader. */
static void write_ledger(const char *file) {
        static char text[1 << 16];
        char other[256];
        size_t n;
        int fd;

        snprintf(other, sizeof(other), "%.240s.new", file);
        pthread_mutex_lock(&lock);
        n = (size_t)snprintf(text, sizeof(text), "process %d 2\nheap %lld %lld %llu\n", (int)getpid(),
                             (long long)now_bytes, (long long)peak_bytes, (unsigned long long)all_bytes);
        for (size_t i = 0; i < 2; i++)
                n += (size_t)snprintf(
                        text + n, sizeof(text) - n, "outside %s %llu %llu %llu %llu\n", threads[i].name,
                        (unsigned long long)threads[i].outside.count, (unsigned long long)threads[i].outside.bytes,
                        (unsigned long long)threads[i].outside.frees, (unsigned long long)threads[i].outside.freed);
        for (size_t i = 0; i < n_paths; i++) {
                const struct path *path = &paths[i];

                n += (size_t)snprintf(text + n, sizeof(text) - n, "path %s %llu %llu %llu %llu %llu %llu %llu %llu\n",
                                      path->name, (unsigned long long)path->opened, (unsigned long long)path->closed,
                                      (unsigned long long)path->sums.count, (unsigned long long)path->sums.bytes,
                                      (unsigned long long)path->sums.frees, (unsigned long long)path->sums.freed,
                                      (unsigned long long)path->self_count, (unsigned long long)path->self_bytes);
                for (size_t k = 0; k < path->n_calls; k++)
                        n += (size_t)snprintf(text + n, sizeof(text) - n, "call %s %llu %lld %llu\n", path->name,
                                              (unsigned long long)path->calls[k].bytes, (long long)path->calls[k].net,
                                              (unsigned long long)path->calls[k].count);
        }
        pthread_mutex_unlock(&lock);
        fd = open(other, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (fd < 0 || write(fd, text, n) != (ssize_t)n || close(fd) < 0 || rename(other, file) < 0)
                abort();
}

/* -------------------------------------------------------------------------------------------------- the work -- */

static void parse(size_t size) {
        SPANALLOC_SCOPE("parse");
        begin("parse");
        give(take(size));
        end();
}

/* Keeps 200 bytes of the 3,700. */
static void request(void) {
        void *body;

        SPANALLOC_SCOPE("request");
        begin("request");
        body = take(3000);
        parse(500);
        take(200);
        give(body);
        end();
}

static void *build(void) {
        void *index;

        SPANALLOC_SCOPE("index");
        begin("index");
        index = take(40000);
        end();
        return index;
}

static void forget(void *index) {
        SPANALLOC_SCOPE("forget");
        begin("forget");
        give(index);
        end();
}

static void job(void) {
        SPANALLOC_SCOPE("job");
        begin("job");
        parse(9000);
        forget(build());
        end();
}

/* Frees what was allocated outside of spans. */
static void drop(void *block) {
        SPANALLOC_SCOPE("drop");
        begin("drop");
        give(block);
        end();
}

static void *work_of_worker(void *scale) {
        SPANALLOC_SITE(wait, "wait");
        spanalloc_span span;

        self = &threads[1];
        pthread_setname_np(pthread_self(), self->name);
        take(3 * MIB);
        for (size_t i = 0; i < 7 * *(size_t *)scale; i++) {
                SPANALLOC_SCOPE("poll");
                begin("poll");
                take(1000);
                end();
        }
        /* It stays in this span. */
        span = spanalloc_scope_begin(&wait);
        begin("wait");
        take(5000);
        __atomic_store_n((size_t *)scale, 0, __ATOMIC_RELEASE);
        (void)span;
        for (;;)
                pause();
        return NULL;
}

static void say(const char *text) {
        if (write(STDOUT_FILENO, text, strlen(text)) < 0)
                abort();
}

/* A line of the standard input; false at its end.  Without stdio, which would allocate. */
static bool hear(void) {
        char c;

        while (read(STDIN_FILENO, &c, 1) == 1)
                if (c == '\n')
                        return true;
        return false;
}

static void spin(int ms) {
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

        while (poll(&input, 1, ms) == 0)
                request();
}

int main(int argc, char **argv) {
        size_t scale = argc > 2 ? strtoul(argv[2], NULL, 10) : 0, left = scale;
        pthread_t worker;

        if (!scale)
                return 2;
        self = &threads[0];
        for (size_t i = 0; i < scale; i++) {
                void *block;

                take(2 * MIB);
                block = take(MIB / 2);
                for (int k = 0; k < 20; k++)
                        request();
                for (int k = 0; k < 5; k++)
                        job();
                drop(block);
        }
        if (pthread_create(&worker, NULL, work_of_worker, &left) != 0)
                return 1;
        while (__atomic_load_n(&left, __ATOMIC_ACQUIRE))
                usleep(1000);
        write_ledger(argv[1]);
        say("ready\n");
        while (hear()) {
                spin(argc > 3 ? atoi(argv[3]) : 10);
                if (!hear())
                        break;
                write_ledger(argv[1]);
                say("done\n");
        }
        return 0;
}
