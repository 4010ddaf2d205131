/* SPDX-License-Identifier: MIT */
/*
 * The life of `run`: the collector in this process, the command, its descendants, the end.  The start of the command
 * is in run_child.c, its environment in run_preload.c, the report in report.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "ctl/run/report.h"
#include "ctl/run/run.h"
#include "ctl/run/run_child.h"
#include "ctl/run/run_peak.h"
#include "ctl/run/run_preload.h"
#include "ctl/run/run_progress.h"
#include "ctl/run/run_stop.h"
#include "ctl/run/run_usage.h"
#include "ctl/session/ctl.h"
#include "ctl/session/fail.h"
#include "daemon/collector/collector.h"
#include "daemon/host/elf_obstacle.h"
#include "daemon/loop/reactor.h"
#include "daemon/query/query.h"
#include "query/client.h"

/* A dead child is reaped after this delay.  Until then the kernel does not reuse its pid, and its last messages to the
 * collector are read. */
#define REAP_DELAY_NS (1 * NS_PER_MS)
#define END_CHECK_NS  (10 * NS_PER_MS)
/* With no descendant left, the collector has only to read what they left in its socket. */
#define SETTLE_NS (2 * NS_PER_S)
/* The service's default.  Without it a process whose rings are always full keeps a pass from its end. */
#define RECORDS_IN_PASS 262144

extern char **environ;

struct run {
        const struct options *options;
        char **argv; /* the command, NULL terminated; the words are borrowed */
        char path[PATH_MAX], library[PATH_MAX];
        char directory[64], socket[96];
        struct child_inherited inherited;
        FILE *output; /* NULL: stderr */

        struct reactor *reactor;
        struct collector *collector;
        int door_fds[2]; /* the listening sockets once more, to see whether a connection waits there */
        int signal_fd;
        struct reactor_watch *signal_watch;
        struct reactor_timer *reap_timer, *end_timer;

        pid_t pid;
        bool ended; /* the command has ended, with wait_status */
        int wait_status;
        bool alone;   /* no descendant runs any more, not even one that outlived the command */
        bool hurried; /* a signal asked for the report now */
        uint64_t started_ns, ended_ns, alone_ns; /* monotonic */
        struct run_progress progress;
        struct run_stop stop;
        struct run_usage usage;
        struct run_peak peak;
};

/* -------------------------------------------------------------------------------------------------- the end -- */

static bool anyone_alive(const struct run *run) {
        size_t count = collector_process_count(run->collector);

        for (size_t i = 0; i < count; i++)
                if (collector_process(run->collector, i)->end == PROCESS_ALIVE)
                        return true;
        return false;
}

/* Processes that have ended may have sent something. */
static bool is_message_waiting(const struct run *run) {
        struct pollfd doors[2] = {{.fd = run->door_fds[0], .events = POLLIN},
                                  {.fd = run->door_fds[1], .events = POLLIN}};

        return poll(doors, 2, 0) > 0;
}

/* True when the command and all its descendants have ended and their books are closed, or when the time for descendants
 * that outlive the command is over. */
static bool is_over(const struct run *run) {
        uint64_t now = clock_monotonic_ns();

        if (!run->ended)
                return false;
        if (run->alone)
                return now >= run->alone_ns + SETTLE_NS ||
                       (now >= run->alone_ns + END_CHECK_NS && !is_message_waiting(run) && !anyone_alive(run));
        return run->hurried || now >= run->ended_ns + run->options->linger_ns;
}

static void on_end_timer(void *userdata, uint64_t now) {
        struct run *run = userdata;

        if (is_over(run))
                reactor_stop(run->reactor);
        else
                reactor_timer_set(run->end_timer, clock_monotonic_ns() + END_CHECK_NS);
}

static int wait_status_of(const siginfo_t *info) {
        if (info->si_code == CLD_EXITED)
                return (info->si_status & 0xff) << 8;
        return info->si_status | (info->si_code == CLD_DUMPED ? 0x80 : 0);
}

/* As a subreaper this process is the parent of every orphan, so that "no child" means: no descendant. */
static void on_reap_timer(void *userdata, uint64_t now) {
        struct run *run = userdata;
        siginfo_t info = {0};
        int r;

        while ((r = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT)) == 0 && info.si_pid) {
                int status = wait_status_of(&info);

                collector_reaped(run->collector, info.si_pid, status);
                if (info.si_pid == run->pid) {
                        run->ended = true;
                        run->wait_status = status;
                        run->ended_ns = clock_monotonic_ns();
                }
                run_usage_reap(&run->usage, info.si_pid);
                info.si_pid = 0;
        }
        if (r < 0 && errno == ECHILD && !run->alone) {
                run->alone = true;
                run->alone_ns = clock_monotonic_ns();
        }
        if (run->ended)
                on_end_timer(run, now);
}

