/* SPDX-License-Identifier: MIT */
/*
 * static_load PROCESSES MAPPINGS NAMES THREADS [BELOW [OPEN [BUSY]]]: so many processes, or with 0 this one, each with so
 * many mappings, which attach, open and close a span of each of so many names on each of so many threads, in each of
 * these spans one of each of the first BELOW names, and say so, with OPEN spans open on each thread.  Threads have names
 * of their own, and count something outside of spans.  With BUSY one thread goes on with spans.  Then they wait for the
 * end of their input; with an x of input before that they become another static_load, with a single thread; with any
 * other they kill themselves.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

static int names, below, left_open, busy;
static _Thread_local struct spanalloc_counters counted;
static pthread_barrier_t barrier;

static void snapshot(struct spanalloc_counters *out) {
        *out = counted;
}

static spanalloc_span open_span(int number) {
        char name[32];

        snprintf(name, sizeof name, "name-%d", number);
        return spanalloc_open(spanalloc_site_intern(name));
}

static void do_span(int number, int children) {
        spanalloc_span span = open_span(number);

        spanalloc_enter(span);
        for (int i = 0; i < children; i++)
                do_span(i, 0);
        spanalloc_exit(span);
        spanalloc_close(span);
}

static void *work(void *userdata) {
        char name[16];

        snprintf(name, sizeof name, "thread-%d", (int)(long)userdata);
        pthread_setname_np(pthread_self(), name);
        counted.alloc_count = 1;
        counted.alloc_bytes = 16;
        for (int i = 0; i < names; i++)
                do_span(i, below);
        for (int i = 0; i < left_open; i++)
                spanalloc_enter(open_span(i));
        pthread_barrier_wait(&barrier);
        while (pause())
                ;
        return NULL;
}

static void *go_on(void *userdata) {
        pthread_barrier_wait(&barrier);
        for (;;) {
                do_span(0, 1);
                usleep(1000);
        }
        return NULL;
}

static void map_much(int mappings) {
        /* Neighbours of another protection are mappings of their own. */
        for (int i = 0; i < mappings; i++)
                if (mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
                        exit(1);
}

static int run(int mappings, int threads, int number) {
        pthread_attr_t attributes;
        pthread_t thread;
        char line[8];
        int r;

        map_much(mappings);
        spanalloc_set_snapshot(snapshot);
        r = spanalloc_attach(NULL);
        pthread_barrier_init(&barrier, NULL, (unsigned)(threads + busy) + 1);
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, 65536);
        for (int i = 0; i < threads; i++)
                if (pthread_create(&thread, &attributes, work, (void *)(long)i))
                        return 1;
        if (busy && pthread_create(&thread, &attributes, go_on, NULL))
                return 1;
        pthread_barrier_wait(&barrier);
        printf("%s %d %d\n", r < 0 ? "refused" : "attached", r, number);
        fflush(stdout);
        if (read(0, line, 1) == 1) {
                if (*line == 'x')
                        execl("/proc/self/exe", "static_load", "0", "0", "1", "1", (char *)NULL);
                raise(SIGKILL);
        }
        _exit(0);
}

int main(int argc, char **argv) {
        int processes = argc > 1 ? atoi(argv[1]) : 1, mappings, threads;

        names = argc > 3 ? atoi(argv[3]) : 1;
        below = argc > 5 ? atoi(argv[5]) : 0;
        left_open = argc > 6 ? atoi(argv[6]) : 0;
        busy = argc > 7 && atoi(argv[7]);
        mappings = argc > 2 ? atoi(argv[2]) : 0;
        threads = argc > 4 ? atoi(argv[4]) : 1;
        if (!processes)
                return run(mappings, threads, 0);
        for (int i = 0; i < processes; i++) {
                pid_t pid = fork();

                if (pid < 0)
                        return 1;
                if (pid == 0)
                        return run(mappings, threads, i);
        }
        while (wait(NULL) > 0)
                ;
        return 0;
}
