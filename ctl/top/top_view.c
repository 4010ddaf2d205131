/* SPDX-License-Identifier: MIT */
/*
 * The list of top: header, history, heading, rows, footer.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/output/format.h"
#include "ctl/output/text.h"
#include "ctl/top/top_ui.h"

enum { HEADING_FROM = 3, FOOTER_FROM = 6, HISTORY_FROM = 10, LINE_MAX = 2048 };

/* ---------------------------------------------------------------------------------------------- header -- */

/* A part that does not fit is left out; a shorter one after it may still fit. */
static void add_part(char *line, size_t size, size_t width, const char *separator, const char *part) {
        size_t used = strlen(line), gap = used ? strlen(separator) : 0;

        if (text_width(line) + gap + text_width(part) <= width && used + gap + strlen(part) < size)
                snprintf(line + used, size - used, "%s%s", used ? separator : "", part);
}

static void add_count(char *line, size_t size, size_t width, uint64_t count, const char *what) {
        char part[128], number[FORMAT_MAX];

        snprintf(part, sizeof(part), "%s %s", format_short_count(number, count), what);
        add_part(line, size, width, ", ", part);
}

void top_view_header(const struct top_model *model, size_t width, bool rings, char *line, size_t size) {
        const struct top_summary *s = top_model_summary(model);
        char part[64], a[FORMAT_MAX];

        *line = '\0';
        if (s->time_ns) {
                snprintf(part, sizeof(part), "%.8s", format_clock(a, s->time_ns));
                add_part(line, size, width, "", part);
        }
        add_count(line, size, width, s->processes, s->processes == 1 ? "process" : "processes");
        add_count(line, size, width, s->threads, s->threads == 1 ? "thread" : "threads");
        add_count(line, size, width, s->records_rate, "records/s");
        add_count(line, size, width, s->refused, "refused");
        snprintf(part, sizeof(part), "coverage %.20s", format_ppm(a, s->coverage_ppm));
        add_part(line, size, width, ", ", part);
        if (rings) {
                snprintf(part, sizeof(part), "rings %" PRIu64 "%%", (s->ring_fill_ppm + 9999) / 10000);
                add_part(line, size, width, ", ", part);
        }
        if (s->uncounted)
                add_count(line, size, width, s->uncounted,
                          s->uncounted == 1 ? "process not counted" : "processes not counted");
}

void top_view_history(const struct top_model *model, struct top_page *page, size_t y) {
        double values[TOP_HISTORY], now = 0;
        size_t left, n;
        char a[FORMAT_MAX];

        top_page_printf(page, y, TOP_STYLE_NORMAL, "rings %" PRIu64 "%%, allocated ",
                        (top_model_summary(model)->ring_fill_ppm + 9999) / 10000);
        if (top_model_total(model, 0, &now))
                top_page_printf(page, y, TOP_STYLE_NUMBER, "%s/s ", format_bytes(a, (uint64_t)now));
        else
                top_page_put(page, y, TOP_STYLE_NUMBER, "-/s ");
        left = top_page_left(page, y);
        n = left < TOP_HISTORY ? left : TOP_HISTORY;
        for (size_t i = 0; i < n; i++)
                if (!top_model_total(model, (uint32_t)(n - 1 - i), &values[i]))
                        values[i] = -1;
        top_page_graph(page, y, values, n);
}

static void draw_header(const struct top_ui *ui, struct top_page *page) {
        char line[LINE_MAX];

        if (!ui->connected) {
                top_page_printf(page, 0, TOP_STYLE_WARNING, "Trying again: %s", ui->trouble);
                return;
        }
        top_view_header(ui->model, page->width, page->height < HISTORY_FROM, line, sizeof(line));
        top_page_put(page, 0, TOP_STYLE_BOLD, line);
}

