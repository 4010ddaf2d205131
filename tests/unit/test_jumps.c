/* SPDX-License-Identifier: MIT */
/*
 * A signal handler jumps out of a call, at each of the call's instructions.  After that the thread is recorded as before, and
 * the books agree with what the calls that followed found on the stack.
 *
 * The child steps itself; see stepping.h.
 *
 * Optional: the trap flag is x86's.
 *
 * Timeout: 1800
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/process/counting.h"
#include "tests/unit/client_scenes.h"
#include "tests/unit/stepping.h"

static sigjmp_buf landing;
static volatile long steps_left;
static uint64_t counted, jumps;
static spanalloc_span spans[3], scope_span;
SPANALLOC_SITE(site_p, "p");
SPANALLOC_SITE(site_q, "q");
SPANALLOC_SITE(site_r, "r");

/* Of p, q and r: what was counted on top, and the cycles that have ended. */
static uint64_t on_top[3], cycles[3];

static void on_trap(int number) {
        if (steps_left-- == 0)
                siglongjmp(landing, 1);
}

static void count(uint64_t n) {
        _Atomic uint64_t *counters = sa_counters();

        for (int c = 0; c < SHM_COUNTERS; c++)
                sa_bump(&counters[c], n * factor[c]);
        counted += n;
}

/* Which of p, q and r is the innermost, or -1. */
static int innermost(void) {
        uint64_t instance = spanalloc_current().instance;

        for (int i = 0; i < 3; i++)
                if (instance == spans[i].instance)
                        return i;
        return -1;
}

static void enter(int i) {
        spanalloc_enter(spans[i]);
}

static void leave(int i) {
        spanalloc_exit(spans[i]);
        cycles[i]++;
}

/* The calls that are jumped out of, on a stack of p and what `prepare` puts there. */
struct deed {
        const char *name;
        void (*prepare)(void);
        void (*run)(void);
        int ends;       /* the cycle that it ends, or -1 */
        uint32_t depth; /* frames above p before it */
};

static void nothing(void) {
}

static void enter_q(void) {
        enter(1);
}

static void enter_q_twice(void) {
        enter(1);
        enter(1);
}

static void enter_q_and_r(void) {
        enter(1);
        enter(2);
}

static void enter_many(void) {
        for (int i = 0; i < 8; i++)
                enter(1 + i % 2);
}

static void exit_q(void) {
        spanalloc_exit(spans[1]);
}

static void open_one(void) {
        spanalloc_span span = spanalloc_open(&site_s);

        spanalloc_close(span);
}

static void begin_scope(void) {
        scope_span = spanalloc_scope_begin(&site_s);
}

static void end_scope(void) {
        spanalloc_scope_end(scope_span);
}

static void read_current(void) {
        (void)spanalloc_current();
}

static const struct deed deeds[] = {
        {"enter", nothing, enter_q, -1, 0},
        {"enter again", enter_q, enter_q, -1, 1},
        {"enter a third time", enter_q_twice, enter_q, -1, 2},
        {"exit", enter_q, exit_q, 1, 1},
        {"exit of one of two", enter_q_twice, exit_q, 1, 2},
        {"exit from below", enter_q_and_r, exit_q, 1, 2},
        {"exit from further below", enter_many, exit_q, 1, 8},
        {"open and close", nothing, open_one, -1, 0},
        {"begin of a scope", nothing, begin_scope, -1, 0},
        {"end of a scope", begin_scope, end_scope, -1, 0},
        {"current", enter_q, read_current, -1, 1},
};

/* Exits all above p, and counts in each what belongs to it.  Returns their number. */
static uint32_t unwind(void) {
        uint32_t n = 0;
        int i;

        while ((i = innermost()) != 0) {
                must(n++ < 20);
                if (i < 0) { /* a scope, which ends with what is below it */
                        leave(0);
                        enter(0);
                        break;
                }
                count(1);
                on_top[i]++;
                leave(i);
        }
        count(1);
        on_top[0]++;
        return n;
}

/* Jumps out before the instruction with this number.  False if the deed has fewer. */
static bool jump_at(const struct deed *deed, long number) {
        volatile bool jumped = true;
        uint32_t left;

        deed->prepare();
        steps_left = number;
        if (!sigsetjmp(landing, 1)) {
                BEGIN_STEPS();
                deed->run();
                END_STEPS();
                jumped = false;
        }
        left = unwind();
        if (deed->ends >= 0 && left < deed->depth)
                cycles[deed->ends]++;
        jumps += jumped;
        return jumped;
}

