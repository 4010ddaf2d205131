/* SPDX-License-Identifier: MIT */
/*
 * When to drain, and when to sleep.
 *
 * Between passes the collector sleeps 1 to 25 ms.  A bell, which a client rings when three eighths of a ring went by
 * while we slept, ends the sleep and halves the next; passes without one lengthen it.  After some passes that found
 * nothing it sleeps deeply, up to half a second, once every lane was asked to ring at its very next record.  With
 * nobody attached there is no timer at all.
 */
#include <string.h>

#include "daemon/processes/process_private.h"

#define SLEEP_MIN_NS     (1 * NS_PER_MS)
#define SLEEP_MAX_NS     (25 * NS_PER_MS)
#define SLEEP_GROWTH     64 /* that share of it is added by each pass that nobody rang for: a bell is to be rare */
#define SLEEP_BLIND_NS   (4 * NS_PER_MS) /* where no bell can be heard */
#define SLEEP_DEEP_NS    (500 * NS_PER_MS)
#define SLEEP_WATCHED_NS (125 * NS_PER_MS) /* … while somebody waits for events: a new thread does not ring */
#define IDLE_PASSES      8                 /* in a row, before sleep becomes deep */
#define TICK_NS          NS_PER_S
#define TICK_SOON_NS     (100 * NS_PER_MS)
#define MARK_NS          (60 * NS_PER_S)
#define MARKS_REACH_NS   (11 * MARK_NS)

static void drain_at(struct collector *collector, uint64_t at_ns) {
        collector->drain_at_ns = at_ns;
        reactor_timer_set(collector->drain_timer, at_ns);
}

void schedule_soon(struct collector *collector) {
        uint64_t at_ns = reactor_now(collector->reactor) + SLEEP_MIN_NS;

        collector->deep = false;
        collector->idle_passes = 0;
        collector->sleep_ns = SLEEP_MIN_NS;
        /* Never later than it would have been: or who calls often enough puts it off for ever. */
        if (!collector->drain_at_ns || at_ns < collector->drain_at_ns)
                drain_at(collector, at_ns);
}

static bool anything_waits(const struct collector *collector) {
        for (size_t i = 0; i < collector->count; i++) {
                const struct drain *drain = collector->members[i]->process.drain;

                if (drain && drain_has_records(drain))
                        return true;
        }
        return false;
}

static void ask_all(struct collector *collector) {
        for (size_t i = 0; i < collector->count; i++)
                if (collector->members[i]->process.drain)
                        drain_ask_doorbell(collector->members[i]->process.drain);
}

/* ---------------------------------------------------------------------------------------------------- passes -- */

/* Returns the busiest outcome. */
static int pass(struct collector *collector, uint64_t now_ns) {
        size_t first = collector->count ? collector->first++ % collector->count : 0;
        int busiest = DRAIN_IDLE, r;

        beacon_set_asleep(collector->beacon, false);
        collector->stats.passes++;
        limits_begin_pass(collector);
        for (size_t i = 0; i < collector->count; i++) {
                struct member *member = collector->members[(first + i) % collector->count];

                if (!member->process.drain)
                        continue;
                r = member_drain(member, now_ns);
                if (r > busiest)
                        busiest = r;
        }
        limits_end_pass(collector);
        return busiest;
}

static uint64_t next_sleep(struct collector *collector, int outcome) {
        uint64_t sleep_ns = collector->sleep_ns, deepest_ns;

        if (outcome != DRAIN_IDLE) {
                collector->idle_passes = 0;
                if (collector->deep || outcome == DRAIN_MORE)
                        sleep_ns = SLEEP_MIN_NS;
                else
                        sleep_ns = collector->rung ? sleep_ns / 2 : sleep_ns + sleep_ns / SLEEP_GROWTH;
        } else {
                collector->idle_passes++;
                sleep_ns += sleep_ns / 2;
        }
        collector->deep = collector->idle_passes >= IDLE_PASSES && waker_works(collector->waker);
        if (!waker_works(collector->waker))
                return SLEEP_BLIND_NS;
        if (sleep_ns < SLEEP_MIN_NS)
                return SLEEP_MIN_NS;
        if (!collector->deep)
                return sleep_ns > SLEEP_MAX_NS ? SLEEP_MAX_NS : sleep_ns;
        deepest_ns = collector->on_event ? SLEEP_WATCHED_NS : SLEEP_DEEP_NS;
        return sleep_ns > deepest_ns ? deepest_ns : sleep_ns;
}

static void tell_work(const struct collector *collector, enum collector_work work, uint64_t now_ns) {
        if (collector->on_work)
                collector->on_work(collector->work_userdata, work, now_ns);
}

static void resume_ingest(struct collector *collector) {
        for (struct ingest *ingest = collector->ingests; ingest; ingest = *ingest_next(ingest))
                ingest_resume(ingest);
}

