/* SPDX-License-Identifier: MIT */
/*
 * What the processes of one user may take of the collector, and what they have.
 *
 * What lives here: the counts and the limits of one user, and whether there is room for more.  What does not: the
 * user's processes and what happens when there is none (user_limits.c), the options that set them (collector.h).
 *
 * A NULL quota has room for everything: for tests, and for books without a process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* X(NAME, what is counted, the option, what happens beyond it) */
#define QUOTAS(X)                                                                                                      \
        X(PROCESSES, "attached processes", "max-processes-per-uid", "more may not attach")                             \
        X(MEMORY, "bytes", "max-memory-per-uid", "ended processes are forgotten, then the largest is expelled")        \
        X(THREADS, "threads", "max-threads-per-uid", "more are in no books")                                           \
        X(NAMES, "names", "max-names-per-uid", "new ones are shown as (other)")                                        \
        X(PATHS, "paths", "max-paths-per-uid", "new ones are shown as (other)")                                        \
        X(RECORDS, "records in one pass", "max-records-per-pass", "the rest waits for the next pass")

enum quota_kind {
#define X(name, what, option, then) QUOTA_##name,
        QUOTAS(X)
#undef X
                QUOTA_KINDS,
};

struct quota {
        struct quota *next;
        uid_t uid;
        uint32_t users; /* rows of processes */
        uint64_t used[QUOTA_KINDS];
        uint64_t limit[QUOTA_KINDS]; /* UINT64_MAX: none */
        uint64_t hits[QUOTA_KINDS];  /* how often there was no room */
        uint64_t told[QUOTA_KINDS];  /* hits at the last line of the log */
        uint64_t told_ns[QUOTA_KINDS];

        /* Numbers of processes: with which of the user's this pass began; the first that had something to drain; and with
         * which the next one begins, 0 if the share was enough. */
        uint64_t first, busy, next_first;
};

static inline uint64_t quota_room(const struct quota *quota, enum quota_kind kind) {
        if (!quota)
                return UINT64_MAX;
        return quota->used[kind] < quota->limit[kind] ? quota->limit[kind] - quota->used[kind] : 0;
}

/* There was no room. */
static inline void quota_hit(struct quota *quota, enum quota_kind kind) {
        if (quota)
                quota->hits[kind]++;
}

/* Takes without asking. */
static inline void quota_add(struct quota *quota, enum quota_kind kind, uint64_t n) {
        if (quota)
                quota->used[kind] += n;
}

static inline void quota_give(struct quota *quota, enum quota_kind kind, uint64_t n) {
        if (quota)
                quota->used[kind] -= n < quota->used[kind] ? n : quota->used[kind];
}

/* Takes all of `n`, or counts a hit and takes nothing. */
static inline bool quota_take(struct quota *quota, enum quota_kind kind, uint64_t n) {
        if (quota_room(quota, kind) < n) {
                quota_hit(quota, kind);
                return false;
        }
        quota_add(quota, kind, n);
        return true;
}
