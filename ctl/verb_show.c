/*
 * show NAME: one span over all processes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ask.h"
#include "ctl/format.h"
#include "ctl/pager.h"
#include "ctl/render.h"
#include "ctl/suggest.h"
#include "ctl/view.h"

/* The columns that can be summed over processes, in the order of a row. */
static const char *const summed[] = {
        "opened",
        "closed",
        "open",
        "cycles",
        "alloc_count",
        "alloc_bytes",
        "dealloc_count",
        "dealloc_bytes",
        "net_bytes",
        "self_alloc_count",
        "self_alloc_bytes",
        "self_dealloc_count",
        "self_dealloc_bytes",
        "alloc_bytes_rate_10s",
        "alloc_bytes_rate_1m",
        "alloc_bytes_rate_10m",
        "migrated",
        "aborted",
        "refused",
};
/* Of several processes, a percentile is the largest: that of the whole is not above it. */
static const char *const per_call_names[] = {"count", "p50", "p90", "p99", "max"};
enum { PER_CALL_COUNT, PER_CALL_P50, PER_CALL_P90, PER_CALL_P99, PER_CALL_MAX, PER_CALL_N };

struct show {
        struct ctl *ctl;
        const char *name;
        struct table *spans; /* rows of that very name */
        struct table *tree;  /* rows with the name anywhere in their path */
        uint64_t per_call[PER_CALL_N];
};

static int64_t sum_int(const struct table *table, const char *column) {
        uint64_t sum = 0;

        for (size_t row = 0; row < table->row_count; row++)
                sum += (uint64_t)table_int(table, row, column);
        return (int64_t)sum;
}

static uint64_t sum(const struct show *show, const char *column) {
        uint64_t total = 0;

        for (size_t row = 0; row < show->spans->row_count; row++)
                total += table_uint(show->spans, row, column);
        return total;
}

static bool is_named(const struct show *show, size_t tree_row) {
        return !strcmp(table_text(show->tree, tree_row, "span"), show->name);
}

static void merge_per_call(struct show *show) {
        for (size_t row = 0; row < show->spans->row_count; row++) {
                const struct table_map *map = table_map(show->spans, row, "per_call");

                for (int i = 0; i < PER_CALL_N; i++) {
                        uint64_t value = table_map_uint(map, per_call_names[i]);

                        if (i == PER_CALL_COUNT)
                                show->per_call[i] += value;
                        else if (value > show->per_call[i])
                                show->per_call[i] = value;
                }
        }
}

static int add_sums(const struct show *show, struct json *json) {
        int r = 0;

        for (int i = 0; i < PER_CALL_N && r == 0; i++)
                r = json_add_uint(json, "per_call", per_call_names[i], show->per_call[i]);
        for (size_t i = 0; i < sizeof(summed) / sizeof(summed[0]) && r == 0; i++)
                r = strcmp(summed[i], "net_bytes")
                            ? json_add_uint(json, "total", summed[i], sum(show, summed[i]))
                            : json_add_int(json, "total", summed[i], sum_int(show->spans, summed[i]));
        return r;
}

static int show_json(const struct show *show) {
        struct json *json = NULL;
        int r = json_new(&json, show->spans->time_ns, show->spans->complete && show->tree->complete);

        if (r == 0)
                r = json_add_text(json, NULL, "span", show->name);
        if (r == 0)
                r = add_sums(show, json);
        if (r == 0)
                r = json_add_table(json, "processes", show->spans, NULL);
        if (r == 0)
                r = json_add_array(json, "tree");
        for (size_t row = 0; row < show->tree->row_count && r == 0; row++)
                if (is_named(show, row))
                        r = json_append_row(json, "tree", show->tree, row, NULL);
        if (r == 0)
                r = json_print(json, stdout, show->ctl->options.json);
        json_free(json);
        return ask_printed(r);
}

