/* SPDX-License-Identifier: MIT */
/*
 * The collector's construction, and what others see of it.
 */
#include "daemon/collector/collector.h"
#include "base/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/collector/collector_private.h"
#include "daemon/collector/ingest.h"
#include "daemon/collector/takeover.h"
#include "daemon/collector/welcome.h"
#include "daemon/loop/doorbell.h"
#include "daemon/processes/announced.h"
#include "daemon/processes/housekeeping.h"
#include "daemon/processes/user_limits.h"

#define REFRESH_SLICES 128u              /* for one row, at most: more than its user may have drained in a pass */
#define RESET_PORTION  1024u             /* paths between two looks at the clock */
#define NAMES_AGE_NS   (100 * NS_PER_MS) /* before a query reads the names of threads again */

const struct collector_options collector_options_default = {
        .ring_kib_max = 8192,
        .processes_max = 4096,
        .uid_max = {[QUOTA_PROCESSES] = 1024},
        .keep_ns = 600 * NS_PER_S,
        .keep_max = 1024,
        .state_ns = 10 * NS_PER_S,
};

static void take_options(struct collector *collector, const struct collector_options *options) {
        struct shm_wish *wish = &collector->options.wish;

        collector->options = *options;
        collector->options.runtime_dir = NULL; /* the caller's, and not needed again */
        collector->options.gifts = NULL;
        collector->options.state_dir = NULL;
        wish->name_capacity = wish->name_capacity ? wish->name_capacity : shm_wish_default.name_capacity;
        wish->path_capacity = wish->path_capacity ? wish->path_capacity : shm_wish_default.path_capacity;
        wish->close_capacity = wish->close_capacity ? wish->close_capacity : shm_wish_default.close_capacity;
        wish->lane_capacity = wish->lane_capacity ? wish->lane_capacity : shm_wish_default.lane_capacity;
        wish->ring_records = wish->ring_records ? wish->ring_records : shm_wish_default.ring_records;
        wish->ring_lanes = wish->ring_lanes ? wish->ring_lanes : shm_wish_default.ring_lanes;
}

static struct processes_options options_of_processes(const struct collector_options *options) {
        struct processes_options ret = {.wish = options->wish,
                                        .ring_kib_max = options->ring_kib_max,
                                        .processes_max = options->processes_max,
                                        .keep_ns = options->keep_ns,
                                        .keep_max = options->keep_max,
                                        .segment_options = options->segment_options};

        memcpy(ret.uid_max, options->uid_max, sizeof ret.uid_max);
        return ret;
}

/* --------------------------------------------------------------------------------------- the owner of processes -- */

static uint64_t next_number(void *userdata) {
        const struct collector *collector = userdata;

        return handover_next_number(collector->handover);
}

static void drain_soon(void *userdata) {
        schedule_drain_soon(userdata);
}

static void tend_soon(void *userdata) {
        schedule_tend_soon(userdata);
}

static void closed_span(void *userdata, const struct process *process, const struct books_event *event) {
        const struct collector_listeners *listeners = &((struct collector *)userdata)->listeners;

        if (listeners->on_event)
                listeners->on_event(listeners->event_userdata, process, event);
}

static void label_changed(void *userdata, struct process *process) {
        takeover_relabel(process);
}

static void ended(void *userdata, struct process *process) {
        const struct collector *collector = userdata;

        if (process->books && !collector->statefile) /* else when it was saved */
                books_close_fd(process->books);
        handover_end(collector->handover, process);
}

static void pidfd_closed(void *userdata, struct process *process) {
        const struct collector *collector = userdata;

        handover_drop_pid(collector->handover, process);
}

static void end_logged(void *userdata, struct process *process) {
        const struct collector_listeners *listeners = &((struct collector *)userdata)->listeners;

        if (listeners->on_end)
                listeners->on_end(listeners->end_userdata, process);
}

static void forgotten(void *userdata, struct process *process) {
        const struct collector *collector = userdata;

        handover_forget(collector->handover, process);
}

