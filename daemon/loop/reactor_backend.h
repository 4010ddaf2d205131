/* SPDX-License-Identifier: MIT */
/*
 * The interface between the reactor and its backends: the watch, and the functions of a backend.
 *
 * A backend only waits.  It holds the set of descriptors.  After a wait it stores the ready events in `watch->ready`
 * and puts the watch on the reactor's list.  The reactor owns timers, callbacks and lifetimes.
 */
#pragma once

#include "daemon/loop/reactor.h"

struct reactor_watch {
        struct reactor *reactor;
        struct reactor_watch *prev, *next;
        struct reactor_watch *next_ready;
        int fd;
        unsigned events, ready;
        reactor_watch_fn fn;
        void *userdata;
        bool queued;  /* on the list of ready watches */
        bool removed; /* unwatched; freed once no list and no backend holds it */
        bool armed;   /* io_uring: the kernel holds a poll request that names this watch */
        bool pending; /* io_uring: on the list of watches to arm */
        unsigned armed_events;
        struct reactor_watch *next_pending;
        size_t index; /* poll: its place in the array */
};

struct reactor_ops {
        const char *name;
        int (*open)(void **ret_backend);
        void (*close)(void *backend);
        int (*add)(void *backend, struct reactor_watch *watch);
        int (*set)(void *backend, struct reactor_watch *watch); /* watch->events changed */
        /* True when the backend holds no reference any more; else it says so later through reactor_release. */
        bool (*remove)(void *backend, struct reactor_watch *watch);
        /* timeout_ns: 0 does not sleep, negative sleeps without end.  0, or -errno; an interrupted sleep is no error. */
        int (*wait)(void *backend, int64_t timeout_ns);
};

extern const struct reactor_ops reactor_poll_ops;
extern const struct reactor_ops reactor_uring_ops;

/* For backends. */
void reactor_ready(struct reactor_watch *watch, unsigned events);
void reactor_release(struct reactor_watch *watch);
