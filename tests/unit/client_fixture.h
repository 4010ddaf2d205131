/* SPDX-License-Identifier: MIT */
/*
 * For tests of the client: the real library against the real collector, in two processes.
 *
 * Each scenario runs in a child of its own, forked before its first span; counters are scripted (work()).  The parent
 * runs the collector in its reactor.  Between its turns it serves the child's requests over a socket: compare every
 * number of the books with the child's numbers, stop draining, replace the collector.
 *
 * Include cmocka.h and its headers first.
 */
#pragma once

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/collector/collector.h"
#include "daemon/host/log.h"
#include "spanalloc/spanalloc.h"

/* ------------------------------------------------------------------------------------ what is said to be there -- */

#define ANY UINT64_MAX /* not compared */

struct want {
        char name[16];
        uint64_t self, total, cycles, migrated, opened, closed, aborted, calls, max_call, refused;
};

/* Shared by both processes. */
struct report {
        pid_t pid;
        unsigned skip; /* rows of this pid to pass over, newest first */
        struct want wants[16];
        unsigned count;
        uint64_t counters, before, outside, lost, refused, stale;
        uint32_t lanes_max; /* 0: not compared */
        /* told by the parent */
        uint64_t lanes, counted, lost_now;
        enum process_end end;
};
static struct report *report;

static const uint64_t factor[SHM_COUNTERS] = {1, 100, 3, 70};

/* ------------------------------------------------------------------------------------------------- the child -- */

static int control = -1;

static _Thread_local struct spanalloc_counters own;

static void snapshot(struct spanalloc_counters *out) {
        *out = own;
}

/* The calling thread counts n.  One counter after the other, but none halfway: a signal handler does it, too. */
__attribute__((unused)) static void work(uint64_t n) {
        __atomic_fetch_add(&own.alloc_count, n * factor[SHM_ALLOC_COUNT], __ATOMIC_RELAXED);
        __atomic_fetch_add(&own.alloc_bytes, n * factor[SHM_ALLOC_BYTES], __ATOMIC_RELAXED);
        __atomic_fetch_add(&own.dealloc_count, n * factor[SHM_DEALLOC_COUNT], __ATOMIC_RELAXED);
        __atomic_fetch_add(&own.dealloc_bytes, n * factor[SHM_DEALLOC_BYTES], __ATOMIC_RELAXED);
}

static _Noreturn void die(const char *what, int line) {
        fprintf(stderr, "child: line %d: %s\n", line, what);
        _exit(1);
}
#define must(condition)                                                                                                \
        do {                                                                                                           \
                if (!(condition))                                                                                      \
                        die(#condition, __LINE__);                                                                     \
        } while (0)

__attribute__((unused)) static void ask(char what) {
        must(write(control, &what, 1) == 1);
        must(read(control, &what, 1) == 1);
}

/* Nothing is drained from here to there. */
__attribute__((unused)) static void collector_stops(void) {
        ask('p');
}
__attribute__((unused)) static void collector_goes_on(void) {
        ask('r');
}
/* Another one takes its place, and knows nothing. */
__attribute__((unused)) static void collector_is_replaced(void) {
        ask('n');
}

__attribute__((unused)) static struct want *expect(const char *name) {
        struct want *want = &report->wants[report->count++];

        *want = (struct want){.migrated = 0, .calls = ANY, .max_call = ANY};
        strcpy(want->name, name);
        return want;
}

/* The numbers of a name that is all scopes, or all closed. */
__attribute__((unused)) static struct want *expect_closed(const char *name, uint64_t self, uint64_t total,
                                                          uint64_t spans) {
        struct want *want = expect(name);

        want->self = self;
        want->total = total;
        want->cycles = want->opened = want->closed = want->calls = spans;
        return want;
}

static void expect_nothing(void) {
        memset(report, 0, sizeof *report);
        report->pid = getpid();
        report->counters = report->before = report->outside = report->lost = report->refused = ANY;
}

/* Compares, and forgets what was expected. */
__attribute__((unused)) static void check(void) {
        ask('c');
        expect_nothing();
}

/* The same for a question only: report->lanes and others are filled in. */
__attribute__((unused)) static void look(void) {
        ask('c');
}

__attribute__((unused)) static pthread_t start(void *(*fn)(void *), void *userdata) {
        pthread_t thread;

        must(pthread_create(&thread, NULL, fn, userdata) == 0);
        return thread;
}

__attribute__((unused)) static void in_thread(void *(*fn)(void *), void *userdata) {
        must(pthread_join(start(fn, userdata), NULL) == 0);
}

struct scenario {
        void (*child)(void);
        uint32_t ring_records, close_capacity, lane_capacity; /* 0: the default */
        unsigned processes;                                   /* rows at the end; 0: 1 */
        uint64_t kill_after_ns;                               /* 0: never */
        uint32_t on_full;
        bool unattached; /* the child attaches by itself */
        bool in_place;   /* it counts as the counting allocator does, not by work() */
};

static _Noreturn void be_child(const struct scenario *scenario) {
        const struct spanalloc_options options = {.size = sizeof options, .on_full = scenario->on_full};
        char go;

        if (read(control, &go, 1) != 1)
                _exit(1);
        alarm(800);
        expect_nothing();
        must(scenario->in_place || spanalloc_set_snapshot(snapshot) == 0);
        if (!scenario->unattached)
                must(spanalloc_attach(&options) == 0);
        scenario->child();
        _exit(0);
}

/* ------------------------------------------------------------------------------------------------ the parent -- */

static struct server {
        const struct scenario *scenario;
        struct reactor *reactor;
        struct collector *collector;
        struct reactor_watch *watch;
        struct reactor_timer *timer;
        int control, listen;
        pid_t pid;
        char dir[64];
} server = {.control = -1, .listen = -1};

static void server_listen(void) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct collector_options options = collector_options_default;
        int fd;

        options.runtime_dir = server.dir;
        options.wish.lane_capacity = server.scenario->lane_capacity;
        options.wish.ring_records = server.scenario->ring_records;
        options.wish.close_capacity = server.scenario->close_capacity;
        assert_int_equal(collector_new(&server.collector, server.reactor, &options), 0);
        snprintf(address.sun_path, sizeof address.sun_path, "%s/ingest.sock", server.dir);
        unlink(address.sun_path);
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        assert_true(fd >= 0);
        assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
        assert_int_equal(listen(fd, 64), 0);
        assert_int_equal(collector_listen(server.collector, fd), 0);
}