static void on_drain(void *userdata, uint64_t now_ns) {
        struct collector *collector = userdata;
        int outcome;

        collector->drain_at_ns = 0;
        if (!collector->live) { /* the next attach starts us again */
                limits_begin_pass(collector);
                resume_ingest(collector);
                return;
        }
        outcome = pass(collector, now_ns);
        collector->sleep_ns = next_sleep(collector, outcome);
        drain_at(collector, now_ns + collector->sleep_ns);
        if (collector->deep)
                ask_all(collector);
        collector->rung = false;
        tell_work(collector, COLLECTOR_PASS, now_ns);
        resume_ingest(collector);
}

/* The last look before sleep.  In a short one nothing can overflow unheard: whoever fills a ring comes to a look at
 * `asleep` while half of it is left, and rings.  A deep one must not begin over a record that was written before its
 * lane was asked to ring. */
static bool on_idle(void *userdata) {
        struct collector *collector = userdata;

        if (!collector->live)
                return false;
        beacon_set_asleep(collector->beacon, true); /* [W1] */
        if (waker_rang(collector->waker)) {
                collector->stats.wakeups++;
                collector->rung = true;
        } else if (!collector->deep || !anything_waits(collector)) {
                return false;
        }
        drain_at(collector, reactor_now(collector->reactor));
        return true;
}

/* ---------------------------------------------------------------------------------------------- housekeeping -- */

/* Where nothing was changed since the last mark, that one serves for this minute too. */
static void mark_all(struct collector *collector, uint64_t now_ns) {
        for (size_t i = 0; i < collector->count; i++) {
                struct member *member = collector->members[i];
                const struct process *process = &member->process;

                if (!process->books || member->marked == books_change_count(process->books) ||
                    (process->end != PROCESS_ALIVE && now_ns - process->ended_ns > MARKS_REACH_NS))
                        continue;
                books_begin(process->books, now_ns);
                books_mark(process->books, now_ns);
                books_commit(process->books);
                member->marked = books_change_count(process->books);
                books_trim(process->books);
        }
        collector->marked_ns = now_ns;
}

static void measure_rate(struct collector *collector, uint64_t now_ns) {
        uint64_t passed = now_ns - collector->rate_ns;
        uint64_t records = collector->forgotten.records;
        double now;

        if (passed < TICK_NS / 2)
                return;
        for (size_t i = 0; i < collector->count; i++)
                if (collector->members[i]->process.books)
                        records += books_records(collector->members[i]->process.books);
        now = (double)(records - collector->rate_records) * (double)NS_PER_S / (double)passed;
        collector->rate += (now - collector->rate) / 3;
        collector->rate_records = records;
        collector->rate_ns = now_ns;
}

static void on_tick(void *userdata, uint64_t now_ns) {
        struct collector *collector = userdata;
        bool busy = false;
        uint64_t next;

        for (size_t i = 0; i < collector->count; i++) {
                struct member *member = collector->members[i];

                member_tend(member, now_ns);
                member_autopsy(member, now_ns);
                busy |= member->process.end == PROCESS_ALIVE || member->pidfd >= 0;
        }
        notices_tend(collector->notices, now_ns);
        limits_tend(collector, now_ns);
        if (collector->live && now_ns - collector->marked_ns >= MARK_NS)
                mark_all(collector, now_ns);
        measure_rate(collector, now_ns);
        next = members_forget(collector, now_ns);
        busy |= !notices_is_empty(collector->notices);
        if (busy && (!next || next > now_ns + TICK_NS))
                next = now_ns + (collector->options.eager ? TICK_SOON_NS : TICK_NS);
        reactor_timer_set(collector->tick_timer, next);
        tell_work(collector, COLLECTOR_HOUSEKEEPING, now_ns);
}

void schedule_tick(struct collector *collector) {
        reactor_timer_bring_forward(collector->tick_timer, reactor_now(collector->reactor) + TICK_SOON_NS);
}

int schedule_init(struct collector *collector) {
        int r;

        collector->sleep_ns = SLEEP_MAX_NS;
        collector->marked_ns = collector->rate_ns = reactor_now(collector->reactor);
        r = reactor_timer(collector->reactor, &collector->drain_timer, on_drain, collector);
        if (r == 0)
                r = reactor_timer(collector->reactor, &collector->tick_timer, on_tick, collector);
        if (r == 0)
                reactor_on_idle(collector->reactor, on_idle, collector);
        return r;
}

void schedule_deinit(struct collector *collector) {
        reactor_on_idle(collector->reactor, NULL, NULL);
        collector->drain_timer = reactor_timer_free(collector->drain_timer);
        collector->tick_timer = reactor_timer_free(collector->tick_timer);
}
