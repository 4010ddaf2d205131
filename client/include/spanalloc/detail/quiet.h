/* SPDX-License-Identifier: MIT */
/* Part of spanalloc.h: the values of spanalloc_stats.quiet. */
#ifndef SPANALLOC_DETAIL_QUIET_H
#define SPANALLOC_DETAIL_QUIET_H

/* Why the library makes no system call any more: one could kill the program.  Then it attaches to no collector, wakes none,
 * and waits for none; threads that have a place in the books go on counting there. */
enum spanalloc_quiet {
        SPANALLOC_QUIET_NOT = 0,
        SPANALLOC_QUIET_INSTALLED = 1, /* the process installed a seccomp filter, or entered the strict mode */
        SPANALLOC_QUIET_INHERITED = 2, /* the program came with a filter, which may kill it for an unknown call */
        SPANALLOC_QUIET_SEEN = 3       /* the collector has seen a filter that the library had not noticed */
};

#endif
