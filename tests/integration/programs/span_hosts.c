/* SPDX-License-Identifier: MIT */
/*
 * Host programs that fork in every way, close every descriptor, change user or root, or get signals in the middle of a
 * record.  Counters are scripted; each process writes its expected books into LEDGER:
 *
 *     span PID PATH OPENED CLOSED BYTES       one row of `spans`, BYTES of its own
 *     process PID ALL SELF BEFORE OUTSIDE     its row of `ps`, in bytes; nothing is lost
 *     none PID                                no row at all
 *
 *     span_hosts work LEDGER TIMES            TIMES spans
 *     span_hosts WAY LEDGER DIRECTORY         each way in which hosts.sh runs it
 *     span_hosts as PID COMMAND…              no spans: runs the command as process PID; 77: the kernel does not let it;
 *                                         78: there is such a process
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

#define NOBODY 65534
#define FORKS  20
#define FDS    64

extern char **environ;

struct work {
        const char *path;
        _Atomic uint64_t opened, closed, bytes;
};

SPANALLOC_SITE(over_site, "over");
SPANALLOC_SITE(under_site, "under");
SPANALLOC_SITE(unit_site, "unit");
SPANALLOC_SITE(child_site, "child");
SPANALLOC_SITE(steady_site, "steady");
SPANALLOC_SITE(tick_site, "tick");

static struct work over = {.path = "over"}, under = {.path = "over/under"}, unit = {.path = "unit"},
                   child = {.path = "child"};
static struct work *const works[] = {&over, &under, &unit, &child};
static _Atomic uint64_t before, outside;
static _Thread_local _Atomic uint64_t own; /* bytes, of a thread; atomic for handlers */
static const char *ledger_path, *directory;
static int ledger;

static void snapshot(struct spanalloc_counters *out) {
        uint64_t n = atomic_load_explicit(&own, memory_order_relaxed);

        *out = (struct spanalloc_counters){n, n, 0, 0};
}

static void must(int is_true, const char *what) {
        if (is_true)
                return;
        dprintf(2, "span_hosts: %s: %m\n", what);
        _exit(99);
}
#define MUST(expression) must(expression, #expression)

static void spend(_Atomic uint64_t *where, uint64_t bytes) {
        own += bytes;
        *where += bytes;
}

static void do_unit(struct work *w, spanalloc_site *site, uint64_t bytes) {
        spanalloc_span span = spanalloc_scope_begin(site);

        MUST(span.instance);
        w->opened++;
        spend(&w->bytes, bytes);
        spanalloc_scope_end(span);
        w->closed++;
}

/* Last comes a span: its record is what tells of what was spent before it. */
static void do_units(struct work *w, spanalloc_site *site, int times) {
        for (int i = 0; i < times; i++) {
                do_unit(w, site, 10);
                if (i + 1 < times)
                        spend(&outside, 1);
        }
}

static spanalloc_span enter_over(void) {
        spanalloc_span span = spanalloc_open(&over_site);

        MUST(span.instance);
        spanalloc_enter(span);
        over.opened++;
        spend(&over.bytes, 1000);
        return span;
}

static void leave_over(spanalloc_span span) {
        spend(&over.bytes, 500);
        spanalloc_exit(span);
        spanalloc_close(span);
        over.closed++;
}

static void attach(void) {
        MUST(spanalloc_attach(NULL) == 0);
}

/* ------------------------------------------------------------------------------------------------- the ledger -- */

/* In a child of whatever kind: its books are its own.  The thread's counter goes on. */
static void begin_ledger(void) {
        for (size_t i = 0; i < sizeof works / sizeof *works; i++)
                works[i]->opened = works[i]->closed = works[i]->bytes = 0;
        outside = 0;
        before = own;
}

static void write_ledger(void) {
        uint64_t self = 0;
        int pid = getpid();

        for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
                struct work *w = works[i];

                self += w->bytes;
                if (w->opened)
                        dprintf(ledger, "span %d %s %lu %lu %lu\n", pid, w->path, w->opened, w->closed, w->bytes);
        }
        dprintf(ledger, "process %d %lu %lu %lu %lu\n", pid, self + before + outside, self, before, outside);
}

