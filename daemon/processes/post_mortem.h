/* SPDX-License-Identifier: MIT */
/*
 * The last log line on a process that was killed: why, as far as can be known, and what it was doing.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct process;

/* What a process had allocated at that moment. */
struct post_mortem_sample {
        uint64_t ns; /* 0: none */
        uint64_t alloc_bytes;
};

/* For post_mortem.c only. */
struct post_mortem {
        uint64_t oom_kills;                       /* of its cgroup, as far as deaths are attributed to them already */
        bool maybe_oom;                           /* There was one more of them when it died. */
        bool is_reported;                         /* Its last line was logged, or is not to be. */
        struct post_mortem_sample latest, before; /* at least a minute apart */
        struct post_mortem_rates *rates;          /* NULL, or what is summed for that line */
};

/* It lives: OOM kills of its cgroup from here on may be its own death. */
void post_mortem_watch(struct process *process);
/* It died this moment: reads what will not be there later. */
void post_mortem_look(struct process *process);
/* Remembers what it has allocated so far, for its rate in its last minute. */
void post_mortem_sample(struct process *process, uint64_t now_ns);
/* It is about to end: sums its rates for the last line, of a portion of its paths.  True: it is done. */
bool post_mortem_rate_some(struct process *process, uint64_t now_ns);
void post_mortem_deinit(struct process *process);
bool post_mortem_is_reported(const struct process *process);
/* Its last line is never to be logged. */
void post_mortem_skip(struct process *process);
/* Its exit status is known, or never will be: logs its last line. */
void post_mortem_report(struct process *process);
