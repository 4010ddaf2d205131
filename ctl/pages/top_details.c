/* SPDX-License-Identifier: MIT */
/*
 * One span in full: sums, its last minutes, the distribution of its calls, its threads, its place in the tree.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/output/distribution.h"
#include "ctl/output/format.h"
#include "ctl/pages/top_lines.h"
#include "ctl/pages/top_ui.h"

static uint64_t sum(const struct table *spans, const char *column) {
        uint64_t n = 0;

        for (size_t i = 0; i < spans->row_count; i++)
                n += table_uint(spans, i, column);
        return n;
}

static void put_sums(struct top_lines *lines, const struct table *spans) {
        char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX];
        int64_t net = (int64_t)(sum(spans, "alloc_bytes") - sum(spans, "dealloc_bytes"));
        uint64_t migrated = sum(spans, "migrated"), aborted = sum(spans, "aborted"), refused = sum(spans, "refused");

        top_lines_put(lines, TOP_STYLE_NORMAL, "   Alloc  %s in %" PRIu64 " allocations, children included",
                      format_bytes(a, sum(spans, "alloc_bytes")), sum(spans, "alloc_count"));
        top_lines_put(lines, TOP_STYLE_NORMAL, "   Freed  %s in %" PRIu64 " frees; net %s on its own threads",
                      format_bytes(a, sum(spans, "dealloc_bytes")), sum(spans, "dealloc_count"),
                      format_net_bytes(b, net));
        top_lines_put(lines, TOP_STYLE_NORMAL, "    Self  %s in %" PRIu64 " allocations, without children",
                      format_bytes(a, sum(spans, "self_alloc_bytes")), sum(spans, "self_alloc_count"));
        top_lines_put(lines, TOP_STYLE_NORMAL, "    Rate  self %s/s over 10 s, %s/s over 1 min, %s/s over 10 min",
                      format_bytes(a, sum(spans, "alloc_bytes_rate_10s")),
                      format_bytes(b, sum(spans, "alloc_bytes_rate_1m")),
                      format_bytes(c, sum(spans, "alloc_bytes_rate_10m")));
        top_lines_put(lines, TOP_STYLE_NORMAL, "   Calls  %" PRIu64 " closed, %" PRIu64 " open, %" PRIu64 " cycles",
                      sum(spans, "closed"), sum(spans, "open"), sum(spans, "cycles"));
        if (migrated || aborted || refused)
                top_lines_put(lines, TOP_STYLE_WARNING,
                              "          %" PRIu64 " cycles ended by another thread, %" PRIu64
                              " spans aborted, %" PRIu64 " refused",
                              migrated, aborted, refused);
}

/* Of threads while they are in no span: they have no calls, no path and no children. */
static void put_outside(struct top_lines *lines, const struct table *spans) {
        char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX];
        int64_t net = (int64_t)(sum(spans, "alloc_bytes") - sum(spans, "dealloc_bytes"));

        top_lines_put(lines, TOP_STYLE_NORMAL, "          What threads of that name do while they are in no span");
        top_lines_put(lines, TOP_STYLE_NORMAL, "   Alloc  %s in %" PRIu64 " allocations",
                      format_bytes(a, sum(spans, "alloc_bytes")), sum(spans, "alloc_count"));
        top_lines_put(lines, TOP_STYLE_NORMAL, "   Freed  %s in %" PRIu64 " frees; net %s",
                      format_bytes(a, sum(spans, "dealloc_bytes")), sum(spans, "dealloc_count"),
                      format_net_bytes(b, net));
        top_lines_put(lines, TOP_STYLE_NORMAL, "    Rate  %s/s over 10 s, %s/s over 1 min, %s/s over 10 min",
                      format_bytes(a, sum(spans, "alloc_bytes_rate_10s")),
                      format_bytes(b, sum(spans, "alloc_bytes_rate_1m")),
                      format_bytes(c, sum(spans, "alloc_bytes_rate_10m")));
}

