/*
 * What top shows, without a terminal: answers in, rows out.
 *
 * What lives here: rates from successive answers, sorting, filter, grouping, and which row is selected.  What does not:
 * text (top_view.h), keys and curses (top_screen.c), asking (top.c).  Pure: no clock, no system call.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/table.h"

struct top_model;

enum top_column {
        TOP_UNIT,
        TOP_PID,
        TOP_SPAN,
        TOP_ALLOC_RATE,
        TOP_ALLOCS_RATE,
        TOP_NET_RATE,
        TOP_ALLOC,
        TOP_NET,
        TOP_OPEN,
        TOP_CALLS_RATE,
        TOP_P99,
        TOP_QUALITY,
        TOP_COLUMNS,
};

/* In this order each is worse than the one before. */
enum top_quality { TOP_EXACT, TOP_MIGRATED, TOP_LOST, TOP_ESTIMATED, TOP_UNCOUNTED /* its sums say nothing */ };

/* A process and span; grouped by unit, all processes of a unit and a span.  Text is borrowed from the model. */
struct top_row {
        const char *unit, *span, *path;
        uint64_t process, pid;
        size_t processes; /* that are summed here */
        size_t index;     /* of the row in the answer; of several, one of them */
        uint64_t alloc_count, alloc_bytes, open, closed;
        int64_t net_bytes;
        uint64_t p99; /* bytes; of several processes the largest */
        enum top_quality quality;
        bool rated; /* the rates are known: there was an answer before this one */
        uint64_t alloc_count_rate, alloc_bytes_rate, closed_rate; /* a second */
        int64_t net_bytes_rate;
};

struct top_summary {
        uint64_t time_ns; /* since the epoch; 0: no answer yet */
        uint64_t processes, threads, records_rate, refused;
        uint64_t uncounted; /* processes alive whose heap nobody counts */
        uint64_t coverage_ppm;
};

int top_model_new(struct top_model **ret);
struct top_model *top_model_free(struct top_model *model);

/* The next answers.  `spans` is consumed, also on failure; the others are borrowed.  0 or -ENOMEM. */
int top_model_feed(struct top_model *model, struct table *spans, const struct table *processes,
                   const struct table *status);
/* The answers before are no measure any more (the collector was restarted): the next ones have no rates. */
void top_model_forget(struct top_model *model);

const struct top_summary *top_model_summary(const struct top_model *model);
/* The latest answer itself; NULL before the first. */
const struct table *top_model_table(const struct top_model *model);

/* Rows as they are to be seen: filtered, grouped, sorted. */
size_t top_model_count(const struct top_model *model);
const struct top_row *top_model_row(const struct top_model *model, size_t index);

/* Sorting.  A new column begins with its natural order: text from a, numbers from large to small. */
void top_model_sort(struct top_model *model, enum top_column column);
void top_model_invert(struct top_model *model);
void top_model_set_descending(struct top_model *model, bool descending);
enum top_column top_model_sorted_by(const struct top_model *model);
bool top_model_is_descending(const struct top_model *model);
/* The top column that shows a column of `spans`, or -1. */
int top_model_find_column(const char *spans_column);

/* Only rows with this in span, path or unit; case does not matter; "" for all. */
void top_model_filter(struct top_model *model, const char *text);
const char *top_model_filter_text(const struct top_model *model);
void top_model_group(struct top_model *model, bool by_unit);
bool top_model_is_grouped(const struct top_model *model);

/* The selected row and the first that is seen, for a screen with `visible` rows. */
void top_model_set_visible(struct top_model *model, size_t visible);
void top_model_move(struct top_model *model, long rows);
size_t top_model_selected(const struct top_model *model);
size_t top_model_first(const struct top_model *model);
