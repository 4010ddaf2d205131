/* SPDX-License-Identifier: MIT */
/*
 * Users: what each one's processes have of the collector, and what happens when it is too much.
 *
 * Of names, paths, threads and records the drain leaves out what has no room (quota.h); of processes the door does.  Memory
 * is measured: a second after the last time, or four where nothing happens, and after each pass that brought much.  A user above his limit loses his ended
 * processes first, then the largest of the living.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "daemon/processes/process_private.h"

#define TELL_NS          (60 * NS_PER_S)
#define MEASURE_STILL_NS (4 * NS_PER_S) /* of one that does nothing */
#define MEASURE_AFTER    65536u         /* records in one pass */

static const struct {
        const char *what, *option, *then;
} texts[QUOTA_KINDS] = {
#define X(name, what, option, then) [QUOTA_##name] = {what, option, then},
        QUOTAS(X)
#undef X
};

/* Root may take what he likes, but not so much at once that others wait. */
static void set_limits(struct quota *quota, const struct collector_options *options) {
        for (int kind = 0; kind < QUOTA_KINDS; kind++) {
                uint64_t limit = options->uid_max[kind];

                quota->limit[kind] = limit && (quota->uid != 0 || kind == QUOTA_RECORDS) ? limit : UINT64_MAX;
        }
}

struct quota *limits_get(struct collector *collector, uid_t uid) {
        struct quota *quota = collector->quotas;

        while (quota && quota->uid != uid)
                quota = quota->next;
        if (!quota) {
                quota = calloc(1, sizeof *quota);
                if (!quota)
                        return NULL;
                quota->uid = uid;
                quota->next = collector->quotas;
                set_limits(quota, &collector->options);
                collector->quotas = quota;
        }
        quota->users++;
        return quota;
}

void limits_put(struct collector *collector, struct quota *quota) {
        struct quota **at = &collector->quotas;

        if (!quota || --quota->users)
                return;
        while (*at != quota)
                at = &(*at)->next;
        *at = quota->next;
        for (int kind = 0; kind < QUOTA_KINDS; kind++)
                collector->forgotten.limited[kind] += quota->hits[kind];
        free(quota);
}

int limits_inherit(struct member *member, const struct books *books) {
        struct quota *quota = limits_get(member->collector, member->process.uid);
        uint64_t names, paths;

        if (!quota)
                return -ENOMEM;
        limits_put(member->collector, member->quota);
        member->quota = quota;
        books_used(books, &names, &paths);
        quota_add(quota, QUOTA_NAMES, names);
        quota_add(quota, QUOTA_PATHS, paths);
        return 0;
}

void limits_set(struct collector *collector) {
        for (struct quota *quota = collector->quotas; quota; quota = quota->next)
                set_limits(quota, &collector->options);
}

void limits_begin_pass(struct collector *collector) {
        for (struct quota *quota = collector->quotas; quota; quota = quota->next)
                quota->used[QUOTA_RECORDS] = 0;
}

bool limits_may_work(const struct collector *collector, uid_t uid) {
        const struct quota *quota = collector->quotas;

        while (quota && quota->uid != uid)
                quota = quota->next;
        return quota_room(quota, QUOTA_RECORDS) > 0;
}

void limits_charge(struct member *member, uint64_t records) {
        quota_add(member->quota, QUOTA_RECORDS, records);
}

/* --------------------------------------------------------------------------------------------------------- memory -- */

void limits_measure(struct member *member) {
        struct stat st;
        uint64_t memory = member->process.books ? books_memory(member->process.books) : 0;

        if (member->segment_fd >= 0 && fstat(member->segment_fd, &st) == 0)
                memory += (uint64_t)st.st_blocks * 512;
        member->measured_ns = reactor_now(member->collector->reactor);
        quota_add(member->quota, QUOTA_MEMORY, memory);
        quota_give(member->quota, QUOTA_MEMORY, member->memory);
        member->memory = memory;
}

static struct member *oldest_ended(const struct collector *collector, uid_t uid) {
        struct member *oldest = NULL;

        for (size_t i = 0; i < collector->count; i++) {
                struct member *member = collector->members[i];

                if (member->process.uid == uid && member->process.end != PROCESS_ALIVE &&
                    (!oldest || member->process.ended_ns < oldest->process.ended_ns))
                        oldest = member;
        }
        return oldest;
}

static struct member *largest(const struct collector *collector, uid_t uid) {
        struct member *found = NULL;

        for (size_t i = 0; i < collector->count; i++) {
                struct member *member = collector->members[i];

                if (member->process.uid == uid && member->process.drain && (!found || member->memory > found->memory))
                        found = member;
        }
        return found;
}

/* Brings a user below his limit again. */
static void fit(struct collector *collector, struct quota *quota) {
        uid_t uid = quota->uid;
        struct member *member;

        /* Who loses his last row loses the quota, too. */
        quota->users++;
        while (!quota_room(quota, QUOTA_MEMORY)) {
                quota_hit(quota, QUOTA_MEMORY);
                member = oldest_ended(collector, uid);
                if (member) {
                        member_forget(member);
                        continue;
                }
                member = largest(collector, uid);
                if (!member)
                        break;
                member_expel_because(member, "its user's processes take more memory than max-memory-per-uid allows");
                /* What is left of it is a row, and the next to go. */
        }
        limits_put(collector, quota);
}

static void fit_all(struct collector *collector) {
        struct quota *quota = collector->quotas, *next;

        for (; quota; quota = next) {
                next = quota->next;
                if (!quota_room(quota, QUOTA_MEMORY))
                        fit(collector, quota);
        }
}

void limits_after_drain(struct member *member, uint64_t records) {
        if (records >= MEASURE_AFTER)
                limits_measure(member);
}

void limits_end_pass(struct collector *collector) {
        fit_all(collector);
}

/* ------------------------------------------------------------------------------------------------------- the log -- */

static void tell(struct quota *quota, enum quota_kind kind, uint64_t now_ns) {
        char reason[160];
        struct log_peer peer = {.uid = quota->uid, .reason = reason};

        if (quota->hits[kind] == quota->told[kind] || (quota->told_ns[kind] && now_ns - quota->told_ns[kind] < TELL_NS))
                return;
        quota->told[kind] = quota->hits[kind];
        quota->told_ns[kind] = now_ns;
        snprintf(reason, sizeof reason, "%llu %s: %s (--%s)", (unsigned long long)quota->limit[kind], texts[kind].what,
                 texts[kind].then, texts[kind].option);
        log_event(LOG_LIMIT, &peer, "user %u is at the limit of %s", (unsigned)quota->uid, reason);
}

void limits_tend(struct collector *collector, uint64_t now_ns) {
        for (size_t i = 0; i < collector->count; i++) {
                struct member *member = collector->members[i];

                if (member->process.drain && (member_moves(member) || now_ns - member->measured_ns >= MEASURE_STILL_NS))
                        limits_measure(member);
        }
        fit_all(collector);
        for (struct quota *quota = collector->quotas; quota; quota = quota->next)
                for (int kind = 0; kind < QUOTA_KINDS; kind++)
                        tell(quota, (enum quota_kind)kind, now_ns);
}

void limits_sum(const struct collector *collector, uint64_t ret_hits[QUOTA_KINDS]) {
        for (int kind = 0; kind < QUOTA_KINDS; kind++)
                ret_hits[kind] = collector->forgotten.limited[kind];
        for (const struct quota *quota = collector->quotas; quota; quota = quota->next)
                for (int kind = 0; kind < QUOTA_KINDS; kind++)
                        ret_hits[kind] += quota->hits[kind];
}
