/* SPDX-License-Identifier: MIT */
/*
 * The parsers of /proc.  Each file is read once, whole or its beginning, into a buffer of fixed size.
 */
#include "daemon/host/procinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clean_text.h"
#include "base/clock.h"

#define CGROUP_ROOT "/sys/fs/cgroup"

/* Reads the beginning of a file, terminated. */
static ssize_t read_file(char *buf, size_t size, const char *format, ...) {
        char path[PATH_MAX];
        ssize_t n, have = 0;
        va_list args;
        int fd, r;

        va_start(args, format);
        r = vsnprintf(path, sizeof path, format, args);
        va_end(args);
        if (r < 0 || r >= (int)sizeof path)
                return -ENAMETOOLONG;
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        while (have < (ssize_t)size - 1) {
                n = read(fd, buf + have, size - 1 - (size_t)have);
                if (n <= 0)
                        break;
                have += n;
        }
        close(fd);
        buf[have] = 0;
        return have;
}

int procinfo_pidfd(int pidfd, pid_t *ret) {
        char text[512], *line;
        long pid;

        if (read_file(text, sizeof text, "/proc/self/fdinfo/%d", pidfd) < 0)
                return -EBADF;
        line = strstr(text, "\nPid:");
        if (!line || sscanf(line, " Pid: %ld", &pid) != 1)
                return -EBADF;
        *ret = (pid_t)pid;
        return 0;
}

bool procinfo_has_uid(pid_t pid, uid_t uid) {
        char text[8192], *line;
        unsigned ids[3];

        if (read_file(text, sizeof text, "/proc/%d/status", (int)pid) < 0)
                return false;
        line = strstr(text, "\nUid:");
        if (!line || sscanf(line, "\nUid: %u %u %u", &ids[0], &ids[1], &ids[2]) != 3)
                return false;
        return ids[0] == uid || ids[1] == uid || ids[2] == uid;
}

int procinfo_stat(pid_t pid, struct procinfo_stat *ret) {
        struct procinfo_stat stat = {0};
        char buf[1024], *open_paren, *close_paren;
        ssize_t n = read_file(buf, sizeof buf, "/proc/%d/stat", (int)pid);
        int parent;
        unsigned long long ticks;

        if (n < 0)
                return n == -ENOENT ? -ESRCH : (int)n;
        /* The name may hold anything, parentheses too: it ends at the last one. */
        open_paren = strchr(buf, '(');
        close_paren = strrchr(buf, ')');
        if (!open_paren || !close_paren || close_paren < open_paren)
                return -ESRCH;
        if (sscanf(close_paren + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                   &stat.state, &parent, &ticks) != 3)
                return -ESRCH;
        *close_paren = 0;
        snprintf(stat.comm, sizeof stat.comm, "%.15s", open_paren + 1);
        text_clean_in_place(stat.comm, strlen(stat.comm));
        stat.parent = parent;
        stat.start_ticks = ticks;
        *ret = stat;
        return 0;
}

#define ANCESTORS_MAX 4096 /* a pid that was given out again could make a circle */
#define TRIES         8

int procinfo_descends(pid_t pid, pid_t ancestor) {
        struct procinfo_stat stat;
        int r = -ESRCH;

        for (int tries = 0; tries < TRIES; tries++) {
                pid_t at = pid;

                for (int n = 0; n < ANCESTORS_MAX; n++) {
                        if (at == ancestor)
                                return 1;
                        if (at <= 1)
                                return 0;
                        r = procinfo_stat(at, &stat);
                        if (r < 0)
                                break; /* it ended meanwhile: its children have another parent now */
                        at = stat.parent;
                }
                if (at == pid)
                        return r;
        }
        return r;
}

