/* SPDX-License-Identifier: MIT */
/* See close_later.h. */
#include "daemon/host/close_later.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALL_BYTES ((off_t)4 << 20)

struct item {
        struct item *next;
        int fd;
};

static struct {
        pthread_mutex_t lock;
        struct item *first;
        bool has_thread;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* NULL: there is none, and the thread ends. */
static struct item *take(void) {
        struct item *item;

        pthread_mutex_lock(&queue.lock);
        item = queue.first;
        if (item)
                queue.first = item->next;
        else
                queue.has_thread = false;
        pthread_mutex_unlock(&queue.lock);
        return item;
}

static void *close_all(void *userdata) {
        struct item *item;

        while ((item = take())) {
                close(item->fd);
                free(item);
        }
        return NULL;
}

/* Signals are for the thread of the reactor. */
static bool start_thread(void) {
        pthread_attr_t attributes;
        sigset_t all, before;
        pthread_t thread;
        int r;

        if (pthread_attr_init(&attributes))
                return false;
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&thread, &attributes, close_all, NULL);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
        return r == 0;
}

/* False: it is not in the queue. */
static bool put(int fd) {
        struct item *item = malloc(sizeof *item);
        bool is_served;

        if (!item)
                return false;
        item->fd = fd;
        pthread_mutex_lock(&queue.lock);
        is_served = queue.has_thread || start_thread();
        if (is_served) {
                queue.has_thread = true;
                item->next = queue.first;
                queue.first = item;
        }
        pthread_mutex_unlock(&queue.lock);
        if (!is_served)
                free(item);
        return is_served;
}

void close_later(int fd) {
        struct stat st;

        if (fstat(fd, &st) < 0 || (off_t)st.st_blocks * 512 < SMALL_BYTES || !put(fd))
                close(fd);
}