static void put_time(struct top_lines *lines, const struct table *spans) {
        uint64_t calls = sum(spans, "timed_calls");
        char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX];

        if (!calls && !sum(spans, "self_busy_ns") && !sum(spans, "busy_ns"))
                return;
        top_lines_put(lines, TOP_STYLE_NORMAL, "    Busy  %s, of that self %s; %s per call, %" PRIu64 " timed",
                      format_short_duration(a, sum(spans, "busy_ns")),
                      format_short_duration(b, sum(spans, "self_busy_ns")),
                      calls ? format_short_duration(c, sum(spans, "timed_calls_ns") / calls) : "-", calls);
}

static void put_history(struct top_lines *lines, const struct top_ui *ui) {
        struct top_graph rates = {.label = "ALLOC/s", .rate = true, .count = top_view_graph_width(lines->page)};
        struct top_graph nets = {.label = "NET", .net = true, .count = rates.count};
        size_t n = rates.count, known = 0;

        for (size_t i = 0; i < n; i++) {
                if (!top_model_history(ui->model, ui->details.slot, (uint32_t)(n - 1 - i), &rates.values[i],
                                       &nets.values[i])) {
                        rates.values[i] = nets.values[i] = -1;
                        continue;
                }
                if (!known++ || nets.values[i] < nets.base)
                        nets.base = nets.values[i];
        }
        if (!known)
                return;
        for (size_t i = 0; i < n; i++)
                nets.values[i] = rates.values[i] < 0 ? -1 : nets.values[i] - nets.base;
        top_lines_put(lines, TOP_STYLE_BOLD, "History, one column for each of the last %zu answers", known);
        top_view_graph(&rates, lines->page, top_lines_next(lines));
        top_view_graph(&nets, lines->page, top_lines_next(lines));
}

static void put_distribution(struct top_lines *lines, const struct table *spans) {
        struct distribution distribution = {0};
        char line[DISTRIBUTION_LINE_MAX], a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX], d[FORMAT_MAX];
        size_t width = lines->page->width > 60 ? 40 : lines->page->width / 3;
        const struct table_map *map;

        for (size_t i = 0; i < spans->row_count; i++)
                distribution_add(&distribution, table_map(spans, i, "per_call_histogram"));
        if (!distribution.total)
                return;
        map = table_map(spans, 0, "per_call");
        top_lines_put(lines, TOP_STYLE_BOLD, "Bytes per call, in powers of two");
        if (spans->row_count == 1)
                top_lines_put(lines, TOP_STYLE_NORMAL, "          p50 %s, p90 %s, p99 %s, max %s",
                              format_bytes(a, table_map_uint(map, "p50")), format_bytes(b, table_map_uint(map, "p90")),
                              format_bytes(c, table_map_uint(map, "p99")), format_bytes(d, table_map_uint(map, "max")));
        for (unsigned i = distribution.first; i <= distribution.last; i++)
                top_lines_put(lines, TOP_STYLE_NORMAL, "%s", distribution_line(&distribution, i, width, line));
}

/* Of the same calls: what each allocated, less what it freed. */
static void put_nets(struct top_lines *lines, const struct table *spans) {
        size_t width = lines->page->width > 60 ? 40 : lines->page->width / 3;
        struct distribution nets = {0};
        char line[DISTRIBUTION_LINE_MAX], a[FORMAT_MAX];
        uint64_t calls = sum(spans, "calls");
        int64_t net = 0;

        for (size_t i = 0; i < spans->row_count; i++) {
                distribution_net_add(&nets, table_map(spans, i, "net_per_call_histogram"));
                net += table_int(spans, i, "calls_net_bytes");
        }
        if (!nets.total)
                return;
        top_lines_put(lines, TOP_STYLE_BOLD, "Net bytes per call, in powers of four");
        if (calls && calls <= INT64_MAX)
                top_lines_put(lines, TOP_STYLE_NORMAL, "          %s on average",
                              format_net_bytes(a, net / (int64_t)calls));
        for (unsigned i = nets.first; i <= nets.last; i++)
                top_lines_put(lines, TOP_STYLE_NORMAL, "%s", distribution_net_line(&nets, i, width, line));
}

