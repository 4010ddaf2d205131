/* SPDX-License-Identifier: MIT */
/*
 * Reads the counters of all processes several times a second, so that the peak of a live heap is seen.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/collector/collector.h"
#include "daemon/loop/reactor.h"

struct run_peak {
        struct collector *collector;
        struct reactor_timer *timer; /* NULL: none */
        size_t index;                /* the process that is next */
        struct collector_refreshing row;
        uint64_t cost_ns; /* of this look so far */
};

/* 0 or -errno. */
int run_peak_begin(struct run_peak *peak, struct collector *collector);
void run_peak_end(struct run_peak *peak);
