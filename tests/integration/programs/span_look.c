/* SPDX-License-Identifier: MIT */
/*
 * Calls that the header's check may skip, and calls that it must not.  look.sh also compiles this with other options
 * and as C++.
 *
 *     span_look tell       begins without a collector; prints "alone", and attaches when a line comes: from then on no span
 *                          of any thread or child may go by.  Prints "done", and waits for its standard input to end
 *     span_look child      the same in a child that its parent made without a collector
 *     span_look loop N     N scopes, and each other call once for each
 *     span_look wait       scopes, a hundred a second, until a collector has them; then as above
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <signal.h>
#include <spanalloc/spanalloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* For a host that loads this as a plugin. */
#ifdef __cplusplus
extern "C" int look_main(int argc, char **argv);
#else
int look_main(int argc, char **argv);
#endif

SPANALLOC_SITE(own_site, "own");
SPANALLOC_SITE(other_site, "other");
SPANALLOC_SITE(child_site, "child");

static pthread_barrier_t step;

#define must(condition)                                                                                                \
        do {                                                                                                           \
                if (!(condition)) {                                                                                    \
                        fprintf(stderr, "span_look: line %d: not %s\n", __LINE__, #condition);                         \
                        _exit(1);                                                                                      \
                }                                                                                                      \
        } while (0)

/* Whether it is recorded. */
static int whole(spanalloc_site *site) {
        spanalloc_span span = spanalloc_open(site), in;

        spanalloc_enter(span);
        in = spanalloc_current();
        spanalloc_exit(span);
        spanalloc_close(span);
        return span.instance && in.instance == span.instance;
}

static int scoped(void) {
        SPANALLOC_SCOPE("scoped");
        return spanalloc_current().instance != 0;
}

/* Less than a thread's patience, but more than none. */
static void alone(spanalloc_site *site) {
        for (int i = 0; i < 10; i++) {
                must(!whole(site));
                must(!scoped());
                must(!spanalloc_open_under(site, SPANALLOC_NONE).instance);
        }
}

/* A child of a thread that was patient. */
static void forks(void) {
        int status = 1;
        pid_t pid = fork();

        if (!pid) {
                must(whole(&child_site));
                must(scoped());
                spanalloc_detach();
                alone(&child_site);
                _exit(0);
        }
        must(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

/* One that libc does not know of stays out of the books, and must find that out. */
static void forks_unseen(void) {
        int status = 1;
        pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

        if (!pid) {
                /* Its first call finds out. */
                must(!spanalloc_open(&child_site).instance);
                must(!spanalloc_listening_);
                for (int i = 0; i < 20; i++)
                        alone(&child_site);
                syscall(SYS_exit_group, 0);
        }
        must(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

/* The other thread: patient when the first one attaches; it has to learn of it all the same. */
static void *other(void *unused) {
        (void)unused;
        for (int round = 0; round < 2; round++) {
                alone(&other_site);
                pthread_barrier_wait(&step); /* the first one attaches */
                pthread_barrier_wait(&step);
                if (!round)
                        forks();
                must(whole(&other_site));
                must(scoped());
                if (!round)
                        forks_unseen();
                pthread_barrier_wait(&step);
                pthread_barrier_wait(&step); /* it has detached */
        }
        return NULL;
}

static int hold(const char *word) {
        puts(word);
        fflush(stdout);
        while (getchar() != EOF)
                ;
        return 0;
}

static int tell(void) {
        pthread_t thread;

        pthread_barrier_init(&step, NULL, 2);
        alone(&own_site);
        must(pthread_create(&thread, NULL, other, NULL) == 0);
        for (int round = 0; round < 2; round++) {
                pthread_barrier_wait(&step);
                if (!round) {
                        puts("alone");
                        fflush(stdout);
                        must(getchar() == '\n');
                }
                must(spanalloc_attach(NULL) == 0);
                pthread_barrier_wait(&step);
                must(whole(&own_site));
                must(scoped());
                pthread_barrier_wait(&step);
                if (!round) {
                        spanalloc_detach();
                        must(!spanalloc_listening_);
                        alone(&own_site);
                }
                pthread_barrier_wait(&step);
        }
        must(pthread_join(thread, NULL) == 0);
        return hold("done");
}

static int child(void) {
        int status = 1;
        pid_t pid;

        alone(&own_site);
        pid = fork();
        if (!pid)
                _exit(tell());
        must(pid > 0 && waitpid(pid, &status, 0) == pid);
        return status != 0;
}

static int loop(long n) {
        for (long i = 0; i < n; i++)
                must(!scoped());
        return 0;
}

static int wait_for_collector(void) {
        const struct timespec pause = {0, 10000000};

        while (!scoped())
                nanosleep(&pause, NULL);
        return hold("done");
}

int look_main(int argc, char **argv) {
        alarm(100);
        if (argc == 2 && !strcmp(argv[1], "tell"))
                return tell();
        if (argc == 2 && !strcmp(argv[1], "child"))
                return child();
        if (argc == 3 && !strcmp(argv[1], "loop"))
                return loop(strtol(argv[2], NULL, 10));
        if (argc == 2 && !strcmp(argv[1], "wait"))
                return wait_for_collector();
        fprintf(stderr, "usage: span_look tell|child|loop N|wait\n");
        return 2;
}

#ifndef LOOK_IS_PLUGIN
int main(int argc, char **argv) {
        return look_main(argc, argv);
}
#endif
