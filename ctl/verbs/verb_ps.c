/* SPDX-License-Identifier: MIT */
/*
 * ps: a row for each process, and sentences on what the numbers alone do not say.  Which rows are shown is in ps_rows.c.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "ctl/output/memory.h"
#include "ctl/output/render.h"
#include "ctl/output/text.h"
#include "ctl/rows/counting.h"
#include "ctl/rows/ps_rows.h"
#include "ctl/session/ask.h"
#include "ctl/verbs/show_table.h"
#include "ctl/verbs/verbs.h"

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
static char *ps_note(const struct options *options, const struct table *table, int folded) {
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
        if (folded)
                fprintf(stream,
                        "%d program%s without spans that executed another one %s not shown; --full shows all.\n",
                        folded, folded == 1 ? "" : "s", folded == 1 ? "is" : "are");
        if (!table->row_count && (options->unit || options->filter || options->alive))
                fputs("No process matches; `spanallocctl ps` lists all.\n", stream);
        else if (!table->row_count)
                fputs("No processes. Programs attach by themselves when they open their first span; one without spans "
                      "is counted when it is started with LD_PRELOAD=libspanalloc-malloc.so.0.\n",
                      stream);
        if (!balanced)
                fputs("BALANCED is no where before + self + outside + lost is not alloc: an error in spanalloc, please "
                      "report it.\n",
                      stream);
        if (!table->complete)
                fputs("There are more rows; --limit=0 shows all.\n", stream);
        fclose(stream);
        return text;
}

/* What a person reads first comes first.  Columns that say nothing unusual are left out. */
static const struct view_column view[] = {
        {"pid", 0, false, 0},
        {"comm", 0, false, 0},
        {"unit", 7, true, 0},
        {"net_bytes", 0, false, 0},
        {"inherited_bytes", 13, true, 0},
        {"peak_net_bytes", 14, true, 0},
        {"rss_bytes", 0, true, 0},
        {"unit_memory_bytes", 8, true, 0},
        {"unit_memory_limit_bytes", 9, true, 0},
        {"threads", 6, false, 0},
        {"alloc_bytes", 0, false, 0},
        {"self_alloc_bytes", 1, false, 0},
        {"outside_alloc_bytes", 2, false, 0},
        {"lost_alloc_bytes", 3, true, 0},
        {"before_alloc_bytes", 10, true, 0},
        {"coverage_ppm", 1, true, 1000000},
        {"balanced", 11, true, true},
        {"ended", 5, true, 0},
        {"counting", 12, true, 0},
};

static int show_ps(const struct ctl *ctl, struct table *table, int folded) {
        char *note = ps_note(&ctl->options, table, folded);
        int r;

        for (size_t row = 0; row < table->row_count; row++)
                if (counting_is_missing(table_text(table, row, "counting")))
                        counting_hide(table, row);
        r = show_table(ctl, table, view, sizeof(view) / sizeof(view[0]), note);
        free(note);
        return r;
}

int verb_ps(struct ctl *ctl, int argc, char **argv) {
        struct client_params params = ask_params(&ctl->options);
        struct table *table = NULL;
        int r, folded;

        params.limit = 0; /* ps_rows_choose() counts the rows that are left. */
        r = ask_table(ctl, "ps", &params, &table);
        if (r != CTL_OK)
                return r;
        if (ctl->options.pid && !table->row_count) {
                r = ask_pid_known(ctl);
                table_free(table);
                return r;
        }
        folded = ps_rows_choose(table, &ctl->options);
        if (folded < 0)
                r = ctl_fail(CTL_FAILURE, "out of memory");
        else
                r = ctl->options.json ? ask_print_json(ctl, "processes", table) : show_ps(ctl, table, folded);
        table_free(table);
        return r;
}
