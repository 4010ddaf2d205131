/* SPDX-License-Identifier: MIT */
/*
 * All from /proc, and through /proc/PID/root: paths and uids are what the program itself sees.
 */
#include "ctl/verbs/program.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/session/fail.h"
#include "daemon/host/procinfo.h"

#define OVERFLOW_UID ((uid_t)65534)
#define SYSTEM_DIR   "/run/spanalloc"
#define THREADS_MAX  64u /* that are looked at of one process */

static FILE *open_file(pid_t pid, const char *name) {
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
        return fopen(path, "re");
}

/* -------------------------------------------------------------------------------------------------- reading -- */

static int read_maps(struct program_facts *facts) {
        FILE *file = open_file(facts->pid, "maps");
        char line[PATH_MAX + 128];

        if (!file)
                return -errno;
        while (fgets(line, sizeof(line), file)) {
                facts->has_counters |= strstr(line, "/libspanalloc-malloc.so") != NULL;
                facts->has_spans |= strstr(line, "/libspanalloc.so") != NULL;
        }
        fclose(file);
        return 0;
}

static void take_variable(struct program_facts *facts, const char *variable, char *runtime, size_t size) {
        if (!strcmp(variable, "SPANALLOC=0"))
                facts->is_off = true;
        else if (!strcmp(variable, "SPANALLOC_SECCOMP=allow"))
                facts->calls_pass = true;
        else if (!strncmp(variable, "container=", 10))
                facts->says_container = true;
        else if (!strncmp(variable, "LD_PRELOAD=", 11))
                facts->names_counters = strstr(variable, "libspanalloc-malloc") != NULL;
        else if (!strncmp(variable, "SPANALLOC_SOCKET=", 17))
                snprintf(facts->socket, sizeof(facts->socket), "%s", variable + 17);
        else if (!strncmp(variable, "XDG_RUNTIME_DIR=", 16))
                snprintf(runtime, size, "%s", variable + 16);
}

/* As the library chooses (client/process/settings.c). */
static int read_environment(struct program_facts *facts) {
        FILE *file = open_file(facts->pid, "environ");
        char runtime[200] = "", path[512], *variable = NULL;
        size_t room = 0;

        if (!file)
                return -errno;
        while (getdelim(&variable, &room, '\0', file) > 0)
                take_variable(facts, variable, runtime, sizeof(runtime));
        free(variable);
        fclose(file);
        if (facts->socket[0])
                return 0;
        snprintf(facts->socket, sizeof(facts->socket), "%s/spanalloc/ingest.sock", runtime);
        snprintf(path, sizeof(path), "/proc/%d/root%s", (int)facts->pid, facts->socket);
        if (!runtime[0] || access(path, F_OK) < 0)
                snprintf(facts->socket, sizeof(facts->socket), SYSTEM_DIR "/ingest.sock");
        return 0;
}

/* What `uid` of the namespace of this process is in the other's. */
static uid_t uid_there(pid_t pid, uid_t uid) {
        FILE *file = open_file(pid, "uid_map");
        unsigned inside, outside, count;
        uid_t there = OVERFLOW_UID;

        while (file && fscanf(file, "%u %u %u", &inside, &outside, &count) == 3)
                if (uid >= outside && uid - outside < count)
                        there = inside + (uid - outside);
        if (file)
                fclose(file);
        return there;
}

static void read_uids(struct program_facts *facts, uid_t collector) {
        char path[64], ours[64] = "", theirs[64] = "";
        struct stat info;

        facts->uid = facts->owner = (uid_t)-1;
        snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)facts->pid);
        if (readlink("/proc/self/ns/user", ours, sizeof(ours) - 1) > 0 &&
            readlink(path, theirs, sizeof(theirs) - 1) > 0)
                facts->other_user_namespace = strcmp(ours, theirs) != 0;
        facts->collector = facts->other_user_namespace ? uid_there(facts->pid, collector) : collector;
        snprintf(path, sizeof(path), "/proc/%d", (int)facts->pid);
        if (stat(path, &info) == 0)
                facts->uid = facts->other_user_namespace ? uid_there(facts->pid, info.st_uid) : info.st_uid;
        snprintf(path, sizeof(path), "/proc/%d/root" SYSTEM_DIR, (int)facts->pid);
        if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
                facts->owner = facts->other_user_namespace ? uid_there(facts->pid, info.st_uid) : info.st_uid;
}

static void compare_sockets(struct program_facts *facts, const char *query) {
        char there[512], here[512];
        const char *slash = strrchr(query, '/');
        struct stat a, b;

        snprintf(there, sizeof(there), "/proc/%d/root%s", (int)facts->pid, facts->socket);
        facts->socket_exists = stat(there, &a) == 0;
        snprintf(here, sizeof(here), "%.*singest.sock", slash ? (int)(slash - query + 1) : 0, query);
        facts->socket_is_other = facts->socket_exists && stat(here, &b) == 0 &&
                                 (a.st_dev != b.st_dev || a.st_ino != b.st_ino);
}

