/* SPDX-License-Identifier: MIT */
/*
 * The one event loop: descriptors that become readable or writable, timers, and a function to run before each sleep.
 *
 * What lives here: the interface, and the two backends behind it: poll(2), and io_uring where the kernel allows it.
 * What does not: anything about spans.  liburing.h is included by reactor_uring.c only.
 *
 * Threads: one, except reactor_wake.  Watches and timers belong to the reactor; the pointer is good until removed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct reactor;
struct reactor_watch;
struct reactor_timer;

enum reactor_backend { REACTOR_AUTO, REACTOR_POLL, REACTOR_URING };
enum { REACTOR_IN = 1, REACTOR_OUT = 2, REACTOR_HUP = 4 /* always told, never asked for */ };

/* events: what is ready.  Level triggered: it is called again while it stays so. */
typedef void (*reactor_watch_fn)(void *userdata, int fd, unsigned events);
typedef void (*reactor_timer_fn)(void *userdata, uint64_t now_ns);

/* AUTO tries io_uring and falls back to poll. */
int reactor_new(struct reactor **ret, enum reactor_backend backend);
struct reactor *reactor_free(struct reactor *reactor);
const char *reactor_backend_name(const struct reactor *reactor); /* "poll" or "io_uring" */
const char *reactor_backend_why(const struct reactor *reactor);  /* why not io_uring; "" when it is */

/* `fd` is borrowed; remove the watch before closing it.  Safe from within any callback, also the watch's own. */
int reactor_watch(struct reactor *reactor, struct reactor_watch **ret, int fd, unsigned events, reactor_watch_fn fn,
                  void *userdata);
int reactor_watch_set(struct reactor_watch *watch, unsigned events);
struct reactor_watch *reactor_unwatch(struct reactor_watch *watch);

/* A timer is made idle, and fires once per setting.  Times are absolute CLOCK_MONOTONIC nanoseconds, 0: idle.
 *
 * An event may bring a timer forward, never push it back: a timer that each event sets anew does not fire while events
 * come more often than its delay.  reactor_timer_set is for the timer's own callback, and for a time that does not
 * depend on when the event came. */
int reactor_timer(struct reactor *reactor, struct reactor_timer **ret, reactor_timer_fn fn, void *userdata);
void reactor_timer_set(struct reactor_timer *timer, uint64_t at_ns);
/* Sets it only if it is idle, or would fire later than at `at_ns`. */
void reactor_timer_bring_forward(struct reactor_timer *timer, uint64_t at_ns);
struct reactor_timer *reactor_timer_free(struct reactor_timer *timer);

/* Called right before the reactor would sleep; returning true says: do not sleep, poll once and come back. */
typedef bool (*reactor_idle_fn)(void *userdata);
void reactor_on_idle(struct reactor *reactor, reactor_idle_fn fn, void *userdata);

/* Runs until reactor_stop.  Returns 0 or -errno. */
int reactor_run(struct reactor *reactor);
void reactor_stop(struct reactor *reactor);
/* Ends a sleep.  From any thread, and from signal handlers. */
void reactor_wake(struct reactor *reactor);
/* CLOCK_MONOTONIC of the latest wake-up, nanoseconds. */
uint64_t reactor_now(const struct reactor *reactor);

/* A turn: the callbacks between two waits.  It takes REACTOR_TURN_NS, the callback in hand, and one timer's where more
 * watches were ready than fit; watches and timers that it leaves are served in the next one, after those before them.
 * So a callback is to end within REACTOR_SLICE_NS, and what takes
 * longer goes on at the next turn: by a timer that is due at once. */
#define REACTOR_TURN_NS  UINT64_C(4000000)
#define REACTOR_SLICE_NS UINT64_C(3000000)
/* When a slice of work that begins now is to end, CLOCK_MONOTONIC. */
uint64_t reactor_slice_end(void);
bool reactor_slice_is_over(uint64_t end_ns);

/* Names what the callback does from here on, until it ends or names something else.  `work` is a literal. */
void reactor_work(struct reactor *reactor, const char *work);
/* The turn that took most processor time of this thread since the loop began to run. */
struct reactor_longest {
        uint64_t ns;
        const char *work; /* what took most of it; "" before the first turn */
};
struct reactor_longest reactor_longest(const struct reactor *reactor);
