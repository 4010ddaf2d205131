/* SPDX-License-Identifier: MIT */
/*
 * static_limits NAMES THREADS: attaches, opens and closes a span of each of so many names on each of so many threads, and
 * says "attached" or "refused" with the reason's number.  Then waits for the end of its input.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

static int names;
static pthread_barrier_t barrier;

static void *work(void *userdata) {
        char name[32];

        for (int i = 0; i < names; i++) {
                spanalloc_span span;

                snprintf(name, sizeof name, "name-%d", i);
                span = spanalloc_open(spanalloc_site_intern(name));
                spanalloc_enter(span);
                spanalloc_exit(span);
                spanalloc_close(span);
        }
        pthread_barrier_wait(&barrier);
        pthread_barrier_wait(&barrier);
        return NULL;
}

int main(int argc, char **argv) {
        int threads = argc > 2 ? atoi(argv[2]) : 1, r = spanalloc_attach(NULL);
        pthread_t thread;
        char byte;

        names = argc > 1 ? atoi(argv[1]) : 1;
        pthread_barrier_init(&barrier, NULL, (unsigned)threads + 1);
        for (int i = 0; i < threads; i++)
                if (pthread_create(&thread, NULL, work, NULL))
                        return 1;
        pthread_barrier_wait(&barrier);
        printf("%s %d\n", r < 0 ? "refused" : "attached", r);
        fflush(stdout);
        while (read(0, &byte, 1) > 0)
                ;
        pthread_barrier_wait(&barrier);
        return 0;
}
