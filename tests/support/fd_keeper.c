/* SPDX-License-Identifier: MIT */
/*
 * A service manager for one daemon, small and fast: it listens for it, keeps its descriptors, and starts it again.
 *
 *     fd_keeper [--sockets DIR] [--max N] [--ledger FILE]... -- DAEMON [ARG...]
 *
 * It speaks sd_notify's protocol as systemd does: READY, FDSTORE with FDNAME, FDSTOREREMOVE, BARRIER; LISTEN_FDS and
 * LISTEN_FDNAMES at each start.  --sockets: ingest.sock and query.sock in DIR are made here and handed on.  --max: it
 * keeps so many descriptors.  --ledger: files whose records are added up (span_crowd.c).
 *
 * Commands, a line each on stdin, are answered with a line each on stdout:
 *
 *     start              starts the daemon, waits until it is ready
 *     crash              SIGKILL, and start
 *     restart            SIGTERM, and start
 *     stop | term        SIGKILL | SIGTERM, and no start; the store stays
 *     forget             empties the store
 *     drop NAME          takes one name out of it
 *     stall | go         does not read, or again reads, what the daemon sends
 *     names              the names in the store, sorted
 *     kill N RATE MAX_US N times SIGKILL at a random moment up to MAX_US after it was ready, and not before RATE records a
 *                        second were written on average since the last one; and besides, now and then, while it starts
 *
 * At the end of its stdin it ends the daemon by SIGTERM, and itself.
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
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX      20000
#define LEDGERS  64
#define READY_NS (UINT64_C(60) * 1000000000)

struct kept {
        char name[64];
        int fd;
};

static struct kept store[MAX];
static size_t store_count, store_max = MAX;
static int sockets[2], socket_count;
static const volatile unsigned long *ledgers[LEDGERS];
static int ledger_count;
static char **command;
static int notify_fd;
static char notify_path[108];
static pid_t daemon_pid;
static bool is_ready, is_stalled;

static _Noreturn void die(const char *what) {
        fprintf(stderr, "fd_keeper: %s: %s\n", what, strerror(errno));
        if (daemon_pid > 0)
                kill(daemon_pid, SIGKILL);
        unlink(notify_path);
        exit(1);
}

static uint64_t now_ns(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ----------------------------------------------------------------------------------------------------- the store -- */

static bool is_stored(int fd, const char *name) {
        struct stat a, b;

        for (size_t i = 0; i < store_count; i++)
                if (!strcmp(store[i].name, name) && fstat(fd, &a) == 0 && fstat(store[i].fd, &b) == 0 &&
                    a.st_ino == b.st_ino && a.st_dev == b.st_dev)
                        return true;
        return false;
}

static void keep(const char *name, int fd) {
        if (store_count == store_max || is_stored(fd, name)) {
                close(fd);
                return;
        }
        snprintf(store[store_count].name, sizeof store[0].name, "%s", name);
        store[store_count++].fd = fd;
}

static void let_go(const char *name) {
        size_t n = 0;

        for (size_t i = 0; i < store_count; i++)
                if (!*name || !strcmp(store[i].name, name))
                        close(store[i].fd);
                else
                        store[n++] = store[i];
        store_count = n;
}

static void field(const char *text, const char *key, char ret[64]) {
        const char *at = text;
        size_t length = strlen(key);

        *ret = 0;
        for (; at; at = strchr(at, '\n'), at = at ? at + 1 : NULL)
                if (!strncmp(at, key, length)) {
                        snprintf(ret, 64, "%.*s", (int)strcspn(at + length, "\n"), at + length);
                        return;
                }
}

/* One datagram.  False: none is there. */
static bool hear(void) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(16 * sizeof(int))];
        } control;
        char text[4096], name[64], value[64];
        struct iovec iov = {text, sizeof text - 1};
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        ssize_t n = recvmsg(notify_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        int fds[16], count = 0;

        if (n < 0)
                return false;
        text[n] = 0;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c))
                if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
                        count = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
                        memcpy(fds, CMSG_DATA(c), (size_t)count * sizeof(int));
                }
        field(text, "FDNAME=", name);
        field(text, "FDSTORE=", value);
        for (int i = 0; i < count; i++)
                if (!strcmp(value, "1"))
                        keep(*name ? name : "stored", fds[i]);
                else
                        close(fds[i]); /* a barrier's, too */
        field(text, "FDSTOREREMOVE=", value);
        if (!strcmp(value, "1") && *name)
                let_go(name);
        field(text, "READY=", value);
        if (!strcmp(value, "1"))
                is_ready = true;
        return true;
}

/* Serves until `until_ns`, or until `flag` is true. */
static void serve(uint64_t until_ns, const bool *flag) {
        while (!flag || !*flag) {
                uint64_t now = now_ns();
                struct pollfd p = {.fd = notify_fd, .events = POLLIN};
                struct timespec left;

                while (!is_stalled && hear())
                        ;
                if ((flag && *flag) || now >= until_ns)
                        return;
                left = (struct timespec){(time_t)((until_ns - now) / 1000000000u),
                                         (long)((until_ns - now) % 1000000000u)};
                ppoll(is_stalled ? NULL : &p, is_stalled ? 0 : 1, &left, NULL);
        }
}

