/* SPDX-License-Identifier: MIT */
/* See process.h. */
#include "daemon/processes/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/drain/drain.h"
#include "daemon/loop/doorbell.h"
#include "daemon/loop/reactor.h"
#include "daemon/processes/announced.h"
#include "daemon/processes/process_private.h"
#include "daemon/processes/process_text.h"

/* Between two looks for a filter at a process that writes records: as long as the collector sleeps at most while it is
 * busy. */
#define ACTIVE_LOOK_NS     (25 * NS_PER_MS)

#define PASSES_AFTER_DEATH 256u /* each drains a user's whole share: far more than its rings hold */

/* One allocation: the row, its private part, and behind them the owner's. */
struct whole {
        struct process process;
        struct process_inside inside;
        max_align_t part[];
};

struct process *process_new(struct processes *processes, const struct newcomer *newcomer) {
        struct whole *whole = calloc(1, sizeof *whole + processes->owner->part_size);
        struct process *process;

        if (!whole)
                return NULL;
        process = &whole->process;
        process->inside = &whole->inside;
        process->part = (struct process_part *)whole->part;
        process->pid = newcomer->pid;
        process->uid = newcomer->uid;
        process->allocator = "";
        process->inside->processes = processes;
        process->inside->start_ticks = newcomer->start_ticks;
        process->inside->attached_ns = reactor_now(processes->reactor);
        process->inside->pidfd = newcomer->pidfd;
        if (limits_join(process) < 0) {
                free(whole);
                return NULL;
        }
        return process;
}

/* Unmaps its segment, which is of no use any more. */
static void detach(struct process *process) {
        process_end_search(process);
        process->drain = drain_free(process->drain);
        limits_detach(process);
}

void process_destroy(struct process *process) {
        post_mortem_deinit(process);
        books_free(process->books);
        free((char *)process - offsetof(struct whole, process));
}

static void take_apart(struct process *process) {
        struct process_inside *inside = process->inside;

        waker_remove(inside->watch.bell);
        reactor_unwatch(inside->watch.death);
        detach(process);
        limits_leave(process);
        if (inside->pidfd >= 0)
                close(inside->pidfd);
        inside->pidfd = -1;
}

static void put_among_buried(struct process *process) {
        struct processes *processes = process->inside->processes;

        process->inside->next_ended = processes->buried;
        processes->buried = process;
}

void process_free(struct process *process) {
        take_apart(process);
        if (process->inside->processes->reader)
                put_among_buried(process);
        else
                process_destroy(process);
}

void process_bury(struct process *process) {
        take_apart(process);
        put_among_buried(process);
}

/* -------------------------------------------------------------------------------------------------- accessors -- */

int process_pidfd(const struct process *process) {
        return process->inside->pidfd;
}

int process_segment_fd(const struct process *process) {
        return process->inside->share.segment_fd;
}

uint64_t process_start_ticks(const struct process *process) {
        return process->inside->start_ticks;
}

bool process_is_inherited(const struct process *process) {
        return process->inside->inherited;
}

uint64_t process_segment_size(const struct process *process) {
        return process->inside->segment.geometry.segment_size;
}

void process_facts(const struct process *process, struct process_facts *ret) {
        const struct process_inside *inside = process->inside;

        *ret = (struct process_facts){
                .attached_ns = inside->attached_ns,
                .segment_device = inside->segment.device,
                .segment_inode = inside->segment.inode,
                .oom_kills = inside->post_mortem.oom_kills,
                .geometry = inside->segment.geometry,
                .other_pidns = inside->other_pidns,
                .rechecked = inside->housekeeping.rechecked,
                .is_reported = inside->post_mortem.is_reported,
                .maybe_oom = inside->post_mortem.maybe_oom,
                .ends_as = inside->watch.is_replaced ? inside->watch.ends_as : PROCESS_ALIVE,
        };
        strncpy(ret->allocator, process->allocator, sizeof ret->allocator - 1);
}

