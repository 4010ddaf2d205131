/* SPDX-License-Identifier: MIT */
/*
 * What /proc and the cgroup tree hold about a process.
 *
 * What lives here: reading and parsing those files.  What does not: the rows (process.c).  A process can end at any
 * moment and choose any name: every function may fail, and every text is cleaned (base/clean_text.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct procinfo_stat {
        char comm[16];
        char state; /* 'Z': dead, and not waited for */
        pid_t parent;
        uint64_t start_ticks; /* since boot; with the pid, unique */
};

/* 0 or -errno; -ESRCH when there is no such process. */
int procinfo_stat(pid_t pid, struct procinfo_stat *ret);
/* 1: `pid` is `ancestor`, or descends from it; an orphan descends from its reaper.  0: not.  -errno: it is gone. */
int procinfo_descends(pid_t pid, pid_t ancestor);
/* Since the epoch, from procinfo_stat's ticks. */
uint64_t procinfo_start_ns(uint64_t start_ticks);
int procinfo_exe(pid_t pid, char *buf, size_t size);
/* The path below the mount of cgroup2, or of systemd's own hierarchy where that is not used. */
int procinfo_cgroup(pid_t pid, char *buf, size_t size);
/* Its systemd unit, the innermost: "nginx.service", "session-3.scope"; "" when there is none. */
void procinfo_unit(const char *cgroup, char *buf, size_t size);
/* True if it lives in another pid namespace, where its threads have other numbers. */
bool procinfo_in_other_pidns(pid_t pid);
struct procinfo_seccomp {
        uint32_t mode;    /* 0: none; 1: strict; 2: filters */
        uint32_t filters; /* at least 1 if there are any: before Linux 5.9 the kernel does not report their number */
};
/* Of one thread; 0: of the first. */
int procinfo_seccomp(pid_t pid, uint32_t tid, struct procinfo_seccomp *ret);
/* True if its root directory is another one than this process's. */
bool procinfo_in_other_root(pid_t pid);
int procinfo_thread_comm(pid_t pid, uint32_t tid, char buf[16]);

/* A search of its mappings for the allocator that it runs on when that is not libc's.  A process can have very many
 * mappings, so the search reads some at each call, and not more than the first 2,000. */
struct procinfo_maps;
int procinfo_maps_open(struct procinfo_maps **ret, pid_t pid);
struct procinfo_maps *procinfo_maps_close(struct procinfo_maps *maps);
/* "jemalloc", "tcmalloc" or "mimalloc"; "": there is none; NULL: not yet known, the search goes on at the next call. */
const char *procinfo_maps_search(struct procinfo_maps *maps);

/* True if `uid` is its real, effective or saved user id. */
bool procinfo_has_uid(pid_t pid, uid_t uid);

/* The process that a pidfd is of; -1: it has ended, and was waited for.  -EBADF: it is no pidfd. */
int procinfo_pidfd(int pidfd, pid_t *ret);

/* Resident bytes, and those that are neither a file's nor shared memory; 0 when unknown. */
uint64_t procinfo_rss(pid_t pid, uint64_t *ret_anon);
/* Memory of a cgroup and its limit; 0 when unknown or none. */
void procinfo_cgroup_memory(const char *cgroup, uint64_t *ret_current, uint64_t *ret_limit);

/* How many processes of this cgroup the kernel killed because memory ran out.  -errno: unknown. */
int procinfo_oom_kills(const char *cgroup, uint64_t *ret);
/* True if the kernel's log says that it killed `pid` for want of memory since `since_ns` (monotonic).  False if the log
 * may not be read.  Reads the log from where the last call ended, and keeps it open. */
bool procinfo_oom_told(pid_t pid, uint64_t since_ns);
