/* SPDX-License-Identifier: MIT */
/*
 * Shows the progress of a command of `run`, about once a second.
 */
#pragma once

#include "ctl/run/progress.h"
#include "daemon/collector/collector.h"
#include "daemon/loop/reactor.h"

struct run_progress {
        struct progress line;
        struct collector *collector; /* borrowed */
        struct reactor_timer *timer;
        uint64_t started_ns;
        uint64_t shown_ns, bytes; /* when it was last shown, and what had been allocated then */
};

/* Shows on the terminal at stderr; without one nothing is ever shown. */
void run_progress_begin(struct run_progress *progress, struct collector *collector, uint64_t started_ns);
/* Takes the line away until its next second. */
void run_progress_hide(struct run_progress *progress);
/* Removes the line.  Accepts a zeroed struct, too. */
void run_progress_end(struct run_progress *progress);