static void print_heading(const struct show *show, FILE *stream) {
        const char *site = table_text(show->spans, 0, "site");
        size_t n = show->spans->row_count;

        fprintf(stream, "%s, in %zu process%s%s%s\n", show->name, n, n == 1 ? "" : "es", *site ? ", from " : "", site);
        fprintf(stream, "   Spans: %" PRIu64 " opened, %" PRIu64 " closed, %" PRIu64 " open now", sum(show, "opened"),
                sum(show, "closed"), sum(show, "open"));
        if (sum(show, "aborted"))
                fprintf(stream, ", %" PRIu64 " aborted", sum(show, "aborted"));
        fprintf(stream, "\n  Cycles: %" PRIu64, sum(show, "cycles"));
        if (sum(show, "migrated"))
                fprintf(stream, ", %" PRIu64 " of them ended by another thread", sum(show, "migrated"));
        if (sum(show, "refused"))
                fprintf(stream, "; %" PRIu64 " refused, and what ran under these is not in here", sum(show, "refused"));
        fputc('\n', stream);
}

static void print_sums(const struct show *show, FILE *stream) {
        char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX];

        fprintf(stream, "   Alloc: %s in %" PRIu64 " allocations, children included\n",
                format_bytes(a, sum(show, "alloc_bytes")), sum(show, "alloc_count"));
        fprintf(stream, "   Freed: %s in %" PRIu64 " frees\n", format_bytes(a, sum(show, "dealloc_bytes")),
                sum(show, "dealloc_count"));
        fprintf(stream, "     Net: %s\n", format_net_bytes(a, sum_int(show->spans, "net_bytes")));
        fprintf(stream, "    Self: %s in %" PRIu64 " allocations, without children\n",
                format_bytes(a, sum(show, "self_alloc_bytes")), sum(show, "self_alloc_count"));
        fprintf(stream, "    Rate: self %s/s over 10 s, %s/s over 1 min, %s/s over 10 min\n",
                format_bytes(a, sum(show, "alloc_bytes_rate_10s")), format_bytes(b, sum(show, "alloc_bytes_rate_1m")),
                format_bytes(c, sum(show, "alloc_bytes_rate_10m")));
}

static void print_per_call(const struct show *show, FILE *stream) {
        char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX], d[FORMAT_MAX];
        const uint64_t *p = show->per_call;

        if (!p[PER_CALL_COUNT])
                return;
        fprintf(stream, "Per call: p50 %s, p90 %s, p99 %s, max %s; %" PRIu64 " closed\n",
                format_bytes(a, p[PER_CALL_P50]), format_bytes(b, p[PER_CALL_P90]), format_bytes(c, p[PER_CALL_P99]),
                format_bytes(d, p[PER_CALL_MAX]), p[PER_CALL_COUNT]);
        if (show->spans->row_count > 1)
                fputs("          (of several processes, each the largest)\n", stream);
}

/* What net means and what it does not: where a block is freed later is not known here. */
static void print_meaning(const struct show *show, FILE *stream) {
        int64_t net = sum_int(show->spans, "net_bytes");
        uint64_t closed = sum(show, "closed");
        char a[FORMAT_MAX], b[FORMAT_MAX];

        if (net > 0) {
                fprintf(stream, "\nIt allocates more than it frees on its own threads: %s",
                        format_bytes(a, (uint64_t)net));
                if (closed)
                        fprintf(stream, ",\nabout %s for each that closed", format_bytes(b, (uint64_t)net / closed));
                fputs(".\nThe rest may be in use on purpose, or freed elsewhere: later, by another\n"
                      "span or thread.\n",
                      stream);
        } else if (net < 0) {
                fprintf(stream, "\nIt frees %s more than it allocates: blocks that were allocated elsewhere.\n",
                        format_bytes(a, -(uint64_t)net));
        } else {
                fputs("\nIt frees as much as it allocates.\n", stream);
        }
}

