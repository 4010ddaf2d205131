/* SPDX-License-Identifier: MIT */
/*
 * Sums over the processes that were asked for, and the figures of the collector.  Rows are in top_store.h.
 *
 * Pure: no clock, no system call.
 */
#pragma once

#include "ctl/model/top_read.h"

struct top_summary {
        uint64_t time_ns; /* since the epoch; 0: no answer yet */

        /* Of the processes that were asked for, alive where nothing else is said. */
        uint64_t processes, threads;
        uint64_t uncounted;             /* their heap is not counted */
        uint64_t timed;                 /* they write timestamps */
        uint64_t coverage_ppm, refused; /* ended ones too */
        uint64_t alloc_bytes;           /* ended ones too */
        int64_t heap_bytes;             /* net of those that are counted */
        bool heap_known;                /* at least one is counted */
        bool heap_estimated;            /* not exact for one of them */
        bool rates_known;
        uint64_t alloc_rate; /* bytes a second */
        int64_t heap_rate;
        uint64_t rss_bytes;
        bool rss_known;
        char unit[128]; /* the unit that is nearest its memory limit; "": none has one */
        uint64_t unit_bytes, unit_limit;
        bool unit_alone; /* all processes belong to it */

        /* Of the collector, over all processes. */
        uint64_t all_processes, all_threads, records_rate, all_refused, ring_fill_ppm;
        uint64_t collector, started; /* its pid and generation: another one is another collector */
        bool took_over;              /* this collector took over the sums of the one before */
};

struct top_summary top_summary_read(uint64_t time_ns, const struct table *processes, const struct table *status);
/* Fills in the rates since the answer before, the processes' too, and the memory figures of that one if `now` was not asked
 * for them. */
void top_summary_compare(struct top_summary *now, struct top_members *members, const struct top_summary *before,
                         const struct top_members *members_before);