/* -------------------------------------------------------------------------------------------------- signals -- */

/* The terminal sends a signal to the whole foreground group, including the command.  A signal that was sent to this
 * process alone is passed on. */
static void on_signal(struct run *run, const struct signalfd_siginfo *info) {
        int signal = (int)info->ssi_signo;

        if (signal == SIGCHLD) {
                reactor_timer_bring_forward(run->reap_timer, clock_monotonic_ns() + REAP_DELAY_NS);
                return;
        }
        if (run->ended)
                run->hurried = true;
        else if (info->ssi_code != SI_KERNEL)
                kill(run->pid, signal);
}

static void on_signal_fd(void *userdata, int fd, unsigned events) {
        struct run *run = userdata;
        struct signalfd_siginfo info;

        while (read(fd, &info, sizeof(info)) == sizeof(info))
                on_signal(run, &info);
}

/* Blocks signals before any thread is made.  A signal that was ignored at the start stays ignored, for nohup(1). */
static int take_signals(struct run *run) {
        static const int taken[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
        struct sigaction action, default_action = {.sa_handler = SIG_DFL};
        sigset_t mask;

        sigemptyset(&mask);
        sigaddset(&mask, SIGCHLD);
        for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
                if (sigaction(taken[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
                        sigaddset(&mask, taken[i]);
        sigprocmask(SIG_BLOCK, &mask, &run->inherited.mask);
        sigaction(SIGCHLD, &default_action, &run->inherited.sigchld);
        run->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
        return run->signal_fd < 0 ? -errno : run_stop_block(&run->stop);
}

/* ------------------------------------------------------------------------------------------------- making it -- */

/* Every process that ended keeps its books, and these a descriptor. */
static void take_files(struct run *run) {
        struct rlimit limit;

        getrlimit(RLIMIT_NOFILE, &run->inherited.files);
        limit = run->inherited.files;
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
}

/* A directory of its own, as the socket's path has room for little more than a hundred bytes.  What root starts can
 * change its user, and has to reach the socket then: the collector serves descendants of the command only. */
static int make_directory(struct run *run) {
        const char *const places[] = {geteuid() ? NULL : "/run", getenv("XDG_RUNTIME_DIR"), getenv("TMPDIR"), "/tmp"};
        int r = -ENOENT;

        for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
                char path[sizeof(run->directory)];

                if (!places[i] || *places[i] != '/')
                        continue;
                if ((size_t)snprintf(path, sizeof(path), "%s/spanalloc-run.XXXXXX", places[i]) >= sizeof(path))
                        continue;
                if (mkdtemp(path)) {
                        if (!geteuid())
                                chmod(path, 0711);
                        memcpy(run->directory, path, sizeof(path));
                        snprintf(run->socket, sizeof(run->socket), "%s/ingest.sock", path);
                        return 0;
                }
                r = -errno;
        }
        return r;
}

static int make_socket(struct run *run, bool abstract) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        size_t n = strlen(run->socket), size = offsetof(struct sockaddr_un, sun_path) + abstract + n;
        int fd, r;

        memcpy(address.sun_path + abstract, run->socket, n);
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (bind(fd, (const struct sockaddr *)&address, (socklen_t)size) < 0 ||
            (!abstract && !geteuid() && chmod(run->socket, 0666) < 0) || listen(fd, SOMAXCONN) < 0) {
                r = -errno;
                close(fd);
                return r;
        }
        run->door_fds[abstract] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        return collector_listen(run->collector, fd);
}

static int make_collector(struct run *run) {
        struct collector_options options = collector_options_default;
        int r;

        options.runtime_dir = NULL;
        options.eager = true;
        options.family = getpid();
        options.segment_options |= SHM_OPTION_EAGER;
        options.keep_ns = UINT64_MAX;
        options.keep_max = UINT32_MAX;
        options.processes_max = UINT32_MAX;
        memset(options.uid_max, 0, sizeof(options.uid_max));
        options.uid_max[QUOTA_RECORDS] = RECORDS_IN_PASS;
        if (run->options->ring_kib > options.ring_kib_max)
                options.ring_kib_max = (uint32_t)run->options->ring_kib;
        r = reactor_new(&run->reactor, REACTOR_AUTO);
        if (r < 0)
                return r;
        r = collector_new(&run->collector, run->reactor, &options);
        if (r < 0)
                return r;
        r = reactor_watch(run->reactor, &run->signal_watch, run->signal_fd, REACTOR_IN, on_signal_fd, run);
        if (r < 0)
                return r;
        r = run_stop_watch(&run->stop, run->reactor, &run->progress);
        if (r < 0)
                return r;
        r = reactor_timer(run->reactor, &run->reap_timer, on_reap_timer, run);
        if (r < 0)
                return r;
        return reactor_timer(run->reactor, &run->end_timer, on_end_timer, run);
}

static void run_deinit(struct run *run) {
        run_progress_end(&run->progress);
        run_peak_end(&run->peak);
        if (run->end_timer)
                reactor_timer_free(run->end_timer);
        if (run->reap_timer)
                reactor_timer_free(run->reap_timer);
        if (run->signal_watch)
                reactor_unwatch(run->signal_watch);
        run_stop_end(&run->stop);
        if (run->collector)
                collector_free(run->collector);
        if (run->reactor)
                reactor_free(run->reactor);
        close_fd(run->door_fds[0]);
        close_fd(run->door_fds[1]);
        close_fd(run->signal_fd);
        if (*run->socket)
                unlink(run->socket);
        if (*run->directory)
                rmdir(run->directory);
        if (run->output)
                fclose(run->output);
        free(run->argv);
}

/* What can fail for a person's reasons, before anything is made. */
static int prepare(struct run *run) {
        const char *name = run->argv[0];
        char error[PATH_MAX + 1024];
        int r;

        r = child_resolve(run->path, name);
        if (r == -ENOENT)
                return ctl_fail(RUN_EXIT_NOT_FOUND, "there is no command \"%s\"", name);
        if (r < 0)
                return ctl_fail(RUN_EXIT_NOT_EXECUTABLE, "cannot run \"%s\": %s", name, strerror(-r));
        if (preload_find(run->library, run->options->preload, error, sizeof(error)) < 0)
                return ctl_fail(RUN_EXIT_FAILURE, "%s", error);
        if (run->options->output) {
                run->output = fopen(run->options->output, "we");
                if (!run->output)
                        return ctl_fail(RUN_EXIT_FAILURE, "cannot write %s: %s", run->options->output, strerror(errno));
        }
        return 0;
}

static int make(struct run *run) {
        int r;

        take_files(run);
        r = take_signals(run);
        if (r < 0)
                return ctl_fail(RUN_EXIT_FAILURE, "cannot receive signals: %s", strerror(-r));
        prctl(PR_SET_CHILD_SUBREAPER, 1);
        r = make_directory(run);
        if (r < 0)
                return ctl_fail(RUN_EXIT_FAILURE,
                                "cannot make a directory for the collector's socket: %s; set TMPDIR to a short path "
                                "that can be written",
                                strerror(-r));
        r = make_collector(run);
        if (r == 0)
                r = make_socket(run, false);
        if (r == 0)
                r = make_socket(run, true); /* which is there after a chroot too */
        return r < 0 ? ctl_fail(RUN_EXIT_FAILURE, "cannot make a collector: %s", strerror(-r)) : 0;
}

/* --------------------------------------------------------------------------------------------------- running -- */

/* A sanitizer's run-time library ends the program where it does not come first. */
static bool is_broken_by_library(const char *path) {
        const char *obstacle;

        return elfinfo_obstacle(path, &obstacle) == 0 && !strcmp(obstacle, ELF_OBSTACLE_SANITIZER);
}

static int start(struct run *run) {
        struct preload_settings settings = {
                .library = run->library,
                .socket = run->socket,
                .on_full = run->options->on_full,
                .ring_kib = run->options->ring_kib,
                .omit_library = is_broken_by_library(run->path),
        };
        char **environment;
        int r;

        r = preload_environment(&environment, environ, &settings);
        if (r < 0)
                return ctl_fail(RUN_EXIT_FAILURE, "out of memory");
        run->started_ns = clock_monotonic_ns();
        r = child_start(&run->pid, run->path, run->argv, environment, &run->inherited);
        preload_environment_free(environment);
        if (r == 0) {
                /* Before the loop hears of its attach. */
                collector_announce(run->collector, run->pid, run->path, false);
                return 0;
        }
        if (r == -ENOENT)
                return ctl_fail(RUN_EXIT_NOT_EXECUTABLE, "cannot run \"%s\": its interpreter does not exist",
                                run->path);
        if (r == -EAGAIN || r == -ENOMEM)
                return ctl_fail(RUN_EXIT_FAILURE, "cannot run \"%s\": %s", run->path, strerror(-r));
        return ctl_fail(RUN_EXIT_NOT_EXECUTABLE, "cannot run \"%s\": %s", run->path, strerror(-r));
}

/* If the loop fails, the command goes on, and its status is still waited for. */
static int loop(struct run *run) {
        int r;

        if (!run->options->no_legend)
                run_progress_begin(&run->progress, run->collector, run->started_ns);
        r = run_peak_begin(&run->peak, run->collector);
        if (r == 0)
                r = reactor_run(run->reactor);
        run_progress_end(&run->progress);
        run_peak_end(&run->peak);
        if (r < 0) {
                while (!run->ended && waitpid(run->pid, &run->wait_status, 0) < 0 && errno == EINTR)
                        ;
                return ctl_fail(RUN_EXIT_FAILURE, "the collector failed: %s", strerror(-r));
        }
        return 0;
}

static int exit_status(int wait_status) {
        return WIFSIGNALED(wait_status) ? RUN_EXIT_SIGNAL + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

static int write_report(struct run *run, struct report *report, struct client *client) {
        static const struct client_params by_number = {0};
        FILE *stream = run->output ? run->output : stderr;
        struct client_error error;
        struct table *processes = NULL, *spans = NULL;
        int r;

        r = client_call(client, "ps", &by_number, &processes, &error);
        if (r == 0)
                r = client_call(client, "spans", &by_number, &spans, &error);
        if (r < 0)
                r = ctl_fail(RUN_EXIT_FAILURE, "%s", error.text);
        else {
                report->processes = processes;
                report->spans = spans;
                r = report_write(stream, report, run->options);
                if (r == 0 && fflush(stream) == EOF)
                        r = -errno;
                if (r < 0)
                        r = ctl_fail(RUN_EXIT_FAILURE, "cannot write the report: %s", strerror(-r));
        }
        table_free(spans);
        table_free(processes);
        return r;
}

/* A client_answer_fn: the report sees every process of the run. */
static int answer_all(void *userdata, const void *message, size_t size, struct wire_buffer *out) {
        struct query_peer peer = {.uid = geteuid(), .sees_all = 1, .greeted = 1};

        return query_answer(userdata, &peer, message, size, out);
}

static int report(struct run *run) {
        struct report report = {
                .argv = run->argv,
                .path = run->path,
                .status = exit_status(run->wait_status),
                .signal = WIFSIGNALED(run->wait_status) ? WTERMSIG(run->wait_status) : 0,
                .elapsed_ns = run->ended_ns - run->started_ns,
                .command_cpu_ns = run->usage.cpu_ns,
                .max_rss_bytes = run->usage.max_rss_bytes,
        };
        struct collector_stats stats;
        struct client *client = NULL;
        struct query *query = NULL;
        int r;

        signal(SIGPIPE, SIG_IGN); /* a report without a reader is an error to print, and must not kill */
        collector_refresh(run->collector);
        collector_stats(run->collector, &stats);
        report.rejected = stats.rejected;
        report.forked = stats.forked;
        report.records = stats.records;
        report.refused = stats.refused;
        report.collector_cpu_ns = run_usage_own_ns(&run->usage);
        r = query_new(&query, run->collector);
        if (r == 0)
                r = client_new_local(&client, answer_all, query);
        r = r < 0 ? ctl_fail(RUN_EXIT_FAILURE, "cannot make the report: %s", strerror(-r))
                  : write_report(run, &report, client);
        client_free(client);
        query_free(query);
        return r ? r : report.status;
}

int verb_run(struct ctl *ctl, int argc, char **argv) {
        struct run run = {
                .options = &ctl->options,
                .inherited.closed_fds = ctl->closed_fds,
                .argv = calloc((size_t)argc + 1, sizeof(*run.argv)),
                .door_fds = {-1, -1},
                .signal_fd = -1,
                .stop = RUN_STOP_INIT,
        };
        int r;

        if (!run.argv)
                return ctl_fail(RUN_EXIT_FAILURE, "out of memory");
        memcpy(run.argv, argv, (size_t)argc * sizeof(*argv));
        run_usage_begin(&run.usage);
        r = prepare(&run);
        if (r == 0)
                r = make(&run);
        if (r == 0)
                r = start(&run);
        if (r == 0)
                r = loop(&run);
        if (r == 0)
                r = report(&run);
        run_deinit(&run);
        return r;
}
