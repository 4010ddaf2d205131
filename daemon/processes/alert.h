/* SPDX-License-Identifier: MIT */
/*
 * What is logged of a process while it runs: refused records, lost bytes, full tables.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/host/log.h"

struct process;

/* What was logged of a process's losses.  For alert.c only. */
struct alert {
        uint64_t refused, refused_threads, evicted;
        uint32_t coverage_ppm; /* the step that was logged; 0: none yet */
        uint64_t dropped_ns;   /* when `refused` was logged */
        uint64_t seen;         /* `refused` when the row was read last */
        uint64_t looked_ns;    /* when the row was read last */
};

/* For a log line on it.  Borrowed from the row. */
struct log_peer process_peer(const struct process *process);
/* Logs what was refused, lost or evicted since the last time.  last: it has ended, and is not looked at again. */
void process_alert(struct process *process, uint64_t now_ns, bool last);