static void open_ledger(void) {
        ledger = open(ledger_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
        MUST(ledger >= 0);
}

static void reap(pid_t pid) {
        int status = 0;

        MUST(pid > 0);
        while (waitpid(pid, &status, 0) < 0)
                MUST(errno == EINTR);
        must(status == 0, "a child's end");
}

/* A child that may not record: it reports that, and no row shows it. */
static void child_stays_out(void) {
        MUST(spanalloc_attach(NULL) < 0);
        for (int i = 0; i < 100; i++) {
                SPANALLOC_SCOPE("stranger");
                own += 7;
        }
        MUST(!spanalloc_open(&child_site).instance);
        dprintf(ledger, "none %d\n", getpid());
        _exit(0);
}

/* ---------------------------------------------------------------------------------------------------- children -- */

static void *in_childs_thread(void *unused) {
        do_units(&child, &child_site, 5);
        return unused;
}

static void child_works(spanalloc_span parents) {
        pthread_t thread;

        begin_ledger();
        MUST(!spanalloc_current().instance);
        spanalloc_exit(parents);
        spanalloc_close(parents);
        do_units(&child, &child_site, 30);
        MUST(pthread_create(&thread, NULL, in_childs_thread, NULL) == 0);
        pthread_join(thread, NULL);
        write_ledger();
        _exit(0);
}

static void do_fork(void) {
        spanalloc_span span = enter_over();

        for (int i = 0; i < FORKS; i++) {
                pid_t pid = fork();

                if (pid == 0)
                        child_works(span);
                do_unit(&under, &under_site, 3); /* at the same time */
                reap(pid);
        }
        leave_over(span);
}

static _Atomic int stop;

static void *busy(void *unused) {
        while (!stop)
                do_units(&unit, &unit_site, 100);
        return unused;
}

static void *forks(void *unused) {
        do_fork();
        return unused;
}

static void do_threaded_fork(void) {
        pthread_t threads[2], forker;

        for (int i = 0; i < 2; i++)
                MUST(pthread_create(&threads[i], NULL, busy, NULL) == 0);
        MUST(pthread_create(&forker, NULL, forks, NULL) == 0);
        pthread_join(forker, NULL);
        stop = 1;
        for (int i = 0; i < 2; i++)
                pthread_join(threads[i], NULL);
}

/* No atfork handler runs, and the child has no robust list. */
static void do_clone(void) {
        spanalloc_span span = enter_over();

        for (int i = 0; i < FORKS; i++) {
                pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

                if (pid == 0) {
                        MUST(!spanalloc_current().instance);
                        spanalloc_exit(span);
                        spanalloc_close(span);
                        child_stays_out();
                }
                do_unit(&under, &under_site, 3);
                reap(pid);
        }
        leave_over(span);
}

static void exec_work(void) {
        execl("/proc/self/exe", "span_hosts", "work", ledger_path, "40", (char *)NULL);
        _exit(98);
}

/* Between vfork and exec the child is the parent's thread: its span is the parent's. */
static void vfork_one(void) {
        pid_t pid = vfork();

        if (pid == 0) {
                do_unit(&under, &under_site, 11);
                exec_work();
        }
        reap(pid);
}

static void do_vfork(void) {
        spanalloc_span span = enter_over();

        for (int i = 0; i < FORKS; i++) {
                vfork_one();
                do_unit(&under, &under_site, 3);
        }
        leave_over(span);
}

static void do_spawn(void) {
        char *argv[] = {"span_hosts", "work", (char *)ledger_path, "40", NULL};
        spanalloc_span span = enter_over();

        for (int i = 0; i < FORKS; i++) {
                pid_t pid;

                MUST(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ) == 0);
                do_unit(&under, &under_site, 3);
                reap(pid);
        }
        leave_over(span);
}

/* ------------------------------------------------------------------------------------------------ descriptors -- */

static void close_all(void) {
        for (int fd = 0; fd < 1024; fd++)
                close(fd);
}

/* Opens a file at each descriptor number that the library may have had.  Only this program writes into these files. */
static void reopen_all(void) {
        for (int fd = 0; fd < FDS; fd++) {
                char path[512];

                snprintf(path, sizeof path, "%s/%d.%d", directory, getpid(), fd);
                if (open(path, O_RDWR | O_CREAT | O_EXCL, 0666) != fd)
                        _exit(97);
        }
        open_ledger();
}

static void write_files(int round) {
        for (int fd = 0; fd < FDS; fd++)
                if (dprintf(fd, "%d of %d\n", round, fd) < 0)
                        _exit(96);
}

static void check_files(int rounds) {
        for (int fd = 0; fd < FDS; fd++) {
                char want[1024], is[1024];
                int n = 0;

                for (int i = 0; i < rounds; i++)
                        n += snprintf(want + n, sizeof want - (size_t)n, "%d of %d\n", i, fd);
                if (pread(fd, is, sizeof is, 0) != n || memcmp(want, is, (size_t)n) || lseek(fd, 0, SEEK_CUR) != n)
                        _exit(95);
        }
}

static int count_fds(void) {
        DIR *fds = opendir("/proc/self/fd");
        int n = 0;

        MUST(fds != NULL);
        while (readdir(fds))
                n++;
        closedir(fds);
        return n;
}

static int has_rung(void) {
        struct spanalloc_stats stats = {.size = sizeof stats};

        spanalloc_stats(&stats);
        return stats.doorbells + stats.waits > 0;
}

static void work_among_files(struct work *w, spanalloc_site *site) {
        int fds;

        close_all();
        reopen_all();
        fds = count_fds();
        for (int round = 0; round < 20; round++) {
                write_files(round);
                do_units(w, site, 500);
        }
        while (!has_rung()) /* waking the collector is what could need a descriptor */
                do_units(w, site, 500);
        check_files(20);
        if (count_fds() != fds)
                _exit(94);
}

