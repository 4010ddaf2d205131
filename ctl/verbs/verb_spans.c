/* SPDX-License-Identifier: MIT */
/*
 * spans: a row for each process and name of a span, or name of threads outside of spans.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/rows/by_name.h"
#include "ctl/session/ask.h"
#include "ctl/session/fail.h"
#include "ctl/verbs/show_table.h"
#include "ctl/verbs/verbs.h"

#define NO_SPANS "No spans. Programs must link libspanalloc and open some; see `spanallocctl ps`.\n"

static const char *spans_note(const struct options *options, const struct table *table) {
        if (!table->row_count)
                return (options->pid || options->unit || options->filter) ? "No span matches.\n" : NO_SPANS;
        if (table->complete)
                return NULL;
        if (options->since_ns && options->limit && table->row_count >= options->limit)
                return "There may be more rows (--limit=0 shows all). Some may be of another time: no sums are kept "
                       "from "
                       "so long ago.\n";
        if (options->since_ns)
                return "Some rows are since their process attached, or since the last reset: no sums are kept from so "
                       "long ago.\n";
        return "There are more rows; --limit=0 shows all.\n";
}

static bool is_named(const struct options *options, const char *column) {
        for (size_t i = 0; i < options->n_columns; i++)
                if (!strcmp(options->columns[i], column))
                        return true;
        return false;
}

/* The columns to ask for, with those by which the process of a row is found, its name on a screen, and whether it has
 * calls. */
static const char *spans_columns(const struct options *options, const struct view_column *view, size_t n_view,
                                 char buf[COLUMNS_TEXT_MAX]) {
        static const char *const more[] = {"process", "thread", "closed"};
        const char *columns = ask_columns(options, view, n_view, buf);
        size_t used = columns ? strlen(columns) : 0;

        if (!columns || options->json)
                return columns;
        for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
                if (is_named(options, more[i]))
                        continue;
                if (used + strlen(more[i]) + 2 > COLUMNS_TEXT_MAX)
                        return NULL;
                used += (size_t)sprintf(buf + used, ",%s", more[i]);
        }
        return buf;
}

/* Where no span has closed there is no number per call. */
static void hide_no_calls(struct table *table) {
        static const char *const per_call[] = {"per_call_p99", "net_per_call"};

        for (size_t row = 0; row < table->row_count; row++)
                for (size_t i = 0; i < sizeof(per_call) / sizeof(*per_call); i++) {
                        int column = table_column(table, per_call[i]);

                        if (column >= 0 && !table_uint(table, row, "closed"))
                                table->cells[row * table->column_count + (size_t)column] = (struct table_cell){
                                        .type = WIRE_COLUMN_TEXT, .text = ""};
                }
}

static const struct view_column view[] = {
        {"pid", 0, false, 0},
        {"unit", 6, true, 0},
        {"span", 0, false, 0},
        {"cycles", 5, false, 0},
        {"open", 3, false, 0},
        {"alloc_bytes", 0, false, 0},
        {"net_bytes", 0, false, 0},
        {"self_alloc_bytes", 1, false, 0},
        {"alloc_bytes_rate_10s", 2, false, 0},
        {"alloc_bytes_rate_10m", 7, false, 0},
        {"per_call_p99", 8, false, 0},
        {"net_per_call", 6, false, 0},
        {"quality", 4, false, 0},
};

static const struct view_column view_by_name[] = {
        {"span", 0, false, 0},
        {"processes", 1, false, 0},
        {"unit", 6, true, 0},
        {"cycles", 5, false, 0},
        {"open", 3, false, 0},
        {"alloc_bytes", 0, false, 0},
        {"net_bytes", 0, false, 0},
        {"self_alloc_bytes", 1, false, 0},
        {"alloc_bytes_rate_10s", 2, false, 0},
        {"alloc_bytes_rate_10m", 8, false, 0},
        {"per_call_p99", 9, false, 0},
        {"net_per_call", 7, false, 0},
        {"quality", 4, false, 0},
};
enum { VIEW_MAX = sizeof(view_by_name) / sizeof(view_by_name[0]) };
_Static_assert(sizeof(view) <= sizeof(view_by_name), "");

