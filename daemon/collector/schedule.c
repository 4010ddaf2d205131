/* SPDX-License-Identifier: MIT */
/*
 * See schedule.h.
 *
 * Between passes the collector sleeps 1 to 25 ms.  A client rings the bell when it has written three eighths of a ring
 * during a sleep: that ends the sleep and halves the next.  Passes without a bell lengthen it.  After some passes that
 * found nothing the collector asks every lane to ring at its next record, and sleeps up to half a second.  Without an
 * attached process there is no timer.
 */
#include "daemon/collector/schedule.h"

#include "daemon/collector/collector_private.h"
#include "daemon/collector/ingest.h"
#include "daemon/loop/doorbell.h"
#include "daemon/processes/announced.h"
#include "daemon/processes/housekeeping.h"
#include "daemon/processes/user_limits.h"

#define SLEEP_MIN_NS     (1 * NS_PER_MS)
#define SLEEP_MAX_NS     (25 * NS_PER_MS)
#define SLEEP_GROWTH     64              /* a pass without a bell adds the 64th part of the sleep: bells must be rare */
#define SLEEP_BLIND_NS   (4 * NS_PER_MS) /* where no bell can be heard */
#define SLEEP_DEEP_NS    (500 * NS_PER_MS)
#define SLEEP_WATCHED_NS (125 * NS_PER_MS) /* where there is a listener for events: a new thread does not ring */
#define IDLE_PASSES      8                 /* in a row, before sleep becomes deep */
#define TICK_NS          NS_PER_S
#define TICK_SOON_NS     (100 * NS_PER_MS)
#define MARK_NS          (60 * NS_PER_S)
#define MARKS_REACH_NS   (11 * MARK_NS)
#define MARK_PORTION     1024u /* paths between two looks at the clock */

static void drain_at(struct schedule *schedule, uint64_t at_ns) {
        schedule->drain_at_ns = at_ns;
        reactor_timer_set(schedule->drain_timer, at_ns);
}

void schedule_drain_soon(struct collector *collector) {
        struct schedule *schedule = &collector->schedule;
        uint64_t at_ns = reactor_now(collector->reactor) + SLEEP_MIN_NS;

        schedule->is_deep = false;
        schedule->idle_passes = 0;
        schedule->sleep_ns = SLEEP_MIN_NS;
        /* Never later than it was due: frequent calls would put it off for ever. */
        if (!schedule->drain_at_ns || at_ns < schedule->drain_at_ns)
                drain_at(schedule, at_ns);
}

static bool anything_waits(const struct collector *collector) {
        const struct process *process;

        for (size_t i = 0; (process = processes_at(collector->processes, i)); i++)
                if (process->drain && drain_has_records(process->drain))
                        return true;
        return false;
}

static void ask_all(struct collector *collector) {
        const struct process *process;

        for (size_t i = 0; (process = processes_at(collector->processes, i)); i++)
                if (process->drain)
                        drain_ask_doorbell(process->drain);
}

/* ---------------------------------------------------------------------------------------------------- passes -- */

static void begin_round(struct schedule_round *round, size_t count) {
        *round = (struct schedule_round){.is_on = true, .count = count, .busiest = DRAIN_IDLE};
}

/* The row that the round is at; NULL: it is at its end. */
static struct process *row_of_round(const struct collector *collector, const struct schedule_round *round) {
        return round->next < round->count ? processes_at(collector->processes, round->next) : NULL;
}

static void begin_pass(struct collector *collector) {
        struct schedule *schedule = &collector->schedule;

        beacon_set_asleep(collector->beacon, false);
        schedule->passes++;
        limits_begin_pass(collector->processes);
        begin_round(&schedule->pass, processes_count(collector->processes));
}

/* One slice of a pass.  False: it goes on. */
static bool go_on_with_pass(struct collector *collector, uint64_t now_ns) {
        struct schedule_round *round = &collector->schedule.pass;
        uint64_t end_ns = reactor_slice_end();
        struct process *process;
        int r;

        while ((process = row_of_round(collector, round)) || !round->again) {
                if (!process) {
                        round->again = true;
                        round->next = 0;
                        continue;
                }
                r = process->drain && limits_waits(process) == round->again ? process_drain(process, now_ns)
                                                                            : DRAIN_IDLE;
                if (r > round->busiest)
                        round->busiest = r;
                round->next += r != DRAIN_CUT;
                if (reactor_slice_is_over(end_ns))
                        return false;
        }
        round->is_on = false;
        limits_end_pass(collector->processes);
        return true;
}