void top_view_heading(const struct top_layout *layout, const struct top_model *model, struct top_page *page, size_t y) {
        for (size_t i = 0; i < layout->count; i++) {
                enum top_column column = layout->columns[i].column;

                if (i)
                        top_page_fit(page, y, TOP_STYLE_HEADING, "", 1, false);
                top_page_fit(page, y, column == top_model_sorted_by(model) ? TOP_STYLE_SORTED : TOP_STYLE_HEADING,
                             top_layout_heading(column), layout->columns[i].width, !top_layout_is_left(column));
        }
        top_page_pad(page, y, TOP_STYLE_HEADING, page->width);
}

/* ------------------------------------------------------------------------------------------------ rows -- */

/* Not "0" for an unknown number. */
static const char *counted(const struct top_row *row, const char *text) {
        return row->sums.quality == TOP_UNCOUNTED ? "-" : text;
}

static const char *rated(const struct top_row *row, const char *text) {
        return row->rates.known ? text : "-";
}

static void tree_label(const struct top_row *row, bool utf8, char *buf, size_t size) {
        size_t used = 0;

        *buf = '\0';
        for (unsigned d = 1; d < row->depth && d < 64 && used < size; d++)
                used += (size_t)snprintf(buf + used, size - used, "%s",
                                         row->last >> d & 1 ? "  " : (utf8 ? "│ " : "| "));
        if (row->depth && used < size)
                used += (size_t)snprintf(buf + used, size - used, "%s",
                                         row->last >> (row->depth & 63) & 1 ? (utf8 ? "└─" : "`-")
                                                                            : (utf8 ? "├─" : "|-"));
        if (row->folded && used < size)
                used += (size_t)snprintf(buf + used, size - used, "+");
        if (used >= size)
                return;
        if (row->kind == TOP_ROW_UNIT)
                snprintf(buf + used, size - used, "%s", *row->unit ? row->unit : "(no unit)");
        else if (row->kind == TOP_ROW_PROCESS)
                snprintf(buf + used, size - used, "%s[%" PRIu64 "]", row->comm, row->pid);
        else
                snprintf(buf + used, size - used, "%s", row->span);
}

static const char *pid_text(const struct top_row *row, char buf[FORMAT_MAX]) {
        if (row->kind == TOP_ROW_UNIT || row->processes > 1) {
                snprintf(buf, FORMAT_MAX, "x%zu", row->processes);
                return buf;
        }
        return format_count(buf, row->pid);
}

/* Of one processor's time; several threads may be in it. */
static const char *busy_text(const struct top_row *row, char buf[FORMAT_MAX]) {
        double percent = (double)row->rates.busy_ns / 1e7;

        snprintf(buf, FORMAT_MAX, percent < 99.95 ? "%.1f" : "%.0f", percent);
        return buf;
}

static const char *cell(const struct top_row *row, enum top_column column, char buf[FORMAT_MAX]) {
        static const char *const qualities[] = {
                [TOP_EXACT] = "=",     [TOP_MIGRATED] = "M", [TOP_LOST] = "L",
                [TOP_ESTIMATED] = "~", [TOP_MIXED] = "X",    [TOP_UNCOUNTED] = "-",
        };

        if (top_row_is_outside(row) && (column == TOP_OPEN || column == TOP_CALLS_RATE))
                return "-";
        switch (column) {
        case TOP_UNIT:
                return *row->unit ? row->unit : "-";
        case TOP_PID:
                return pid_text(row, buf);
        case TOP_SPAN:
                return row->span;
        case TOP_ALLOC_RATE:
                return counted(row, rated(row, format_bytes(buf, row->rates.alloc_bytes)));
        case TOP_ALLOCS_RATE:
                return counted(row, rated(row, format_short_count(buf, row->rates.alloc_count)));
        case TOP_NET_RATE:
                return counted(row, rated(row, format_net_bytes(buf, row->rates.net_bytes)));
        case TOP_ALLOC:
                return counted(row, format_bytes(buf, row->sums.alloc_bytes));
        case TOP_NET:
                return counted(row, format_net_bytes(buf, row->sums.net_bytes));
        case TOP_OPEN:
                return format_short_count(buf, row->sums.open);
        case TOP_CALLS_RATE:
                return rated(row, format_short_count(buf, row->rates.closed));
        case TOP_P99:
                return row->sums.closed && row->sums.has_p99 ? counted(row, format_bytes(buf, row->sums.p99)) : "-";
        case TOP_TIME:
                return row->rates.timed_calls
                               ? format_short_duration(buf, row->rates.timed_calls_ns / row->rates.timed_calls)
                               : "-";
        case TOP_BUSY:
                return row->sums.busy_ns && row->rates.busy_known ? rated(row, busy_text(row, buf)) : "-";
        case TOP_QUALITY:
                return qualities[row->sums.quality];
        case TOP_COLUMNS:
                break;
        }
        return "";
}

