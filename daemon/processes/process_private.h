/* SPDX-License-Identifier: MIT */
/*
 * Inside the collector: its state, and what its files ask of one another.
 *
 *     collector.c   construction, the interface that others see
 *     schedule.c    when to drain, when to sleep
 *     process.c     how a process comes and ends
 *     post_mortem.c       the last word on one that was killed
 *     handover.c    what is left to the next collector
 *     takeover.c     … and how it takes it over
 *     state_file.c   … and what is on disk for one that is left nothing
 *     welcome.c     what a newcomer is handed, and when
 *     housekeeping.c        what happens to its row meanwhile, and after
 *     alert.c       what of it is worth a line in the log
 *     user_limits.c      users, and what each one has
 *     process_text.c        a process in words
 *     ingest.c      strangers at the socket
 *     announced.c      programs that were announced and never came
 */
#pragma once

#include "base/nanoseconds.h"
#include "daemon/collector/beacon.h"
#include "daemon/collector/collector.h"
#include "daemon/collector/handover.h"
#include "daemon/host/log.h"
#include "daemon/host/procinfo.h"
#include "daemon/host/tsc_rate.h"
#include "daemon/loop/doorbell.h"
#include "shm/handshake.h"

struct ingest;
struct notices;
struct statefile;
struct welcome;

/* What the log was told of a process's losses. */
struct alert {
        uint64_t refused, refused_threads, evicted;
        uint32_t coverage_ppm; /* the step that was told; 0: none yet */
        uint64_t dropped_ns;   /* when `refused` was told */
        uint64_t seen;         /* refused, at the last look at the rest */
        uint64_t looked_ns;    /* … which was then */
};

/* A process, and what only the collector knows of it. */
struct member {
        struct process process;
        struct collector *collector;
        uint64_t start_ticks; /* with the pid: which process; 0 unknown */
        uint64_t attached_ns;
        int pidfd;
        struct reactor_watch *death;
        struct waker_bell *bell;
        bool other_pidns;
        bool settled;          /* looked at again, a second after it came */
        bool gone;             /* it is dead; ends once its rings are drained */
        bool counted;          /* among its user's processes */
        struct quota *quota;   /* its user's; NULL: none */
        uint64_t memory;       /* of segment and books, when it was measured last */
        int segment_fd;        /* to measure it by; -1: none */
        uint64_t abandoned_ns; /* since when it has no living thread, 0: it has */
        uint64_t named_ns;     /* when its threads were last asked for their names */
        uint64_t activity;     /* … and drain_activity() then: names of idle threads are not asked for again */
        uint64_t settled_ns;   /* when its books were last brought up to the live counters */
        uint64_t moved;        /* what housekeeping.c's moved() was at the last look … */
        unsigned moves;        /* … and for how many more looks it counts as moving */
        bool rests;            /* … and it does not, and has given back what it needs for that */
        uint64_t measured_ns;  /* when its memory was measured last */
        uint64_t marked;       /* books_change_count() at its last mark for --since; 0: none */
        uint32_t next_lane;    /* … and where to go on */
        struct alert alert;    /* what the log was told of it */

        /* For the handover. */
        struct shm_geometry geometry;
        uint64_t segment_device, segment_inode;
        bool kept, segment_kept, pid_kept; /* what of it is in the store */
        bool counted_live;                 /* … and on its page */
        uint64_t saved_changes;            /* books_change_count() of what the state file has … */
        enum process_end saved_end;        /* … and of its end */
        bool inherited;                    /* attached to an earlier collector */
        char allocator[16];                /* as that one knew it */

        /* For its last word. */
        uint64_t oom_kills; /* of its cgroup, as far as they are told already */
        bool maybe_oom;     /* there was another one when it died */
        bool is_reported;
};

struct collector {
        struct reactor *reactor;
        struct collector_options options;
        struct beacon *beacon;
        struct waker *waker;
        struct notices *notices;
        struct ingest *ingests;
        struct handover *handover;
        struct statefile *statefile; /* NULL: none */
        struct welcome *welcomes;    /* that wait for the store */
        struct quota *quotas;

