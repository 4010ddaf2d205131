/* SPDX-License-Identifier: MIT */
/*
 * See step.h.  The stepped program.
 *
 * Each script names its cases.  It states for each call whether it will be refused, by the limits of
 * docs/shm-format.md, section 7, and not by the library's result.
 */
#include "tests/step/step.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "client/lanes/record.h"
#include "client/process/counting.h"

#if defined(__x86_64__)
#define breakpoint() __asm__ volatile("int3" ::: "memory")
#else
#define breakpoint() _exit(3) /* main.c does not come here */
#endif

static struct box *box;
static bool in_place; /* counters are counted as the allocator does */

static spanalloc_span spans[STEP_SLOTS];
static _Thread_local uint32_t me;

SPANALLOC_SITE(site0, "n0");
SPANALLOC_SITE(site1, "n1");
SPANALLOC_SITE(site2, "n2");
SPANALLOC_SITE(site3, "n3");
SPANALLOC_SITE(site4, "n4");
SPANALLOC_SITE(site5, "n5");
static spanalloc_site *const sites[STEP_NAMES] = {&site0, &site1, &site2, &site3, &site4, &site5};

static void mark(enum step_mark mark) {
        box->thread = me;
        box->mark = mark;
        breakpoint();
}

static void snapshot(struct spanalloc_counters *out) {
        *out = box->own[me];
}

/* As the counting allocator does it. */
static void count_in_place(uint64_t n) {
        _Atomic uint64_t *counters = sa_counters();

        for (int c = 0; c < SHM_COUNTERS; c++)
                sa_bump(&counters[c], n * step_factor[c]);
}

static void count(uint64_t n) {
        if (in_place) {
                count_in_place(n);
                return;
        }
        box->own[me].alloc_count += n * step_factor[SHM_ALLOC_COUNT];
        box->own[me].alloc_bytes += n * step_factor[SHM_ALLOC_BYTES];
        box->own[me].dealloc_count += n * step_factor[SHM_DEALLOC_COUNT];
        box->own[me].dealloc_bytes += n * step_factor[SHM_DEALLOC_BYTES];
}

/* -------------------------------------------------------------------------------------------------- calls -- */

static void begin(enum step_op op, uint32_t slot, uint32_t flags) {
        box->op = op;
        box->slot = slot;
        box->flags = flags;
        mark(MARK_BEGIN);
}

static void policy(uint32_t bits) {
        box->policy = bits;
}

static void work(uint64_t n) {
        begin(OP_WORK, 0, 0);
        count(n);
        mark(MARK_DONE);
}

static void open_(uint32_t slot, uint32_t name, uint32_t flags) {
        box->name = name;
        begin(OP_OPEN, slot, flags);
        spans[slot] = spanalloc_open(sites[name]);
        mark(MARK_DONE);
}

static void enter(uint32_t slot, uint32_t flags) {
        begin(OP_ENTER, slot, flags);
        spanalloc_enter(spans[slot]);
        mark(MARK_DONE);
}

static void leave(uint32_t slot) {
        begin(OP_EXIT, slot, 0);
        spanalloc_exit(spans[slot]);
        mark(MARK_DONE);
}

static void close_(uint32_t slot) {
        begin(OP_CLOSE, slot, 0);
        spanalloc_close(spans[slot]);
        mark(MARK_DONE);
}

static void scope(uint32_t slot, uint32_t name, uint32_t flags) {
        box->name = name;
        begin(OP_BEGIN, slot, flags);
        spans[slot] = spanalloc_scope_begin(sites[name]);
        mark(MARK_DONE);
}

static void end(uint32_t slot) {
        begin(OP_END, slot, 0);
        spanalloc_scope_end(spans[slot]);
        mark(MARK_DONE);
}

static void current(void) {
        begin(OP_CURRENT, 0, 0);
        (void)spanalloc_current();
        mark(MARK_DONE);
}

static void switch_stack(uint32_t save, uint32_t take, uint32_t flags) {
        static struct spanalloc_stack stacks[STEP_STACKS];

        box->name = take;
        begin(OP_SWITCH, save, flags);
        spanalloc_stack_switch(save ? &stacks[save] : NULL, take ? &stacks[take] : NULL);
        mark(MARK_DONE);
}

/* The thread's first call.  With counters in place it is malloc that finds the lane; else the first open does. */
static void claim_and_open(uint32_t slot, uint32_t name) {
        if (in_place) {
                begin(OP_CLAIM, 0, STEP_CLAIMS);
                (void)sa_counters();
                mark(MARK_DONE);
                work(5);
                open_(slot, name, 0);
        } else {
                open_(slot, name, STEP_CLAIMS);
        }
}

