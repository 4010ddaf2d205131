/* SPDX-License-Identifier: MIT */
/*
 * The collector's construction, and what others see of it.
 */
#include "daemon/collector/collector.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "daemon/collector/state_file.h"
#include "daemon/processes/process_private.h"

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

/* Those who were there before us come first: nobody else may have their numbers, or be told a generation. */
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
        collector->stats.started_ns = reactor_now(reactor);
        r = schedule_init(collector);
        if (r == 0)
                r = waker_new(&collector->waker, reactor);
        if (r == 0)
                r = notices_new(&collector->notices, collector);
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
        beacon_free(collector->beacon);
        notices_free(collector->notices);
        if (collector->statefile)
                collector_refresh(collector); /* what was written until now is saved, too */
        collector->statefile = statefile_free(collector->statefile);
        while (collector->welcomes)
                collector->welcomes = welcome_free(collector->welcomes);
        for (size_t i = 0; i < collector->count; i++)
                member_free(collector->members[i]);
        handover_free(collector->handover);
        free(collector->members);
        waker_free(collector->waker);
        schedule_deinit(collector);
        free(collector);
        return NULL;
}

void collector_set_options(struct collector *collector, const struct collector_options *options) {
        take_options(collector, options);
        limits_set(collector);
        schedule_tick(collector);
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

static void refresh(struct member *member, uint64_t now_ns) {
        int r;

        if (now_ns - member->named_ns >= 100 * NS_PER_MS)
                member_name_threads(member, now_ns);
        if (member_drain(member, now_ns) < 0 || !member->process.drain)
                return;
        r = drain_settle(member->process.drain, now_ns);
        if (r < 0)
                member_expel(member, r);
        else
                member_snapshot(member);
}

void collector_refresh(struct collector *collector) {
        uint64_t now_ns = reactor_now(collector->reactor);

        limits_begin_pass(collector);
        for (size_t i = 0; i < collector->count; i++)
                if (collector->members[i]->process.drain)
                        refresh(collector->members[i], now_ns);
}

void collector_refresh_uid(struct collector *collector, uid_t uid) {
        uint64_t now_ns = reactor_now(collector->reactor);

        limits_begin_pass(collector);
        for (size_t i = 0; i < collector->count; i++)
                if (collector->members[i]->process.drain && collector->members[i]->process.uid == uid)
                        refresh(collector->members[i], now_ns);
}

const struct process *collector_process(const struct collector *collector, size_t index) {
        return index < collector->count ? &collector->members[index]->process : NULL;
}

size_t collector_process_count(const struct collector *collector) {
        return collector->count;
}

void collector_stats(const struct collector *collector, struct collector_stats *ret) {
        struct collector_stats stats = collector->stats;

        stats.generation = beacon_generation(collector->beacon);
        handover_stats(collector->handover, &stats);
        stats.processes = collector->live;
        stats.processes_ended = collector->ended;
        stats.records = collector->forgotten.records;
        stats.refused = collector->forgotten.refused;
        stats.lost_alloc_bytes = collector->forgotten.lost_alloc_bytes;
        stats.evicted = collector->forgotten.evicted;
        stats.records_rate = collector->live ? collector->rate : 0; /* it is not measured with nobody there */
        limits_sum(collector, stats.limited);
        for (size_t i = 0; i < collector->count; i++) {
                const struct process *process = &collector->members[i]->process;
                struct books_process_row row;

                if (!process->books)
                        continue;
                books_process_lanes(process->books, &row);
                stats.records += row.records;
                stats.lost_alloc_bytes += row.lost[SHM_ALLOC_BYTES];
                stats.evicted += row.evicted;
                stats.refused += process->drain ? drain_refused(process->drain) : process->refused;
                stats.threads += process->drain ? drain_threads(process->drain) : 0;
                if (process->drain && drain_fill_ppm(process->drain) > stats.ring_fill_ppm)
                        stats.ring_fill_ppm = drain_fill_ppm(process->drain);
        }
        *ret = stats;
}

struct reactor *collector_reactor(struct collector *collector) {
        return collector->reactor;
}

void collector_on_event(struct collector *collector, collector_event_fn fn, void *userdata) {
        collector->on_event = fn;
        collector->event_userdata = userdata;
}

void collector_on_end(struct collector *collector, collector_end_fn fn, void *userdata) {
        collector->on_end = fn;
        collector->end_userdata = userdata;
}

void collector_on_work(struct collector *collector, collector_work_fn fn, void *userdata) {
        collector->on_work = fn;
        collector->work_userdata = userdata;
}

bool collector_is_empty(const struct collector *collector) {
        return collector->live == 0;
}

void collector_announce(struct collector *collector, pid_t pid, const char *path, bool scrubbed) {
        if (collector->options.eager)
                notices_add(collector->notices, pid, getpid(), geteuid(), path, scrubbed, false);
}

void collector_reaped(struct collector *collector, pid_t pid, int wait_status) {
        struct member *member;

        if (notices_conclude(collector->notices, pid, wait_status))
                return;
        member = member_find(collector, pid);
        if (!member)
                return;
        member_end(member, PROCESS_EXITED, 0); /* if its pidfd has not told yet */
        member_set_status(member, wait_status);
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
        refresh(member_of(process), now_ns); /* settles it, by which its threads are asked */
        return 0;
}

uint32_t collector_reset(struct collector *collector) {
        uint64_t now_ns = reactor_now(collector->reactor);
        uint32_t n = 0;

        collector_refresh(collector);
        for (size_t i = 0; i < collector->count; i++) {
                struct books *books = collector->members[i]->process.books;

                if (!books)
                        continue;
                books_reset(books, now_ns);
                n++;
        }
        return n;
}