void process_set_facts(struct process *process, const struct process_facts *facts) {
        struct process_inside *inside = process->inside;

        inside->attached_ns = facts->attached_ns;
        inside->segment = (struct process_segment){
                .geometry = facts->geometry, .device = facts->segment_device, .inode = facts->segment_inode};
        inside->other_pidns = facts->other_pidns;
        inside->housekeeping.rechecked = facts->rechecked;
        inside->post_mortem = (struct post_mortem){
                .oom_kills = facts->oom_kills, .maybe_oom = facts->maybe_oom, .is_reported = facts->is_reported};
        inside->watch.ends_as = facts->ends_as;
        memcpy(inside->allocator, facts->allocator, sizeof inside->allocator);
        process->allocator = inside->allocator;
}

bool process_is_ending(const struct process *process) {
        return process->inside->watch.died;
}

/* -------------------------------------------------------------------------------------------------- what wakes -- */

/* Its last records are drained pass by pass: of thousands that end at once none holds up the rest. */
static void begin_end(struct process *process, enum process_end end) {
        const struct processes *processes = process->inside->processes;
        struct process_watch *watch = &process->inside->watch;

        watch->death = reactor_unwatch(watch->death);
        watch->died = true;
        watch->ends_as = end;
        processes->owner->drain_soon(processes->userdata);
}

static void on_death(void *userdata, int fd, unsigned events) {
        struct process *process = userdata;
        struct processes *processes = process->inside->processes;

        reactor_work(processes->reactor, "deaths");
        if (announced_conclude(processes->announced, process->pid, -1))
                return;
        if (!process->drain) {
                process_end(process, PROCESS_EXITED, 0);
                return;
        }
        begin_end(process, PROCESS_EXITED);
}

int process_watch(struct process *process) {
        struct process_inside *inside = process->inside;
        int r = 0;

        if (inside->pidfd >= 0)
                r = reactor_watch(inside->processes->reactor, &inside->watch.death, inside->pidfd, REACTOR_IN, on_death,
                                  process);
        if (r == 0 && process->drain)
                r = waker_add(inside->processes->waker, &inside->watch.bell, drain_bell(process->drain));
        return r;
}

static void on_closed_span(void *userdata, const struct books_event *event) {
        const struct process *process = userdata;
        const struct processes *processes = process->inside->processes;

        processes->owner->closed_span(processes->userdata, process, event);
}

void process_listen(struct process *process) {
        books_on_event(process->books, on_closed_span, process);
}

/* ---------------------------------------------------------------------------------------------------- draining -- */

/* The end of a dead process, a portion of what takes a look at each of its paths. */
static int finish(struct process *process, uint64_t now_ns) {
        process->inside->watch.is_finishing = true;
        reactor_work(process->inside->processes->reactor, "ends of processes");
        if (drain_finish_some(process->drain, now_ns) > 0 || !post_mortem_rate_some(process, now_ns))
                return DRAIN_CUT;
        process_end(process, process->inside->watch.ends_as, 0);
        return DRAIN_SOME;
}

static bool is_late(struct process *process) {
        return process->inside->watch.passes++ >= PASSES_AFTER_DEATH;
}

int process_drain(struct process *process, uint64_t now_ns) {
        uint64_t before = limits_charged(process);
        int outcome, r;

        if (process->inside->watch.is_finishing)
                return finish(process, now_ns);
        r = outcome = drain_pass(process->drain, now_ns);
        if ((r == DRAIN_SOME || r == DRAIN_MORE) && !process->inside->watch.died)
                process_look_for_filters(process, now_ns, ACTIVE_LOOK_NS);
        if (r < 0)
                process_expel(process, r);
        else if (process->inside->watch.died && (r < DRAIN_MORE || (r == DRAIN_MORE && is_late(process))))
                r = finish(process, now_ns);
        limits_after_drain(process, before, outcome);
        return r;
}

void process_snapshot(struct process *process) {
        if (!process->drain)
                return;
        process->counting = drain_counting(process->drain);
        process->refused = drain_refused(process->drain);
        process->refused_threads = drain_refused_threads(process->drain);
        process->threads = drain_threads(process->drain);
}

bool process_settle(struct process *process, uint64_t now_ns, uint64_t *until) {
        uint64_t before = drain_settled(process->drain);
        int r;

        if (!*until)
                *until = drain_settled_from_now(process->drain);
        r = drain_settle(process->drain, now_ns);
        if (r < 0) {
                process_expel(process, r);
                return true;
        }
        process_snapshot(process);
        /* The same as before, and nothing left: its end has begun. */
        return r == 0 && (drain_settled(process->drain) >= *until || drain_settled(process->drain) == before);
}