uint64_t procinfo_start_ns(uint64_t start_ticks) {
        static uint64_t boot_ns; /* one value for all, so that rows of one process agree; threads: the reactor's */

        if (!boot_ns)
                boot_ns = clock_realtime_ns() - clock_ns(CLOCK_BOOTTIME);
        return boot_ns + start_ticks * (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

int procinfo_exe(pid_t pid, char *buf, size_t size) {
        char link[64], target[PATH_MAX];
        ssize_t n;

        snprintf(link, sizeof link, "/proc/%d/exe", (int)pid);
        n = readlink(link, target, sizeof target - 1);
        if (n < 0)
                return -errno;
        target[n] = 0;
        snprintf(buf, size, "%s", target);
        text_clean_in_place(buf, strlen(buf));
        return 0;
}

/* The path on the line of /proc/PID/cgroup that begins with a number and then `hierarchy`. */
static const char *find_hierarchy(char *lines, const char *hierarchy) {
        for (char *line = lines, *end; line && *line; line = end) {
                char *field = strchr(line, ':');

                end = strchr(line, '\n');
                if (end)
                        end++;
                if (!field || (end && field > end) || strncmp(field, hierarchy, strlen(hierarchy)) != 0)
                        continue;
                return field + strlen(hierarchy);
        }
        return NULL;
}

int procinfo_cgroup(pid_t pid, char *buf, size_t size) {
        char lines[8192];
        const char *path;
        ssize_t n = read_file(lines, sizeof lines, "/proc/%d/cgroup", (int)pid);

        if (n < 0)
                return (int)n;
        path = find_hierarchy(lines, "::");
        if (!path || strncmp(path, "/\n", 2) == 0)
                path = find_hierarchy(lines, ":name=systemd:");
        if (!path)
                path = "/";
        snprintf(buf, size, "%.*s", (int)strcspn(path, "\n"), path);
        text_clean_in_place(buf, strlen(buf));
        return 0;
}

static bool is_unit(const char *name, size_t length) {
        static const char *const suffixes[] = {".service", ".scope", ".socket", ".mount", ".swap"};

        for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
                size_t n = strlen(suffixes[i]);

                if (length > n && memcmp(name + length - n, suffixes[i], n) == 0)
                        return true;
        }
        return false;
}

void procinfo_unit(const char *cgroup, char *buf, size_t size) {
        size_t length;

        *buf = 0;
        for (const char *name = cgroup; *name; name += length) {
                name += *name == '/';
                length = strcspn(name, "/");
                if (!is_unit(name, length))
                        continue;
                /* systemd puts '_' before a name that the kernel would take for one of its own files. */
                snprintf(buf, size, "%.*s", (int)length - (*name == '_'), name + (*name == '_'));
        }
}

bool procinfo_in_other_pidns(pid_t pid) {
        char buf[8192], *line;
        int first, second;

        if (read_file(buf, sizeof buf, "/proc/%d/status", (int)pid) < 0)
                return false;
        line = strstr(buf, "\nNSpid:");
        /* One number for each namespace, from ours inwards. */
        return line && sscanf(line, "\nNSpid:%d%*[ \t]%d", &first, &second) == 2;
}

int procinfo_seccomp(pid_t pid, uint32_t tid, struct procinfo_seccomp *ret) {
        struct procinfo_seccomp seccomp = {.filters = 1};
        char text[8192];
        const char *line;
        ssize_t n;

        /* The line of the groups stands before these two, and may be longer than this: then they are not read. */
        n = read_file(text, sizeof text, tid ? "/proc/%d/task/%u/status" : "/proc/%d/status", (int)pid, tid);
        if (n < 0)
                return (int)n;
        line = strstr(text, "\nSeccomp:");
        if (!line)
                return -ENODATA;
        seccomp.mode = (uint32_t)strtoul(line + strlen("\nSeccomp:"), NULL, 10);
        line = strstr(text, "\nSeccomp_filters:");
        if (line)
                seccomp.filters = (uint32_t)strtoul(line + strlen("\nSeccomp_filters:"), NULL, 10);
        *ret = seccomp;
        return 0;
}

bool procinfo_in_other_root(pid_t pid) {
        char path[32];
        struct stat its, ours;

        snprintf(path, sizeof path, "/proc/%d/root", (int)pid);
        return stat(path, &its) == 0 && stat("/", &ours) == 0 &&
               (its.st_dev != ours.st_dev || its.st_ino != ours.st_ino);
}

int procinfo_thread_comm(pid_t pid, uint32_t tid, char buf[16]) {
        char text[64];
        ssize_t n = read_file(text, sizeof text, "/proc/%d/task/%u/comm", (int)pid, tid);

        if (n < 0)
                return (int)n;
        if (n > 0 && text[n - 1] == '\n')
                text[n - 1] = 0;
        snprintf(buf, 16, "%.15s", text);
        text_clean_in_place(buf, strlen(buf));
        return 0;
}

#define MAPS_LINES 2000u /* libraries are loaded early */
#define MAPS_SLICE 64u   /* lines of one call: the kernel takes up to 20 us for one */

struct procinfo_maps {
        FILE *file;
        unsigned lines;
        char *line;
        size_t size;
};

int procinfo_maps_open(struct procinfo_maps **ret, pid_t pid) {
        struct procinfo_maps *maps = calloc(1, sizeof *maps);
        char path[64];

        if (!maps)
                return -ENOMEM;
        snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
        maps->file = fopen(path, "re");
        if (!maps->file) {
                int r = -errno;

                free(maps);
                return r;
        }
        *ret = maps;
        return 0;
}

struct procinfo_maps *procinfo_maps_close(struct procinfo_maps *maps) {
        if (!maps)
                return NULL;
        fclose(maps->file);
        free(maps->line);
        free(maps);
        return NULL;
}

static const char *allocator_of_line(const char *line) {
        static const char *const names[] = {"jemalloc", "tcmalloc", "mimalloc"};
        const char *base = strrchr(line, '/');

        for (size_t i = 0; base && i < sizeof names / sizeof *names; i++)
                if (strncmp(base, "/lib", 4) == 0 && strncmp(base + 4, names[i], strlen(names[i])) == 0)
                        return names[i];
        return NULL;
}

const char *procinfo_maps_search(struct procinfo_maps *maps) {
        const char *found;

        for (unsigned i = 0; i < MAPS_SLICE; i++) {
                if (maps->lines++ == MAPS_LINES || getline(&maps->line, &maps->size, maps->file) <= 0)
                        return "";
                found = allocator_of_line(maps->line);
                if (found)
                        return found;
        }
        return NULL;
}

uint64_t procinfo_rss(pid_t pid, uint64_t *ret_anon) {
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        unsigned long long pages, shared;
        char buf[128];

        *ret_anon = 0;
        if (read_file(buf, sizeof buf, "/proc/%d/statm", (int)pid) < 0 ||
            sscanf(buf, "%*u %llu %llu", &pages, &shared) != 2)
                return 0;
        *ret_anon = pages > shared ? (pages - shared) * page : 0;
        return pages * page;
}

static uint64_t read_number(const char *cgroup, const char *file) {
        char buf[64], *end;
        unsigned long long value;

        if (read_file(buf, sizeof buf, CGROUP_ROOT "%s/%s", cgroup, file) <= 0)
                return 0;
        value = strtoull(buf, &end, 10); /* "max" is no number, and no limit */
        return end == buf ? 0 : value;
}

void procinfo_cgroup_memory(const char *cgroup, uint64_t *ret_current, uint64_t *ret_limit) {
        *ret_current = *ret_limit = 0;
        if (cgroup[0] != '/' || cgroup[1] == 0 || strstr(cgroup, "/.."))
                return;
        *ret_current = read_number(cgroup, "memory.current");
        *ret_limit = read_number(cgroup, "memory.max");
}

int procinfo_oom_kills(const char *cgroup, uint64_t *ret) {
        char text[1024], *line;
        unsigned long long n;

        if (cgroup[0] != '/' || cgroup[1] == 0 || strstr(cgroup, "/.."))
                return -ENOENT;
        if (read_file(text, sizeof text, CGROUP_ROOT "%s/memory.events", cgroup) < 0)
                return -ENOENT;
        line = strstr(text, "\noom_kill ");
        if (!line || sscanf(line, " oom_kill %llu", &n) != 1)
                return -ENOENT;
        *ret = n;
        return 0;
}

/* The last processes that the kernel's log says were killed for that; threads: the reactor's. */
#define KILLS 1024u
static struct {
        int fd; /* 0: it was not opened yet; -1: it may not be read */
        unsigned next;
        struct kill {
                pid_t pid;
                uint64_t us; /* monotonic */
        } kills[KILLS];
} kernel_log;

static void note_kill(const char *record) {
        const char *text = strstr(record, "Killed process ");
        unsigned long long us;
        int pid;

        if (text && sscanf(text, "Killed process %d (", &pid) == 1 && sscanf(record, "%*u,%*u,%llu", &us) == 1)
                kernel_log.kills[kernel_log.next++ % KILLS] = (struct kill){.pid = (pid_t)pid, .us = us};
}

static void read_kernel_log(void) {
        char record[2048];
        ssize_t n;

        if (!kernel_log.fd)
                kernel_log.fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        if (kernel_log.fd < 0)
                return;
        /* A record a read.  -EPIPE: one was overwritten, the next is there. */
        while ((n = read(kernel_log.fd, record, sizeof record - 1)) > 0 || (n < 0 && errno == EPIPE)) {
                if (n <= 0)
                        continue;
                record[n] = 0;
                note_kill(record);
        }
}

bool procinfo_oom_told(pid_t pid, uint64_t since_ns) {
        read_kernel_log();
        for (unsigned i = 0; i < KILLS; i++)
                if (kernel_log.kills[i].pid == pid && kernel_log.kills[i].us >= since_ns / NS_PER_US)
                        return true;
        return false;
}