/* Before the thread has a lane. */
static void count_before(uint64_t n) {
        if (!in_place)
                count(n);
        else
                for (int c = 0; c < SHM_COUNTERS; c++)
                        sa_self.pending[c] += n * step_factor[c];
}

/* ----------------------------------------------------------------------------------------------- threads -- */

static void switch_to(uint32_t thread) {
        box->slot = thread;
        mark(MARK_SWITCH);
}

static pthread_t threads[STEP_THREADS];

static void start(uint32_t thread, void (*fn)(void)) {
        uint32_t was = box->policy;

        policy(0);
        if (pthread_create(&threads[thread], NULL, (void *(*)(void *))(void *)fn, NULL) != 0)
                _exit(1);
        policy(was);
}

/* Each thread's function ends with it: the thread's end is stepped like a call. */
static void thread_ends(void) {
        begin(OP_THREAD_ENDS, 0, 0);
}

/* The thread has ended. */
static void join(uint32_t thread) {
        uint32_t was = box->policy;

        policy(0);
        pthread_join(threads[thread], NULL);
        policy(was);
}

/* ------------------------------------------------------------------------------------------------- pieces -- */

/* The claim, and what a plain program does. */
static void plain(void) {
        count_before(7);
        policy(STEP_EACH);
        claim_and_open(0, 0);
        work(1);
        enter(0, 0); /* with BEFORE and BASE */
        work(2);
        open_(1, 1, 0);
        enter(1, 0);
        work(3);
        leave(1);
        work(4);
        leave(0);
        work(5);
        enter(1, 0);
        work(6);
        close_(1); /* while it is entered */
        work(7);
        leave(1);
        close_(0);
}

/* Nesting, re-entry, recursion, a jump over scopes, exits out of order. */
static void nested(void) {
        policy(STEP_EACH);
        open_(0, 0, 0);
        enter(0, 0);
        work(1);
        enter(0, 0);
        work(2);
        scope(1, 1, 0);
        work(3);
        scope(2, 1, 0);
        work(4);
        current();
        end(2);
        work(5);
        leave(0);
        work(6);
        leave(0);
        close_(0);
        open_(3, 2, 0);
        open_(4, 3, 0);
        enter(3, 0);
        work(7);
        enter(4, 0);
        work(8);
        leave(3); /* from below */
        work(9);
        scope(5, 1, 0);
        scope(6, 2, 0);
        work(10);
        leave(4); /* a jump over both scopes */
        work(11);
        close_(3);
        close_(4);
}

static uint64_t room(void) {
        const struct shm_lane *lane = sa_self.lane;

        return atomic_load(&lane->tail) + STEP_RECORDS - atomic_load(&lane->head);
}

static void turn(uint32_t slot) {
        enter(slot, 0);
        work(1);
        leave(slot);
}

static void spin(uint32_t slot, uint64_t turns) {
        box->turns = (uint32_t)turns;
        begin(OP_SPIN, slot, 0);
        while (turns--) {
                spanalloc_enter(spans[slot]);
                spanalloc_exit(spans[slot]);
        }
        mark(MARK_DONE);
}

/* The ring wraps; the collector keeps up. */
static void wrap(void) {
        for (int round = 0; round < 3; round++) {
                policy(0);
                open_(0, 0, 0);
                spin(0, 60);
                spin(0, (STEP_RECORDS - 4 - atomic_load(&sa_self.lane->head) % STEP_RECORDS) / 2);
                policy(STEP_EACH);
                for (int i = 0; i < 4; i++)
                        turn(0);
                close_(0);
        }
}

/* Until one more enter has no room. */
static void fill(uint32_t slot) {
        spin(slot, (room() - 3 - sa_owed(sa_self.lane)) / 2 + 1);
}

/* A full ring: refused scopes, enters, opens, their exits; what is lost goes out with the next exit that has a frame. */
static void refused(void) {
        policy(0);
        open_(0, 0, 0);
        open_(1, 1, 0);
        open_(6, 5, 0);
        enter(0, 0);
        work(1);
        policy(STEP_HOLD);
        fill(1);
        policy(STEP_EACH | STEP_HOLD);
        enter(1, STEP_REFUSED);
        work(2);
        leave(1);
        work(3);
        scope(2, 2, STEP_REFUSED);
        work(4);
        scope(3, 3, STEP_REFUSED);
        work(5);
        end(3);
        work(6);
        end(2);
        work(7);
        policy(STEP_HOLD);
        while (room() > sa_owed(sa_self.lane))
                open_(5, 3, 0), close_(5);
        policy(STEP_EACH | STEP_HOLD);
        open_(4, 4, STEP_REFUSED);
        close_(6); /* by the overflow list */
        leave(0);  /* LOST and EXIT from its own slots */
        work(8);
        policy(STEP_EACH);
        enter(4, 0); /* late */
        work(9);
        enter(1, 0); /* where a refused frame was */
        work(10);
        leave(1);
        leave(4);
        close_(4);
        close_(0);
        close_(1);
}

