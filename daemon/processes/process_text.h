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
/* Memory as the kernel counts it, read now; 0 where unknown. */
struct process_memory {
        uint64_t rss, rss_anon;    /* of the process */
        uint64_t unit, unit_limit; /* of its cgroup */
};
void process_memory(const struct process *process, struct process_memory *ret);
