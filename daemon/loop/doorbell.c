/* SPDX-License-Identifier: MIT */
/*
 * Groups of up to 127 bells with a thread each.
 *
 * A group's mutex guards its bells, and every read of a bell's word: once waker_remove has held it, this process no
 * longer reads the word.  A call may still tell the kernel to wait on it, which returns EFAULT for an unmapped word.
 * The control word changes with the list, and makes the thread rebuild it.
 */
#include "daemon/loop/doorbell.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/nanoseconds.h"

#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

#define GROUP_BELLS 127       /* FUTEX_WAITV_MAX, less one for the control word */
#define REST_NS     NS_PER_MS /* between two wake-ups of one group */

struct waker_bell {
        struct waker_group *group;
        const uint32_t *word;
        uint32_t seen;
};

struct waker_group {
        struct waker *waker;
        struct waker_group *next;
        pthread_t thread;
        pthread_mutex_t mutex;
        uint32_t control; /* moved under the mutex; read by the kernel */
        bool stop;
        unsigned count;
        struct waker_bell *bells[GROUP_BELLS];
};

struct waker {
        struct reactor *reactor;
        struct waker_group *groups;
        bool rang;
        bool broken;
};

static uint32_t peek(const uint32_t *word) {
        /* Relaxed: the value is only compared; the rings are read after the reactor woke. */
        return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static int futex_waitv(struct futex_waitv *waiters, unsigned count) {
        return (int)syscall(SYS_futex_waitv, waiters, count, 0, NULL, CLOCK_MONOTONIC);
}

/* With the mutex: notes every bell that moved.  Returns whether one did. */
static bool look(struct waker_group *group) {
        bool moved = false;
        uint32_t value;

        for (unsigned i = 0; i < group->count; i++) {
                value = peek(group->bells[i]->word);
                moved |= value != group->bells[i]->seen;
                group->bells[i]->seen = value;
        }
        return moved;
}

static unsigned make_list(struct waker_group *group, struct futex_waitv *list) {
        list[0] = (struct futex_waitv){.val = group->control, .uaddr = (uintptr_t)&group->control, .flags = FUTEX_32};
        for (unsigned i = 0; i < group->count; i++)
                list[i + 1] = (struct futex_waitv){
                        .val = group->bells[i]->seen, .uaddr = (uintptr_t)group->bells[i]->word, .flags = FUTEX_32};
        return group->count + 1;
}

static void *group_run(void *userdata) {
        struct waker_group *group = userdata;
        struct futex_waitv list[GROUP_BELLS + 1];
        struct timespec rest = {.tv_nsec = REST_NS};
        unsigned count;
        bool stop, moved;

        pthread_setname_np(pthread_self(), "waker");
        for (;;) {
                pthread_mutex_lock(&group->mutex);
                moved = look(group);
                count = make_list(group, list);
                stop = group->stop;
                pthread_mutex_unlock(&group->mutex);
                if (stop)
                        return NULL;
                if (moved) {
                        /* Release, with the acquire in waker_rang: only that the flag is there when the reactor looks. */
                        __atomic_store_n(&group->waker->rang, true, __ATOMIC_RELEASE);
                        reactor_wake(group->waker->reactor);
                        nanosleep(&rest, NULL);
                }
                if (futex_waitv(list, count) < 0 && errno != EAGAIN && errno != EINTR && errno != EFAULT) {
                        /* Refused (ENOSYS, EPERM), or nothing that waiting again would mend. */
                        __atomic_store_n(&group->waker->broken, true, __ATOMIC_RELAXED);
                        return NULL;
                }
        }
}

static void move_control(struct waker_group *group) {
        __atomic_add_fetch(&group->control, 1, __ATOMIC_RELAXED); /* under the mutex; atomic for the kernel's read */
        syscall(SYS_futex, &group->control, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static int group_start(struct waker_group *group) {
        sigset_t all, old;
        int r;

        /* Signals are for the thread that runs the reactor. */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &old);
        r = pthread_create(&group->thread, NULL, group_run, group);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        return -r;
}

static int group_new(struct waker_group **ret, struct waker *waker) {
        struct waker_group *group = calloc(1, sizeof *group);
        int r;

        if (!group)
                return -ENOMEM;
        group->waker = waker;
        pthread_mutex_init(&group->mutex, NULL);
        r = group_start(group);
        if (r < 0) {
                pthread_mutex_destroy(&group->mutex);
                free(group);
                return r;
        }
        group->next = waker->groups;
        waker->groups = group;
        *ret = group;
        return 0;
}

static void group_free(struct waker_group *group) {
        pthread_mutex_lock(&group->mutex);
        group->stop = true;
        move_control(group);
        pthread_mutex_unlock(&group->mutex);
        pthread_join(group->thread, NULL);
        for (unsigned i = 0; i < group->count; i++)
                free(group->bells[i]);
        pthread_mutex_destroy(&group->mutex);
        free(group);
}

int waker_new(struct waker **ret, struct reactor *reactor) {
        struct waker *waker = calloc(1, sizeof *waker);

        if (!waker)
                return -ENOMEM;
        waker->reactor = reactor;
        /* An empty list is EINVAL where the call exists. */
        waker->broken = futex_waitv(NULL, 0) < 0 && errno != EINVAL;
        *ret = waker;
        return 0;
}

struct waker *waker_free(struct waker *waker) {
        struct waker_group *group;

        if (!waker)
                return NULL;
        while ((group = waker->groups)) {
                waker->groups = group->next;
                group_free(group);
        }
        free(waker);
        return NULL;
}

bool waker_works(const struct waker *waker) {
        return !__atomic_load_n(&waker->broken, __ATOMIC_RELAXED);
}

int waker_add(struct waker *waker, struct waker_bell **ret, const uint32_t *word) {
        struct waker_group *group = waker->groups;
        struct waker_bell *bell;
        int r;

        while (group && group->count == GROUP_BELLS)
                group = group->next;
        if (!group) {
                r = group_new(&group, waker);
                if (r < 0)
                        return r;
        }
        bell = malloc(sizeof *bell);
        if (!bell)
                return -ENOMEM;
        *bell = (struct waker_bell){.group = group, .word = word, .seen = peek(word)};
        pthread_mutex_lock(&group->mutex);
        group->bells[group->count++] = bell;
        move_control(group);
        pthread_mutex_unlock(&group->mutex);
        *ret = bell;
        return 0;
}

struct waker_bell *waker_remove(struct waker_bell *bell) {
        struct waker_group *group;
        unsigned i = 0;

        if (!bell)
                return NULL;
        group = bell->group;
        pthread_mutex_lock(&group->mutex);
        while (group->bells[i] != bell)
                i++;
        group->bells[i] = group->bells[--group->count];
        move_control(group);
        pthread_mutex_unlock(&group->mutex);
        free(bell);
        return NULL;
}

bool waker_rang(struct waker *waker) {
        return __atomic_exchange_n(&waker->rang, false, __ATOMIC_ACQUIRE);
}