/* ---------------------------------------------------------------------------------------------------- the daemon -- */

static void be_daemon(void) {
        static char names[MAX * 64], number[32];
        int n = 0, base = 0;

        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a keeper that is ended by a signal takes it along */
        /* Out of the way of 3 and what follows, then to their places. */
        for (int i = 0; i < socket_count; i++)
                if (sockets[i] >= base)
                        base = sockets[i] + 1;
        for (size_t i = 0; i < store_count; i++)
                if (store[i].fd >= base)
                        base = store[i].fd + 1;
        for (int i = 0; i < socket_count; i++) {
                sockets[i] = fcntl(sockets[i], F_DUPFD_CLOEXEC, base + 8 + (int)store_count);
                strcat(names, i ? ":query" : "ingest");
        }
        for (size_t i = 0; i < store_count; i++)
                store[i].fd = fcntl(store[i].fd, F_DUPFD_CLOEXEC, base + 8 + (int)store_count);
        for (int i = 0; i < socket_count; i++)
                dup2(sockets[i], 3 + n++);
        char *at = names + strlen(names);
        for (size_t i = 0; i < store_count; i++) {
                dup2(store[i].fd, 3 + n++);
                at += sprintf(at, "%s%s", n > 1 ? ":" : "", store[i].name);
        }
        sprintf(number, "%d", (int)getpid());
        setenv("LISTEN_PID", number, 1);
        sprintf(number, "%d", n);
        setenv("LISTEN_FDS", number, 1);
        setenv("LISTEN_FDNAMES", names, 1);
        setenv("NOTIFY_SOCKET", notify_path, 1);
        sprintf(number, "%zu", store_max);
        setenv("FDSTORE", number, 1);
        execvp(command[0], command);
        _exit(127);
}

static void spawn(void) {
        is_ready = false;
        while (!is_stalled && hear()) /* what its predecessor said */
                ;
        is_ready = false;
        daemon_pid = fork();
        if (daemon_pid < 0)
                die("fork");
        if (!daemon_pid)
                be_daemon();
}

static void wait_ready(void) {
        serve(now_ns() + READY_NS, &is_ready);
        if (!is_ready) {
                errno = ETIMEDOUT;
                die("the daemon is not ready");
        }
}

static void end(int signal) {
        int status;

        if (daemon_pid <= 0)
                return;
        kill(daemon_pid, signal);
        while (waitpid(daemon_pid, &status, WNOHANG) == 0)
                serve(now_ns() + 200000, NULL);
        daemon_pid = 0;
        if (signal == SIGTERM ? !WIFEXITED(status) || WEXITSTATUS(status) : !WIFSIGNALED(status)) {
                errno = 0;
                fprintf(stderr, "fd_keeper: the daemon ended with status %#x\n", (unsigned)status);
                die("it ended by itself");
        }
        while (!is_stalled && hear())
                ;
}

/* ---------------------------------------------------------------------------------------------------- many kills -- */

static uint64_t records(void) {
        uint64_t sum = 0;

        for (int i = 0; i < ledger_count; i++)
                for (int t = 0; t < 64; t++)
                        sum += ledgers[i][8 + 8 * t];
        return sum;
}

static int compare(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return x < y ? -1 : x > y;
}

static uint64_t between(uint64_t max) {
        return ((uint64_t)random() << 20 ^ (uint64_t)random()) % (max + 1);
}

/* Kills until `rate` records a second have been written since `begun`; returns how many a second there were. */
static uint64_t kill_at(uint64_t moment, uint64_t rate, uint64_t begun, uint64_t written) {
        uint64_t now, reached;

        serve(moment, NULL);
        for (;;) {
                now = now_ns();
                reached = (records() - written) * 1000000 / ((now - begun) / 1000 + 1);
                if (reached >= rate)
                        break;
                if (now - begun > READY_NS) {
                        errno = ETIMEDOUT;
                        die("too few records are written");
                }
                serve(now + 1000000, NULL);
        }
        end(SIGKILL);
        return reached;
}

