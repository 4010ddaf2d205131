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

/* Reads the seccomp state of a living process from /proc.  Does nothing if the last read is younger than `age_ns`, or if this
 * turn has its number of reads. */
void process_look_for_filters(struct process *process, uint64_t now_ns, uint64_t age_ns);
/* True after the collector has seen a seccomp filter that the process did not have at its start. */
bool process_is_in_filter(const struct process *process);