/* The bytes of one call are not of an interval. */
static size_t choose_view(const struct options *options, struct view_column ret[VIEW_MAX]) {
        const struct view_column *from = options->by_name ? view_by_name : view;
        size_t count = options->by_name ? VIEW_MAX : sizeof(view) / sizeof(view[0]), n = 0;

        for (size_t i = 0; i < count; i++)
                if (!options->since_ns || strcmp(from[i].name, "per_call_p99"))
                        ret[n++] = from[i];
        return n;
}

/* What an answer has unless columns are named, with what by_name() needs. */
static const char *all_columns(char buf[COLUMNS_TEXT_MAX]) {
        static const char *const large[] = {"per_call_histogram", "net_per_call_histogram", "threads"};
        const struct wire_columns *known = wire_columns("spans");
        size_t used = 0;

        for (size_t i = 0; i < known->count && used < COLUMNS_TEXT_MAX; i++) {
                const char *name = known->columns[i].name;

                if (strcmp(name, large[0]) && strcmp(name, large[1]) && strcmp(name, large[2]))
                        used += (size_t)snprintf(buf + used, COLUMNS_TEXT_MAX - used, "%s%s", used ? "," : "", name);
        }
        return used < COLUMNS_TEXT_MAX ? buf : NULL;
}

/* Sums over processes need all rows, and are sorted and cut here.  The column of the order is there, too. */
static const char *columns_by_name(const struct options *options, const struct view_column *chosen, size_t n,
                                   const char *sort, char buf[COLUMNS_TEXT_MAX]) {
        const char *columns, *more = by_name_columns("spans");
        size_t used;

        if (options->json && !options->n_columns)
                return all_columns(buf);
        columns = spans_columns(options, chosen, n, buf);
        used = columns ? strlen(columns) : 0;
        sort += *sort == '-';
        if (!columns || used + strlen(more) + strlen(sort) + sizeof(",closed,") > COLUMNS_TEXT_MAX)
                return NULL;
        snprintf(buf + used, COLUMNS_TEXT_MAX - used, "%s,closed,%s", more, sort);
        return buf;
}

static int sum_by_name(struct table *table, const char *sort, uint64_t limit) {
        int r = by_name(table, "span");

        if (r == 0)
                r = by_name_sort(table, sort);
        if (r == 0 && limit && table->row_count > limit) {
                bool *keep = calloc(table->row_count, sizeof(*keep));

                if (!keep)
                        return -ENOMEM;
                for (uint64_t i = 0; i < limit; i++)
                        keep[i] = true;
                table_keep_rows(table, keep);
                table->complete = false;
                free(keep);
        }
        return r;
}

int verb_spans(struct ctl *ctl, int argc, char **argv) {
        const struct options *options = &ctl->options;
        struct view_column chosen[VIEW_MAX];
        size_t n = choose_view(options, chosen);
        char columns[COLUMNS_TEXT_MAX];
        struct client_params params = ask_params(options);
        const char *sort = params.sort ? params.sort : "-alloc_bytes";
        struct table *table = NULL;
        int r;

        params.sort = options->by_name ? NULL : sort;
        if (options->by_name) {
                params.limit = 0;
                params.columns = columns_by_name(options, chosen, n, sort, columns);
        } else if (!options->json || options->n_columns) {
                params.columns = spans_columns(options, chosen, n, columns);
        }
        r = ask_table(ctl, "spans", &params, &table);
        if (r != CTL_OK)
                return r;
        if (!table->row_count)
                r = ask_pid_known(ctl);
        if (r == CTL_OK && !options->json)
                r = ask_hide_uncounted(ctl, table);
        if (r == CTL_OK && options->by_name && sum_by_name(table, sort, options->limit) < 0)
                r = ctl_fail(CTL_FAILURE, "out of memory");
        if (r == CTL_OK && options->json) {
                r = ask_print_json(ctl, "spans", table);
        } else if (r == CTL_OK) {
                hide_no_calls(table);
                r = show_table(ctl, table, chosen, n, spans_note(options, table));
        }
        table_free(table);
        return r;
}
