/* SPDX-License-Identifier: MIT */
/*
 * spanallocd: makes a reactor, a collector and a query server, and runs them until a signal stops it.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "daemon/collector/collector.h"
#include "daemon/host/log.h"
#include "daemon/host/procinfo.h"
#include "daemon/query/query_server.h"
#include "daemon/spanallocd/config.h"
#include "daemon/spanallocd/fdstore.h"
#include "daemon/spanallocd/service.h"
#include "daemon/spanallocd/sockets.h"

enum { EXIT_USAGE = 2 };

struct daemon {
        int argc;
        char **argv;
        struct config config;
        struct fdstore fdstore;
        struct sockets sockets;
        struct reactor *reactor;
        struct collector *collector;
        struct query *query;
        struct query_server *server;
        struct service *service;
        int signal_fd;
        struct reactor_watch *signal_watch;
};

/* The least of the machine's memory and the limits of this process's cgroup and its ancestors. */
static uint64_t memory_to_have(void) {
        long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
        uint64_t memory = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : 0, used, limit;
        char cgroup[4096];

        if (procinfo_cgroup(getpid(), cgroup, sizeof cgroup) < 0)
                return memory;
        for (char *end; (end = strrchr(cgroup, '/')); *end = 0) {
                procinfo_cgroup_memory(cgroup, &used, &limit);
                if (limit && (!memory || limit < memory))
                        memory = limit;
        }
        return memory;
}

static struct query_server_limits query_limits(const struct config *config) {
        return (struct query_server_limits){(unsigned)config->limits.connections,
                                            (unsigned)config->limits.connections_uid};
}

#define MORE_TIME "EXTEND_TIMEOUT_USEC=60000000"

/* To save or take over much takes longer than the service manager waits for a stop or a start. */
static void tell_still_busy(void) {
        static uint64_t told_ns;
        uint64_t now_ns = clock_monotonic_ns();

        if (told_ns && now_ns - told_ns < NS_PER_S)
                return;
        told_ns = now_ns;
        sd_notify(0, MORE_TIME);
}

static void make_options(struct collector_options *ret, const struct config *config, const char *runtime_dir) {
        const struct config_limits *limits = &config->limits;

        *ret = collector_options_default;
        ret->runtime_dir = runtime_dir;
        ret->still_busy = tell_still_busy;
        ret->keep_ns = config->keep_ns;
        ret->state_ns = config->state_ns;
        ret->processes_max = (uint32_t)limits->processes;
        ret->keep_max = (uint32_t)limits->ended;
        ret->wish.lane_capacity = (uint32_t)limits->threads;
        ret->wish.name_capacity = (uint32_t)limits->names;
        ret->wish.path_capacity = (uint32_t)limits->paths;
        memcpy(ret->uid_max, limits->uid_max, sizeof ret->uid_max);
        ret->uid_max[QUOTA_MEMORY] = limits->uid_max[QUOTA_MEMORY] ? limits->uid_max[QUOTA_MEMORY] << 20
                                                                   : memory_to_have() / 4;
        ret->wish.ring_records = config->ring_kib * (1024 / (uint32_t)sizeof(struct shm_record));
        if (ret->ring_kib_max < config->ring_kib)
                ret->ring_kib_max = config->ring_kib;
}

/* New limits from the files; what was decided at the start (directory, backend) stays. */
static void reload(struct daemon *daemon) {
        struct collector_options options;
        struct config config;

        sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(clock_monotonic_ns() / NS_PER_US));
        if (config_load(&config, daemon->argc, daemon->argv) == CONFIG_RUN) {
                daemon->config = config;
                log_open(config.log_level);
                make_options(&options, &config, NULL);
                collector_set_options(daemon->collector, &options);
                query_server_set_limits(daemon->server, query_limits(&config));
                log_event(LOG_RELOADED, NULL, "read the configuration again: at most %llu processes, %llu of one user",
                          (unsigned long long)config.limits.processes,
                          (unsigned long long)config.limits.uid_max[QUOTA_PROCESSES]);
        }
        sd_notify(0, "READY=1");
}

static void on_signal(void *userdata, int fd, unsigned events) {
        struct daemon *daemon = userdata;
        struct signalfd_siginfo info;

        if (read(fd, &info, sizeof info) != sizeof info)
                return;
        if (info.ssi_signo == SIGHUP)
                reload(daemon);
        else
                reactor_stop(daemon->reactor);
}

static int block_signals(sigset_t *ret) {
        sigemptyset(ret);
        sigaddset(ret, SIGTERM);
        sigaddset(ret, SIGINT);
        sigaddset(ret, SIGHUP);
        signal(SIGPIPE, SIG_IGN);
        return sigprocmask(SIG_BLOCK, ret, NULL) < 0 ? -errno : 0;
}

/* Each process costs a few descriptors. */
static void raise_limits(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
                limit.rlim_cur = limit.rlim_max;
                (void)setrlimit(RLIMIT_NOFILE, &limit);
        }
}