static uint64_t next_sleep(struct collector *collector, int outcome) {
        struct schedule *schedule = &collector->schedule;
        uint64_t sleep_ns = schedule->sleep_ns, deepest_ns;

        if (outcome != DRAIN_IDLE) {
                schedule->idle_passes = 0;
                if (schedule->is_deep || outcome >= DRAIN_MORE)
                        sleep_ns = SLEEP_MIN_NS;
                else
                        sleep_ns = schedule->rung ? sleep_ns / 2 : sleep_ns + sleep_ns / SLEEP_GROWTH;
        } else {
                schedule->idle_passes++;
                sleep_ns += sleep_ns / 2;
        }
        schedule->is_deep = schedule->idle_passes >= IDLE_PASSES && waker_works(collector->waker);
        if (!waker_works(collector->waker))
                return SLEEP_BLIND_NS;
        if (sleep_ns < SLEEP_MIN_NS)
                return SLEEP_MIN_NS;
        if (!schedule->is_deep)
                return sleep_ns > SLEEP_MAX_NS ? SLEEP_MAX_NS : sleep_ns;
        deepest_ns = collector->listeners.on_event ? SLEEP_WATCHED_NS : SLEEP_DEEP_NS;
        return sleep_ns > deepest_ns ? deepest_ns : sleep_ns;
}

static void tell_work(const struct collector *collector, enum collector_work work, uint64_t now_ns) {
        if (collector->listeners.on_work)
                collector->listeners.on_work(collector->listeners.work_userdata, work, now_ns);
}

static void resume_ingest(struct collector *collector) {
        reactor_work(collector->reactor, "attaching");
        for (struct ingest *ingest = collector->ingests; ingest; ingest = *ingest_next(ingest))
                ingest_resume(ingest);
}

static void on_drain(void *userdata, uint64_t now_ns) {
        struct collector *collector = userdata;
        struct schedule *schedule = &collector->schedule;

        reactor_work(collector->reactor, "draining");
        schedule->drain_at_ns = 0;
        if (collector_is_empty(collector)) { /* the next attach starts passes again */
                schedule->pass.is_on = false;
                limits_begin_pass(collector->processes);
                resume_ingest(collector);
                return;
        }
        if (!schedule->pass.is_on)
                begin_pass(collector);
        if (!go_on_with_pass(collector, now_ns)) {
                drain_at(schedule, now_ns);
                return;
        }
        schedule->sleep_ns = next_sleep(collector, schedule->pass.busiest);
        drain_at(schedule, now_ns + schedule->sleep_ns);
        if (schedule->is_deep)
                ask_all(collector);
        schedule->rung = false;
        tell_work(collector, COLLECTOR_PASS, now_ns);
        resume_ingest(collector);
}

/* A short sleep is safe: a client reads `asleep` when three eighths of its ring are used, and rings.  Before a deep
 * sleep every ring is read again, since a record may have been written before its lane was asked to ring. */
static bool on_idle(void *userdata) {
        struct collector *collector = userdata;
        struct schedule *schedule = &collector->schedule;

        if (collector_is_empty(collector))
                return false;
        beacon_set_asleep(collector->beacon, true); /* [W1] */
        if (waker_rang(collector->waker)) {
                schedule->wakeups++;
                schedule->rung = true;
        } else if (!schedule->is_deep || !anything_waits(collector)) {
                return false;
        }
        drain_at(schedule, reactor_now(collector->reactor));
        return true;
}

/* ---------------------------------------------------------------------------------------------- housekeeping -- */

/* Where nothing was changed since the last mark, that one serves for this minute too. */
static bool needs_mark(const struct process *process, uint64_t now_ns) {
        return process->books && process->part->mark.changes != books_change_count(process->books) &&
               (process->end == PROCESS_ALIVE || now_ns - process->ended_ns <= MARKS_REACH_NS);
}

/* False: `end_ns` is over, and it goes on. */
static bool mark(const struct schedule *schedule, struct process *process, uint64_t now_ns, uint64_t end_ns) {
        struct schedule_mark *mark = &process->part->mark;

        if (!needs_mark(process, now_ns))
                return true;
        if (mark->round != schedule->marked_ns)
                *mark = (struct schedule_mark){.changes = mark->changes, .round = schedule->marked_ns};
        while (!books_mark_some(process->books, now_ns, &mark->progress, MARK_PORTION))
                if (reactor_slice_is_over(end_ns))
                        return false;
        mark->changes = books_change_count(process->books);
        mark->round = 0;
        books_trim(process->books);
        return true;
}

static void measure_rate(struct collector *collector, uint64_t now_ns) {
        struct schedule *schedule = &collector->schedule;
        uint64_t passed = now_ns - schedule->rate_ns;
        uint64_t records = processes_stats(collector->processes)->forgotten.records;
        const struct process *process;
        double now;

        if (passed < TICK_NS / 2)
                return;
        for (size_t i = 0; (process = processes_at(collector->processes, i)); i++)
                if (process->books)
                        records += books_records(process->books);
        now = (double)(records - schedule->rate_records) * (double)NS_PER_S / (double)passed;
        schedule->rate += (now - schedule->rate) / 3;
        schedule->rate_records = records;
        schedule->rate_ns = now_ns;
}