static const struct process *process_of(pid_t pid, unsigned skip) {
        const struct process *process;

        for (size_t i = collector_process_count(server.collector); i-- > 0;) {
                process = collector_process(server.collector, i);
                if (process->pid == pid && !skip--)
                        return process;
        }
        return NULL;
}

static unsigned differences;

static void compare(const char *name, const char *what, uint64_t got, uint64_t want) {
        if (want == ANY || got == want)
                return;
        print_error("%s: %s is %llu, must be %llu\n", name, what, (unsigned long long)got, (unsigned long long)want);
        differences++;
}

static void compare_four(const char *name, const char *what, const uint64_t got[SHM_COUNTERS], uint64_t want) {
        for (int c = 0; c < SHM_COUNTERS; c++)
                compare(name, what, got[c], want == ANY ? ANY : want * factor[c]);
}

static void compare_row(const struct books *books, const struct want *want) {
        struct books_row row = {0};
        uint32_t path, paths;

        for (uint32_t id = 1; id <= books_name_count(books); id++)
                if (!strcmp(books_name(books, id), want->name))
                        books_name_row(books, id, 0, &row, &path, &paths);
        compare_four(want->name, "self", row.self, want->self);
        compare_four(want->name, "total", row.total, want->total);
        compare(want->name, "cycles", row.cycles, want->cycles);
        compare(want->name, "migrated", row.migrated, want->migrated);
        compare(want->name, "opened", row.opened, want->opened);
        compare(want->name, "closed", row.closed, want->closed);
        compare(want->name, "aborted", row.aborted, want->aborted);
        compare(want->name, "refused", row.refused, want->refused);
        compare(want->name, "per_call.count", row.per_call.count, want->calls);
        compare(want->name, "per_call.max", row.per_call.max, want->max_call == ANY ? ANY : want->max_call * 100);
        if (want->opened != ANY && want->closed != ANY && want->aborted != ANY)
                compare(want->name, "open", row.open, want->opened - want->closed - want->aborted);
}

static void server_compare(void) {
        const struct process *process = process_of(report->pid, report->skip);
        struct books_process_row row;

        assert_non_null(process);
        assert_non_null(process->books);
        for (unsigned i = 0; i < report->count; i++)
                compare_row(process->books, &report->wants[i]);
        books_process_row(process->books, &row);
        compare_four("process", "counters", row.counters, report->counters);
        compare_four("process", "before", row.before, report->before);
        compare_four("process", "outside", row.outside, report->outside);
        compare_four("process", "lost", row.lost, report->lost);
        compare("process", "refused", row.refused, report->refused);
        compare("process", "stale", row.stale, report->stale);
        compare("process", "balanced", row.balanced, true);
        report->end = process->end;
        report->counted = row.counters[SHM_ALLOC_COUNT];
        report->lost_now = row.lost[SHM_ALLOC_COUNT];
        if (process->drain)
                report->lanes = drain_lanes(process->drain);
        if (report->lanes_max)
                assert_in_range(report->lanes, 1, report->lanes_max);
        assert_int_equal(differences, 0);
}

