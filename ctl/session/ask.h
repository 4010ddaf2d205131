/* SPDX-License-Identifier: MIT */
/*
 * Queries of the verbs: parameters from the options, and errors printed for the user.
 */
#pragma once

#include "ctl/output/json.h"
#include "ctl/session/ctl.h"
#include "ctl/session/fail.h"
#include "query/client.h"

/* pid, unit, filter, sort, limit and since, as given.  A verb clears those that its method does not take. */
struct client_params ask_params(const struct options *options);
/* For client_options.program. */
#define ASK_PROGRAM "spanallocctl " SPANALLOC_VERSION
enum client_scope ask_scope(const struct options *options);

/* The columns of a view, or those that the options name, for params.columns.  Returns `buf`, or NULL when they are too
 * many: then all are sent. */
struct view_column;
enum { COLUMNS_TEXT_MAX = 1024 };
const char *ask_columns(const struct options *options, const struct view_column *view, size_t n_view,
                        char buf[COLUMNS_TEXT_MAX]);

/* Connects unless connected.  0, or the exit status after a sentence on stderr, as all functions here. */
int ask_connect(struct ctl *ctl);
int ask_table(struct ctl *ctl, const char *method, const struct client_params *params, struct table **ret);

/* Called when an answer for --pid is empty: 0 if the collector has the process, else CTL_NOT_FOUND. */
int ask_pid_known(struct ctl *ctl);

/* Empties what says nothing of the rows whose process has no counted heap (counting.h).  The table has a column "process".
 * For a person: a document has the numbers as they came. */
int ask_hide_uncounted(struct ctl *ctl, struct table *table);

/* A table as one document, under `key`, with the columns that the options name. */
int ask_print_json(const struct ctl *ctl, const char *key, const struct table *table);

/* A table of one row as one document, under `key`. */
int ask_print_row(const struct ctl *ctl, const char *key, const struct table *table);

/* Turns 0 or -errno of printing into an exit status, with a sentence. */
int ask_printed(int r);
/* Flushes a stream that a verb wrote to; likewise. */
int ask_flush(FILE *stream);