/* There is room again while a refused frame is on the stack. */
static void refused_below(void) {
        policy(0);
        open_(0, 0, 0);
        open_(1, 1, 0);
        open_(2, 2, 0);
        enter(0, 0);
        policy(STEP_HOLD);
        fill(1);
        policy(STEP_EACH | STEP_HOLD);
        enter(1, STEP_REFUSED);
        work(1);
        policy(STEP_EACH);
        enter(2, 0); /* LOST, ENTER */
        work(2);
        leave(2);
        work(3); /* lost again */
        scope(3, 3, 0);
        work(4);
        leave(1); /* from below; the scope ends with it */
        work(5);
        leave(0);
        work(6);
        close_(0);
        close_(1);
        close_(2);
}

/* The collector does not look at all while the thread is refused. */
static void refused_unseen(void) {
        policy(0);
        open_(0, 0, 0);
        open_(1, 1, 0);
        enter(0, 0);
        work(1);
        policy(STEP_QUIET);
        fill(1);
        policy(STEP_QUIET | STEP_EACH);
        enter(1, STEP_REFUSED);
        work(2);
        leave(1);
        work(3);
        scope(2, 2, STEP_REFUSED);
        work(4);
        end(2);
        leave(0);
        work(5);
        policy(STEP_EACH);
        open_(3, 3, 0);
        policy(STEP_QUIET | STEP_EACH);
        enter(0, 0);
        work(6);
        enter(1, 0); /* where a refused frame was */
        work(7);
        leave(1);
        leave(0);
        policy(STEP_EACH);
        work(8);
        enter(3, 0);
        leave(3);
        close_(3);
        close_(0);
        close_(1);
}

/* More frames than the shadow stack has. */
static void deep(void) {
        policy(0);
        open_(0, 0, 0);
        open_(1, 1, 0);
        open_(2, 2, 0);
        for (uint32_t i = 0; i < SHM_DEPTH - 1; i++)
                enter(0, 0);
        policy(STEP_EACH);
        enter(1, 0); /* the last that fits */
        work(1);
        enter(2, STEP_REFUSED);
        work(2);
        scope(3, 3, STEP_REFUSED);
        work(3);
        end(3);
        work(4);
        leave(2);
        work(5);
        leave(1);
        work(6);
        enter(1, 0);
        enter(2, STEP_REFUSED); /* with nothing lost that waits */
        work(7);
        leave(2);
        leave(1);
        policy(0);
        for (uint32_t i = 0; i < SHM_DEPTH - 1; i++)
                leave(0);
        close_(0);
        close_(1);
        close_(2);
}

/* Two coroutines take turns; then one of them finds no room for its spans. */
static void coroutines(void) {
        policy(0);
        open_(0, 0, 0);
        open_(1, 1, 0);
        policy(STEP_EACH);
        enter(0, 0);
        scope(2, 2, 0);
        work(1);
        switch_stack(1, 0, 0);
        work(2);
        scope(3, 3, 0);
        work(3);
        switch_stack(2, 1, 0);
        work(4);
        scope(4, 4, 0);
        enter(0, 0);
        work(5);
        switch_stack(1, 2, 0);
        work(6);
        end(3);
        switch_stack(0, 1, 0);
        work(7);
        leave(0);
        work(8);
        leave(0); /* a jump over both scopes, of which neither has an ENTER of its own on the stack */
        work(9);
        scope(5, 5, 0);
        switch_stack(1, 0, 0);
        policy(STEP_HOLD);
        fill(1);
        policy(STEP_EACH | STEP_HOLD);
        switch_stack(0, 1, STEP_REFUSED);
        work(10);
        end(5); /* by the overflow list */
        policy(STEP_EACH);
        work(11);
        enter(1, 0);
        leave(1);
        policy(0);
        close_(0);
        close_(1);
}

/* -------------------------------------------------------------------------------------- more than one thread -- */