static void put_threads(struct top_lines *lines, const struct table *spans) {
        bool any = false;

        top_lines_put(lines, TOP_STYLE_BOLD, "Threads that are in it now");
        for (size_t i = 0; i < spans->row_count; i++) {
                const struct table_map *map = table_map(spans, i, "threads");

                for (size_t k = 0; map && k < map->count; k++) {
                        top_lines_put(lines, TOP_STYLE_NORMAL, "%8" PRIu64 "  %s", map->entries[k].values[0],
                                      map->entries[k].name);
                        any = true;
                }
        }
        if (!any)
                top_lines_put(lines, TOP_STYLE_NORMAL, "       -  none at this moment");
}

/* Whether `path` is the row's own, above it, or directly below it. */
static bool is_near(const char *path, const char *own) {
        size_t n = strlen(own), m = strlen(path);

        if (m <= n)
                return !strncmp(path, own, m) && (m == n || own[m] == '/');
        return !strncmp(path, own, n) && path[n] == '/' && !strchr(path + n + 1, '/');
}

static bool is_near_any(const struct table *tree, size_t row, const char *span) {
        for (size_t i = 0; i < tree->row_count; i++)
                if (!strcmp(table_text(tree, i, "span"), span) &&
                    table_uint(tree, i, "process") == table_uint(tree, row, "process") &&
                    is_near(table_text(tree, row, "path"), table_text(tree, i, "path")))
                        return true;
        return false;
}

static void put_tree(struct top_lines *lines, const struct table *tree, const char *span) {
        char self[FORMAT_MAX], total[FORMAT_MAX];

        top_lines_put(lines, TOP_STYLE_BOLD, "    SELF    TOTAL  where in the tree");
        for (size_t i = 0; i < tree->row_count; i++) {
                const char *name = table_text(tree, i, "span");

                if (!is_near_any(tree, i, span))
                        continue;
                top_lines_put(lines, strcmp(name, span) ? TOP_STYLE_NORMAL : TOP_STYLE_NAME, "%8s %8s  %*s%s",
                              format_bytes(self, table_uint(tree, i, "self_alloc_bytes")),
                              format_bytes(total, table_uint(tree, i, "alloc_bytes")),
                              (int)(2 * table_uint(tree, i, "depth")), "", name);
        }
}

void top_panel_details(struct top_ui *ui, struct top_page *page) {
        const struct top_details *details = &ui->details;
        struct top_lines lines = top_lines_begin(ui, page);
        char title[sizeof(details->span) + sizeof(details->title) + 256], narrowing[192] = "";

        /* A sum is of the processes that the list's row sums. */
        if (!details->process)
                top_ui_narrowing(ui, narrowing, sizeof(narrowing));
        snprintf(title, sizeof(title), "%s in %s%s   (%sj k scroll, Esc closes)", details->span, details->title,
                 narrowing, details->process ? "p its process, " : "");
        top_lines_title(&lines, ui, title);
        if (!details->spans || !details->spans->row_count) {
                top_lines_put(&lines, TOP_STYLE_NORMAL, "%s",
                              details->spans ? "Nothing is known of it any more; Esc closes." : "One moment.");
                top_lines_end(&lines, ui);
                return;
        }
        if (top_row_is_outside(&details->row)) {
                put_outside(&lines, details->spans);
                put_history(&lines, ui);
                top_lines_end(&lines, ui);
                return;
        }
        top_lines_put(&lines, TOP_STYLE_NORMAL, "    Path  %s", table_text(details->spans, 0, "path"));
        if (*table_text(details->spans, 0, "site"))
                top_lines_put(&lines, TOP_STYLE_NORMAL, "    Site  %s", table_text(details->spans, 0, "site"));
        top_lines_put(&lines, TOP_STYLE_NORMAL, " Quality  %s", table_text(details->spans, 0, "quality"));
        put_sums(&lines, details->spans);
        put_time(&lines, details->spans);
        put_history(&lines, ui);
        put_distribution(&lines, details->spans);
        put_nets(&lines, details->spans);
        put_threads(&lines, details->spans);
        if (details->tree)
                put_tree(&lines, details->tree, details->span);
        top_lines_end(&lines, ui);
}
