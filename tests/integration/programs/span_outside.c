/* SPDX-License-Identifier: MIT */
/*
 * Threads of two names that allocate in spans and outside of them.
 *
 *     span_outside
 *
 * Prints "ready" when the threads have their names.  For each line that it reads it does a round, and prints "done": two
 * readers allocate each 100 blocks of 1,000 bytes outside of spans, and 10 in the span "read", all of which a writer then
 * frees, half of them in the span "write".
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

enum { READERS = 2, OUTSIDE = 100, INSIDE = 10, BLOCK = 1000 };

static void *blocks[READERS][OUTSIDE + INSIDE];
static pthread_barrier_t begins, is_read, ends;

static void *read_blocks(void *data) {
        void **mine = data;

        pthread_setname_np(pthread_self(), "reader");
        pthread_barrier_wait(&ends);
        for (;;) {
                pthread_barrier_wait(&begins);
                for (int i = 0; i < OUTSIDE; i++)
                        mine[i] = malloc(BLOCK);
                {
                        SPANALLOC_SCOPE("read");
                        for (int i = OUTSIDE; i < OUTSIDE + INSIDE; i++)
                                mine[i] = malloc(BLOCK);
                }
                pthread_barrier_wait(&is_read);
                pthread_barrier_wait(&ends);
        }
        return NULL;
}

static void *write_blocks(void *data) {
        pthread_setname_np(pthread_self(), "writer");
        pthread_barrier_wait(&ends);
        for (;;) {
                pthread_barrier_wait(&begins);
                pthread_barrier_wait(&is_read);
                for (int i = 0; i < OUTSIDE + INSIDE; i++)
                        free(blocks[0][i]);
                {
                        SPANALLOC_SCOPE("write");
                        for (int i = 0; i < OUTSIDE + INSIDE; i++)
                                free(blocks[1][i]);
                }
                pthread_barrier_wait(&ends);
        }
        return NULL;
}

/* Without a buffer that would be allocated. */
static void say(const char *line, size_t size) {
        if (write(STDOUT_FILENO, line, size) < 0)
                _exit(1);
}

int main(void) {
        pthread_t thread;
        char line;

        pthread_barrier_init(&begins, NULL, READERS + 2);
        pthread_barrier_init(&is_read, NULL, READERS + 1);
        pthread_barrier_init(&ends, NULL, READERS + 2);
        for (int i = 0; i < READERS; i++)
                pthread_create(&thread, NULL, read_blocks, blocks[i]);
        pthread_create(&thread, NULL, write_blocks, NULL);
        pthread_barrier_wait(&ends);
        say("ready\n", 6);
        while (read(STDIN_FILENO, &line, 1) == 1) {
                pthread_barrier_wait(&begins);
                pthread_barrier_wait(&ends);
                say("done\n", 5);
        }
        return 0;
}
