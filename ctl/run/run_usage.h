/* SPDX-License-Identifier: MIT */
/*
 * Processor time and memory of the command and its descendants, as the kernel counts them, and of this program.
 *
 * A process keeps its times and its children over exec: what was there before this program is left out.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { RUN_USAGE_STRANGERS = 64 };

struct run_usage {
        uint64_t before_ns;                   /* processor time of this process before this program */
        pid_t strangers[RUN_USAGE_STRANGERS]; /* children that were there before this program */
        size_t n_strangers;
        uint64_t cpu_ns, max_rss_bytes; /* of all that were reaped */
};

/* Before the first child. */
void run_usage_begin(struct run_usage *usage);
/* Waits for a child that has ended, and adds it with all that it waited for. */
void run_usage_reap(struct run_usage *usage, pid_t pid);
/* Processor time of this program. */
uint64_t run_usage_own_ns(const struct run_usage *usage);
