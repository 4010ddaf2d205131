/* SPDX-License-Identifier: MIT */
/*
 * When the collector drains, sleeps, and does its housekeeping.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/books/books.h"

struct collector;
struct reactor_timer;

/* One visit to every row, in slices: a turn of the loop does one.  Rows that come and go meanwhile may be left to the
 * next round, or be visited twice. */
struct schedule_round {
        bool is_on;
        size_t next, count; /* visits the row `next`, until that is `count` */
        bool again;         /* a pass visits them twice: see limits_waits() */
        bool is_tended;     /* The row that is next was tended, and its mark is in the making. */
        int busiest;        /* drain_outcome of a pass */
};

/* For schedule.c only. */
struct schedule {
        struct reactor_timer *drain_timer, *tick_timer;
        uint64_t sleep_ns;
        uint64_t drain_at_ns; /* when drain_timer fires; 0: it is idle */
        unsigned idle_passes; /* passes in a row that found nothing */
        bool is_deep;         /* It sleeps for longer than a ring takes to fill: every lane was asked to ring. */
        bool rung;            /* A bell rang since the last pass. */
        struct schedule_round pass, tick;
        bool tick_is_busy;  /* A row of this round needs the next one. */
        bool tick_marks;    /* This round sets marks. */
        uint64_t marked_ns; /* when marks for --since were set last */
        uint64_t passes, wakeups;
        uint64_t rate_records, rate_ns; /* records of all processes at the last tick, and its time */
        double rate;                    /* records a second, smoothed */
};

/* Of one process.  For schedule.c only. */
struct schedule_mark {
        uint64_t changes; /* books_change_count() at its last mark for --since; 0: none */
        uint64_t round;   /* schedule.marked_ns of the mark in the making */
        struct books_progress progress;
};

struct schedule_stats {
        uint64_t passes, wakeups;
        double records_rate;
};

int schedule_init(struct collector *collector);
void schedule_deinit(struct collector *collector);
/* A ring may hold records: a pass is due soon. */
void schedule_drain_soon(struct collector *collector);
/* Rows were added or removed: housekeeping is due soon. */
void schedule_tend_soon(struct collector *collector);
void schedule_stats(const struct collector *collector, struct schedule_stats *ret);
