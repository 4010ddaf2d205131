/* SPDX-License-Identifier: MIT */
/*
 * The reactor: lists of watches and timers, the order in which callbacks run, and what may be freed when.
 *
 * A turn is: the watches that are ready, timers that are due, both as many as fit, the idle function.  A watch that is
 * removed while its turn is being served stays in memory, silent, until nothing holds it.
 */
#include "daemon/loop/reactor.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "daemon/loop/reactor_backend.h"

struct reactor_timer {
        struct reactor *reactor;
        struct reactor_timer *prev, *next;
        uint64_t at_ns, round; /* round: reactor.timer_round when it fired last */
        reactor_timer_fn fn;
        void *userdata;
};

struct reactor {
        const struct reactor_ops *ops;
        void *backend;
        char why[128];

        struct reactor_watch *watches;
        struct reactor_watch *ready_first, **ready_last;
        struct reactor_watch *removed; /* served from the list of watches no more, waiting to be freed */
        struct reactor_timer *timers;
        struct reactor_timer *timer_cursor; /* the next one to look at, also in the next turn; NULL: the first */
        uint64_t timer_round;               /* one for each turn */

        reactor_idle_fn idle;
        void *idle_userdata;

        int wake_fd;
        struct reactor_watch *wake_watch;
        uint64_t now_ns;
        bool stopped;

        struct turn {
                uint64_t begin_ns, cpu_ns; /* CLOCK_MONOTONIC and that of this thread, at its begin */
                const char *work;
                uint64_t work_ns;               /* monotonic: since when `work` is done */
                struct reactor_longest longest; /* piece of work in it, by CLOCK_MONOTONIC */
        } turn;
        struct reactor_longest longest;
};

static void on_wake(void *userdata, int fd, unsigned events) {
        uint64_t count;

        /* Only ends a sleep: the caller of reactor_wake stores its reason elsewhere. */
        (void)!read(fd, &count, sizeof count);
}

static int open_backend(struct reactor *reactor, enum reactor_backend wanted) {
        int r;

        if (wanted != REACTOR_POLL) {
                r = reactor_uring_ops.open(&reactor->backend);
                if (r == 0) {
                        reactor->ops = &reactor_uring_ops;
                        return 0;
                }
                if (wanted == REACTOR_URING)
                        return r;
                snprintf(reactor->why, sizeof reactor->why, "io_uring is refused here: %s", strerror(-r));
        } else {
                snprintf(reactor->why, sizeof reactor->why, "poll was asked for");
        }
        r = reactor_poll_ops.open(&reactor->backend);
        if (r == 0)
                reactor->ops = &reactor_poll_ops;
        return r;
}

int reactor_new(struct reactor **ret, enum reactor_backend backend) {
        struct reactor *reactor = calloc(1, sizeof *reactor);
        int r;

        if (!reactor)
                return -ENOMEM;
        reactor->ready_last = &reactor->ready_first;
        reactor->now_ns = clock_monotonic_ns();
        reactor->longest.work = "";
        reactor->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (reactor->wake_fd < 0)
                r = -errno;
        else
                r = open_backend(reactor, backend);
        if (r == 0)
                r = reactor_watch(reactor, &reactor->wake_watch, reactor->wake_fd, REACTOR_IN, on_wake, NULL);
        if (r < 0) {
                reactor_free(reactor);
                return r;
        }
        *ret = reactor;
        return 0;
}

struct reactor *reactor_free(struct reactor *reactor) {
        struct reactor_watch *watch;

        if (!reactor)
                return NULL;
        reactor_unwatch(reactor->wake_watch);
        /* The kernel's own references end with the backend; only then may the memory go. */
        if (reactor->ops)
                reactor->ops->close(reactor->backend);
        while ((watch = reactor->watches)) {
                reactor->watches = watch->next;
                free(watch);
        }
        while ((watch = reactor->removed)) {
                reactor->removed = watch->next;
                free(watch);
        }
        while (reactor->timers)
                reactor_timer_free(reactor->timers);
        close_fd(reactor->wake_fd);
        free(reactor);
        return NULL;
}

const char *reactor_backend_name(const struct reactor *reactor) {
        return reactor->ops->name;
}

const char *reactor_backend_why(const struct reactor *reactor) {
        return reactor->why;
}

/* ------------------------------------------------------------------------------------------------- watches -- */

