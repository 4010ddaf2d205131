/* SPDX-License-Identifier: MIT */
/*
 * The page of one process: its memory, what is counted of it, and its spans.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/output/format.h"
#include "ctl/output/memory.h"
#include "ctl/pages/top_lines.h"
#include "ctl/pages/top_ui.h"

void top_process_open(struct top_ui *ui, uint64_t process) {
        ui->processes.back = ui->mode;
        ui->processes.back_scroll = ui->scroll;
        ui->processes.page = process;
        ui->mode = TOP_MODE_PROCESS;
        ui->scroll = 0;
        ui->ask_now = true; /* for its memory */
}

void top_process_close(struct top_ui *ui) {
        ui->mode = ui->processes.back;
        ui->scroll = ui->processes.back_scroll;
        ui->ask_now |= ui->mode == TOP_MODE_DETAILS;
}

static const struct top_member *find(const struct top_ui *ui) {
        const struct top_members *members = top_model_members(ui->model);
        uint32_t at = top_members_find(members, ui->processes.page);

        return at == TOP_NONE ? NULL : &members->rows[at];
}

/* ---------------------------------------------------------------------------------------------- figures -- */

static void put_heap(struct top_lines *lines, const struct table *ps, const struct top_member *member) {
        const char *quality = table_text(ps, member->row, "net_quality");
        char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX], rate[FORMAT_MAX + 2] = "";

        if (member->uncounted) {
                top_lines_put(lines, TOP_STYLE_WARNING, "    Heap  not counted");
                top_lines_wrap(lines, TOP_STYLE_NORMAL, "          ", table_text(ps, member->row, "counting"));
                return;
        }
        if (member->rates.known && !member->ended)
                snprintf(rate, sizeof(rate), ", %.20s/s", format_net_bytes(c, member->rates.net_bytes));
        top_lines_put(lines, TOP_STYLE_NORMAL, "    Heap  %s%s%s, at most %s%s",
                      format_bytes(a, member->net_bytes > 0 ? (uint64_t)member->net_bytes : 0),
                      member->ended ? " when it ended" : "", rate,
                      format_bytes(b, table_uint(ps, member->row, "peak_net_bytes")),
                      *quality && strcmp(quality, "exact") ? " (estimated)" : "");
        top_lines_put(lines, TOP_STYLE_NORMAL, "   Alloc  %s%s%s",
                      member->rates.known && !member->ended ? format_bytes(a, member->rates.alloc_bytes) : "",
                      member->rates.known && !member->ended ? "/s, " : "",
                      strcat(format_bytes(b, member->alloc_bytes), " in all"));
}

static void put_memory(struct top_lines *lines, const struct table *ps, const struct top_member *member) {
        uint64_t unit = table_uint(ps, member->row, "unit_memory_bytes");
        uint64_t limit = table_uint(ps, member->row, "unit_memory_limit_bytes");
        char a[FORMAT_MAX], b[FORMAT_MAX], text[MEMORY_TEXT_MAX];

        if (!member->ended && table_column(ps, "rss_bytes") >= 0)
                top_lines_put(lines, TOP_STYLE_NORMAL, "     RSS  %s, of that %s without files and shared memory",
                              format_bytes(a, table_uint(ps, member->row, "rss_bytes")),
                              format_bytes(b, table_uint(ps, member->row, "rss_anon_bytes")));
        if (*member->unit && unit && !member->ended)
                top_lines_put(lines, TOP_STYLE_NORMAL, "    Unit  %s, %s%s%s", member->unit, format_bytes(a, unit),
                              limit ? " of " : "", limit ? format_bytes(b, limit) : "");
        else if (*member->unit)
                top_lines_put(lines, TOP_STYLE_NORMAL, "    Unit  %s", member->unit);
        if (table_column(ps, "rss_bytes") >= 0 && *memory_of_process(ps, member->row, text))
                top_lines_wrap(lines, TOP_STYLE_NORMAL, "          ", text);
}