static void do_close_all(void) {
        spanalloc_span span;

        do_units(&unit, &unit_site, 10);
        work_among_files(&unit, &unit_site);
        span = enter_over();
        leave_over(span);
}

/* As daemon(3) does it; the parent ends with a span open. */
static void do_daemon(void) {
        spanalloc_span span = enter_over();
        pid_t pid = fork();

        MUST(pid >= 0);
        (void)span;
        if (pid) {
                do_unit(&under, &under_site, 3);
                return;
        }
        MUST(setsid() > 0);
        begin_ledger();
        work_among_files(&child, &child_site);
}

/* ----------------------------------------------------------------------------------------------- user and root -- */

static void goes_on_and_forks(void) {
        pid_t pid;

        do_units(&unit, &unit_site, 5000);
        attach(); /* is attached */
        pid = fork();
        if (pid == 0)
                child_stays_out();
        reap(pid);
        do_units(&unit, &unit_site, 10);
}

static void do_setuid(void) {
        spanalloc_span span;

        do_units(&unit, &unit_site, 10);
        MUST(setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
        goes_on_and_forks();
        span = enter_over();
        leave_over(span);
}

static void do_chroot(void) {
        spanalloc_span span;

        do_units(&unit, &unit_site, 10);
        MUST(chroot(directory) == 0 && chdir("/") == 0);
        goes_on_and_forks();
        span = enter_over();
        leave_over(span);
}

/* ----------------------------------------------------------------------------------------------------- signals -- */

static _Atomic uint64_t handled, recorded;

static void on_alarm(int number) {
        spanalloc_span span = spanalloc_scope_begin(&tick_site);

        (void)number;
        handled++;
        own += 3;
        if (span.instance) {
                recorded++;
                spanalloc_scope_end(span);
        }
}

static void tick(long us) {
        const struct itimerval timer = {{0, us}, {0, us}};
        struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};

        MUST(sigaction(SIGALRM, &action, NULL) == 0);
        MUST(setitimer(ITIMER_REAL, &timer, NULL) == 0);
}

/* Until handlers have come both in the middle of calls and between them. */
static void do_signals(void) {
        struct spanalloc_stats stats = {.size = sizeof stats};
        uint64_t steady = 0;

        spanalloc_scope_end(spanalloc_scope_begin(&steady_site));
        steady++;
        tick(100);
        while (handled - recorded < 200 || recorded < 200 || steady < 200000) {
                spanalloc_span span = spanalloc_scope_begin(&steady_site);

                MUST(span.instance);
                for (int i = 0; i < 20; i++)
                        own += 1;
                spanalloc_scope_end(span);
                steady++;
        }
        tick(0);
        spanalloc_scope_end(spanalloc_scope_begin(&steady_site)); /* books what the last handlers spent */
        steady++;
        spanalloc_stats(&stats);
        must(!stats.refused_enters && !stats.refused_depth && !stats.unmatched_exits, "all spans recorded");
        dprintf(ledger, "%d %lu %lu %lu %lu %lu\n", getpid(), steady, recorded, handled, stats.nested, own);
        _exit(0);
}

/* ------------------------------------------------------------------------------------------------- one more pid -- */

static int run_as(pid_t pid, char **argv) {
        struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1};
        long r = syscall(SYS_clone3, &args, sizeof args);

        if (r == 0) {
                execv(argv[0], argv);
                _exit(98);
        }
        if (r < 0) {
                dprintf(2, "span_hosts: as %d: %m\n", pid);
                return errno == EPERM || errno == ENOSYS ? 77 : errno == EEXIST ? 78 : 1;
        }
        reap((pid_t)r);
        return 0;
}

int main(int argc, char **argv) {
        static const struct {
                const char *name;
                void (*run)(void);
        } ways[] = {
                {"fork", do_fork},     {"threaded", do_threaded_fork}, {"clone", do_clone},   {"vfork", do_vfork},
                {"spawn", do_spawn},   {"close", do_close_all},        {"daemon", do_daemon}, {"setuid", do_setuid},
                {"chroot", do_chroot}, {"signals", do_signals},
        };

        if (argc < 4)
                return 2;
        if (!strcmp(argv[1], "as"))
                return run_as(atoi(argv[2]), argv + 3);
        ledger_path = argv[2];
        directory = argv[3];
        MUST(getenv("SPAN_HOSTS_LIBRARY_COUNTS") || spanalloc_set_snapshot(snapshot) == 0);
        open_ledger();
        attach();
        if (!strcmp(argv[1], "work")) {
                do_units(&unit, &unit_site, atoi(argv[3]));
                write_ledger();
                return 0;
        }
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
                if (!strcmp(argv[1], ways[i].name)) {
                        ways[i].run();
                        write_ledger();
                        return 0;
                }
        return 2;
}