        struct member **members; /* by number; the ended ones too */
        size_t count, capacity;
        size_t live, ended; /* live: attached and not ended */

        struct reactor_timer *drain_timer, *tick_timer;
        uint64_t sleep_ns;
        uint64_t drain_at_ns; /* when the timer fires; 0: it is idle */
        unsigned idle_passes; /* in a row that found nothing */
        bool deep;            /* asleep for longer than a ring takes to fill: every lane was asked to ring */
        bool rung;            /* a bell rang since the last pass */
        size_t first;         /* with whom the next pass begins */
        uint64_t marked_ns;

        collector_event_fn on_event;
        void *event_userdata;
        collector_end_fn on_end;
        void *end_userdata;
        collector_work_fn on_work;
        void *work_userdata;

        struct collector_stats stats;     /* counters; the sums over processes are made when asked for */
        struct collector_stats forgotten; /* sums over processes that are gone */
        uint64_t rate_records, rate_ns;   /* what they were at the last tick */
        double rate;
        struct rate clock;
};

static inline struct member *member_of(const struct process *process) {
        return (struct member *)((char *)process - offsetof(struct member, process));
}

/* ------------------------------------------------------------------------------------------------ process.c -- */

/* Who attaches, as the kernel says. */
struct newcomer {
        pid_t pid;
        uid_t uid;
        int pidfd; /* consumed */
        uint64_t start_ticks;
};

/* Makes a process of a newcomer, with books, drain and a segment.  *ret_memfd is the caller's. */
int member_attach(struct collector *collector, const struct newcomer *newcomer, const struct shm_hello *hello,
                  struct member **ret, int *ret_memfd);
struct member *member_new(struct collector *collector, const struct newcomer *newcomer);
/* Makes a row of a member that an earlier collector knew: with a drain if it lives, with an end if it has ended. */
int member_inherit(struct member *member);
/* The row of this number, or NULL. */
struct member *member_by_number(const struct collector *collector, uint64_t number);
/* It never got its segment: as if it had not come. */
void member_undo(struct member *member);
/* A row without books, for a program that never attached.  pidfd: consumed, -1 when it has ended. */
int member_uncounted(struct collector *collector, const struct newcomer *newcomer, pid_t parent, const char *path,
                     const char *why, struct member **ret);
/* It is gone: its books are closed, its segment is let go. */
void member_end(struct member *member, enum process_end end, int status);
void member_expel(struct member *member, int error);
void member_expel_because(struct member *member, const char *why);
/* One pass; expels it, or ends it when it is dead and drained.  A drain_outcome or -errno. */
int member_drain(struct member *member, uint64_t now_ns);
/* The newest row of this pid, or NULL. */
struct member *member_find(const struct collector *collector, pid_t pid);
/* Takes over what the drain says into the row. */
void member_snapshot(struct member *member);
void member_take_out(struct member *member);
void member_free(struct member *member);

/* -------------------------------------------------------------------------------------------------- post_mortem.c -- */

/* It lives: what is told of its cgroup from here on may be its own death. */
void death_watch(struct member *member);
/* It has died this moment: what will not be there later. */
void death_look(struct member *member);
/* How is known, as far as it ever will be: one line on who was killed, why, and in the middle of what. */
void death_report(struct member *member);

/* --------------------------------------------------------------------------------------------------- housekeeping.c -- */

/* How it ended, as wait(2) says, for a row that does not know it yet. */
void member_set_status(struct member *member, int wait_status);
/* Asks the kernel the same, for a while; then lets go of the pidfd. */
void member_autopsy(struct member *member, uint64_t now_ns);
/* Forgets one that has ended. */
void member_forget(struct member *member);
/* Forgets who has been kept long enough, and who is too many.  Returns when to look again, 0: never. */
uint64_t members_forget(struct collector *collector, uint64_t now_ns);
/* Whether any of its threads has done anything in the last seconds. */
static inline bool member_moves(const struct member *member) {
        return member->moves > 0;
}
/* Looks after one living member, about once a second. */
void member_tend(struct member *member, uint64_t now_ns);
void member_name_threads(struct member *member, uint64_t now_ns);

