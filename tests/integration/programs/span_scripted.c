/* SPDX-License-Identifier: MIT */
/*
 * Spans with scripted counters: the program's own snapshot function returns the allocations, so every number that the
 * collector shows follows from this file.  scripted.sh has the sums, computed by hand.
 *
 * Waits for a line on stdin before it begins, before its last span, and before it ends.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

static _Thread_local struct spanalloc_counters now;

static void snapshot(struct spanalloc_counters *out) {
        *out = now;
}

static void spend(unsigned allocs, unsigned bytes, unsigned frees, unsigned freed) {
        now.alloc_count += allocs;
        now.alloc_bytes += bytes;
        now.dealloc_count += frees;
        now.dealloc_bytes += freed;
}

SPANALLOC_SITE(job_site, "job");
SPANALLOC_SITE(child_site, "child");
SPANALLOC_SITE(task_site, "task");
SPANALLOC_SITE(shared_site, "shared");
SPANALLOC_SITE(poke_site, "poke");
SPANALLOC_SITE(left_site, "left");

static spanalloc_span task, shared;
static sem_t to_other, to_main;

static void step(sem_t *wake, sem_t *wait) {
        sem_post(wake);
        while (sem_wait(wait) < 0)
                ;
}

static void *other(void *unused) {
        (void)unused;
        while (sem_wait(&to_other) < 0)
                ;
        spend(9, 90, 9, 90); /* before */
        spanalloc_enter(task);
        spend(6, 600, 0, 0);
        step(&to_main, &to_other); /* main exits the task there */
        spend(1, 60, 0, 0);        /* still the task's: until our next call */
        spanalloc_close(spanalloc_open(&poke_site));
        spend(1, 5, 0, 0); /* outside */
        spanalloc_enter(shared);
        spend(3, 33, 1, 3);
        spanalloc_exit(shared);
        step(&to_main, &to_other);
        return NULL;
}

static void parse(unsigned allocs, unsigned bytes, unsigned frees, unsigned freed) {
        SPANALLOC_SCOPE("parse");
        spend(allocs, bytes, frees, freed);
}

static void request(void) {
        SPANALLOC_SCOPE("request");
        spend(1, 10, 0, 0);
        parse(2, 20, 1, 5);
        spend(3, 30, 0, 0);
        parse(4, 40, 4, 40);
}

static void recursive_request(int depth) {
        SPANALLOC_SCOPE("request");
        spend(1, depth ? 1 : 2, 0, 0);
        if (depth)
                recursive_request(depth - 1);
}

static void job(void) {
        spanalloc_span span = spanalloc_open(&job_site), child;

        spanalloc_enter(span);
        spend(10, 1000, 1, 100);
        spanalloc_exit(span);
        spend(1, 1, 0, 0); /* outside */
        child = spanalloc_open_under(&child_site, span);
        spanalloc_enter(child);
        spend(8, 80, 0, 0);
        spanalloc_exit(child);
        spanalloc_close(child);
        spanalloc_enter(span);
        spend(20, 2000, 2, 200);
        spanalloc_exit(span);
        spanalloc_close(span);
}

static void wait_line(const char *say) {
        char line[64];

        puts(say);
        fflush(stdout);
        if (!fgets(line, sizeof line, stdin))
                exit(1);
}

int main(void) {
        pthread_t thread;
        spanalloc_span left;

        wait_line("ready");
        if (spanalloc_set_snapshot(snapshot) != 0 || spanalloc_attach(NULL) != 0)
                return 1;
        sem_init(&to_other, 0, 0);
        sem_init(&to_main, 0, 0);
        pthread_create(&thread, NULL, other, NULL);

        spend(7, 700, 2, 200); /* before */
        request();
        spend(5, 50, 0, 0); /* outside */
        recursive_request(1);
        job();

        task = spanalloc_open_under(&task_site, SPANALLOC_NONE);
        shared = spanalloc_open(&shared_site);
        step(&to_other, &to_main);
        spanalloc_exit(task); /* entered over there */
        spanalloc_enter(shared);
        spend(2, 22, 0, 0);
        spanalloc_exit(shared);
        step(&to_other, &to_main);
        spanalloc_close(task);
        spanalloc_close(shared);

        if (spanalloc_set_snapshot(snapshot) != -16 /* -EBUSY: threads are on record */)
                return 1;
        wait_line("done");
        left = spanalloc_open(&left_site);
        spanalloc_enter(left);
        spend(1, 11, 0, 0);
        wait_line("left");
        return 0;
}
