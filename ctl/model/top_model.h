/* SPDX-License-Identifier: MIT */
/*
 * What top shows, without a terminal: answers in, rows out.
 *
 * What lives here: sorting, filter, search, grouping, the tree and its folding, and which row is selected.  What does
 * not: what is kept from answer to answer (top_store.h), text (top_view.c), keys (top_ui.h), curses (top_screen.c),
 * asking (top.c).  Pure: no clock, no system call.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/model/top_summary.h"

struct top_model;

enum top_column {
        TOP_UNIT,
        TOP_PROCESS,
        TOP_SPAN,
        TOP_ALLOC_RATE,
        TOP_ALLOCS_RATE,
        TOP_NET_RATE,
        TOP_ALLOC,
        TOP_NET,
        TOP_NET_CALL,
        TOP_OPEN,
        TOP_CALLS_RATE,
        TOP_P99,
        TOP_TIME,
        TOP_BUSY,
        TOP_QUALITY,
        TOP_COLUMNS,
};

/* One row for each process and span; for each unit and span; for each span's name; or the tree of unit, process, span, child
 * span. */
enum top_shape { TOP_FLAT, TOP_BY_UNIT, TOP_BY_NAME, TOP_TREE };

/* NAME: a group over all units; its unit is theirs if they have the same, else "". */
enum top_kind { TOP_ROW_SPAN, TOP_ROW_GROUP, TOP_ROW_NAME, TOP_ROW_UNIT, TOP_ROW_PROCESS };

/* A row as top shows it.  Text is borrowed from the model until the next answer. */
struct top_row {
        enum top_kind kind;
        const char *unit, *span, *path, *comm;
        uint64_t process, pid;
        size_t processes;   /* that are summed here */
        bool timed;         /* all of them that run write timestamps */
        bool ended;         /* none of them runs */
        uint32_t slot, key; /* of a span's row */
        struct top_sums sums;
        struct top_rates rates;
        unsigned depth;         /* in the tree */
        uint64_t last;          /* bit n: the ancestor at depth n, or the row itself, is the last of its siblings */
        bool has_below, folded; /* in the tree */
};

/* The row is of what threads of one name do outside of spans: it has no calls. */
static inline bool top_row_is_outside(const struct top_row *row) {
        return (row->kind == TOP_ROW_SPAN || row->kind == TOP_ROW_GROUP || row->kind == TOP_ROW_NAME) &&
               row->key >= WIRE_OUTSIDE_KEY;
}

int top_model_new(struct top_model **ret);
struct top_model *top_model_free(struct top_model *model);

/* The next answers.  `processes` (of `ps`) is consumed, also on failure; the others are borrowed.  The samples are of
 * `tree` when that is the shape, else of `spans`.  0 or -ENOMEM. */
int top_model_feed(struct top_model *model, const struct top_samples *samples, struct table *processes,
                   const struct table *status);
/* True if the model has the texts of all these rows; otherwise the caller must query them. */
bool top_model_knows(const struct top_model *model, const struct top_samples *samples);
/* The number of the latest answer to `spans` whose rows are all known: rows unchanged since then need not be sent
 * again.  0: there is none. */
uint64_t top_model_answer(const struct top_model *model);
/* Discards earlier answers: the next ones have no rates and no history. */
void top_model_forget(struct top_model *model);

/* A number that rises when earlier answers are discarded: rows that were asked for before cannot be fed. */
uint32_t top_model_epoch(const struct top_model *model);
/* False: no answer of this shape has come yet. */
bool top_model_has_answer(const struct top_model *model);

const struct top_summary *top_model_summary(const struct top_model *model);
/* True if the times of spans are needed: a process is timed, or the rows are sorted by time. */
bool top_model_wants_time(const struct top_model *model);
const struct table *top_model_processes(const struct top_model *model); /* NULL before the first answer */
/* The processes of the latest answer, in the order of their numbers. */
const struct top_members *top_model_members(const struct top_model *model);
/* Calls for each row of the latest answer that belongs to the process, and that the filter has. */
void top_model_rows_of(const struct top_model *model, uint64_t process, void (*each)(const struct top_row *, void *),
                       void *userdata);
