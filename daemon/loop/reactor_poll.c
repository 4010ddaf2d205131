/* SPDX-License-Identifier: MIT */
/*
 * The backend that works everywhere: ppoll(2) over an array that is kept, not rebuilt.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "base/nanoseconds.h"
#include "daemon/loop/reactor_backend.h"

struct poll_backend {
        struct pollfd *fds;
        struct reactor_watch **watches; /* watches[i] is whose fds[i] is */
        size_t count, capacity;
};

static short to_poll(unsigned events) {
        return (short)((events & REACTOR_IN ? POLLIN : 0) | (events & REACTOR_OUT ? POLLOUT : 0));
}

static unsigned from_poll(short revents) {
        return (revents & POLLIN ? REACTOR_IN : 0u) | (revents & POLLOUT ? REACTOR_OUT : 0u) |
               (revents & (POLLHUP | POLLERR | POLLNVAL) ? REACTOR_HUP : 0u);
}

static int poll_open(void **ret) {
        struct poll_backend *backend = calloc(1, sizeof *backend);

        if (!backend)
                return -ENOMEM;
        *ret = backend;
        return 0;
}

static void poll_close(void *userdata) {
        struct poll_backend *backend = userdata;

        if (!backend)
                return;
        free(backend->fds);
        free(backend->watches);
        free(backend);
}

static int grow(struct poll_backend *backend) {
        size_t capacity = backend->capacity ? backend->capacity * 2 : 64;
        void *fds = reallocarray(backend->fds, capacity, sizeof *backend->fds), *watches;

        if (!fds)
                return -ENOMEM;
        backend->fds = fds;
        watches = reallocarray(backend->watches, capacity, sizeof *backend->watches);
        if (!watches)
                return -ENOMEM;
        backend->watches = watches;
        backend->capacity = capacity;
        return 0;
}

static int poll_add(void *userdata, struct reactor_watch *watch) {
        struct poll_backend *backend = userdata;

        if (backend->count == backend->capacity && grow(backend) < 0)
                return -ENOMEM;
        watch->index = backend->count++;
        backend->fds[watch->index] = (struct pollfd){.fd = watch->fd, .events = to_poll(watch->events)};
        backend->watches[watch->index] = watch;
        return 0;
}

static int poll_set(void *userdata, struct reactor_watch *watch) {
        struct poll_backend *backend = userdata;

        backend->fds[watch->index].events = to_poll(watch->events);
        return 0;
}

static bool poll_remove(void *userdata, struct reactor_watch *watch) {
        struct poll_backend *backend = userdata;
        size_t last = --backend->count;

        backend->fds[watch->index] = backend->fds[last];
        backend->watches[watch->index] = backend->watches[last];
        backend->watches[watch->index]->index = watch->index;
        return true;
}

static int poll_wait(void *userdata, int64_t timeout_ns) {
        struct poll_backend *backend = userdata;
        struct timespec ts = {.tv_sec = timeout_ns / (int64_t)NS_PER_S, .tv_nsec = timeout_ns % (int64_t)NS_PER_S};
        int n;

        n = ppoll(backend->fds, backend->count, timeout_ns < 0 ? NULL : &ts, NULL);
        if (n < 0)
                return errno == EINTR ? 0 : -errno;
        for (size_t i = 0; n > 0 && i < backend->count; i++) {
                if (!backend->fds[i].revents)
                        continue;
                n--;
                reactor_ready(backend->watches[i], from_poll(backend->fds[i].revents));
        }
        return 0;
}

const struct reactor_ops reactor_poll_ops = {
        .name = "poll",
        .open = poll_open,
        .close = poll_close,
        .add = poll_add,
        .set = poll_set,
        .remove = poll_remove,
        .wait = poll_wait,
};
