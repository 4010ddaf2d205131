/* SPDX-License-Identifier: MIT */
/*
 * tree: the causal tree of each process.
 */
#include <string.h>

#include "ctl/output/bars.h"
#include "ctl/output/render_tree.h"
#include "ctl/output/tree_order.h"
#include "ctl/rows/by_name.h"
#include "ctl/session/ask.h"
#include "ctl/session/pager.h"
#include "ctl/verbs/verbs.h"

static void print_note(const struct options *options, const struct table *tree, size_t left, FILE *stream) {
        if (left)
                fprintf(stream, "%s %zu more; --limit=0 shows all.\n", bars_utf8() ? "…" : "...", left);
        if (!tree->row_count && (options->pid || options->unit || options->filter))
                fputs("No span matches.\n", stream);
        else if (!tree->row_count)
                fputs("No span to show; see `spanallocctl ps`.\n", stream);
        if (!tree->complete && options->since_ns)
                fputs("Some rows are since their process attached, or since the last reset: no sums are kept from so "
                      "long "
                      "ago; or there are more rows than an answer holds.\n",
                      stream);
        else if (!tree->complete)
                fputs("There are more rows than an answer holds; --unit, --pid or --filter choose.\n", stream);
}

/* The sums of each process.  Of an interval `ps` knows none. */
static int ask_processes(struct ctl *ctl, struct table **ret) {
        struct client_params params = {.pid = (pid_t)ctl->options.pid,
                                       .unit = ctl->options.unit,
                                       .columns = "process,alloc_count,alloc_bytes,dealloc_count,dealloc_bytes,"
                                                  "net_bytes"};

        return ctl->options.since_ns || ctl->options.by_name ? CTL_OK : ask_table(ctl, "ps", &params, ret);
}

static int show_tree(struct ctl *ctl, const struct table *tree) {
        struct table *processes = NULL;
        struct pager pager;
        size_t left = 0;
        int r = ask_processes(ctl, &processes);

        if (r != CTL_OK)
                return r;
        r = pager_init(&pager);
        if (r < 0) {
                table_free(processes);
                return ask_printed(r);
        }
        r = render_tree(&ctl->options, tree, processes, pager.stream, &left);
        table_free(processes);
        if (r == 0 && !ctl->options.no_legend)
                print_note(&ctl->options, tree, left, pager.stream);
        if (r == 0)
                r = pager_show(&pager, &ctl->options);
        return ask_printed(r);
}

/* A document folds nothing, so its rows are those of the answer. */
static int print_json(struct ctl *ctl, const struct table *tree) {
        struct table shown = *tree;

        if (ctl->options.limit && shown.row_count > ctl->options.limit) {
                shown.row_count = (size_t)ctl->options.limit;
                shown.complete = false;
        }
        return ask_print_json(ctl, "tree", &shown);
}

static bool names(const struct options *options, const char *column) {
        for (size_t i = 0; i < options->n_columns; i++)
                if (!strcmp(options->columns[i], column))
                        return true;
        return options->sort && !strcmp(options->sort + (*options->sort == '-'), column);
}

/* Some columns are sent only when they are named, and the drawing needs others than those that it shows: then all are
 * named. */
static const char *all_columns(char buf[COLUMNS_TEXT_MAX]) {
        const struct wire_columns *known = wire_columns("tree");
        size_t used = 0;

        for (size_t i = 0; i < known->count && used < COLUMNS_TEXT_MAX; i++)
                used += (size_t)snprintf(buf + used, COLUMNS_TEXT_MAX - used, "%s%s", i ? "," : "",
                                         known->columns[i].name);
        return used < COLUMNS_TEXT_MAX ? buf : NULL;
}

/* Siblings with most bytes come first, as in an answer. */
static int sum_by_path(struct table *tree) {
        int r = by_name(tree, "path");

        return r == 0 ? tree_order(tree, "-alloc_bytes") : r;
}

int verb_tree(struct ctl *ctl, int argc, char **argv) {
        struct client_params params = ask_params(&ctl->options);
        char columns[COLUMNS_TEXT_MAX];
        struct table *tree = NULL;
        int r;

        /* The order and the number of rows are made here: an answer is the whole tree. */
        params.sort = NULL;
        params.limit = 0;
        if (ctl->options.by_name || names(&ctl->options, "per_call_p99") || names(&ctl->options, "processes"))
                params.columns = all_columns(columns);
        r = ask_table(ctl, "tree", &params, &tree);
        if (r != CTL_OK)
                return r;
        if (!tree->row_count)
                r = ask_pid_known(ctl);
        if (r == CTL_OK && !ctl->options.json)
                r = ask_hide_uncounted(ctl, tree);
        if (r == CTL_OK && ctl->options.by_name)
                r = ask_printed(sum_by_path(tree));
        if (r == CTL_OK && ctl->options.sort)
                r = ask_printed(tree_order(tree, ctl->options.sort));
        if (r == CTL_OK)
                r = ctl->options.json ? print_json(ctl, tree) : show_tree(ctl, tree);
        table_free(tree);
        return r;
}