/* True if the list's rows sum this span of that process: neither the filter nor the hiding of ended ones leaves it out. */
bool top_model_sums(const struct top_model *model, uint64_t process, const char *span, const char *path);
bool top_model_is_complete(const struct top_model *model);
/* Heap in use and bytes allocated a second, of all processes that were asked for. */
enum top_total { TOP_TOTAL_HEAP, TOP_TOTAL_RATE, TOP_TOTALS };
/* A total `back` answers ago, and the history of a row's slot.  False: not known. */
bool top_model_total(const struct top_model *model, enum top_total total, uint32_t back, double *ret);
bool top_model_history(const struct top_model *model, uint32_t slot, uint32_t back, double *ret_rate, double *ret_net);

/* What a row of that process shows: "(outside)" for "(outside) COMM". */
const char *top_short_span(const char *span, const char *comm);
/* The name in any row: only the row of one span leaves the thread out. */
const char *top_row_span(const struct top_row *row);
/* A row's name without branches, as it stands in a tree or in the column SPAN; the text of the column PROCESS.
 * Like snprintf(). */
size_t top_row_name(const struct top_row *row, char *buf, size_t size);
size_t top_row_process(const struct top_row *row, char *buf, size_t size);
/* "COMM[PID]" within `width` columns: a name that is too long is shortened, the pid is not.  Cut later where the pid alone is
 * too wide. */
void top_fit_process(const char *comm, uint64_t pid, size_t width, char *buf, size_t size);

/* Columns of a terminal that the longest name takes, and whether a row is not exact. */
struct top_widths {
        size_t unit, process, span;
        bool quality;
};
struct top_widths top_model_widths(const struct top_model *model);

size_t top_model_count(const struct top_model *model);
bool top_model_row(const struct top_model *model, size_t index, struct top_row *ret);

/* Sorting.  A new column begins with its natural order: text from a, numbers from large to small. */
void top_model_sort(struct top_model *model, enum top_column column);
void top_model_set_descending(struct top_model *model, bool descending);
enum top_column top_model_sorted_by(const struct top_model *model);
bool top_model_is_descending(const struct top_model *model);
/* The top column that shows a column of `spans`, or -1. */
int top_model_find_column(const char *spans_column);

/* Only rows with this in span, path, unit or the process's name; case does not matter; "" for all. */
void top_model_filter(struct top_model *model, const char *text);
const char *top_model_filter_text(const struct top_model *model);
/* Rows of processes that ended come last.  They are shown at first. */
void top_model_hide_ended(struct top_model *model, bool hide);
bool top_model_is_hiding_ended(const struct top_model *model);
/* Selects the next row (`step` 1), the one before (-1), or the first from here on (0) with this text in a name. */
bool top_model_search(struct top_model *model, const char *text, int step);

/* A change of shape to or from the tree shows nothing until the next answer. */
void top_model_set_shape(struct top_model *model, enum top_shape shape);
enum top_shape top_model_shape(const struct top_model *model);
/* Folds or unfolds the selected row, or every process; a row with nothing below folds its parent. */
void top_model_fold(struct top_model *model, bool fold);
void top_model_fold_all(struct top_model *model);

/* The selected row and the first that is seen, for a screen with `visible` rows.  With follow the selection stays on
 * its row wherever it goes. */
void top_model_set_visible(struct top_model *model, size_t visible);
void top_model_move(struct top_model *model, long rows);
void top_model_follow(struct top_model *model, bool follow);
bool top_model_is_following(const struct top_model *model);
size_t top_model_selected(const struct top_model *model);
size_t top_model_first(const struct top_model *model);