static void undone(void *userdata, struct process *process) {
        const struct collector *collector = userdata;

        handover_undo(collector->handover, process);
}

static const struct process_owner owner = {
        .next_number = next_number,
        .drain_soon = drain_soon,
        .tend_soon = tend_soon,
        .closed_span = closed_span,
        .label_changed = label_changed,
        .ended = ended,
        .pidfd_closed = pidfd_closed,
        .end_logged = end_logged,
        .forgotten = forgotten,
        .undone = undone,
        .part_size = sizeof(struct process_part),
};

static int make_processes(struct collector *collector) {
        const struct processes_options options = options_of_processes(&collector->options);

        return processes_new(&collector->processes, collector->reactor, collector->waker, &options, &owner, collector);
}

/* ------------------------------------------------------------------------------------------------ begin and end -- */

/* Takes over what the last collector left, before a process can get a number or a client a generation. */
static int succeed(struct collector *collector, const struct collector_options *options, struct handover_gift *gifts,
                   size_t count) {
        int fd, r;

        r = handover_new(&collector->handover, collector, options->store, gifts, count);
        if (r < 0)
                return r;
        handover_take(collector->handover, gifts, count);
        fd = handover_take_beacon(collector->handover, gifts, count);
        r = beacon_new(&collector->beacon, options->runtime_dir, fd, handover_generation(collector->handover));
        if (r < 0)
                return r;
        handover_set_generation(collector->handover, beacon_generation(collector->beacon),
                                fd < 0 ? beacon_write_fd(collector->beacon) : -1);
        return 0;
}

static int succeed_with_files(struct collector *collector, const struct collector_options *options) {
        size_t given = options->gift_count, count = given;
        struct handover_gift *gifts = calloc(given + 1, sizeof *gifts);
        int r;

        if (!gifts)
                return -ENOMEM;
        if (given)
                memcpy(gifts, options->gifts, given * sizeof *gifts);
        statefile_load(collector->statefile, &gifts, &count);
        r = succeed(collector, options, gifts, count);
        if (given)
                memcpy(options->gifts, gifts, given * sizeof *gifts); /* which of them are taken */
        for (size_t i = given; i < count; i++) {
                close_fd(gifts[i].fd);
                free((char *)gifts[i].name);
        }
        free(gifts);
        return r;
}

int collector_new(struct collector **ret, struct reactor *reactor, const struct collector_options *options) {
        struct collector *collector = calloc(1, sizeof *collector);
        int r;

        if (!collector)
                return -ENOMEM;
        collector->reactor = reactor;
        take_options(collector, options);
        rate_begin(&collector->clock);
        collector->started_ns = reactor_now(reactor);
        r = schedule_init(collector);
        if (r == 0)
                r = waker_new(&collector->waker, reactor);
        if (r == 0)
                r = make_processes(collector);
        if (r == 0 && options->state_dir)
                r = statefile_new(&collector->statefile, collector, options->state_dir, options->state_ns);
        if (r == 0 && options->state_dir)
                r = succeed_with_files(collector, options);
        else if (r == 0)
                r = succeed(collector, options, options->gifts, options->gift_count);
        if (r < 0) {
                collector_free(collector);
                return r;
        }
        *ret = collector;
        return 0;
}

struct collector *collector_free(struct collector *collector) {
        if (!collector)
                return NULL;
        while (collector->ingests) {
                struct ingest *ingest = collector->ingests;

                collector->ingests = *ingest_next(ingest);
                ingest_free(ingest);
        }
        if (collector->beacon)
                beacon_retire(collector->beacon);
        collector_tell_busy(collector);
        if (collector->statefile)
                collector_refresh(collector); /* what was written until now is saved, too */
        collector->statefile = statefile_free(collector->statefile);
        while (collector->welcomes)
                collector->welcomes = welcome_free(collector->welcomes);
        processes_free(collector->processes);
        handover_free(collector->handover);
        beacon_free(collector->beacon);
        waker_free(collector->waker);
        schedule_deinit(collector);
        free(collector);
        return NULL;
}

