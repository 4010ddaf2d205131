/* SPDX-License-Identifier: MIT */
/*
 * The first lines of top: what the processes that were asked for have of memory, and how that changed.  The figures of
 * the collector itself are in top_panels.c.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/output/format.h"
#include "ctl/output/text.h"
#include "ctl/pages/top_ui.h"

/* A part that does not fit goes: the one with the highest rank first. */
struct part {
        unsigned rank;
        size_t gap; /* blanks before it */
        enum top_style style;
        char text[192];
};

struct parts {
        struct part part[12];
        size_t count;
};

__attribute__((format(printf, 5, 6))) static void add(struct parts *parts, unsigned rank, size_t gap,
                                                      enum top_style style, const char *format, ...) {
        struct part *part = &parts->part[parts->count++];
        va_list args;

        *part = (struct part){.rank = rank, .gap = gap, .style = style};
        va_start(args, format);
        vsnprintf(part->text, sizeof(part->text), format, args);
        va_end(args);
}

static size_t width_of(const struct parts *parts) {
        size_t width = 0;

        for (size_t i = 0; i < parts->count; i++)
                width += (i ? parts->part[i].gap : 0) + text_width(parts->part[i].text);
        return width;
}

static void drop_one(struct parts *parts) {
        size_t last = 0;

        for (size_t i = 1; i < parts->count; i++)
                if (parts->part[i].rank >= parts->part[last].rank)
                        last = i;
        memmove(&parts->part[last], &parts->part[last + 1], (parts->count - last - 1) * sizeof(parts->part[0]));
        parts->count--;
}

/* ---------------------------------------------------------------------------------------------- first line -- */

static void add_heap(struct parts *parts, const struct top_summary *s) {
        char a[FORMAT_MAX];

        if (!s->heap_known) {
                add(parts, 0, 2, TOP_STYLE_BOLD, "heap -");
                return;
        }
        add(parts, 0, 2, TOP_STYLE_BOLD, "heap %s%s", s->heap_estimated ? "~" : "",
            format_bytes(a, s->heap_bytes > 0 ? (uint64_t)s->heap_bytes : 0));
        if (s->rates_known)
                add(parts, 0, 1, s->heap_rate > 0 ? TOP_STYLE_GROW : TOP_STYLE_NORMAL, "%s/s",
                    format_net_bytes(a, s->heap_rate));
        else
                add(parts, 0, 1, TOP_STYLE_NORMAL, "-/s");
}

static void add_memory(struct parts *parts, const struct top_summary *s) {
        char a[FORMAT_MAX], b[FORMAT_MAX];

        if (!s->rss_known)
                return;
        add(parts, 3, 2, TOP_STYLE_BOLD, "RSS %s", format_bytes(a, s->rss_bytes));
        if (*s->unit)
                add(parts, 4, 2, s->unit_bytes >= s->unit_limit / 10 * 9 ? TOP_STYLE_WARNING : TOP_STYLE_BOLD,
                    "%.100s %s of %s", s->unit_alone ? "unit" : s->unit, format_bytes(a, s->unit_bytes),
                    format_bytes(b, s->unit_limit));
}

/* One word: "all counted", or what is not. */
static void add_counted(struct parts *parts, const struct top_summary *s) {
        char a[FORMAT_MAX];

        if (!s->processes && s->coverage_ppm == 1000000)
                add(parts, 1, 2, TOP_STYLE_WARNING, "no process");
        else if (!s->uncounted && s->coverage_ppm == 1000000)
                add(parts, 1, 2, TOP_STYLE_BOLD, "all counted");
        if (s->uncounted)
                add(parts, 1, 2, TOP_STYLE_WARNING, "%" PRIu64 " not counted", s->uncounted);
        if (s->coverage_ppm < 1000000)
                add(parts, 1, 2, TOP_STYLE_WARNING, "%s lost", format_ppm(a, 1000000 - s->coverage_ppm));
}

static void add_timing(struct parts *parts, const struct top_summary *s, bool wanted) {
        unsigned rank = wanted ? 2 : 6;

        if (!s->timed)
                add(parts, rank, 2, TOP_STYLE_NORMAL, "not timed");
        else if (s->timed < s->processes)
                add(parts, rank, 2, TOP_STYLE_NORMAL, "timed %" PRIu64 " of %" PRIu64, s->timed, s->processes);
        else
                add(parts, rank, 2, TOP_STYLE_NORMAL, "timed");
}

