/* SPDX-License-Identifier: MIT */
/*
 * For daemon/collector only: the collector from inside, and its part of a process.  Each sub-struct is defined in the
 * header of the file that owns it, and read and written by that file only.
 *
 *     collector.c    construction, the interface that others see
 *     schedule.c     when to drain, when to sleep
 *     ingest.c       connections before their hello was read
 *     welcome.c      the answer to a hello, and when it is sent
 *     handover.c     the descriptors kept for the next collector
 *     takeover.c     how one process is taken over from the last collector
 *     state_file.c   books on disk
 *     beacon.c       the page that all clients map
 */
#pragma once

#include "daemon/collector/beacon.h"
#include "daemon/collector/collector.h"
#include "daemon/collector/handover.h"
#include "daemon/collector/schedule.h"
#include "daemon/collector/state_file.h"
#include "daemon/host/tsc_rate.h"
#include "daemon/processes/process.h"
#include "daemon/processes/processes.h"

struct ingest;
struct welcome;

/* The listeners of each kind of event.  NULL: none. */
struct collector_listeners {
        collector_event_fn on_event;
        void *event_userdata;
        collector_end_fn on_end;
        void *end_userdata;
        collector_work_fn on_work;
        void *work_userdata;
};

struct collector {
        struct reactor *reactor;
        struct waker *waker;
        struct processes *processes;
        struct collector_options options;
        struct beacon *beacon;
        struct handover *handover;
        struct statefile *statefile; /* NULL: none */
        struct ingest *ingests;
        struct welcome *welcomes; /* that wait for the store */
        struct schedule schedule;
        struct collector_listeners listeners;
        uint64_t started_ns;
        struct rate clock;
};

/* A step of its start or end is done. */
static inline void collector_tell_busy(const struct collector *collector) {
        if (collector->options.still_busy)
                collector->options.still_busy();
}

/* The collector's part of a process. */
struct process_part {
        struct handover_kept kept;
        struct statefile_saved saved;
        struct schedule_mark mark;
};
