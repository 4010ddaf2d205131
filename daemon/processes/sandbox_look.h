/* SPDX-License-Identifier: MIT */
/*
 * Looking for seccomp filters: a client that installs one by itself, and not by way of libc, does not notice it.  What is
 * seen here is written into its segment, and its library makes no system call any more.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct process;

/* What was seen of a process.  For sandbox_look.c only. */
struct sandbox_look {
        bool seen;
        uint32_t next_lane; /* whose thread is looked at next */
        uint64_t looked_ns;
};

/* How much of a turn the looks may take.  For sandbox_look.c only. */
struct sandbox_budget {
        uint64_t turn_ns;
        uint32_t left;
};

/* Looks at a living process, unless that was done in the last `age_ns`, or many were looked at in this turn. */
void process_look_for_filters(struct process *process, uint64_t now_ns, uint64_t age_ns);
/* True once a filter was seen that the process did not come with. */
bool process_is_in_filter(const struct process *process);
