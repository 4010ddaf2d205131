/* SPDX-License-Identifier: MIT */
/*
 * A signal handler forks in the middle of a call, at each of the call's instructions.  The child returns into the call, and
 * works on without a collector; the parent is recorded as if nothing had been.
 *
 * The program steps itself; see stepping.h.
 *
 * Optional: the trap flag is x86's.
 *
 * Timeout: 1800
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "client/process/counting.h"
#include "client/segment/attaching.h"
#include "client/segment/left_behind.h"
#include "tests/unit/client_scenes.h"
#include "tests/unit/stepping.h"

/* Each place in a move takes a new collector. */
#define MOVE_STRIDE (STRIDE * 97)

static volatile long steps_left;
static volatile bool in_child;
static uint64_t counted, forks;
static spanalloc_span span;
static struct shm_lane *other;
SPANALLOC_SITE(site_p, "p");

static bool by_libc(void) {
        return forks % 2;
}

/* By libc, and without it: then no handler of pthread_atfork() runs. */
static pid_t fork_in_turn(void) {
        return by_libc() ? fork() : (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

/* What is no fault of the program's comes as a signal that can be blocked, as the library does while it attaches. */
static bool is_blocked(void *context) {
        return sigismember(&((ucontext_t *)context)->uc_sigmask, SIGUSR1);
}

static void on_trap(int number, siginfo_t *info, void *context) {
        int status = -1;
        pid_t pid;

        if (steps_left < 0 || (steps_left == 0 && is_blocked(context)) || steps_left-- != 0)
                return;
        pid = fork_in_turn();
        must(pid >= 0);
        if (!pid) {
                in_child = true;
                STOP_STEPS(context);
                return;
        }
        must(waitpid(pid, &status, 0) == pid && status == 0);
        forks++;
}

static void count(uint64_t n) {
        _Atomic uint64_t *counters = sa_counters();

        for (int c = 0; c < SHM_COUNTERS; c++)
                sa_bump(&counters[c], n * factor[c]);
        counted += n;
}

static void enter_and_exit(void) {
        spanalloc_enter(span);
        spanalloc_exit(span);
}

static void open_one(void) {
        spanalloc_close(spanalloc_open(&site_s));
}

static void scope(void) {
        SPANALLOC_SCOPE("s");
        count(1);
}

static void count_one(void) {
        count(1);
}

static void read_current(void) {
        (void)spanalloc_current();
}

/* As a call does: what another thread's lane counts is this one's, until the note is dropped. */
static void note_other(void) {
        sa_left_note(&sa_self, sa_self.lane, other);
}

static void note_pending(void) {
        sa_left_note(&sa_self, sa_self.lane, NULL);
}

static void settle(void) {
        sa_left_settle(&sa_self, false);
}

static void settle_and_drop(void) {
        sa_left_settle(&sa_self, true);
}

static void nothing(void) {
}

static const struct deed {
        void (*prepare)(void), (*run)(void), (*finish)(void);
        bool is_part;            /* of a call */
        uint64_t cycles, closed; /* of s */
} deeds[] = {
        {nothing, enter_and_exit, nothing, false, 0, 0},
        {nothing, open_one, nothing, false, 0, 1},
        {nothing, scope, nothing, false, 1, 1},
        {nothing, count_one, nothing, false, 0, 0},
        {nothing, read_current, nothing, false, 0, 0},
        {nothing, note_other, settle_and_drop, true, 0, 0},
        {nothing, note_pending, settle_and_drop, true, 0, 0},
        {note_other, settle, settle_and_drop, true, 0, 0},
        {note_other, settle_and_drop, nothing, true, 0, 0},
};

/* The call that the fork interrupted has ended.  The child works on as any. */
static _Noreturn void go_on_in_child(void) {
        for (int i = 0; i < 20; i++) {
                SPANALLOC_SCOPE("child");
                count(1);
        }
        must(!spanalloc_current().instance);
        if (sa_attaching_begin()) {
                sa_left_reap();
                sa_attaching_end();
        }
        must(!sa_left_used);
        _exit(0);
}

static void *is_another(void *userdata) {
        SPANALLOC_SCOPE("other");
        other = sa_self.lane;
        post(&to_main);
        await(&to_a);
        return NULL;
}

/* The children find none. */
static void hide_collector(void) {
        must(unlink(getenv("SPANALLOC_SOCKET")) == 0);
}

/* Forks before the instruction with this number.  False if the deed has fewer. */
static bool fork_at(const struct deed *deed, long number) {
        if (deed->is_part)
                sa_self.busy = 1;
        deed->prepare();
        must((deed->prepare == nothing) == !sa_left_used);
        steps_left = number;
        BEGIN_STEPS();
        deed->run();
        END_STEPS();
        deed->finish();
        if (deed->is_part)
                sa_self.busy = 0;
        if (in_child)
                go_on_in_child();
        must(!sa_left_used);
        return steps_left < 0;
}

static void forks_everywhere(void) {
        uint64_t cycles = 0, closed = 0, entered = 0;
        pthread_t thread;

        alarm(280); /* a million traps, on a machine that may be busy */
        init();
        sa_root_set_counting(SHM_COUNTING_MALLOC);
        count(1);
        thread = start(is_another, NULL);
        await(&to_main);
        must(other && other != sa_self.lane);
        hide_collector();
        span = spanalloc_open(&site_p);
        sigaction(SIGTRAP, &(struct sigaction){.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO}, NULL);
        for (size_t d = 0; d < sizeof deeds / sizeof *deeds; d++) {
                uint64_t before = forks;

                for (long number = 0; fork_at(&deeds[d], number); number += STRIDE)
                        ;
                must(forks - before > 3);
                cycles += deeds[d].cycles * (forks - before + 1);
                closed += deeds[d].closed * (forks - before + 1);
                entered += (deeds[d].run == enter_and_exit) * (forks - before + 1);
        }
        must(forks > 500);
        spanalloc_close(span);
        post(&to_a);
        pthread_join(thread, NULL);
        *expect("p") = (struct want){"p", 0, 0, entered, 0, 1, 1, 0, ANY, ANY, ANY};
        *expect("s") = (struct want){"s", ANY, ANY, cycles, 0, closed, closed, 0, ANY, ANY, ANY};
        report->counters = counted;
        report->lost = 0;
        check();
}

/* ---------------------------------------------------------------------------------- a new collector is found -- */

static void work_attached(void) {
        for (int i = 0; i < 20; i++) {
                SPANALLOC_SCOPE("s");
                count(1);
        }
}

/* The child finds the new collector as well, but not without a list of robust mutexes, which libc's fork() makes. */
static _Noreturn void attach_in_child(void) {
        int r = spanalloc_attach(NULL);

        must(r == (by_libc() ? 0 : -EOPNOTSUPP));
        work_attached();
        must(stats().attached == by_libc());
        _exit(0);
}

static void attach(void) {
        int r = spanalloc_attach(NULL);

        must(r == 0 || in_child);
}

/* Forks before the instruction with this number of an attach, or of the thread's first call after it. */
static bool fork_in_move(long number, bool is_attached) {
        collector_is_replaced();
        if (is_attached)
                attach();
        steps_left = number;
        BEGIN_STEPS();
        if (is_attached)
                scope();
        else
                attach();
        END_STEPS();
        if (in_child)
                attach_in_child();
        work_attached();
        return steps_left < 0;
}

static void forks_in_moves(void) {
        alarm(280);
        init();
        sa_root_set_counting(SHM_COUNTING_MALLOC);
        count(1);
        sigaction(SIGTRAP, &(struct sigaction){.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO}, NULL);
        for (long number = 0; fork_in_move(number, false); number += MOVE_STRIDE)
                ;
        must(forks > 20);
        for (long number = 0; fork_in_move(number, true); number += MOVE_STRIDE)
                ;
        must(forks > 50);
        collector_is_replaced();
        attach();
        work_attached();
        *expect("s") = (struct want){"s", 20, 20, 20, 0, 20, 20, 0, 20, 1, ANY};
        report->counters = counted;
        check();
}

int main(int argc, char **argv) {
        const struct CMUnitTest tests[] = {
                SCENARIO(forks_everywhere, .in_place = true),
                SCENARIO(forks_in_moves, .in_place = true),
        };

        if (!IS_STEPPED)
                return 77;
        return RUN_SCENES(argc, argv, tests);
}