static void put_counted(struct top_lines *lines, const struct table *ps, const struct top_member *member) {
        uint64_t coverage = table_uint(ps, member->row, "coverage_ppm"), threads, refused;
        char a[FORMAT_MAX];

        threads = table_uint(ps, member->row, "threads");
        refused = table_uint(ps, member->row, "refused");
        if (member->ended)
                top_lines_put(lines, TOP_STYLE_NORMAL, "   Ended  %s", table_text(ps, member->row, "ended"));
        else
                top_lines_put(lines, TOP_STYLE_NORMAL, " Threads  %" PRIu64 ", %s", threads,
                              member->timed ? "timed" : "not timed");
        if (member->uncounted)
                return;
        if (coverage < 1000000 || refused)
                top_lines_put(lines, TOP_STYLE_WARNING, " Counted  all but %s; %" PRIu64 " refused",
                              format_ppm(a, 1000000 - coverage), refused);
        else
                top_lines_put(lines, TOP_STYLE_NORMAL, " Counted  all");
}

/* ------------------------------------------------------------------------------------------------ spans -- */

struct spans {
        struct top_row *rows;
        size_t count, room;
};

static void take_span(const struct top_row *row, void *userdata) {
        struct spans *spans = userdata;

        if (spans->count == spans->room) {
                size_t room = spans->room ? 2 * spans->room : 64;
                void *more = reallocarray(spans->rows, room, sizeof(*spans->rows));

                if (!more)
                        return;
                spans->rows = more;
                spans->room = room;
        }
        spans->rows[spans->count++] = *row;
}

static int compare_net(const void *a, const void *b) {
        const struct top_row *x = a, *y = b;

        return x->sums.net_bytes != y->sums.net_bytes ? (x->sums.net_bytes > y->sums.net_bytes ? -1 : 1)
                                                      : strcmp(x->path, y->path);
}

static void put_span(struct top_lines *lines, const struct top_row *row, bool path) {
        bool known = row->rates.known && row->sums.quality != TOP_UNCOUNTED;
        bool counted = row->sums.quality != TOP_UNCOUNTED, outside = top_row_is_outside(row);
        char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX], d[FORMAT_MAX], e[FORMAT_MAX];

        top_lines_put(lines, TOP_STYLE_NORMAL, "%8s %9s %8s %8s %7s  %s",
                      counted ? format_net_bytes(a, row->sums.net_bytes) : "-",
                      known ? format_net_bytes(b, row->rates.net_bytes) : "-",
                      counted ? format_bytes(c, row->sums.alloc_bytes) : "-",
                      known ? format_bytes(d, row->rates.alloc_bytes) : "-",
                      row->rates.known && !outside ? format_short_count(e, row->rates.closed) : "-",
                      path && !outside ? row->path : row->span);
}

static void put_spans(struct top_lines *lines, const struct top_ui *ui) {
        const char *filter = top_model_filter_text(ui->model);
        struct spans spans = {0};

        top_model_rows_of(ui->model, ui->processes.page, take_span, &spans);
        if (spans.count) {
                qsort(spans.rows, spans.count, sizeof(*spans.rows), compare_net);
                top_lines_put(lines, TOP_STYLE_BOLD,
                              "     NET     NET/s    ALLOC  ALLOC/s CALLS/s  its spans, by NET%s%s%s",
                              *filter ? ", filter \"" : "", filter, *filter ? "\"" : "");
        } else {
                top_lines_put(lines, TOP_STYLE_NORMAL, "   Spans  none%s",
                              *filter ? " that the filter has; Esc in the list clears it" : "");
        }
        for (size_t i = 0; i < spans.count; i++)
                put_span(lines, &spans.rows[i], top_model_shape(ui->model) == TOP_TREE);
        free(spans.rows);
}

void top_panel_process(struct top_ui *ui, struct top_page *page) {
        struct top_lines lines = top_lines_begin(ui, page);
        const struct table *ps = top_model_processes(ui->model);
        const struct top_member *member = find(ui);
        char title[512];

        if (!member) {
                top_lines_title(&lines, ui, "The collector has forgotten this process; Esc closes");
                top_lines_end(&lines, ui);
                return;
        }
        snprintf(title, sizeof(title), "%.64s[%" PRIu64 "]%s%.200s   (j k scroll, Esc closes)", member->comm,
                 member->pid, *member->unit ? " of " : "", member->unit);
        top_lines_title(&lines, ui, title);
        put_heap(&lines, ps, member);
        put_memory(&lines, ps, member);
        put_counted(&lines, ps, member);
        put_spans(&lines, ui);
        top_lines_end(&lines, ui);
}