/* ------------------------------------------------------------------------------------------------------ ending -- */

/* The last records, and no segment from here on. */
static void close_books(struct process *process, enum process_end end) {
        struct processes *processes = process->inside->processes;
        struct log_peer peer = process_peer(process);

        if (end != PROCESS_EXPELLED && drain_finish(process->drain, reactor_now(processes->reactor)) < 0) {
                processes->stats.expelled++;
                peer.reason = drain_fault(process->drain);
                log_event(LOG_EXPELLED, &peer, "process %d (%s) left a broken segment: %s", (int)process->pid,
                          process->comm, drain_fault(process->drain));
        }
        process_snapshot(process);
        limits_charge(process, drain_lanes(process->drain) + books_path_count(process->books));
        detach(process);
        books_trim(process->books);
        limits_measure(process);
        processes->stats.live--;
        processes->replaced -= process->inside->watch.is_replaced;
}

void process_end(struct process *process, enum process_end end, int status) {
        struct process_inside *inside = process->inside;
        struct processes *processes = inside->processes;
        const struct process_owner *owner = processes->owner;
        struct log_peer peer = process_peer(process);
        char text[160];

        if (process->end != PROCESS_ALIVE)
                return;
        /* If another program has its pid, the exit that is known is that one's. */
        if (inside->watch.died && end == PROCESS_EXITED)
                end = inside->watch.ends_as;
        reactor_work(processes->reactor, "ends of processes");
        if (end == PROCESS_EXITED)
                post_mortem_look(process);
        inside->watch.death = reactor_unwatch(inside->watch.death);
        inside->watch.bell = waker_remove(inside->watch.bell);
        if (process->drain)
                close_books(process, end);
        else
                limits_detach(process);
        process->threads = 0;
        process->end = end;
        process->end_status = status;
        process->ended_ns = reactor_now(processes->reactor);
        owner->ended(processes->userdata, process);
        processes_count_ended(process);
        process_autopsy(process, process->ended_ns);
        process_alert(process, process->ended_ns, true);
        peer.reason = process_end_text(process, text, sizeof text);
        log_event(LOG_ENDED, &peer, "process %d (%s): %s", (int)process->pid, process->comm, peer.reason);
        owner->end_logged(processes->userdata, process);
        owner->tend_soon(processes->userdata);
        reactor_work(processes->reactor, "draining");
}

/* What is left of its end comes pass by pass.  Its successor in the pid does not count beside it. */
static void replace(struct process *process) {
        struct processes *processes = process->inside->processes;

        process->inside->watch.is_replaced = true;
        processes->replaced++;
        limits_release(process);
        processes->owner->label_changed(processes->userdata, process);
}

void process_end_soon(struct process *process, enum process_end end) {
        const struct processes *processes = process->inside->processes;
        uint64_t now_ns = reactor_now(processes->reactor), end_ns = reactor_slice_end();

        if (process->end != PROCESS_ALIVE)
                return;
        if (process->inside->watch.died) {
                /* Its death was heard before the exec that ended the program in this row. */
                if (end == PROCESS_EXEC && process->inside->watch.ends_as == PROCESS_EXITED)
                        process->inside->watch.ends_as = end;
                return;
        }
        if (!process->drain) {
                process_end(process, end, 0);
                return;
        }
        begin_end(process, end);
        while (process_drain(process, now_ns) == DRAIN_CUT && !reactor_slice_is_over(end_ns))
                ;
        if (process->drain && end != PROCESS_EXITED)
                replace(process);
}

void process_expel(struct process *process, int error) {
        process_expel_because(process, error == -EBADMSG ? drain_fault(process->drain) : strerror(-error));
}

void process_expel_because(struct process *process, const char *why) {
        struct log_peer peer = process_peer(process);

        process->inside->processes->stats.expelled++;
        peer.reason = why;
        log_event(LOG_EXPELLED, &peer, "process %d (%s) is expelled: %s", (int)peer.pid, process->comm, why);
        snprintf(process->why, sizeof process->why, "%s", why);
        process_end(process, PROCESS_EXPELLED, 0);
}
