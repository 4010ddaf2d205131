/* SPDX-License-Identifier: MIT */
/*
 * Ends in the middle of its work, in the way HOW.
 *
 *     span_dies HOW
 *
 * It is in `request`, in `query` below it, and has `job` open and not entered; a second thread is in `batch`.  Sums by a
 * function of its own: request 100, query 1000, job 10, batch 5000.  Then: kill, abort, exit, _exit, exec, segv, oom, thread
 * (the second thread ends, and it waits), or wait.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

static _Thread_local struct spanalloc_counters now;
static atomic_int is_there, may_go;

static void snapshot(struct spanalloc_counters *out) {
        *out = now;
}

static void spend(unsigned bytes) {
        now.alloc_count++;
        now.alloc_bytes += bytes;
}

static void *second(void *unused) {
        SPANALLOC_SITE(site, "batch");
        spanalloc_span span = spanalloc_open(&site);

        spanalloc_enter(span);
        spend(5000);
        {
                /* What was spent is told with the next record. */
                SPANALLOC_SCOPE("step");
        }
        atomic_store(&is_there, 1);
        while (!atomic_load(&may_go))
                usleep(1000);
        return unused;
}

static void end(const char *how) {
        if (!strcmp(how, "kill"))
                raise(SIGKILL);
        if (!strcmp(how, "abort"))
                abort();
        if (!strcmp(how, "exit"))
                exit(3);
        if (!strcmp(how, "_exit"))
                _exit(4);
        if (!strcmp(how, "segv"))
                raise(SIGSEGV);
        while (!strcmp(how, "oom"))
                memset(malloc(1 << 20), 1, 1 << 20);
        if (!strcmp(how, "exec"))
                execl("/bin/sleep", "sleep", "60", (char *)NULL);
        if (!strcmp(how, "thread"))
                atomic_store(&may_go, 1);
        for (;;)
                pause();
}

int main(int argc, char **argv) {
        SPANALLOC_SITE(job, "job");
        spanalloc_span span;
        pthread_t thread;

        if (argc != 2 || spanalloc_set_snapshot(snapshot) != 0 || spanalloc_attach(NULL) != 0)
                return 2;
        pthread_create(&thread, NULL, second, NULL);
        while (!atomic_load(&is_there))
                usleep(1000);
        span = spanalloc_open(&job);
        spanalloc_enter(span);
        spend(10);
        spanalloc_exit(span);
        SPANALLOC_SCOPE("request");
        spend(100);
        SPANALLOC_SCOPE("query");
        spend(1000);
        { SPANALLOC_SCOPE("step"); }
        end(argv[1]);
        return 1;
}
