/* SPDX-License-Identifier: MIT */
/*
 * Reads answers into rows and processes.  Sums over processes are in top_summary.h.
 *
 * Rows are read in one pass from the message itself, because there may be tens of thousands each second; a table of
 * them (`--json`) can be read as well.
 */
#pragma once

#include "ctl/model/top_store.h"
#include "query/table.h"

/* A row of an answer.  Texts are NULL if they were not queried. */
struct top_sample {
        uint64_t process;
        uint32_t key, parent_key;
        struct top_sums sums;
        const char *span, *path;
        const char *thread; /* of a row of what is outside of spans: their name; else NULL or "" */
};

struct top_samples {
        uint64_t time_ns;
        bool complete;
        struct top_sample *rows;
        size_t count, room;
        uint64_t answer; /* its number; 0: it has all rows, and no list of unchanged processes */
        uint64_t *
                unchanged; /* processes whose rows are those of the answer before, ascending, as all rows are by process */
        size_t unchanged_count, unchanged_room;
        char *arena; /* of the texts */
        size_t arena_size, arena_used;
};

void top_samples_deinit(struct top_samples *samples);
/* An answer to `spans` or `tree` with any columns.  0, -EBADMSG, -ENOMEM.  Replaces the earlier content. */
int top_samples_read(struct top_samples *samples, struct wire_cursor answer);
/* The same from a table, which has to outlive the samples. */
int top_samples_take(struct top_samples *samples, const struct table *table);

/* A process of the latest answer to `ps`.  Text is borrowed from that table. */
struct top_member {
        uint64_t process, pid, alloc_count, alloc_bytes;
        int64_t net_bytes;      /* what it has now */
        struct top_rates rates; /* by top_summary_compare() */
        const char *unit, *comm;
        bool uncounted; /* its heap is not counted */
        bool timed;     /* it writes timestamps */
        bool ended;
        bool matches;                        /* set by the model: the filter has it, or one of its rows */
        uint32_t row;                        /* of the table */
        uint64_t before_count, before_bytes; /* allocated before the books began */
        uint16_t unit_width, process_width;  /* columns of a terminal: of the unit, and of comm[pid] */
};

struct top_members {
        struct table *table; /* owned */
        struct top_member *rows;
        size_t count;
};

void top_members_deinit(struct top_members *members);
/* Consumes the table. */
int top_members_take(struct top_members *members, struct table *table);
/* The index of a process; TOP_NONE: it is not there. */
uint32_t top_members_find(const struct top_members *members, uint64_t process);

/* The columns to query. */
#define TOP_COLUMNS_ROWS  "process,key,alloc_count,alloc_bytes,net_bytes,open,closed,quality"
#define TOP_COLUMNS_TEXT  ",span,path,thread"
#define TOP_COLUMNS_TREE  ",parent_key"
#define TOP_COLUMNS_P99   ",per_call_p99"
#define TOP_COLUMNS_CALLS ",calls_net_bytes,calls"
#define TOP_COLUMNS_TIME  ",busy_ns,timed_calls,timed_calls_ns"
#define TOP_COLUMNS_PS                                                                                                 \
        "process,pid,comm,uid,unit,alive,ended,threads,refused,refused_depth,alloc_count,alloc_bytes,"                 \
        "lost_alloc_bytes,coverage_ppm,counting,balanced,ring_fill_ppm,evicted,timed,net_bytes,net_quality,"           \
        "before_alloc_count,before_alloc_bytes,peak_net_bytes"
/* The kernel is asked for these. */
#define TOP_COLUMNS_MEMORY ",rss_bytes,rss_anon_bytes,unit_memory_bytes,unit_memory_limit_bytes"