void top_view_header(const struct top_model *model, bool current, struct top_page *page, size_t y) {
        const struct top_summary *s = top_model_summary(model);
        struct parts parts = {0};
        char a[FORMAT_MAX];

        if (s->time_ns)
                add(&parts, current ? 5 : 0, 0, TOP_STYLE_NORMAL, "%s%.8s", current ? "" : "as of ",
                    format_clock(a, s->time_ns));
        add_heap(&parts, s);
        add_memory(&parts, s);
        if (s->rates_known)
                add(&parts, 2, 2, TOP_STYLE_BOLD, "alloc %s/s", format_bytes(a, s->alloc_rate));
        else
                add(&parts, 2, 2, TOP_STYLE_BOLD, "alloc -/s");
        add_counted(&parts, s);
        add_timing(&parts, s, top_model_wants_time(model));
        add(&parts, 7, 2, TOP_STYLE_NORMAL, "%" PRIu64 " %s, %" PRIu64 " %s", s->processes,
            s->processes == 1 ? "process" : "processes", s->threads, s->threads == 1 ? "thread" : "threads");
        while (parts.count > 1 && width_of(&parts) > page->width)
                drop_one(&parts);
        for (size_t i = 0; i < parts.count; i++) {
                if (i)
                        top_page_fit(page, y, TOP_STYLE_NORMAL, "", parts.part[i].gap, false);
                top_page_put(page, y, parts.part[i].style, parts.part[i].text);
        }
        if (!current)
                top_page_paint(page, y, TOP_STYLE_DIM);
}

/* -------------------------------------------------------------------------------------------------- history -- */

static const char *graph_number(const struct top_graph *graph, double value, char buf[FORMAT_MAX]) {
        char bytes[FORMAT_MAX];

        if (value < 0)
                return "-";
        if (graph->net)
                format_net_bytes(bytes, (int64_t)(value + graph->base));
        else
                format_bytes(bytes, (uint64_t)value);
        snprintf(buf, FORMAT_MAX, "%.28s%s", bytes, graph->rate ? "/s" : "");
        return buf;
}

size_t top_view_graph_width(const struct top_page *page) {
        size_t numbers = TOP_GRAPH_LABEL + 32, left = page->width > numbers ? page->width - numbers : 1;

        return left < TOP_HISTORY ? left : TOP_HISTORY;
}

void top_view_graph(const struct top_graph *graph, struct top_page *page, size_t y) {
        double most = -1;
        char a[FORMAT_MAX];

        for (size_t i = 0; i < graph->count; i++)
                most = graph->values[i] > most ? graph->values[i] : most;
        top_page_fit(page, y, TOP_STYLE_NORMAL, graph->label, TOP_GRAPH_LABEL, false);
        if (graph->count > 1)
                top_page_graph(page, y, graph->values, graph->count);
        top_page_put(page, y, TOP_STYLE_NORMAL, "  now ");
        top_page_fit(page, y, TOP_STYLE_NUMBER, graph_number(graph, graph->values[graph->count - 1], a), 9, true);
        top_page_put(page, y, TOP_STYLE_NORMAL, "  max ");
        top_page_fit(page, y, TOP_STYLE_NUMBER, graph_number(graph, most, a), 9, true);
}

void top_view_history(const struct top_ui *ui, enum top_total total, struct top_page *page, size_t y) {
        struct top_graph graph = {
                .label = total == TOP_TOTAL_HEAP ? "heap" : "alloc",
                .rate = total == TOP_TOTAL_RATE,
                .count = top_view_graph_width(page),
        };

        for (size_t i = 0; i < graph.count; i++)
                if (!top_model_total(ui->model, total, (uint32_t)(graph.count - 1 - i), &graph.values[i]))
                        graph.values[i] = -1;
        top_view_graph(&graph, page, y);
        if (!top_ui_is_current(ui))
                top_page_paint(page, y, TOP_STYLE_DIM);
}
