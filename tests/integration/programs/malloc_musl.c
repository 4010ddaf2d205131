/* SPDX-License-Identifier: MIT */
/*
 * A program for musl.sh, to be built with another libc: threads, fork, exec and every function that the library
 * replaces.  Ends with 41.
 */
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void *work(void *unused) {
        for (size_t i = 1; i < 3000; i++) {
                void *block = calloc(i, 3), *aligned;

                block = realloc(block, i * 7);
                if (!block || posix_memalign(&aligned, 64, i))
                        exit(1);
                memset(block, 1, i * 7);
                free(block);
                free(aligned);
                aligned = aligned_alloc(128, 128 * (i % 10 + 1));
                free(aligned);
        }
        return unused;
}

static int end_of(pid_t pid) {
        int status = -1;

        waitpid(pid, &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(int argc, char **argv) {
        char *const arguments[] = {argv[0], "0", NULL};
        pthread_t thread;
        pid_t pid;

        pthread_create(&thread, NULL, work, NULL);
        work(NULL);
        pthread_join(thread, NULL);
        if (argc > 1 && !strcmp(argv[1], "exec")) {
                execl(argv[0], argv[0], "0", (char *)NULL);
                return 2;
        }
        if (argc > 1 && !strcmp(argv[1], "spawn"))
                printf("spawn %d\n", posix_spawn(&pid, argv[0], NULL, NULL, arguments, environ) ? -1 : end_of(pid));
        fflush(stdout);
        pid = fork();
        if (!pid) {
                work(NULL);
                _exit(7);
        }
        printf("child %d\n", end_of(pid));
        return 41;
}