static bool has_no_new_privs(pid_t pid) {
        FILE *file = open_file(pid, "status");
        char line[256];
        int value = 0;

        while (file && fgets(line, sizeof(line), file))
                if (sscanf(line, "NoNewPrivs: %d", &value) == 1)
                        break;
        if (file)
                fclose(file);
        return value != 0;
}

/* Of its first threads: a filter may be of one thread only. */
static uint32_t seccomp_mode(pid_t pid) {
        struct procinfo_seccomp seccomp;
        struct dirent *entry;
        uint32_t mode = 0;
        char path[64];
        DIR *tasks;

        snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
        tasks = opendir(path);
        for (unsigned n = 0; tasks && !mode && n < THREADS_MAX && (entry = readdir(tasks)); n++)
                if (entry->d_name[0] != '.' &&
                    procinfo_seccomp(pid, (uint32_t)strtoul(entry->d_name, NULL, 10), &seccomp) == 0)
                        mode = seccomp.mode;
        if (tasks)
                closedir(tasks);
        return mode;
}

/* Of the first process where `pid` lives; 0: not to be known. */
static unsigned long filters_of_first(pid_t pid) {
        unsigned long filters = 0;
        char path[64], line[256];
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%d/root/proc/1/status", (int)pid);
        file = fopen(path, "re");
        while (file && fgets(line, sizeof(line), file))
                if (sscanf(line, "Seccomp_filters: %lu", &filters) == 1)
                        break;
        if (file)
                fclose(file);
        return filters;
}

/* As the library judges it (client/process/inherited_filter.c). */
static bool is_engines_filter(pid_t pid, bool says_container) {
        static const char *const marks[] = {"/.dockerenv", "/run/.containerenv"};
        struct procinfo_seccomp seccomp;
        char path[64];

        for (size_t i = 0; i < sizeof(marks) / sizeof(*marks); i++) {
                snprintf(path, sizeof(path), "/proc/%d/root%s", (int)pid, marks[i]);
                says_container |= access(path, F_OK) == 0;
        }
        return says_container && procinfo_seccomp(pid, 0, &seccomp) == 0 && seccomp.filters == 1 &&
               filters_of_first(pid) == 1;
}

int program_look(struct program_facts *ret, pid_t pid, const char *query, uid_t collector) {
        struct program_facts facts = {.pid = pid};
        struct procinfo_stat stat;
        char cgroup[PATH_MAX];
        int r = procinfo_stat(pid, &stat);

        if (r < 0)
                return -ESRCH;
        memcpy(facts.comm, stat.comm, sizeof(facts.comm));
        if (procinfo_cgroup(pid, cgroup, sizeof(cgroup)) == 0)
                procinfo_unit(cgroup, facts.unit, sizeof(facts.unit));
        facts.seen = read_maps(&facts) == 0 && read_environment(&facts) == 0;
        if (facts.seen) {
                facts.seccomp_mode = seccomp_mode(pid);
                facts.no_new_privs = has_no_new_privs(pid);
                facts.calls_pass |= is_engines_filter(pid, facts.says_container);
                read_uids(&facts, collector);
                compare_sockets(&facts, query);
        }
        *ret = facts;
        return 0;
}

static bool has_library(pid_t pid) {
        struct program_facts facts = {.pid = pid};

        return read_maps(&facts) == 0 && (facts.has_spans || facts.has_counters);
}

void program_each_in_filter(const char *query, uid_t collector,
                            bool (*found)(void *userdata, const struct program_facts *facts), void *userdata) {
        DIR *processes = opendir("/proc");
        struct program_facts facts;
        struct dirent *entry;
        bool goes_on = true;

        while (processes && goes_on && (entry = readdir(processes))) {
                pid_t pid = (pid_t)strtoul(entry->d_name, NULL, 10);

                if (pid <= 0 || !seccomp_mode(pid) || !has_library(pid) ||
                    program_look(&facts, pid, query, collector) < 0 || !facts.seen)
                        continue;
                goes_on = found(userdata, &facts);
        }
        if (processes)
                closedir(processes);
}

/* ------------------------------------------------------------------------------------------------ attaching -- */

int program_cannot_attach(uint64_t pid) {
        char cgroup[PATH_MAX], unit[256] = "";
        const char *suffix;
        struct procinfo_stat stat;

        if (pid > INT_MAX || procinfo_stat((pid_t)pid, &stat) < 0)
                return ctl_fail(CTL_NOT_FOUND, "there is no process %" PRIu64, pid);
        if (procinfo_cgroup((pid_t)pid, cgroup, sizeof(cgroup)) == 0)
                procinfo_unit(cgroup, unit, sizeof(unit));
        suffix = strrchr(unit, '.');
        if (suffix && !strcmp(suffix, ".service"))
                return ctl_fail(CTL_USAGE,
                                "cannot count %s[%" PRIu64 "]: it runs already; restart it with `spanallocctl "
                                "enable --now %s`",
                                stat.comm, pid, unit);
        return ctl_fail(CTL_USAGE,
                        "cannot count %s[%" PRIu64 "]: it runs already; restart it with `spanallocctl run -- "
                        "COMMAND`, or with LD_PRELOAD=libspanalloc-malloc.so.0",
                        stat.comm, pid);
}