/* Exits what the main thread has entered, and goes. */
static void exits_for_others(void) {
        me = 1;
        count_before(9);
        mark(MARK_READY);
        claim_and_open(20, 4);
        enter(20, 0);
        work(1);
        leave(10); /* the main thread's top */
        work(2);
        close_(10);
        leave(11); /* a frame from below the top */
        work(3);
        leave(20);
        close_(20);
        switch_to(0);
        enter(12, 0); /* the main thread's span, here too: it goes on when this thread is dead */
        work(4);
        scope(21, 5, 0);
        work(5);
        thread_ends();
}

static void migrated(void) {
        policy(STEP_EACH);
        open_(10, 0, 0);
        open_(11, 1, 0);
        open_(12, 2, 0);
        enter(11, 0);
        enter(12, 0);
        enter(10, 0);
        work(1);
        start(1, exits_for_others);
        switch_to(1);
        work(2);         /* still in 10: this thread has not read the mark yet */
        open_(13, 3, 0); /* takes out both; 12 moves down */
        work(3);
        switch_to(1); /* it runs until it is dead */
        join(1);
        work(4);
        close_(11);
        close_(12);
        leave(12);
        work(5);
        close_(13);
}

/* In the lane of the one before. */
static void comes_after(void) {
        me = 2;
        count_before(11);
        mark(MARK_READY);
        claim_and_open(30, 1);
        work(1);
        enter(30, 0);
        work(2);
        leave(30);
        close_(30);
        thread_ends();
}

static void takes_over(void) {
        start(2, comes_after);
        switch_to(2);
        join(2);
        work(1);
        open_(0, 0, 0);
        close_(0);
}

/* Counts, opens nothing, and dies before the collector has read what it counted. */
static void leaves_counts(void) {
        me = 1;
        mark(MARK_READY);
        claim_and_open(20, 3);
        enter(20, 0);
        work(1);
        leave(20);
        close_(20);
        policy(STEP_QUIET);
        work(100);
        thread_ends();
}

static void takes_over_unseen(void) {
        policy(STEP_EACH);
        start(1, leaves_counts);
        switch_to(1);
        join(1);
        policy(STEP_QUIET | STEP_EACH);
        start(2, comes_after);
        switch_to(2);
        join(2);
        policy(STEP_EACH);
        work(1);
}

/* ------------------------------------------------------------------------------------------------ scripts -- */

/* A lane, without ceremony: for the scripts that are about something else. */
static void settle_in(void) {
        policy(0);
        claim_and_open(50, 0);
        close_(50);
}

static void test_wrap(void) {
        settle_in();
        wrap();
}

static void test_nested(void) {
        settle_in();
        nested();
}

static void test_refused(void) {
        settle_in();
        refused();
}

static void test_refused_below(void) {
        settle_in();
        refused_below();
}

static void test_refused_unseen(void) {
        settle_in();
        refused_unseen();
}

static void test_deep(void) {
        settle_in();
        deep();
}

static void test_coroutines(void) {
        settle_in();
        coroutines();
}

static void test_migrated(void) {
        settle_in();
        migrated();
        takes_over();
}

/* What is open is aborted with the process. */
static void everything(void) {
        plain();
        nested();
        wrap();
        refused();
        refused_below();
        refused_unseen();
        deep();
        migrated();
        takes_over();
        policy(STEP_EACH);
        open_(40, 0, 0);
        enter(40, 0);
        scope(41, 1, 0);
        work(3);
}

#define BOTH(title, run)                                                                                               \
        {title ", counted in place", false, run}, {                                                                    \
                title ", counted by a function", true, run                                                             \
        }
const struct script scripts[] = {
        BOTH("claim, open, enter, exit, close", plain),
        BOTH("nesting", test_nested),
        BOTH("ring wrap", test_wrap),
        BOTH("refusal", test_refused),
        BOTH("refusal, and room again", test_refused_below),
        BOTH("refusal unseen", test_refused_unseen),
        BOTH("too deep", test_deep),
        BOTH("coroutines", test_coroutines),
        BOTH("migration, and the end of a thread", test_migrated),
        BOTH("a lane that changes hands unseen", takes_over_unseen),
        {"one after the other", false, everything},
};
const unsigned script_count = sizeof scripts / sizeof *scripts;

void script_run(const struct script *script, struct box *shared, const char *socket) {
        const struct spanalloc_options options = {.size = sizeof options, .socket = socket};

        box = shared;
        in_place = !script->snapshot;
        if (script->snapshot && spanalloc_set_snapshot(snapshot) != 0)
                _exit(2);
        if (spanalloc_attach(&options) != 0)
                _exit(2);
        mark(MARK_READY);
        script->run();
        _exit(0);
}
