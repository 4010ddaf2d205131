/* SPDX-License-Identifier: MIT */
/*
 * The report of `run`: the allocations of a command and of all processes that it started, as text or as one document.
 *
 * What does not live here: the numbers' source, which is the tables of a collector's answers.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "ctl/options/options.h"
#include "query/table.h"

struct report {
        char *const *argv; /* the command, NULL terminated */
        const char *path;  /* the file that was executed for it */
        int status;        /* in a shell's terms */
        int signal;        /* that ended it, or 0 */
        uint64_t elapsed_ns;
        uint64_t records, refused;
        uint64_t collector_cpu_ns; /* processor time of this program, beside the command */
        uint64_t command_cpu_ns;   /* processor time of the command and of its descendants that were waited for */
        uint64_t max_rss_bytes;    /* of the largest of these */
        uint64_t rejected;         /* attach requests that the collector turned down: processes that are missing */
        uint64_t forked;           /* children of fork(3) that have a row */
        const struct table *processes, *spans; /* answers to `ps` and `spans` */
};

/* In the form that options->json asks for.  0 or -errno. */
int report_write(FILE *stream, const struct report *report, const struct options *options);