/* The rows of the tree that bear the name, one line for each path. */
static int print_paths(const struct show *show, FILE *stream) {
        static const struct view_column view[] = {
                {"pid", 2, false},         {"path", 0, false},
                {"closed", 1, false},      {"self_alloc_bytes", 0, false},
                {"alloc_bytes", 0, false}, {"net_bytes", 0, false},
        };
        struct table named = *show->tree;
        int r;

        /* A view of the tree with some of its rows: cells are borrowed. */
        named.cells = calloc(show->tree->row_count * show->tree->column_count + 1, sizeof(*named.cells));
        if (!named.cells)
                return -ENOMEM;
        named.row_count = 0;
        for (size_t row = 0; row < show->tree->row_count; row++)
                if (is_named(show, row))
                        memcpy(&named.cells[named.row_count++ * named.column_count],
                               &show->tree->cells[row * named.column_count], named.column_count * sizeof(*named.cells));
        fputs("\nPaths:\n", stream);
        r = render_view(&show->ctl->options, &named, view, sizeof(view) / sizeof(view[0]), stream);
        free(named.cells);
        return r;
}

static int print_processes(const struct show *show, FILE *stream) {
        static const struct view_column view[] = {
                {"pid", 0, false},
                {"unit", 4, true},
                {"cycles", 3, false},
                {"open", 1, false},
                {"alloc_bytes", 0, false},
                {"net_bytes", 0, false},
                {"self_alloc_bytes", 0, false},
                {"alloc_bytes_rate_10s", 2, false},
                {"quality", 5, false},
        };

        fputs("\nProcesses:\n", stream);
        return render_view(&show->ctl->options, show->spans, view, sizeof(view) / sizeof(view[0]), stream);
}

static int show_text(const struct show *show) {
        struct pager pager;
        int r = pager_init(&pager);

        if (r < 0)
                return ask_printed(r);
        print_heading(show, pager.stream);
        print_sums(show, pager.stream);
        print_per_call(show, pager.stream);
        if (!show->ctl->options.no_legend)
                print_meaning(show, pager.stream);
        r = print_paths(show, pager.stream);
        if (r == 0)
                r = print_processes(show, pager.stream);
        if (r == 0)
                r = pager_show(&pager, &show->ctl->options);
        return ask_printed(r);
}

/* No such span: the nearest of those that there are. */
static int not_found(const struct show *show) {
        struct suggest suggest = SUGGEST_INIT(show->name);
        struct table *all = NULL;
        int r = ask_table(show->ctl, "spans", NULL, &all);

        if (r != CTL_OK)
                return r;
        for (size_t row = 0; row < all->row_count; row++)
                suggest_offer(&suggest, table_text(all, row, "span"));
        if (suggest.best && strcmp(suggest.best, show->name))
                r = ctl_fail(CTL_NOT_FOUND, "No span is called \"%s\"; did you mean \"%s\"?", show->name, suggest.best);
        else
                r = ctl_fail(CTL_NOT_FOUND, "No span is called \"%s\"%s; \"spanallocctl spans\" lists them.",
                             show->name, suggest.best ? " there" : "");
        table_free(all);
        return r;
}

int verb_show(struct ctl *ctl, int argc, char **argv) {
        struct client_params params = {.pid = (pid_t)ctl->options.pid, .unit = ctl->options.unit, .span = argv[0]};
        struct show show = {.ctl = ctl, .name = argv[0]};
        int r = ask_table(ctl, "spans", &params, &show.spans);

        if (r != CTL_OK)
                return r;
        params.span = NULL;
        params.filter = show.name;
        r = show.spans->row_count ? ask_table(ctl, "tree", &params, &show.tree) : not_found(&show);
        if (r == CTL_OK) {
                merge_per_call(&show);
                r = ctl->options.json ? show_json(&show) : show_text(&show);
        }
        table_free(show.tree);
        table_free(show.spans);
        return r;
}
