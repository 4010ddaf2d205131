/* SPDX-License-Identifier: MIT */
/*
 * ps and spans: one table each.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "ctl/output/counting.h"
#include "ctl/output/memory.h"
#include "ctl/output/render.h"
#include "ctl/output/text.h"
#include "ctl/output/view.h"
#include "ctl/session/ask.h"
#include "ctl/session/pager.h"
#include "ctl/verbs/verbs.h"

#define NO_SPANS "No spans. Programs must link libspanalloc and open some; see \"spanallocctl ps\".\n"

static int show_table(struct ctl *ctl, const struct table *table, const struct view_column *view, size_t n_view,
                      const char *note) {
        struct pager pager;
        int r = pager_init(&pager);

        if (r < 0)
                return ask_printed(r);
        r = view_print(&ctl->options, table, view, n_view, pager.stream);
        if (note && *note && !ctl->options.no_legend)
                fprintf(pager.stream, "%s%s", table->row_count ? "\n" : "", note);
        if (r == 0)
                r = pager_show(&pager, &ctl->options);
        return ask_printed(r);
}

static const char *spans_note(const struct options *options, const struct table *table) {
        if (!table->row_count)
                return (options->pid || options->unit || options->filter) ? "No span matches.\n" : NO_SPANS;
        if (table->complete)
                return NULL;
        if (options->since_ns)
                return "What a row shows may be more than was asked for: no mark reaches so far back.\n";
        return "There are more rows; --limit=0 shows all.\n";
}

int verb_spans(struct ctl *ctl, int argc, char **argv) {
        static const struct view_column view[] = {
                {"pid", 0, false},
                {"unit", 6, true},
                {"span", 0, false},
                {"cycles", 5, false},
                {"open", 3, false},
                {"alloc_bytes", 0, false},
                {"net_bytes", 0, false},
                {"self_alloc_bytes", 1, false},
                {"alloc_bytes_rate_10s", 2, false},
                {"alloc_bytes_rate_10m", 7, false},
                {"per_call_p99", 8, false},
                {"quality", 4, false},
        };
        char columns[COLUMNS_TEXT_MAX];
        struct client_params params = ask_params(&ctl->options);
        const char *note = NULL;
        struct table *table = NULL;
        int r;

        if (!params.sort)
                params.sort = "-alloc_bytes";
        if (!ctl->options.json || ctl->options.n_columns)
                params.columns = ask_columns(&ctl->options, view, sizeof(view) / sizeof(view[0]), columns);
        r = ask_table(ctl, "spans", &params, &table);
        if (r != CTL_OK)
                return r;
        if (!table->row_count)
                r = ask_pid_known(ctl);
        if (r == CTL_OK && ctl->options.json) {
                r = ask_print_json(ctl, "spans", table);
        } else if (r == CTL_OK) {
                note = spans_note(&ctl->options, table);
                r = show_table(ctl, table, view, sizeof(view) / sizeof(view[0]), note);
        }
        table_free(table);
        return r;
}

enum { NOTES_MAX = 10 };

/* A sentence on what the kernel says, where the books do not. */
static void note_memory(FILE *stream, const struct table *table, size_t width) {
        char text[MEMORY_TEXT_MAX];
        size_t said = 0;

        for (size_t row = 0; row < table->row_count && said < NOTES_MAX; row++) {
                if (*memory_of_unit(table, row, text)) {
                        text_print_wrapped(stream, text, 0, width);
                        said++;
                }
                if (*memory_of_process(table, row, text)) {
                        text_print_wrapped(stream, text, 0, width);
                        said++;
                }
        }
}

/* What the figures alone do not say.  Freed by the caller; NULL: nothing, or no memory. */
static char *ps_note(const struct options *options, const struct table *table) {
        size_t width = render_width(options);
        bool balanced = true;
        size_t uncounted = 0;
        char *text = NULL, line[512];
        size_t size;
        FILE *stream = open_memstream(&text, &size);

        if (!stream)
                return NULL;
        for (size_t row = 0; row < table->row_count; row++) {
                const char *counting = table_text(table, row, "counting");

                balanced &= table_bool(table, row, "balanced");
                if (!counting_is_missing(counting) || uncounted++ >= NOTES_MAX)
                        continue;
                snprintf(line, sizeof(line), "%s[%" PRIu64 "]: %s", table_text(table, row, "comm"),
                         table_uint(table, row, "pid"), counting);
                text_print_wrapped(stream, line, 0, width);
        }
        if (uncounted > NOTES_MAX)
                fprintf(stream, "and %zu more that are not counted\n", uncounted - NOTES_MAX);
        note_memory(stream, table, width);
        if (!table->row_count && (options->unit || options->filter))
                fputs("No process matches; \"spanallocctl ps\" lists all.\n", stream);
        else if (!table->row_count)
                fputs("No processes. Programs attach by themselves when they open their first span; one without spans "
                      "is counted when it is started with LD_PRELOAD=libspanalloc-malloc.so.0.\n",
                      stream);
        if (!balanced)
                fputs("Books that do not balance: before + self + outside + lost is not alloc. Please report it.\n",
                      stream);
        if (!table->complete)
                fputs("There are more rows; --limit=0 shows all.\n", stream);
        fclose(stream);
        return text;
}

int verb_ps(struct ctl *ctl, int argc, char **argv) {
        static const struct view_column view[] = {
                {"pid", 0, false},
                {"comm", 0, false},
                {"unit", 7, true},
                {"threads", 6, false},
                {"net_bytes", 0, false},
                {"inherited_bytes", 13, true},
                {"peak_net_bytes", 14, true},
                {"rss_bytes", 0, true},
                {"unit_memory_bytes", 8, true},
                {"unit_memory_limit_bytes", 9, true},
                {"alloc_bytes", 0, false},
                {"self_alloc_bytes", 1, false},
                {"outside_alloc_bytes", 2, false},
                {"lost_alloc_bytes", 3, false},
                {"before_alloc_bytes", 10, false},
                {"coverage_ppm", 1, false},
                {"balanced", 11, false},
                {"ended", 5, true},
                {"counting", 12, true},
        };
        struct client_params params = ask_params(&ctl->options);
        struct table *table = NULL;
        char *note;
        int r = ask_table(ctl, "ps", &params, &table);

        if (r != CTL_OK)
                return r;
        if (ctl->options.pid && !table->row_count) {
                r = ask_pid_known(ctl);
        } else if (ctl->options.json) {
                r = ask_print_json(ctl, "processes", table);
        } else {
                note = ps_note(&ctl->options, table);
                r = show_table(ctl, table, view, sizeof(view) / sizeof(view[0]), note);
                free(note);
        }
        table_free(table);
        return r;
}