/* What a sign or letter says already is coloured too. */
static enum top_style style_of(const struct top_row *row, enum top_column column) {
        int64_t net = column == TOP_NET_RATE ? row->rates.net_bytes : row->sums.net_bytes;

        if (column == TOP_SPAN)
                return row->kind == TOP_ROW_SPAN ? TOP_STYLE_NAME : TOP_STYLE_BOLD;
        if (column == TOP_QUALITY)
                return row->sums.quality == TOP_EXACT ? TOP_STYLE_NORMAL : TOP_STYLE_WARNING;
        if ((column == TOP_NET_RATE || column == TOP_NET) && net && row->sums.quality != TOP_UNCOUNTED)
                return net > 0 ? TOP_STYLE_GROW : TOP_STYLE_FALL;
        return TOP_STYLE_NORMAL;
}

void top_view_row(const struct top_layout *layout, const struct top_row *row, bool tree, struct top_page *page,
                  size_t y) {
        char buf[FORMAT_MAX], label[1024];

        for (size_t i = 0; i < layout->count; i++) {
                enum top_column column = layout->columns[i].column;
                const char *text = cell(row, column, buf);

                if (tree && column == TOP_SPAN) {
                        tree_label(row, page->utf8, label, sizeof(label));
                        text = label;
                }
                if (i)
                        top_page_fit(page, y, TOP_STYLE_NORMAL, "", 1, false);
                top_page_fit(page, y, style_of(row, column), text, layout->columns[i].width,
                             !top_layout_is_left(column));
        }
}

static void draw_rows(struct top_ui *ui, struct top_page *page, size_t y, size_t rows) {
        const struct top_model *model = ui->model;
        size_t first = top_model_first(model), n = top_model_count(model);
        bool tree = top_model_shape(model) == TOP_TREE;
        struct top_row row;

        for (size_t i = 0; i < rows && first + i < n; i++) {
                top_model_row(model, first + i, &row);
                top_view_row(&ui->layout, &row, tree, page, y + i);
                if (first + i == top_model_selected(model))
                        top_page_paint(page, y + i, TOP_STYLE_SELECTED);
        }
        if (rows && !n)
                top_page_put(page, y, TOP_STYLE_NORMAL,
                             *top_model_filter_text(model) ? "No span matches the filter; Esc clears it."
                             : ui->ask_now                 ? "One moment."
                                                           : "No spans yet; `spanallocctl ps` shows the processes.");
}

/* ---------------------------------------------------------------------------------------------- footer -- */

