/* SPDX-License-Identifier: MIT */
/*
 * One span in full: sums, its last minutes, the distribution of its calls, its threads, its place in the tree.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/output/distribution.h"
#include "ctl/output/format.h"
#include "ctl/top/top_ui.h"

/* Lines go by until the one that is scrolled to. */
struct lines {
        struct top_page *page;
        size_t skip, y;
};

static size_t next_line(struct lines *lines) {
        if (lines->skip) {
                lines->skip--;
                return SIZE_MAX;
        }
        return lines->y++;
}

__attribute__((format(printf, 3, 4))) static void put(struct lines *lines, enum top_style style, const char *format,
                                                      ...) {
        size_t y = next_line(lines);
        char text[2048];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        top_page_put(lines->page, y, style, text);
}

static uint64_t sum(const struct table *spans, const char *column) {
        uint64_t n = 0;

        for (size_t i = 0; i < spans->row_count; i++)
                n += table_uint(spans, i, column);
        return n;
}

static void put_sums(struct lines *lines, const struct table *spans) {
        char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX];
        int64_t net = (int64_t)(sum(spans, "alloc_bytes") - sum(spans, "dealloc_bytes"));
        uint64_t migrated = sum(spans, "migrated"), aborted = sum(spans, "aborted"), refused = sum(spans, "refused");

        put(lines, TOP_STYLE_NORMAL, "   Alloc  %s in %" PRIu64 " allocations, children included",
            format_bytes(a, sum(spans, "alloc_bytes")), sum(spans, "alloc_count"));
        put(lines, TOP_STYLE_NORMAL, "   Freed  %s in %" PRIu64 " frees; net %s on its own threads",
            format_bytes(a, sum(spans, "dealloc_bytes")), sum(spans, "dealloc_count"), format_net_bytes(b, net));
        put(lines, TOP_STYLE_NORMAL, "    Self  %s in %" PRIu64 " allocations, without children",
            format_bytes(a, sum(spans, "self_alloc_bytes")), sum(spans, "self_alloc_count"));
        put(lines, TOP_STYLE_NORMAL, "    Rate  self %s/s over 10 s, %s/s over 1 min, %s/s over 10 min",
            format_bytes(a, sum(spans, "alloc_bytes_rate_10s")), format_bytes(b, sum(spans, "alloc_bytes_rate_1m")),
            format_bytes(c, sum(spans, "alloc_bytes_rate_10m")));
        put(lines, TOP_STYLE_NORMAL, "   Calls  %" PRIu64 " closed, %" PRIu64 " open, %" PRIu64 " cycles",
            sum(spans, "closed"), sum(spans, "open"), sum(spans, "cycles"));
        if (migrated || aborted || refused)
                put(lines, TOP_STYLE_WARNING,
                    "          %" PRIu64 " cycles ended by another thread, %" PRIu64 " spans aborted, %" PRIu64
                    " refused",
                    migrated, aborted, refused);
}

/* Of threads while they are in no span: they have no calls, no path and no children. */
static void put_outside(struct lines *lines, const struct table *spans) {
        char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX];
        int64_t net = (int64_t)(sum(spans, "alloc_bytes") - sum(spans, "dealloc_bytes"));

        put(lines, TOP_STYLE_NORMAL, "          What threads of that name do while they are in no span");
        put(lines, TOP_STYLE_NORMAL, "   Alloc  %s in %" PRIu64 " allocations",
            format_bytes(a, sum(spans, "alloc_bytes")), sum(spans, "alloc_count"));
        put(lines, TOP_STYLE_NORMAL, "   Freed  %s in %" PRIu64 " frees; net %s",
            format_bytes(a, sum(spans, "dealloc_bytes")), sum(spans, "dealloc_count"), format_net_bytes(b, net));
        put(lines, TOP_STYLE_NORMAL, "    Rate  %s/s over 10 s, %s/s over 1 min, %s/s over 10 min",
            format_bytes(a, sum(spans, "alloc_bytes_rate_10s")), format_bytes(b, sum(spans, "alloc_bytes_rate_1m")),
            format_bytes(c, sum(spans, "alloc_bytes_rate_10m")));
}

static void put_time(struct lines *lines, const struct table *spans) {
        uint64_t calls = sum(spans, "timed_calls");
        char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX];

        if (!calls && !sum(spans, "self_busy_ns") && !sum(spans, "busy_ns"))
                return;
        put(lines, TOP_STYLE_NORMAL, "    Busy  %s, of that self %s; %s per call, %" PRIu64 " timed",
            format_short_duration(a, sum(spans, "busy_ns")), format_short_duration(b, sum(spans, "self_busy_ns")),
            calls ? format_short_duration(c, sum(spans, "timed_calls_ns") / calls) : "-", calls);
}

