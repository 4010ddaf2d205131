/* SPDX-License-Identifier: MIT */
/* See listener.h. */
#include "daemon/loop/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/nanoseconds.h"
#include "daemon/host/log.h"

#define ACCEPTS  16                /* in one turn */
#define PAUSE_NS (200 * NS_PER_MS) /* without accepting, when descriptors are used up */

struct listener {
        struct reactor *reactor;
        int fd;
        struct reactor_watch *watch;
        struct reactor_timer *pause; /* its end; nothing else uses this timer */
        listener_accept_fn fn;
        void *userdata;
};

static void pause_accepting(struct listener *listener, int error) {
        log_event(LOG_DESCRIPTORS, &(struct log_peer){.uid = 0}, "cannot take connections: %s; raise LimitNOFILE",
                  strerror(error));
        reactor_watch_set(listener->watch, 0);
        reactor_timer_set(listener->pause, reactor_now(listener->reactor) + PAUSE_NS);
}

static void on_pause_end(void *userdata, uint64_t now_ns) {
        struct listener *listener = userdata;

        reactor_watch_set(listener->watch, REACTOR_IN);
}

static void on_connection(void *userdata, int listen_fd, unsigned events) {
        struct listener *listener = userdata;
        uint64_t end_ns = reactor_slice_end();
        int fd;

        reactor_work(listener->reactor, "accepting");
        for (int i = 0; i < ACCEPTS && (!i || !reactor_slice_is_over(end_ns)); i++) {
                fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
                if (fd >= 0) {
                        listener->fn(listener->userdata, fd);
                        continue;
                }
                if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
                        pause_accepting(listener, errno);
                        return;
                }
                if (errno != EINTR && errno != ECONNABORTED)
                        return;
        }
}

int listener_new(struct listener **ret, struct reactor *reactor, int listen_fd, listener_accept_fn fn, void *userdata) {
        struct listener *listener = calloc(1, sizeof *listener);
        int r;

        if (!listener) {
                close(listen_fd);
                return -ENOMEM;
        }
        *listener = (struct listener){.reactor = reactor, .fd = listen_fd, .fn = fn, .userdata = userdata};
        r = reactor_timer(reactor, &listener->pause, on_pause_end, listener);
        if (r == 0)
                r = reactor_watch(reactor, &listener->watch, listen_fd, REACTOR_IN, on_connection, listener);
        if (r < 0) {
                listener_free(listener);
                return r;
        }
        *ret = listener;
        return 0;
}

struct listener *listener_free(struct listener *listener) {
        if (!listener)
                return NULL;
        reactor_unwatch(listener->watch);
        reactor_timer_free(listener->pause);
        close(listener->fd);
        free(listener);
        return NULL;
}