static void put_state(struct top_ui *ui, char *line, size_t size, size_t width) {
        static const char *const shapes[] = {
                [TOP_BY_UNIT] = "summed by unit", [TOP_BY_NAME] = "summed by name", [TOP_TREE] = "tree"};
        const struct top_model *model = ui->model;
        enum top_column sorted = top_model_sorted_by(model);
        bool descending = top_model_is_descending(model), text = sorted == TOP_UNIT || sorted == TOP_SPAN;
        char part[400];

        snprintf(line, size, "by %s%s", top_layout_heading(sorted),
                 text ? (descending ? ", from z" : "") : (descending ? "" : ", small first"));
        if (ui->paused)
                add_part(line, size, width, "  ", "PAUSED");
        if (*top_model_filter_text(model)) {
                snprintf(part, sizeof(part), "filter \"%s\"", top_model_filter_text(model));
                add_part(line, size, width, "  ", part);
        }
        if (top_model_shape(model) != TOP_FLAT)
                add_part(line, size, width, "  ", shapes[top_model_shape(model)]);
        if (top_model_is_following(model))
                add_part(line, size, width, "  ", "following");
        if (top_model_count(model)) {
                snprintf(part, sizeof(part), "row %zu of %zu", top_model_selected(model) + 1, top_model_count(model));
                add_part(line, size, width, "  ", part);
        }
        if (top_warnings(ui, 0, part, sizeof(part)))
                add_part(line, size, width, "  ", "w !warnings");
}

static void draw_footer(struct top_ui *ui, struct top_page *page, size_t y) {
        static const char *const keys[][2] = {{"h", "help"}, {"q", "quit"},   {"Enter", "details"}, {"s", "sort"},
                                              {"t", "tree"}, {"/", "search"}, {"\\", "filter"},     {"u", "unit"}};
        char line[LINE_MAX];

        if (ui->mode == TOP_MODE_FILTER || ui->mode == TOP_MODE_SEARCH) {
                top_page_put(page, y, TOP_STYLE_BOLD, ui->mode == TOP_MODE_FILTER ? "Filter: " : "Search: ");
                top_page_put(page, y, TOP_STYLE_BOLD, ui->prompt);
                page->has_cursor = true;
                page->cursor_y = y;
                page->cursor_x = page->lines[y].used < page->width ? page->lines[y].used : page->width - 1;
                return;
        }
        if (*ui->message) {
                top_page_put(page, y, TOP_STYLE_WARNING, ui->message);
                return;
        }
        if (*ui->restarted) {
                top_page_put(page, y, TOP_STYLE_WARNING, ui->restarted);
                return;
        }
        put_state(ui, line, sizeof(line), page->width);
        top_page_put(page, y, TOP_STYLE_NORMAL, line);
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                if (top_page_left(page, y) < 3 + strlen(keys[i][0]) + strlen(keys[i][1]))
                        break;
                top_page_put(page, y, TOP_STYLE_NORMAL, "  ");
                top_page_put(page, y, TOP_STYLE_KEY, keys[i][0]);
                top_page_printf(page, y, TOP_STYLE_DIM, " %s", keys[i][1]);
        }
}

/* ------------------------------------------------------------------------------------------------ all -- */

void top_view_list(struct top_ui *ui, struct top_page *page) {
        size_t height = page->height, y = 1, rows;
        bool prompting = ui->mode == TOP_MODE_FILTER || ui->mode == TOP_MODE_SEARCH;
        bool footer = height >= FOOTER_FROM || (prompting && height >= 2);
        bool menu = ui->mode == TOP_MODE_SORT && page->width >= 2 * TOP_SORT_WIDTH;
        bool tree = top_model_shape(ui->model) == TOP_TREE;

        top_layout_init(&ui->layout, page->width - (menu ? TOP_SORT_WIDTH : 0),
                        (struct top_wish){ui->raw, tree, top_model_wants_time(ui->model)});
        draw_header(ui, page);
        if (height >= HISTORY_FROM)
                top_view_history(ui->model, page, y++);
        rows = height > y + footer ? height - y - footer : 0;
        if (ui->mode == TOP_MODE_SORT)
                top_panel_sort(ui, page, y, rows);
        if (ui->mode == TOP_MODE_SORT && !menu)
                rows = 0;
        if (height >= HEADING_FROM && rows) {
                top_view_heading(&ui->layout, ui->model, page, y++);
                rows--;
        }
        ui->page_rows = rows;
        top_model_set_visible(ui->model, rows);
        draw_rows(ui, page, y, rows);
        if (footer)
                draw_footer(ui, page, height - 1);
}