static void jump_everywhere(void) {
        for (size_t d = 0; d < sizeof deeds / sizeof *deeds; d++) {
                long number = 0;

                while (jump_at(&deeds[d], number))
                        number += STRIDE;
                must(number > 20 && number < 5000);
        }
}

static void expect_cycles(int i, const char *name, uint64_t total) {
        *expect(name) = (struct want){"", on_top[i], total, cycles[i], 0, 1, 1, 0, ANY, ANY, ANY};
        strcpy(report->wants[report->count - 1].name, name);
}

static void begin(void) {
        for (int i = 0; i < 3; i++)
                spans[i] = spanalloc_open(i == 0 ? &site_p : i == 1 ? &site_q : &site_r);
        signal(SIGTRAP, on_trap);
        enter(0);
}

/* What follows is recorded as in any program. */
static void go_on(void) {
        leave(0);
        for (int i = 0; i < 3; i++)
                spanalloc_close(spans[i]);
        for (int i = 0; i < 100; i++) {
                SPANALLOC_SCOPE("after");
                count(2);
        }
        expect_closed("after", 200, 200, 100);
        report->counters = counted;
        report->before = report->outside = 0;
        must(stats().unmatched_exits == 0);
        must(stats().abandoned > 0 && stats().abandoned <= jumps);
        must(jumps > 500);
}

static void jumps_out(void) {
        begin();
        jump_everywhere();
        expect_cycles(0, "p", counted);
        expect_cycles(1, "q", ANY); /* r is entered in q */
        expect_cycles(2, "r", ANY);
        report->wants[0].cycles++;
        go_on();
        report->lost = 0;
        check();
}

/* Until the collector has read all records: the ring has room again then. */
static void wait_for_room(void) {
        const struct shm_lane *lane = sa_self.lane;

        for (int i = 0; i < 60000 && atomic_load(&lane->tail) != atomic_load(&lane->head); i++)
                usleep(1000);
        must(atomic_load(&lane->tail) == atomic_load(&lane->head));
}

/* Nothing is entered any more: what is counted in the refused frames is lost. */
static void jumps_out_of_refused(void) {
        begin();
        collector_stops();
        for (int i = 0; i < 200; i++) {
                enter(1);
                leave(1);
        }
        jump_everywhere();
        collector_goes_on();
        must(stats().refused_enters > 500);
        wait_for_room();
        go_on();
        check();
}

/* ------------------------------------------------------------------------------------------ a mark that is withdrawn -- */

static struct shm_lane *own_lane, *other_lane;
static uint64_t marked;
static bool is_withdrawn;

static bool withdraw(struct shm_lane *lane) {
        for (unsigned i = 0; i < SHM_DEPTH; i++) {
                uint64_t mine = marked;

                if (atomic_compare_exchange_strong(&lane->marks[i], &mine, 0))
                        return true;
        }
        return false;
}

/* As another thread does that finds this one's stack empty. */
static void on_trap_withdraw(int number) {
        if (steps_left-- == 0)
                is_withdrawn = withdraw(own_lane);
}

static void *is_in_p(void *userdata) {
        spanalloc_enter(spans[0]);
        other_lane = sa_self.lane;
        post(&to_main);
        await(&to_a);
        return NULL;
}

/* An exit that is withdrawn from this thread while it takes it is not handed on to the other one as well. */
static void withdrawn(void) {
        uint64_t taken = 0, left = 0;
        pthread_t thread;

        init();
        for (int i = 0; i < 3; i++)
                spans[i] = spanalloc_open(i == 0 ? &site_p : i == 1 ? &site_q : &site_r);
        marked = spans[0].instance;
        own_lane = sa_self.lane;
        thread = start(is_in_p, NULL);
        await(&to_main);
        signal(SIGTRAP, on_trap_withdraw);
        /* Until it ends before the trap that withdraws. */
        steps_left = -1;
        for (long number = 0; steps_left < 0; number += STRIDE) {
                is_withdrawn = false;
                steps_left = number;
                atomic_store(&own_lane->marks[5], marked);
                atomic_fetch_or(&own_lane->attention, SHM_ATTENTION_FOREIGN);
                BEGIN_STEPS();
                read_current();
                END_STEPS();
                must(withdraw(other_lane) == !is_withdrawn && !withdraw(own_lane));
                *(is_withdrawn ? &left : &taken) += 1;
        }
        must(left > 10 && taken > 10);
        post(&to_a);
        pthread_join(thread, NULL);
        report->stale = ANY;
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                SCENARIO(jumps_out, .in_place = true),
                SCENARIO(withdrawn),
                SCENARIO(jumps_out_of_refused, .in_place = true, .ring_records = 256),
        };

        if (!IS_STEPPED)
                return 77;
        return RUN_SCENES(argc, argv, tests);
}
