/* SPDX-License-Identifier: MIT */
/*
 * Holds a robust mutex, and makes a child by a raw clone(2), in which libc's list of such mutexes is still the parent's.
 *
 *     span_robust
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

static pthread_mutex_t before, held, other;

static void init(pthread_mutex_t *mutex) {
        pthread_mutexattr_t attributes;

        pthread_mutexattr_init(&attributes);
        pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
        pthread_mutex_init(mutex, &attributes);
}

static void work(int times) {
        for (int i = 0; i < times; i++) {
                SPANALLOC_SCOPE("work");
                free(malloc(100));
        }
}

/* Each touches the neighbours of a mutex in the list. */
static void use_mutexes(void) {
        pthread_mutex_lock(&other);
        pthread_mutex_unlock(&held);
        pthread_mutex_unlock(&other);
        pthread_mutex_lock(&held);
        pthread_mutex_unlock(&before);
        pthread_mutex_lock(&before);
}

static void in_child(void) {
        use_mutexes();
        work(1000);
        use_mutexes();
        work(1000);
        syscall(SYS_exit_group, 7);
}

int main(void) {
        init(&before);
        init(&held);
        init(&other);
        pthread_mutex_lock(&before);
        spanalloc_attach(NULL);
        work(10); /* the thread has its place from here on */
        pthread_mutex_lock(&held);
        for (int i = 0; i < 20; i++) {
                int status = -1;
                long pid = syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);

                if (!pid)
                        in_child();
                if (waitpid((pid_t)pid, &status, 0) != pid || status != 7 << 8) {
                        printf("child %d ended with status %#x\n", i, status);
                        return 1;
                }
                work(10);
                use_mutexes();
        }
        pthread_mutex_unlock(&held);
        pthread_mutex_unlock(&before);
        puts("ok");
        return 0;
}