static void begin_tick(struct collector *collector, uint64_t now_ns) {
        struct schedule *schedule = &collector->schedule;

        begin_round(&schedule->tick, processes_count(collector->processes));
        schedule->tick_is_busy = false;
        schedule->tick_marks = !collector_is_empty(collector) && now_ns - schedule->marked_ns >= MARK_NS;
        if (schedule->tick_marks)
                schedule->marked_ns = now_ns;
}

/* False: it goes on. */
static bool tend(struct collector *collector, struct process *process, uint64_t now_ns) {
        struct schedule *schedule = &collector->schedule;

        if (!process_tend(process, now_ns))
                return false;
        process_autopsy(process, now_ns);
        limits_tend_process(process, now_ns);
        handover_retry(collector->handover, process);
        schedule->tick_is_busy |= process->end == PROCESS_ALIVE || process_pidfd(process) >= 0;
        return true;
}

/* One slice of the rows.  False: it goes on. */
static bool go_on_with_tick(struct collector *collector, uint64_t now_ns) {
        struct schedule *schedule = &collector->schedule;
        struct schedule_round *round = &schedule->tick;
        uint64_t end_ns = reactor_slice_end();
        struct process *process;

        while ((process = row_of_round(collector, round))) {
                while (!round->is_tended && !tend(collector, process, now_ns))
                        if (reactor_slice_is_over(end_ns))
                                return false;
                round->is_tended = true;
                if (schedule->tick_marks && !mark(schedule, process, now_ns, end_ns))
                        return false;
                round->is_tended = false;
                round->next++;
                if (reactor_slice_is_over(end_ns))
                        return false;
        }
        return true;
}

static void on_tick(void *userdata, uint64_t now_ns) {
        struct collector *collector = userdata;
        struct schedule *schedule = &collector->schedule;
        struct processes *processes = collector->processes;
        uint64_t end_ns = reactor_slice_end(), next;
        bool busy, fits;

        reactor_work(collector->reactor, "housekeeping");
        if (!schedule->tick.is_on)
                begin_tick(collector, now_ns);
        if (row_of_round(collector, &schedule->tick) &&
            (!go_on_with_tick(collector, now_ns) || reactor_slice_is_over(end_ns))) {
                reactor_timer_set(schedule->tick_timer, now_ns);
                return;
        }
        reactor_work(collector->reactor, "forgetting");
        /* The limits come first: what they forget is freed by processes_forget(), or it asks for the next tick. */
        fits = limits_tend(processes, now_ns);
        next = processes_forget(processes, now_ns);
        if (!fits || next == now_ns || !announced_tend(processes_announced(processes), now_ns)) {
                reactor_timer_set(schedule->tick_timer, now_ns);
                return;
        }
        schedule->tick.is_on = false;
        measure_rate(collector, now_ns);
        busy = schedule->tick_is_busy || !announced_is_empty(processes_announced(processes));
        if (busy && (!next || next > now_ns + TICK_NS))
                next = now_ns + (collector->options.eager ? TICK_SOON_NS : TICK_NS);
        /* What this round ended may have asked for the next one sooner. */
        if (next)
                reactor_timer_bring_forward(schedule->tick_timer, next);
        tell_work(collector, COLLECTOR_HOUSEKEEPING, now_ns);
}

void schedule_tend_soon(struct collector *collector) {
        reactor_timer_bring_forward(collector->schedule.tick_timer, reactor_now(collector->reactor) + TICK_SOON_NS);
}

void schedule_stats(const struct collector *collector, struct schedule_stats *ret) {
        const struct schedule *schedule = &collector->schedule;

        *ret = (struct schedule_stats){
                .passes = schedule->passes, .wakeups = schedule->wakeups, .records_rate = schedule->rate};
}

int schedule_init(struct collector *collector) {
        struct schedule *schedule = &collector->schedule;
        int r;

        schedule->sleep_ns = SLEEP_MAX_NS;
        schedule->marked_ns = schedule->rate_ns = reactor_now(collector->reactor);
        r = reactor_timer(collector->reactor, &schedule->drain_timer, on_drain, collector);
        if (r == 0)
                r = reactor_timer(collector->reactor, &schedule->tick_timer, on_tick, collector);
        if (r == 0)
                reactor_on_idle(collector->reactor, on_idle, collector);
        return r;
}

void schedule_deinit(struct collector *collector) {
        struct schedule *schedule = &collector->schedule;

        reactor_on_idle(collector->reactor, NULL, NULL);
        schedule->drain_timer = reactor_timer_free(schedule->drain_timer);
        schedule->tick_timer = reactor_timer_free(schedule->tick_timer);
}
