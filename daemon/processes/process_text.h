/* SPDX-License-Identifier: MIT */
/*
 * A process in words and figures, for queries and the log.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct process;

/* What counts this process's heap, or why nothing does: one phrase. */
const char *process_counting(const struct process *process, char *buf, size_t size);
/* "exited", "exited 3", "killed by SIGKILL", "exec", ...; "" while alive. */
const char *process_end_text(const struct process *process, char *buf, size_t size);
/* Resident memory and that of its cgroup with its limit, read now; 0 where unknown. */
void process_memory(const struct process *process, uint64_t *ret_rss, uint64_t *ret_unit, uint64_t *ret_limit);