static void link_watch(struct reactor_watch **list, struct reactor_watch *watch) {
        watch->prev = NULL;
        watch->next = *list;
        if (watch->next)
                watch->next->prev = watch;
        *list = watch;
}

static void unlink_watch(struct reactor_watch **list, struct reactor_watch *watch) {
        if (watch->prev)
                watch->prev->next = watch->next;
        else
                *list = watch->next;
        if (watch->next)
                watch->next->prev = watch->prev;
}

int reactor_watch(struct reactor *reactor, struct reactor_watch **ret, int fd, unsigned events, reactor_watch_fn fn,
                  void *userdata) {
        struct reactor_watch *watch = calloc(1, sizeof *watch);
        int r;

        if (!watch)
                return -ENOMEM;
        *watch = (struct reactor_watch){.reactor = reactor, .fd = fd, .events = events, .fn = fn, .userdata = userdata};
        r = reactor->ops->add(reactor->backend, watch);
        if (r < 0) {
                free(watch);
                return r;
        }
        link_watch(&reactor->watches, watch);
        *ret = watch;
        return 0;
}

int reactor_watch_set(struct reactor_watch *watch, unsigned events) {
        if (watch->events == events)
                return 0;
        watch->events = events;
        return watch->reactor->ops->set(watch->reactor->backend, watch);
}

struct reactor_watch *reactor_unwatch(struct reactor_watch *watch) {
        struct reactor *reactor;

        if (!watch)
                return NULL;
        reactor = watch->reactor;
        assert(!watch->removed);
        unlink_watch(&reactor->watches, watch);
        link_watch(&reactor->removed, watch);
        watch->removed = true;
        if (reactor->ops->remove(reactor->backend, watch))
                reactor_release(watch);
        return NULL;
}

void reactor_release(struct reactor_watch *watch) {
        watch->armed = false;
        watch->pending = false;
        if (watch->queued)
                return; /* dispatch() frees it */
        unlink_watch(&watch->reactor->removed, watch);
        free(watch);
}

void reactor_ready(struct reactor_watch *watch, unsigned events) {
        struct reactor *reactor = watch->reactor;

        watch->ready |= events;
        if (watch->queued)
                return;
        watch->queued = true;
        watch->next_ready = NULL;
        *reactor->ready_last = watch;
        reactor->ready_last = &watch->next_ready;
}

static bool turn_is_over(const struct reactor *reactor) {
        return clock_monotonic_ns() - reactor->turn.begin_ns >= REACTOR_TURN_NS;
}

static void dispatch(struct reactor *reactor) {
        struct reactor_watch *watch;
        unsigned ready;

        while ((watch = reactor->ready_first) && !turn_is_over(reactor)) {
                reactor->ready_first = watch->next_ready;
                if (!reactor->ready_first)
                        reactor->ready_last = &reactor->ready_first;
                ready = watch->ready & (watch->events | REACTOR_HUP);
                watch->ready = 0;
                if (!watch->removed && ready) {
                        watch->fn(watch->userdata, watch->fd, ready);
                        reactor_work(reactor, "other");
                }
                /* Cleared only now, so that a watch which removes itself outlives its callback. */
                watch->queued = false;
                if (watch->removed && !watch->armed && !watch->pending)
                        reactor_release(watch);
        }
}

/* -------------------------------------------------------------------------------------------------- timers -- */

int reactor_timer(struct reactor *reactor, struct reactor_timer **ret, reactor_timer_fn fn, void *userdata) {
        struct reactor_timer *timer = calloc(1, sizeof *timer);

        if (!timer)
                return -ENOMEM;
        *timer = (struct reactor_timer){.reactor = reactor, .next = reactor->timers, .fn = fn, .userdata = userdata};
        if (timer->next)
                timer->next->prev = timer;
        reactor->timers = timer;
        *ret = timer;
        return 0;
}

void reactor_timer_set(struct reactor_timer *timer, uint64_t at_ns) {
        timer->at_ns = at_ns;
}

void reactor_timer_bring_forward(struct reactor_timer *timer, uint64_t at_ns) {
        if (!timer->at_ns || at_ns < timer->at_ns)
                timer->at_ns = at_ns;
}

struct reactor_timer *reactor_timer_free(struct reactor_timer *timer) {
        struct reactor *reactor;

        if (!timer)
                return NULL;
        reactor = timer->reactor;
        if (reactor->timer_cursor == timer)
                reactor->timer_cursor = timer->next;
        if (timer->prev)
                timer->prev->next = timer->next;
        else
                reactor->timers = timer->next;
        if (timer->next)
                timer->next->prev = timer->prev;
        free(timer);
        return NULL;
}

