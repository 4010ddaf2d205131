/* SPDX-License-Identifier: MIT */
/*
 * One pid, twice: the second is the same process after an exec, or another one that was given the pid of one that is
 * gone.  The clock of start times (100 Hz) does not distinguish two that began in one tick; the first one's pidfd does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/collector/collector_private.h"
#include "daemon/host/procinfo.h"
#include "daemon/loop/reactor.h"
#include "daemon/processes/arrival.h"
#include "shm/handshake.h"

struct fixture {
        struct reactor *reactor;
        struct collector *collector;
        pid_t pid;
        struct process *first;
};

static struct newcomer newcomer(pid_t pid, pid_t of, uint64_t start_ticks) {
        int pidfd = (int)syscall(SYS_pidfd_open, of, 0);

        assert_true(pidfd >= 0);
        return (struct newcomer){.pid = pid, .uid = getuid(), .pidfd = pidfd, .start_ticks = start_ticks};
}

static struct process *attach(struct fixture *fixture, const struct newcomer *newcomer) {
        const struct shm_hello hello = {.magic = SHM_HELLO_MAGIC, .version = SHM_VERSION, .kind = SHM_HELLO_ATTACH};
        struct process *process;
        int memfd;

        assert_int_equal(process_attach(fixture->collector->processes, newcomer, &hello, &process, &memfd), 0);
        close(memfd);
        return process;
}

/* A process that does nothing, and is gone with us. */
static pid_t start(void) {
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid)
                return pid;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
                pause();
}

/* A process is attached, and the collector does not look at its end by itself: its loop does not run. */
static void begin(struct fixture *fixture) {
        struct procinfo_stat stat;
        struct newcomer who;

        assert_int_equal(reactor_new(&fixture->reactor, REACTOR_POLL), 0);
        assert_int_equal(collector_new(&fixture->collector, fixture->reactor, &collector_options_default), 0);
        fixture->pid = start();
        assert_int_equal(procinfo_stat(fixture->pid, &stat), 0);
        who = newcomer(fixture->pid, fixture->pid, stat.start_ticks);
        fixture->first = attach(fixture, &who);
        assert_int_equal(process_start_ticks(fixture->first), stat.start_ticks);
}

static void kill_first(struct fixture *fixture) {
        kill(fixture->pid, SIGKILL);
        assert_int_equal(waitpid(fixture->pid, NULL, 0), fixture->pid);
}

static void end(struct fixture *fixture) {
        collector_free(fixture->collector);
        reactor_free(fixture->reactor);
}

/* Newer kernels also say how. */
static bool has_died(const struct process *process) {
        return process->end == PROCESS_EXITED || process->end == PROCESS_KILLED;
}

static void test_exec(void **unused) {
        struct fixture fixture;
        struct newcomer who;

        begin(&fixture);
        who = newcomer(fixture.pid, fixture.pid, process_start_ticks(fixture.first));
        attach(&fixture, &who);
        assert_int_equal(fixture.first->end, PROCESS_EXEC);
        kill_first(&fixture);
        end(&fixture);
}

static void test_another_in_the_same_tick(void **unused) {
        struct fixture fixture;
        struct newcomer who;

        begin(&fixture);
        kill_first(&fixture);
        /* Its pid is another's now, which began in the same hundredth of a second. */
        who = newcomer(fixture.pid, getpid(), process_start_ticks(fixture.first));
        attach(&fixture, &who);
        assert_true(has_died(fixture.first));
        end(&fixture);
}

/* A program that never attached has a row without books, which stays when another process gets its pid. */
static void test_another_after_one_that_never_attached(void **unused) {
        struct fixture fixture;
        struct newcomer who;
        struct process *process;
        pid_t pid;

        begin(&fixture);
        pid = start();
        who = newcomer(pid, pid, 77);
        assert_int_equal(
                process_add_unattached(fixture.collector->processes, &who, getpid(), "/bin/some", "static", &process),
                0);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(collector_process_count(fixture.collector), 2);
        who = newcomer(pid, getpid(), 77);
        attach(&fixture, &who);
        assert_int_equal(collector_process_count(fixture.collector), 3);
        assert_true(has_died(process));
        kill_first(&fixture);
        end(&fixture);
}

/* A program that attaches late is the same one. */
static void test_slow_to_attach(void **unused) {
        struct fixture fixture;
        struct newcomer who;
        struct process *process;

        begin(&fixture);
        who = newcomer(getpid(), getpid(), 78);
        assert_int_equal(process_add_unattached(fixture.collector->processes, &who, 1, "/bin/some", "static", &process),
                         0);
        who = newcomer(getpid(), getpid(), 78);
        attach(&fixture, &who);
        assert_int_equal(collector_process_count(fixture.collector), 2);
        kill_first(&fixture);
        end(&fixture);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_exec),
                cmocka_unit_test(test_another_in_the_same_tick),
                cmocka_unit_test(test_another_after_one_that_never_attached),
                cmocka_unit_test(test_slow_to_attach),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