void collector_set_options(struct collector *collector, const struct collector_options *options) {
        struct processes_options of_processes;

        take_options(collector, options);
        of_processes = options_of_processes(&collector->options);
        processes_set_options(collector->processes, &of_processes);
        schedule_tend_soon(collector);
}

int collector_listen(struct collector *collector, int listen_fd) {
        struct ingest *ingest;
        int r;

        r = ingest_new(&ingest, collector, listen_fd);
        if (r < 0)
                return r;
        *ingest_next(ingest) = collector->ingests;
        collector->ingests = ingest;
        return 0;
}

/* --------------------------------------------------------------------------------------------------- refreshing -- */

/* False: `end_ns` is over, and there is more. */
static bool refresh(struct process *process, uint64_t now_ns, uint64_t end_ns, uint64_t *until) {
        int r;

        process_name_threads(process, now_ns, NAMES_AGE_NS);
        while ((r = process_drain(process, now_ns)) == DRAIN_CUT && process->drain)
                if (reactor_slice_is_over(end_ns))
                        return false;
        while (r >= 0 && process->drain && !process_settle(process, now_ns, until))
                if (reactor_slice_is_over(end_ns))
                        return false;
        return true;
}

void collector_refresh(struct collector *collector) {
        uint64_t now_ns = reactor_now(collector->reactor);
        struct process *process;

        limits_begin_pass(collector->processes);
        for (size_t i = 0; (process = processes_at(collector->processes, i)); i++) {
                uint64_t until = 0;

                if (process->drain)
                        (void)refresh(process, now_ns, UINT64_MAX, &until);
        }
}

bool collector_refresh_some(struct collector *collector, size_t *index, struct collector_refreshing *row, bool all,
                            uid_t uid) {
        uint64_t now_ns = reactor_now(collector->reactor), end_ns = reactor_slice_end();
        struct process *process;

        if (!*index && !row->slices)
                limits_begin_pass(collector->processes);
        while ((process = processes_at(collector->processes, *index))) {
                /* This ends also for a process that writes all the time: each pass between two slices gives its user a new
                 * share. */
                if (process->drain && (all || process->uid == uid) && !refresh(process, now_ns, end_ns, &row->until) &&
                    ++row->slices < REFRESH_SLICES)
                        return false;
                *row = (struct collector_refreshing){.slices = 0};
                ++*index;
                if (reactor_slice_is_over(end_ns))
                        return false;
        }
        return true;
}

void collector_hold(struct collector *collector, size_t *index) {
        processes_hold(collector->processes, index);
}

const struct process *collector_process(const struct collector *collector, size_t index) {
        return processes_at(collector->processes, index);
}

size_t collector_process_count(const struct collector *collector) {
        return processes_count(collector->processes);
}

/* ------------------------------------------------------------------------------------------------------ figures -- */

static void add_process(struct collector_stats *stats, const struct process *process) {
        if (!process->drain)
                return;
        stats->threads += drain_threads(process->drain);
        if (drain_fill_ppm(process->drain) > stats->ring_fill_ppm)
                stats->ring_fill_ppm = drain_fill_ppm(process->drain);
}