static void reply(void) {
        assert_int_equal(write(server.control, "", 1), 1);
}

static void on_control(void *userdata, int fd, unsigned events) {
        char what;

        if (read(fd, &what, 1) != 1) {
                reactor_stop(server.reactor);
                return;
        }
        switch (what) {
        case 'c':
                collector_refresh(server.collector);
                server_compare();
                break;
        case 'p':
                reply();
                assert_int_equal(read(fd, &what, 1), 1);
                assert_int_equal(what, 'r');
                break;
        case 'n':
                server.collector = collector_free(server.collector);
                server_listen();
                break;
        }
        reply();
}

static void on_kill(void *userdata, uint64_t now_ns) {
        kill(server.pid, SIGKILL);
}

/* The child runs, and the collector beside it, until the child has ended.  Returns wait(2)'s status. */
static int serve(const struct scenario *scenario) {
        int pair[2], status;

        server.scenario = scenario;
        differences = 0;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        server.pid = fork();
        assert_true(server.pid >= 0);
        if (!server.pid) {
                control = pair[1];
                close(pair[0]);
                be_child(scenario);
        }
        close(pair[1]);
        server.control = pair[0];
        assert_int_equal(reactor_new(&server.reactor, REACTOR_POLL), 0);
        server_listen();
        assert_int_equal(reactor_watch(server.reactor, &server.watch, server.control, REACTOR_IN, on_control, NULL), 0);
        if (scenario->kill_after_ns) {
                assert_int_equal(reactor_timer(server.reactor, &server.timer, on_kill, NULL), 0);
                reactor_timer_set(server.timer, reactor_now(server.reactor) + scenario->kill_after_ns);
        }
        reply();
        assert_int_equal(reactor_run(server.reactor), 0);
        assert_int_equal(waitpid(server.pid, &status, 0), server.pid);
        collector_reaped(server.collector, server.pid, status);
        server.pid = 0;
        return status;
}

__attribute__((unused)) static void run(const struct scenario *scenario) {
        int status = serve(scenario);

        if (!WIFEXITED(status) || WEXITSTATUS(status))
                fail_msg("the child ended with status %#x", (unsigned)status);
        assert_int_equal(collector_process_count(server.collector), scenario->processes ? scenario->processes : 1);
        for (size_t i = 0; i < collector_process_count(server.collector); i++) {
                struct books_process_row row;
                const struct process *process = collector_process(server.collector, i);

                assert_int_not_equal(process->end, PROCESS_EXPELLED);
                books_process_row(process->books, &row);
                assert_true(row.balanced);
        }
        server_compare(); /* what the child expected, but did not ask for */
}

static int scenario_teardown(void **state) {
        if (server.pid > 0) {
                kill(server.pid, SIGKILL);
                waitpid(server.pid, NULL, 0);
        }
        server.pid = 0;
        server.watch = server.watch ? reactor_unwatch(server.watch) : NULL;
        server.timer = server.timer ? reactor_timer_free(server.timer) : NULL;
        server.collector = collector_free(server.collector);
        server.reactor = reactor_free(server.reactor);
        if (server.control >= 0)
                close(server.control);
        server.control = -1;
        return 0;
}

__attribute__((unused)) static void test_scenario(void **state) {
        run(*state);
}

/* The library reads its environment when it is loaded: the program starts itself again with the right one. */
static void fixture_begin(char **argv) {
        const char *dir = getenv("CLIENT_FIXTURE_DIR");
        char path[128];

        if (!dir) {
                strcpy(server.dir, "/tmp/spanalloc-test-XXXXXX");
                if (!mkdtemp(server.dir))
                        abort();
                snprintf(path, sizeof path, "%s/ingest.sock", server.dir);
                setenv("CLIENT_FIXTURE_DIR", server.dir, 1);
                setenv("SPANALLOC_SOCKET", path, 1);
                unsetenv("SPANALLOC");
                unsetenv("SPANALLOC_RING_KIB");
                unsetenv("SPANALLOC_ON_FULL");
                execv("/proc/self/exe", argv);
                abort();
        }
        snprintf(server.dir, sizeof server.dir, "%s", dir);
        signal(SIGPIPE, SIG_IGN);
        report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void fixture_end(void) {
        char path[128];

        snprintf(path, sizeof path, "rm -rf '%s'", server.dir);
        if (system(path) != 0)
                perror("rm");
}