static void put_history(struct lines *lines, const struct top_ui *ui) {
        double rates[TOP_HISTORY], nets[TOP_HISTORY], least = 0;
        size_t left = lines->page->width > 10 ? lines->page->width - 10 : 0;
        size_t n = left < TOP_HISTORY ? left : TOP_HISTORY, known = 0, y;

        for (size_t i = 0; i < n; i++) {
                if (!top_model_history(ui->model, ui->details.slot, (uint32_t)(n - 1 - i), &rates[i], &nets[i])) {
                        rates[i] = nets[i] = -1;
                        continue;
                }
                if (!known++ || nets[i] < least)
                        least = nets[i];
        }
        if (!known)
                return;
        for (size_t i = 0; i < n; i++)
                nets[i] = rates[i] < 0 ? -1 : nets[i] - least;
        put(lines, TOP_STYLE_BOLD, "History, one column for each of the last %zu answers", known);
        y = next_line(lines);
        top_page_put(lines->page, y, TOP_STYLE_NORMAL, " ALLOC/s  ");
        top_page_graph(lines->page, y, rates, n);
        y = next_line(lines);
        top_page_put(lines->page, y, TOP_STYLE_NORMAL, "     NET  ");
        top_page_graph(lines->page, y, nets, n);
}

static void put_distribution(struct lines *lines, const struct table *spans) {
        struct distribution distribution = {0};
        char line[DISTRIBUTION_LINE_MAX], a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX], d[FORMAT_MAX];
        size_t width = lines->page->width > 60 ? 40 : lines->page->width / 3;
        const struct table_map *map;

        for (size_t i = 0; i < spans->row_count; i++)
                distribution_add(&distribution, table_map(spans, i, "per_call_histogram"));
        if (!distribution.total)
                return;
        map = table_map(spans, 0, "per_call");
        put(lines, TOP_STYLE_BOLD, "Bytes per call, in powers of two");
        if (spans->row_count == 1)
                put(lines, TOP_STYLE_NORMAL, "          p50 %s, p90 %s, p99 %s, max %s",
                    format_bytes(a, table_map_uint(map, "p50")), format_bytes(b, table_map_uint(map, "p90")),
                    format_bytes(c, table_map_uint(map, "p99")), format_bytes(d, table_map_uint(map, "max")));
        for (unsigned i = distribution.first; i <= distribution.last; i++)
                put(lines, TOP_STYLE_NORMAL, "%s", distribution_line(&distribution, i, width, line));
}

static void put_threads(struct lines *lines, const struct table *spans) {
        bool any = false;

        put(lines, TOP_STYLE_BOLD, "Threads that are in it now");
        for (size_t i = 0; i < spans->row_count; i++) {
                const struct table_map *map = table_map(spans, i, "threads");

                for (size_t k = 0; map && k < map->count; k++) {
                        put(lines, TOP_STYLE_NORMAL, "%8" PRIu64 "  %s", map->entries[k].values[0],
                            map->entries[k].name);
                        any = true;
                }
        }
        if (!any)
                put(lines, TOP_STYLE_NORMAL, "       -  none at this moment");
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

static void put_tree(struct lines *lines, const struct table *tree, const char *span) {
        char self[FORMAT_MAX], total[FORMAT_MAX];

        put(lines, TOP_STYLE_BOLD, "    SELF    TOTAL  where in the tree");
        for (size_t i = 0; i < tree->row_count; i++) {
                const char *name = table_text(tree, i, "span");

                if (lines->y >= lines->page->height)
                        break;
                if (!is_near_any(tree, i, span))
                        continue;
                put(lines, strcmp(name, span) ? TOP_STYLE_NORMAL : TOP_STYLE_NAME, "%8s %8s  %*s%s",
                    format_bytes(self, table_uint(tree, i, "self_alloc_bytes")),
                    format_bytes(total, table_uint(tree, i, "alloc_bytes")), (int)(2 * table_uint(tree, i, "depth")),
                    "", name);
        }
}

void top_panel_details(struct top_ui *ui, struct top_page *page) {
        const struct top_details *details = &ui->details;
        struct lines lines = {page, 0, 0};

        ui->page_rows = page->height;
        put(&lines, TOP_STYLE_BOLD, "%s in %s   (j k scroll, Esc closes)", details->span, details->title);
        if (!details->spans || !details->spans->row_count) {
                put(&lines, TOP_STYLE_NORMAL, "%s",
                    details->spans ? "Nothing is known of it any more; Esc closes." : "One moment.");
                return;
        }
        if (ui->scroll > 60)
                ui->scroll = 60;
        lines.skip = ui->scroll;
        if (top_row_is_outside(&details->row)) {
                put_outside(&lines, details->spans);
                put_history(&lines, ui);
                return;
        }
        put(&lines, TOP_STYLE_NORMAL, "    Path  %s", table_text(details->spans, 0, "path"));
        if (*table_text(details->spans, 0, "site"))
                put(&lines, TOP_STYLE_NORMAL, "    Site  %s", table_text(details->spans, 0, "site"));
        put(&lines, TOP_STYLE_NORMAL, " Quality  %s", table_text(details->spans, 0, "quality"));
        put_sums(&lines, details->spans);
        put_time(&lines, details->spans);
        put_history(&lines, ui);
        put_distribution(&lines, details->spans);
        put_threads(&lines, details->spans);
        if (details->tree)
                put_tree(&lines, details->tree, details->span);
}
