/* SPDX-License-Identifier: MIT */
/*
 * The io_uring backend: one-shot poll requests, armed again before each wait.
 *
 * A one-shot request checks the descriptor when it is armed, which gives level-triggered watches on every kernel with
 * io_uring; multishot polls do not.  One system call arms all requests that fired, and waits.
 *
 * The kernel names a watch by its address until the request's completion is seen; `armed` is that reference.
 */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>

#include "base/nanoseconds.h"
#include "daemon/loop/reactor_backend.h"

#define ENTRIES 256

struct uring_backend {
        struct io_uring ring;
        struct reactor_watch *pending; /* to arm before the next wait */
};

/* A container's filter may allow the set-up of io_uring and refuse the rest, so one request is tried. */
static int try_one(struct io_uring *ring) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
        struct io_uring_cqe *cqe;
        int r;

        if (!sqe)
                return -EIO;
        io_uring_prep_nop(sqe);
        io_uring_sqe_set_data(sqe, NULL);
        r = io_uring_submit_and_wait(ring, 1);
        if (r < 0)
                return r;
        r = io_uring_peek_cqe(ring, &cqe);
        if (r < 0)
                return r;
        r = cqe->res;
        io_uring_cqe_seen(ring, cqe);
        return r;
}

static int uring_open(void **ret) {
        struct uring_backend *backend = calloc(1, sizeof *backend);
        int r;

        if (!backend)
                return -ENOMEM;
        r = io_uring_queue_init(ENTRIES, &backend->ring, 0);
        if (r < 0) {
                free(backend);
                return r;
        }
        /* Without a timeout as an argument of the wait, and without a promise to keep completions that find no room,
         * the kernel is older than 5.11: poll serves better there. */
        if (!(backend->ring.features & IORING_FEAT_EXT_ARG) || !(backend->ring.features & IORING_FEAT_NODROP))
                r = -EOPNOTSUPP;
        else
                r = try_one(&backend->ring);
        if (r < 0) {
                io_uring_queue_exit(&backend->ring);
                free(backend);
                return r;
        }
        *ret = backend;
        return 0;
}

static void uring_close(void *userdata) {
        struct uring_backend *backend = userdata;

        if (!backend)
                return;
        io_uring_queue_exit(&backend->ring);
        free(backend);
}

static void make_pending(struct uring_backend *backend, struct reactor_watch *watch) {
        if (watch->pending)
                return;
        watch->pending = true;
        watch->next_pending = backend->pending;
        backend->pending = watch;
}

/* A request slot; when the queue is full, what is in it goes to the kernel first. */
static struct io_uring_sqe *get_sqe(struct uring_backend *backend) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(&backend->ring);

        if (sqe)
                return sqe;
        if (io_uring_submit(&backend->ring) < 0)
                return NULL;
        return io_uring_get_sqe(&backend->ring);
}

static int uring_add(void *userdata, struct reactor_watch *watch) {
        make_pending(userdata, watch);
        return 0;
}

/* Ends the request of an armed watch; its completion is what takes the reference back. */
static int cancel(struct uring_backend *backend, struct reactor_watch *watch) {
        struct io_uring_sqe *sqe = get_sqe(backend);

        if (!sqe)
                return -EAGAIN;
        io_uring_prep_poll_remove(sqe, (uint64_t)(uintptr_t)watch);
        io_uring_sqe_set_data(sqe, NULL);
        return 0;
}

static int uring_set(void *userdata, struct reactor_watch *watch) {
        /* A request for more events than wanted may stay: the reactor drops the others. */
        if (!watch->armed || (watch->events & ~watch->armed_events) == 0)
                return 0;
        return cancel(userdata, watch);
}

static bool uring_remove(void *userdata, struct reactor_watch *watch) {
        if (watch->armed)
                /* Should there be no slot, the request stays until the descriptor stirs; the watch is silent. */
                (void)cancel(userdata, watch);
        return !watch->armed && !watch->pending;
}

static int arm_all(struct uring_backend *backend) {
        struct reactor_watch *watch;
        struct io_uring_sqe *sqe;
        unsigned mask;

        while ((watch = backend->pending)) {
                if (watch->removed) {
                        backend->pending = watch->next_pending;
                        reactor_release(watch);
                        continue;
                }
                sqe = get_sqe(backend);
                if (!sqe)
                        return -EAGAIN;
                backend->pending = watch->next_pending;
                watch->pending = false;
                mask = (watch->events & REACTOR_IN ? POLLIN : 0u) | (watch->events & REACTOR_OUT ? POLLOUT : 0u);
                io_uring_prep_poll_add(sqe, watch->fd, mask);
                io_uring_sqe_set_data(sqe, watch);
                watch->armed = true;
                watch->armed_events = watch->events;
        }
        return 0;
}

static void complete(struct uring_backend *backend, struct reactor_watch *watch, int res) {
        unsigned events;

        watch->armed = false;
        if (watch->removed) {
                reactor_release(watch);
                return;
        }
        make_pending(backend, watch);
        if (res == -ECANCELED)
                return;
        if (res < 0)
                events = REACTOR_HUP;
        else
                events = (res & POLLIN ? REACTOR_IN : 0u) | (res & POLLOUT ? REACTOR_OUT : 0u) |
                         (res & (POLLHUP | POLLERR | POLLNVAL) ? REACTOR_HUP : 0u);
        if (events)
                reactor_ready(watch, events);
}

static int submit_and_wait(struct io_uring *ring, int64_t timeout_ns) {
        struct __kernel_timespec ts = {.tv_sec = timeout_ns / (int64_t)NS_PER_S,
                                       .tv_nsec = timeout_ns % (int64_t)NS_PER_S};
        struct io_uring_cqe *cqe;

        if (timeout_ns == 0)
                return io_uring_submit_and_get_events(ring);
        if (timeout_ns < 0)
                return io_uring_submit_and_wait(ring, 1);
        return io_uring_submit_and_wait_timeout(ring, &cqe, 1, &ts, NULL);
}

static int uring_wait(void *userdata, int64_t timeout_ns) {
        struct uring_backend *backend = userdata;
        struct reactor_watch *watch;
        struct io_uring_cqe *cqe;
        int r;

        r = arm_all(backend);
        if (r < 0)
                timeout_ns = 0; /* room comes with the completions below */
        r = submit_and_wait(&backend->ring, timeout_ns);
        if (r < 0 && r != -ETIME && r != -EINTR && r != -EAGAIN && r != -EBUSY)
                return r;
        while (io_uring_peek_cqe(&backend->ring, &cqe) == 0) {
                int res = cqe->res;

                watch = io_uring_cqe_get_data(cqe);
                io_uring_cqe_seen(&backend->ring, cqe);
                if (watch)
                        complete(backend, watch, res);
        }
        return 0;
}

const struct reactor_ops reactor_uring_ops = {
        .name = "io_uring",
        .open = uring_open,
        .close = uring_close,
        .add = uring_add,
        .set = uring_set,
        .remove = uring_remove,
        .wait = uring_wait,
};