/* -------------------------------------------------------------------------------------------------- alert.c -- */

/* For a line about it.  Borrowed from the row. */
struct log_peer member_peer(const struct member *member);
/* Says what was refused, lost or evicted since it was last said.  last: it has ended, there will be no other time. */
void member_alert(struct member *member, uint64_t now_ns, bool last);

/* ----------------------------------------------------------------------------------------------- schedule.c -- */

int schedule_init(struct collector *collector);
void schedule_deinit(struct collector *collector);
/* There is, or may be, something to drain. */
void schedule_soon(struct collector *collector);
/* Rows came or went: housekeeping has something to do. */
void schedule_tick(struct collector *collector);

/* ------------------------------------------------------------------------------------------------- user_limits.c -- */

/* The counts of a user, made when he has none; one more row is his.  NULL: no memory. */
struct quota *limits_get(struct collector *collector, uid_t uid);
/* One row less. */
void limits_put(struct collector *collector, struct quota *quota);
/* Applies the collector's options. */
void limits_set(struct collector *collector);
/* `books` that another collector kept are the member's, whose user is known now.  0 or -ENOMEM. */
int limits_inherit(struct member *member, const struct books *books);
/* Everybody has his share again. */
void limits_begin_pass(struct collector *collector);
/* Whether some of his share is left. */
bool limits_may_work(const struct collector *collector, uid_t uid);
/* Work other than draining, in records that would have taken as long. */
void limits_charge(struct member *member, uint64_t records);
void limits_measure(struct member *member);
void limits_after_drain(struct member *member, uint64_t records);
void limits_end_pass(struct collector *collector);
/* Once a second: measures, and tells who was at a limit. */
void limits_tend(struct collector *collector, uint64_t now_ns);
void limits_sum(const struct collector *collector, uint64_t ret_hits[QUOTA_KINDS]);

/* ------------------------------------------------------------------------------------------------- ingest.c -- */

int ingest_new(struct ingest **ret, struct collector *collector, int listen_fd);
struct ingest *ingest_free(struct ingest *ingest);
struct ingest **ingest_next(struct ingest *ingest);
/* Hears those who had to wait for their user's next share. */
void ingest_resume(struct ingest *ingest);

/* ------------------------------------------------------------------------------------------------ welcome.c -- */

/* Both descriptors are consumed: the client's connection, and its segment.  Sent at once, or when the store has it. */
void welcome_newcomer(struct member *member, int fd, int memfd);
/* The client knows the row `number` as its own.  Whether it was told to go on with it. */
bool welcome_back(struct collector *collector, const struct newcomer *newcomer, uint64_t number, int fd);
struct welcome *welcome_free(struct welcome *welcome);
/* Nothing but why not. */
void welcome_reject(int fd, int error);

/* ------------------------------------------------------------------------------------------------- announced.c -- */

int notices_new(struct notices **ret, struct collector *collector);
struct notices *notices_free(struct notices *notices);
/* `pid` is to run `path`; `spawned`: it was started a moment ago, and may have attached already. */
void notices_add(struct notices *notices, pid_t pid, pid_t parent, uid_t uid, const char *path, bool scrubbed,
                 bool spawned);
/* It attached after all.  Whether it was announced. */
bool notices_drop(struct notices *notices, pid_t pid);
/* `pid` has ended (wait_status as wait(2)'s, -1: unknown).  Where a program was announced and did run, the row of
 * what ran before ends as exec, and the program gets one of its own; returns true then. */
bool notices_conclude(struct notices *notices, pid_t pid, int wait_status);
/* Shows those that run on without having attached. */
void notices_tend(struct notices *notices, uint64_t now_ns);
bool notices_is_empty(const struct notices *notices);
