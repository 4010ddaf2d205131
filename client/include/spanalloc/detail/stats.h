/* SPDX-License-Identifier: MIT */
/* Part of spanalloc.h: what spanalloc_stats() tells. */
#ifndef SPANALLOC_DETAIL_STATS_H
#define SPANALLOC_DETAIL_STATS_H

#include <stddef.h>
#include <stdint.h>

/* Why the library makes no system call any more: one could kill the program.  Then it attaches to no collector, wakes none,
 * and waits for none; threads that have a place in the books go on counting there. */
enum spanalloc_quiet {
        SPANALLOC_QUIET_NOT = 0,
        SPANALLOC_QUIET_INSTALLED = 1, /* the process installed a seccomp filter, or entered the strict mode */
        SPANALLOC_QUIET_INHERITED = 2, /* the program came with a filter, which may kill it for an unknown call */
        SPANALLOC_QUIET_SEEN = 3       /* the collector has seen a filter that the library had not noticed */
};

/* What this process could not record, and why, since it first attached.  `size` is sizeof of the struct. */
struct spanalloc_stats {
        size_t size;
        uint32_t attached;        /* 1: a collector is listening */
        int32_t attach_error;     /* 0, or the -errno of the last attempt */
        uint64_t attach_attempts; /* kernel entries to attach, each at most once a second */
        uint64_t threads;         /* threads that got a place in the books, each by a few kernel entries */
        uint64_t refused_threads; /* more threads than the segment has lanes: their spans are not recorded */
        uint64_t refused_enters;  /* the ring was full: what ran in them is `lost` */
        uint64_t refused_depth;   /* deeper than 64 entered spans on one thread: likewise */
        uint64_t refused_opens;   /* the ring was full: the span is known from its first enter on */
        uint64_t refused_closes;  /* ring and overflow list were full: the span stays open in the books */
        uint64_t unmatched_exits; /* exits of a span that was entered on no thread */
        uint64_t nested;          /* calls of a signal handler that interrupted a call */
        uint64_t waits;           /* kernel entries to wait for room */
        uint64_t doorbells;       /* kernel entries to wake the collector */
        uint64_t other_names;     /* spans shown as (other): too many names */
        uint64_t other_paths;     /* spans shown as (other): too many paths, or a path too deep */
        uint64_t truncated_names; /* names longer than 159 bytes */
        uint32_t quiet, reserved; /* enum spanalloc_quiet: why the library makes no system call any more */
        uint64_t abandoned;       /* calls that a signal handler jumped out of */
};

#endif