/* Consumes the sockets' descriptors. */
static int serve_sockets(struct daemon *daemon) {
        int ingest_fd = daemon->sockets.ingest_fd, query_fd = daemon->sockets.query_fd, r;

        daemon->sockets.ingest_fd = daemon->sockets.query_fd = -1;
        r = query_server_new(&daemon->server, daemon->reactor, daemon->query, query_fd, query_limits(&daemon->config));
        if (r < 0) {
                close(ingest_fd);
                return r;
        }
        return collector_listen(daemon->collector, ingest_fd);
}

static int start(struct daemon *daemon) {
        struct collector_options options;
        sigset_t signals;
        int r;

        raise_limits();
        r = fdstore_init(&daemon->fdstore, daemon->config.fd_store);
        if (r < 0) {
                log_event(LOG_FAILED, NULL, "cannot take over what the service manager kept: %s", strerror(-r));
                return r;
        }
        r = block_signals(&signals);
        if (r == 0)
                r = reactor_new(&daemon->reactor, daemon->config.backend);
        if (r < 0) {
                log_event(LOG_FAILED, NULL, "cannot start the event loop: %s; try --backend poll", strerror(-r));
                return r;
        }
        daemon->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
        r = daemon->signal_fd < 0 ? -errno
                                  : reactor_watch(daemon->reactor, &daemon->signal_watch, daemon->signal_fd, REACTOR_IN,
                                                  on_signal, daemon);
        if (r < 0) {
                log_event(LOG_FAILED, NULL, "cannot receive signals: %s", strerror(-r));
                return r;
        }
        r = sockets_open(&daemon->sockets, &daemon->config, daemon->fdstore.sockets, daemon->fdstore.socket_count);
        if (r < 0)
                return r;
        make_options(&options, &daemon->config, daemon->sockets.dir);
        options.store = fdstore_store(&daemon->fdstore);
        options.state_dir = daemon->config.state_dir[0] ? daemon->config.state_dir : NULL;
        options.gifts = daemon->fdstore.gifts;
        options.gift_count = daemon->fdstore.gift_count;
        r = collector_new(&daemon->collector, daemon->reactor, &options);
        if (r == 0)
                r = query_new(&daemon->query, daemon->collector);
        if (r == 0)
                r = serve_sockets(daemon);
        if (r == 0)
                r = service_new(&daemon->service, daemon->reactor, daemon->collector);
        if (r < 0)
                log_event(LOG_FAILED, NULL, "cannot serve %s: %s", daemon->sockets.dir, strerror(-r));
        return r;
}

static void stop(struct daemon *daemon) {
        sockets_unlink(&daemon->sockets);
        service_free(daemon->service);
        query_server_free(daemon->server);
        query_free(daemon->query);
        collector_free(daemon->collector);
        close_fd(daemon->sockets.ingest_fd);
        close_fd(daemon->sockets.query_fd);
        reactor_unwatch(daemon->signal_watch);
        close_fd(daemon->signal_fd);
        reactor_free(daemon->reactor);
        fdstore_deinit(&daemon->fdstore);
        close_fd(daemon->sockets.lock_fd);
}

static void tell_taken_over(const struct daemon *daemon) {
        struct collector_stats stats;
        struct log_peer all = {.pid = 0};

        collector_stats(daemon->collector, &stats);
        if (!stats.took_over)
                return;
        all.count = stats.processes;
        log_event(LOG_TAKEN_OVER, &all,
                  "took over from the last collector: %llu attached and %llu ended processes, %llu records; "
                  "%llu of the books were another version's",
                  (unsigned long long)stats.processes, (unsigned long long)stats.processes_ended,
                  (unsigned long long)stats.records, (unsigned long long)stats.reshaped);
}

static void tell_started(const struct daemon *daemon) {
        const char *why = reactor_backend_why(daemon->reactor);

        log_event(LOG_STARTED, NULL, "spanallocd %s serves %s", SPANALLOC_VERSION, daemon->sockets.dir);
        log_event(LOG_BACKEND, NULL, "the backend is %s%s%s", reactor_backend_name(daemon->reactor), *why ? ": " : "",
                  why);
        tell_taken_over(daemon);
        sd_notify(0, "READY=1");
}

/* Allocations of this size and more get a mapping of their own, so that they do not stay resident: the arrays for a
 * process of many threads, most of which use a page, and answers of megabytes.  By default glibc raises the limit after
 * the first large one. */
#define MAPPED_BYTES 32768

int main(int argc, char *argv[]) {
        struct daemon daemon = {.argc = argc,
                                .argv = argv,
                                .fdstore = {.notify_fd = -1},
                                .signal_fd = -1,
                                .sockets = {.ingest_fd = -1, .query_fd = -1, .lock_fd = -1}};
        int r;

        open_standard_fds();
        mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
        log_open(LOG_LEVEL_NOTICE);
        r = config_load(&daemon.config, argc, argv);
        if (r != CONFIG_RUN)
                return r == CONFIG_DONE ? EXIT_SUCCESS : EXIT_USAGE;
        log_open(daemon.config.log_level);

        r = start(&daemon);
        if (r == 0) {
                tell_started(&daemon);
                r = reactor_run(daemon.reactor);
                sd_notify(0, "STOPPING=1\n" MORE_TIME);
                if (r < 0)
                        log_event(LOG_FAILED, NULL, "the event loop failed: %s", strerror(-r));
                else
                        log_event(LOG_STOPPED, NULL, "spanallocd stops");
        }
        stop(&daemon);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