static void kill_often(unsigned long n, uint64_t rate, uint64_t max_us) {
        uint64_t *rates = calloc(n, sizeof *rates), *starts = calloc(n, sizeof *starts), begun_all = now_ns();
        uint64_t begun = begun_all, written = records(), written_all = written;
        unsigned long early = 0;

        for (unsigned long i = 0; i < n; i++) {
                uint64_t spawned;

                rates[i] = kill_at(now_ns() + between(max_us) * 1000, rate, begun, written);
                begun = now_ns();
                written = records();
                while (random() % 4 == 0) { /* one that has not come far */
                        spawn();
                        early++;
                        serve(now_ns() + between(15000) * 1000, NULL);
                        end(SIGKILL);
                }
                spawned = now_ns();
                spawn();
                wait_ready();
                starts[i] = now_ns() - spawned;
        }
        qsort(rates, n, sizeof *rates, compare);
        qsort(starts, n, sizeof *starts, compare);
        printf("killed %lu early %lu rate_min %lu rate_median %lu records %lu seconds %.1f start_median_us %lu "
               "start_p99_us %lu start_max_us %lu\n",
               n, early, (unsigned long)rates[0], (unsigned long)rates[n / 2], (unsigned long)(records() - written_all),
               (double)(now_ns() - begun_all) / 1e9, (unsigned long)(starts[n / 2] / 1000),
               (unsigned long)(starts[n * 99 / 100] / 1000), (unsigned long)(starts[n - 1] / 1000));
        free(rates);
        free(starts);
}

/* ----------------------------------------------------------------------------------------------------- commands -- */

static int by_name(const void *a, const void *b) {
        return strcmp(((const struct kept *)a)->name, ((const struct kept *)b)->name);
}

static void print_names(void) {
        qsort(store, store_count, sizeof *store, by_name);
        for (size_t i = 0; i < store_count; i++)
                printf("%s%s", i ? " " : "", store[i].name);
        putchar('\n');
}

static void obey(const char *line) {
        unsigned long n, rate, max_us;
        char name[64];

        if (!strcmp(line, "start") || !strcmp(line, "crash") || !strcmp(line, "restart")) {
                if (*line != 's')
                        end(*line == 'c' ? SIGKILL : SIGTERM);
                spawn();
                wait_ready();
        } else if (!strcmp(line, "stop") || !strcmp(line, "term")) {
                end(*line == 's' ? SIGKILL : SIGTERM);
        } else if (!strcmp(line, "forget")) {
                let_go("");
        } else if (sscanf(line, "drop %63s", name) == 1) {
                let_go(name);
        } else if (!strcmp(line, "stall") || !strcmp(line, "go")) {
                is_stalled = *line == 's';
        } else if (!strcmp(line, "names")) {
                print_names();
                return;
        } else if (sscanf(line, "kill %lu %lu %lu", &n, &rate, &max_us) == 3 && n) {
                kill_often(n, rate, max_us);
                return;
        } else {
                puts("what?");
                return;
        }
        puts("ok");
}

/* -------------------------------------------------------------------------------------------------------- start -- */

static int listen_at(const char *dir, const char *name, int type) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", dir, name);
        unlink(address.sun_path);
        if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 4096) < 0)
                die(address.sun_path);
        return fd;
}

static void map_ledger(const char *path) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        void *p;

        if (fd < 0 || ledger_count == LEDGERS || ftruncate(fd, 65 * 64) < 0)
                die(path);
        p = mmap(NULL, 65 * 64, PROT_READ, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED)
                die(path);
        ledgers[ledger_count++] = p;
        close(fd);
}

static void open_notify(void) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        const int on = 1;

        snprintf(notify_path, sizeof notify_path, "%s/fd_keeper.%d", getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp",
                 (int)getpid());
        unlink(notify_path);
        strcpy(address.sun_path, notify_path);
        notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (notify_fd < 0 || bind(notify_fd, (struct sockaddr *)&address, sizeof address) < 0 ||
            setsockopt(notify_fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) < 0)
                die(notify_path);
}

int main(int argc, char **argv) {
        char line[256];
        int i;

        for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i += 2) {
                if (i + 1 >= argc)
                        return 2;
                if (!strcmp(argv[i], "--sockets")) {
                        sockets[0] = listen_at(argv[i + 1], "ingest.sock", SOCK_SEQPACKET);
                        sockets[1] = listen_at(argv[i + 1], "query.sock", SOCK_STREAM);
                        socket_count = 2;
                } else if (!strcmp(argv[i], "--max")) {
                        store_max = (size_t)atoi(argv[i + 1]);
                } else if (!strcmp(argv[i], "--ledger")) {
                        map_ledger(argv[i + 1]);
                } else {
                        return 2;
                }
        }
        if (i + 1 >= argc || store_max > MAX)
                return 2;
        command = argv + i + 1;
        srandom((unsigned)getpid());
        open_notify();
        setvbuf(stdout, NULL, _IOLBF, 0);
        for (;;) {
                struct pollfd p[2] = {{.fd = 0, .events = POLLIN},
                                      {.fd = is_stalled ? -1 : notify_fd, .events = POLLIN}};

                if (poll(p, 2, -1) < 0 && errno != EINTR)
                        die("poll");
                while (!is_stalled && hear())
                        ;
                if (!p[0].revents)
                        continue;
                /* One command, one answer: nothing is left in the buffer that poll does not see. */
                if (!fgets(line, sizeof line, stdin))
                        break;
                line[strcspn(line, "\n")] = 0;
                obey(line);
        }
        end(SIGTERM);
        unlink(notify_path);
        return 0;
}
