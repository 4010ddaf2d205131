/* SPDX-License-Identifier: MIT */
/*
 * spans: a row for each process and name of a span, or name of threads outside of spans.
 */
#include <stdio.h>
#include <string.h>

#include "ctl/session/ask.h"
#include "ctl/verbs/show_table.h"
#include "ctl/verbs/verbs.h"

#define NO_SPANS "No spans. Programs must link libspanalloc and open some; see \"spanallocctl ps\".\n"

static const char *spans_note(const struct options *options, const struct table *table) {
        if (!table->row_count)
                return (options->pid || options->unit || options->filter) ? "No span matches.\n" : NO_SPANS;
        if (table->complete)
                return NULL;
        if (options->since_ns)
                return "What a row shows may be more than was asked for: no mark reaches so far back.\n";
        return "There are more rows; --limit=0 shows all.\n";
}

static bool is_named(const struct options *options, const char *column) {
        for (size_t i = 0; i < options->n_columns; i++)
                if (!strcmp(options->columns[i], column))
                        return true;
        return false;
}

/* The columns to ask for, with those by which the process of a row is found, and its name on a screen. */
static const char *spans_columns(const struct options *options, const struct view_column *view, size_t n_view,
                                 char buf[COLUMNS_TEXT_MAX]) {
        static const char *const more[] = {"process", "thread"};
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
        {"quality", 4, false, 0},
};
enum { VIEW_MAX = sizeof(view) / sizeof(view[0]) };

/* The bytes of one call are not of an interval. */
static size_t choose_view(const struct options *options, struct view_column ret[VIEW_MAX]) {
        size_t n = 0;

        for (size_t i = 0; i < VIEW_MAX; i++)
                if (!options->since_ns || strcmp(view[i].name, "per_call_p99"))
                        ret[n++] = view[i];
        return n;
}

int verb_spans(struct ctl *ctl, int argc, char **argv) {
        struct view_column chosen[VIEW_MAX];
        size_t n = choose_view(&ctl->options, chosen);
        char columns[COLUMNS_TEXT_MAX];
        struct client_params params = ask_params(&ctl->options);
        const char *note = NULL;
        struct table *table = NULL;
        int r;

        if (!params.sort)
                params.sort = "-alloc_bytes";
        if (!ctl->options.json || ctl->options.n_columns)
                params.columns = spans_columns(&ctl->options, chosen, n, columns);
        r = ask_table(ctl, "spans", &params, &table);
        if (r != CTL_OK)
                return r;
        if (!table->row_count)
                r = ask_pid_known(ctl);
        if (r == CTL_OK && !ctl->options.json)
                r = ask_hide_uncounted(ctl, table);
        if (r == CTL_OK && ctl->options.json) {
                r = ask_print_json(ctl, "spans", table);
        } else if (r == CTL_OK) {
                note = spans_note(&ctl->options, table);
                r = show_table(ctl, table, chosen, n, note);
        }
        table_free(table);
        return r;
}
