/*
 * ps and spans: one table each.
 */
#include <string.h>

#include "ctl/ask.h"
#include "ctl/pager.h"
#include "ctl/render.h"
#include "ctl/view.h"

static int show_table(struct ctl *ctl, const struct table *table, const struct view_column *view, size_t n_view,
                      const char *note) {
        struct pager pager;
        int r = pager_init(&pager);

        if (r < 0)
                return ask_printed(r);
        r = render_view(&ctl->options, table, view, n_view, pager.stream);
        if (note && !ctl->options.no_legend)
                fprintf(pager.stream, "\n%s\n", note);
        if (r == 0)
                r = pager_show(&pager, &ctl->options);
        return ask_printed(r);
}

int verb_spans(struct ctl *ctl, int argc, char **argv) {
        static const struct view_column view[] = {
                {"pid", 0, false},
                {"unit", 5, true},
                {"span", 0, false},
                {"cycles", 4, false},
                {"open", 3, false},
                {"alloc_bytes", 0, false},
                {"net_bytes", 0, false},
                {"self_alloc_bytes", 1, false},
                {"alloc_bytes_rate_10s", 2, false},
                {"quality", 6, false},
        };
        struct client_params params = ask_params(&ctl->options);
        const char *note = NULL;
        struct table *table = NULL;
        int r;

        if (!params.sort)
                params.sort = "-alloc_bytes";
        r = ask_table(ctl, "spans", &params, &table);
        if (r != CTL_OK)
                return r;
        if (!table->row_count)
                r = ask_pid_known(ctl);
        if (r == CTL_OK && ctl->options.json) {
                r = ask_print_json(ctl, "spans", table);
        } else if (r == CTL_OK) {
                if (!table->row_count)
                        note = "No spans. Programs must link libspanalloc and open some; see \"spanallocctl ps\".";
                else if (!table->complete)
                        note = ctl->options.since_ns ? "Some processes are younger than that; their sums are whole."
                                                     : "There are more rows; --limit=0 shows all.";
                r = show_table(ctl, table, view, sizeof(view) / sizeof(view[0]), note);
        }
        table_free(table);
        return r;
}

static const char *ps_note(const struct table *table) {
        for (size_t row = 0; row < table->row_count; row++)
                if (!table_bool(table, row, "balanced"))
                        return "The books of a process do not balance: self + outside + lost + before is not alloc. "
                               "Please report it.";
        if (!table->row_count)
                return "No processes. Programs attach by themselves when they open their first span.";
        return table->complete ? NULL : "There are more rows; --limit=0 shows all.";
}

int verb_ps(struct ctl *ctl, int argc, char **argv) {
        static const struct view_column view[] = {
                {"pid", 0, false},
                {"comm", 0, false},
                {"unit", 7, true},
                {"threads", 5, false},
                {"alloc_bytes", 0, false},
                {"self_alloc_bytes", 1, false},
                {"outside_alloc_bytes", 2, false},
                {"lost_alloc_bytes", 3, false},
                {"before_alloc_bytes", 6, false},
                {"coverage_ppm", 1, false},
                {"balanced", 4, false},
                {"rss_bytes", 8, false},
                {"ended", 1, true},
                {"counting", 9, true},
        };
        struct client_params params = ask_params(&ctl->options);
        struct table *table = NULL;
        int r = ask_table(ctl, "ps", &params, &table);

        if (r != CTL_OK)
                return r;
        if (ctl->options.pid && !table->row_count)
                r = ask_pid_known(ctl);
        else if (ctl->options.json)
                r = ask_print_json(ctl, "processes", table);
        else
                r = show_table(ctl, table, view, sizeof(view) / sizeof(view[0]), ps_note(table));
        table_free(table);
        return r;
}