void collector_stats(const struct collector *collector, struct collector_stats *ret) {
        const struct processes_stats *rows = processes_stats(collector->processes);
        struct process_sums sums = rows->forgotten;
        const struct process *process;
        struct schedule_stats schedule;
        struct collector_stats stats = {.started_ns = collector->started_ns,
                                        .processes = rows->live,
                                        .processes_ended = rows->ended,
                                        .processes_seen = rows->seen,
                                        .forked = rows->forked,
                                        .expelled = rows->expelled,
                                        .rejected = rows->rejected,
                                        .missed = rows->missed};

        schedule_stats(collector, &schedule);
        stats.passes = schedule.passes;
        stats.wakeups = schedule.wakeups;
        stats.records_rate = rows->live ? schedule.records_rate : 0; /* it is not measured while none is attached */
        stats.generation = beacon_generation(collector->beacon);
        handover_stats(collector->handover, &stats);
        limits_sum(collector->processes, stats.limited);
        for (size_t i = 0; (process = processes_at(collector->processes, i)); i++) {
                processes_add(&sums, process, reactor_now(collector->reactor));
                add_process(&stats, process);
        }
        stats.records = sums.records;
        stats.refused = sums.refused;
        stats.lost_alloc_bytes = sums.lost_alloc_bytes;
        stats.evicted = sums.evicted;
        stats.untrusted = sums.untrusted;
        *ret = stats;
}

struct reactor *collector_reactor(struct collector *collector) {
        return collector->reactor;
}

void collector_on_event(struct collector *collector, collector_event_fn fn, void *userdata) {
        collector->listeners.on_event = fn;
        collector->listeners.event_userdata = userdata;
}

void collector_on_end(struct collector *collector, collector_end_fn fn, void *userdata) {
        collector->listeners.on_end = fn;
        collector->listeners.end_userdata = userdata;
}

void collector_on_work(struct collector *collector, collector_work_fn fn, void *userdata) {
        collector->listeners.on_work = fn;
        collector->listeners.work_userdata = userdata;
}

bool collector_is_empty(const struct collector *collector) {
        return processes_stats(collector->processes)->live == 0;
}

void collector_announce(struct collector *collector, pid_t pid, const char *path, bool scrubbed) {
        if (collector->options.eager)
                announced_add(processes_announced(collector->processes), pid, getpid(), geteuid(), path, scrubbed,
                              false);
}

void collector_reaped(struct collector *collector, pid_t pid, int wait_status) {
        struct process *process;

        if (announced_conclude(processes_announced(collector->processes), pid, wait_status))
                return;
        process = processes_by_pid(collector->processes, pid);
        if (!process)
                return;
        process_end(process, PROCESS_EXITED, 0); /* where its pidfd was not ready yet */
        process_set_status(process, wait_status);
}

int collector_set_timing(struct collector *collector, const struct process *process, bool on, char *why, size_t size) {
        uint64_t now_ns = reactor_now(collector->reactor);
        int r = on ? rate_check(why, size) : 0;

        if (r < 0)
                return r;
        if (!process->drain)
                return -ESRCH;
        books_begin(process->books, now_ns);
        books_set_timing(process->books, on, now_ns);
        if (on)
                books_set_clock_rate(process->books, rate_measure(&collector->clock));
        books_commit(process->books);
        return 0;
}

bool collector_refresh_one(struct collector *collector, const struct process *process,
                           struct collector_refreshing *row) {
        struct process *own = process->drain ? processes_by_number(collector->processes, process->number) : NULL;
        uint64_t now_ns = reactor_now(collector->reactor), end_ns = reactor_slice_end();

        if (own && !refresh(own, now_ns, end_ns, &row->until) && ++row->slices < REFRESH_SLICES)
                return false;
        *row = (struct collector_refreshing){.slices = 0};
        return true;
}

bool collector_reset_some(struct collector *collector, size_t *index, struct collector_reset *reset) {
        uint64_t now_ns = reactor_now(collector->reactor), end_ns = reactor_slice_end();

        while (reset->process || (reset->process = processes_at(collector->processes, *index))) {
                if (!reset->progress.since_ns)
                        ++*index;
                while (reset->process->books &&
                       !books_reset_some(reset->process->books, now_ns, &reset->progress, RESET_PORTION))
                        if (reactor_slice_is_over(end_ns))
                                return false;
                reset->count += reset->process->books != NULL;
                reset->process = NULL;
                reset->progress = (struct books_progress){0};
                if (reactor_slice_is_over(end_ns))
                        return false;
        }
        return true;
}