/* Those of the list from `timer` on.  False: the turn is over. */
static bool fire_from(struct reactor *reactor, struct reactor_timer *timer) {
        while (timer) {
                reactor->timer_cursor = timer->next;
                if (timer->at_ns && timer->at_ns <= reactor->now_ns && timer->round != reactor->timer_round) {
                        timer->at_ns = 0;
                        timer->round = reactor->timer_round;
                        timer->fn(timer->userdata, reactor->now_ns);
                        reactor_work(reactor, "other");
                        if (turn_is_over(reactor))
                                return false;
                }
                timer = reactor->timer_cursor;
        }
        return true;
}

/* At least one that is due, and each once.  The next turn begins behind the last one that this one has fired, so that a
 * timer that is due in each turn keeps no other waiting. */
static void fire_timers(struct reactor *reactor) {
        reactor->timer_round++;
        if (fire_from(reactor, reactor->timer_cursor) && fire_from(reactor, reactor->timers))
                reactor->timer_cursor = NULL;
}

static int64_t time_to_next(const struct reactor *reactor) {
        uint64_t next = UINT64_MAX, now = clock_monotonic_ns();

        if (reactor->ready_first)
                return 0;
        for (const struct reactor_timer *timer = reactor->timers; timer; timer = timer->next)
                if (timer->at_ns && timer->at_ns < next)
                        next = timer->at_ns;
        if (next == UINT64_MAX)
                return -1;
        return next > now ? (int64_t)(next - now) : 0;
}

/* ---------------------------------------------------------------------------------------------------- turns -- */

void reactor_work(struct reactor *reactor, const char *work) {
        struct turn *turn = &reactor->turn;
        uint64_t now_ns = clock_monotonic_ns();

        if (now_ns - turn->work_ns > turn->longest.ns)
                turn->longest = (struct reactor_longest){now_ns - turn->work_ns, turn->work};
        turn->work = work;
        turn->work_ns = now_ns;
}

static void begin_turn(struct reactor *reactor) {
        reactor->now_ns = clock_monotonic_ns();
        reactor->turn = (struct turn){.begin_ns = reactor->now_ns,
                                      .cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID),
                                      .work = "other",
                                      .work_ns = reactor->now_ns};
        reactor->turn.longest.work = reactor->turn.work;
}

static void end_turn(struct reactor *reactor) {
        uint64_t took_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - reactor->turn.cpu_ns;

        reactor_work(reactor, "other");
        if (took_ns > reactor->longest.ns)
                reactor->longest = (struct reactor_longest){took_ns, reactor->turn.longest.work};
}

struct reactor_longest reactor_longest(const struct reactor *reactor) {
        return reactor->longest;
}

uint64_t reactor_slice_end(void) {
        return clock_monotonic_ns() + REACTOR_SLICE_NS;
}

bool reactor_slice_is_over(uint64_t end_ns) {
        return clock_monotonic_ns() >= end_ns;
}

void reactor_on_idle(struct reactor *reactor, reactor_idle_fn fn, void *userdata) {
        reactor->idle = fn;
        reactor->idle_userdata = userdata;
}

int reactor_run(struct reactor *reactor) {
        int64_t timeout;
        int r;

        reactor->stopped = false;
        for (;;) {
                begin_turn(reactor);
                dispatch(reactor);
                if (!reactor->stopped) {
                        reactor->now_ns = clock_monotonic_ns();
                        fire_timers(reactor);
                }
                if (reactor->stopped)
                        return 0;
                timeout = time_to_next(reactor);
                if (timeout != 0 && reactor->idle) {
                        /* It may have set a timer. */
                        reactor_work(reactor, "idle");
                        timeout = reactor->idle(reactor->idle_userdata) ? 0 : time_to_next(reactor);
                }
                end_turn(reactor);
                r = reactor->ops->wait(reactor->backend, timeout);
                if (r < 0)
                        return r;
        }
}

void reactor_stop(struct reactor *reactor) {
        reactor->stopped = true;
}

void reactor_wake(struct reactor *reactor) {
        int saved = errno;
        uint64_t one = 1;

        (void)!write(reactor->wake_fd, &one, sizeof one);
        errno = saved;
}

uint64_t reactor_now(const struct reactor *reactor) {
        return reactor->now_ns;
}
