/* SPDX-License-Identifier: MIT */
/*
 * The text of the status line, once a second.  The line on the terminal is in progress.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/output/format.h"
#include "ctl/run/run_progress.h"

#define PROGRESS_NS NS_PER_S

static uint64_t allocated(const struct collector *collector) {
        const struct process *process;
        uint64_t bytes = 0;

        for (size_t i = 0; (process = collector_process(collector, i)); i++) {
                struct books_process_row row;

                if (!process->books)
                        continue;
                books_process_lanes(process->books, &row);
                bytes += row.counters[SHM_ALLOC_BYTES];
        }
        return bytes;
}

static void on_timer(void *userdata, uint64_t now) {
        struct run_progress *progress = userdata;
        char elapsed[FORMAT_MAX], sum[FORMAT_MAX], rate[FORMAT_MAX], line[256];
        uint64_t bytes = allocated(progress->collector), at = clock_monotonic_ns();
        uint64_t grown = bytes > progress->bytes ? bytes - progress->bytes : 0;
        struct collector_stats stats;

        collector_stats(progress->collector, &stats);
        snprintf(line, sizeof(line),
                 "spanalloc: %s, %" PRIu64 " of %" PRIu64 " processes running, %s allocated, %s/s, %" PRIu64
                 " records, %" PRIu64 " refused",
                 format_duration(elapsed, at - progress->started_ns), stats.processes, stats.processes_seen,
                 format_bytes(sum, bytes),
                 format_bytes(rate,
                              (uint64_t)((double)grown * (double)NS_PER_S / (double)(at - progress->shown_ns + 1))),
                 stats.records, stats.refused);
        progress_show(&progress->line, line);
        progress->bytes = bytes;
        progress->shown_ns = at;
        reactor_timer_set(progress->timer, at + PROGRESS_NS);
}

void run_progress_begin(struct run_progress *progress, struct collector *collector, uint64_t started_ns) {
        *progress = (struct run_progress){.collector = collector, .started_ns = started_ns, .shown_ns = started_ns};
        progress_init(&progress->line, STDERR_FILENO);
        if (isatty(STDERR_FILENO) &&
            reactor_timer(collector_reactor(collector), &progress->timer, on_timer, progress) == 0)
                reactor_timer_set(progress->timer, clock_monotonic_ns() + PROGRESS_NS);
}

void run_progress_hide(struct run_progress *progress) {
        progress_end(&progress->line);
}

void run_progress_end(struct run_progress *progress) {
        progress_end(&progress->line);
        if (progress->timer)
                reactor_timer_free(progress->timer);
        progress->timer = NULL;
}
