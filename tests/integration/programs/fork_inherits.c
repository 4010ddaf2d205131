/* SPDX-License-Identifier: MIT */
/*
 * A parent with 50 MiB forks; the child frees the inherited blocks, and allocates.  At each step it writes a line to
 * stdout and waits for a byte from stdin.
 *
 *     fork_inherits one       a parent with one thread
 *     fork_inherits threads   four more threads allocate and free all the time, at most THREAD_BYTES each
 *     fork_inherits bare      the child is made by _Fork(3), which calls no handlers
 *     fork_inherits idle      the child never allocates
 *     fork_inherits ended     a thread of the child allocates 7 MiB and ends before the first step
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MIB          (1ul << 20)
#define THREAD_BYTES 100000ul

static void *volatile sink;

static void allocate(void) {
        sink = malloc(10);
        free(sink);
}

static void step(const char *name) {
        char line[64], byte;
        int n = snprintf(line, sizeof line, "%s %d\n", name, (int)getpid());

        if (write(STDOUT_FILENO, line, (size_t)n) != n || read(STDIN_FILENO, &byte, 1) != 1)
                _exit(3);
}

static void *churn(void *started) {
        for (unsigned i = 0;; i++) {
                void *volatile block = malloc(THREAD_BYTES);

                free(block);
                if (i == 1000)
                        pthread_barrier_wait(started);
        }
        return NULL;
}

static void begin_threads(void) {
        static pthread_barrier_t started;
        pthread_t thread;

        pthread_barrier_init(&started, NULL, 5);
        for (int i = 0; i < 4; i++)
                if (pthread_create(&thread, NULL, churn, &started))
                        _exit(3);
        pthread_barrier_wait(&started);
}

static void *allocate_and_end(void *unused) {
        sink = malloc(7 * MIB);
        return NULL;
}

static void run_a_thread(void) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, allocate_and_end, NULL) || pthread_join(thread, NULL))
                _exit(3);
}

/* Long enough to find a new collector, which is searched for once a second, at an allocation. */
static void look_for_collector(void) {
        for (int i = 0; i < 150; i++) {
                for (int k = 0; k < 200; k++)
                        allocate();
                usleep(10000);
        }
}

static void be_child(void *heap, bool threaded) {
        allocate();
        if (threaded)
                run_a_thread();
        step("child");
        free(heap);
        step("freed");
        if (threaded)
                look_for_collector();
        sink = malloc(20 * MIB);
        step("grown");
        free(sink);
        step("shrunk");
        sink = malloc(3 * MIB);
        if (fork() == 0) {
                allocate();
                step("grandchild");
                _exit(0);
        }
        wait(NULL);
        _exit(0);
}

int main(int argc, char **argv) {
        const char *mode = argc > 1 ? argv[1] : "one";
        char *heap = malloc(50 * MIB);
        pid_t pid;

        if (!heap)
                return 3;
        memset(heap, 1, 50 * MIB);
        if (!strcmp(mode, "threads"))
                begin_threads();
        pid = !strcmp(mode, "bare") ? _Fork() : fork();
        if (pid < 0)
                return 3;
        if (pid == 0 && !strcmp(mode, "idle")) {
                step("child");
                _exit(0);
        }
        if (pid == 0)
                be_child(heap, !strcmp(mode, "ended"));
        waitpid(pid, NULL, 0);
        free(heap);
        return 0;
}
