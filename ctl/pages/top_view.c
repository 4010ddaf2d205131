/* SPDX-License-Identifier: MIT */
/*
 * The list of top: heading, rows, footer.  The lines above are in top_header.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/output/format.h"
#include "ctl/output/text.h"
#include "ctl/pages/top_ui.h"

enum { HEADING_FROM = 3, FOOTER_FROM = 6, HEAP_FROM = 10, RATE_FROM = 20, LINE_MAX = 2048, CELL_MAX = 160 };

/* A part that does not fit is left out; a shorter one after it may still fit. */
static void add_part(char *line, size_t size, size_t width, const char *separator, const char *part) {
        size_t used = strlen(line), gap = used ? strlen(separator) : 0;

        if (text_width(line) + gap + text_width(part) <= width && used + gap + strlen(part) < size)
                strcat(strcat(line, used ? separator : ""), part);
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

/* A sum over processes that all ended has no NET; the row of one span keeps what the span left behind. */
static bool has_memory(const struct top_row *row) {
        return row->kind == TOP_ROW_SPAN || !row->ended;
}

static void tree_label(const struct top_row *row, bool utf8, size_t width, char *buf, size_t size) {
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
        if (row->kind == TOP_ROW_PROCESS && text_width(buf) < width)
                top_fit_process(row->comm, row->pid, width - text_width(buf), buf + used, size - used);
        else
                top_row_name(row, buf + used, size - used);
}

/* Of one processor's time; several threads may be in it. */
static const char *busy_text(const struct top_row *row, char buf[FORMAT_MAX]) {
        double percent = (double)row->rates.busy_ns / 1e7;

        snprintf(buf, FORMAT_MAX, percent < 99.95 ? "%.1f" : "%.0f", percent);
        return buf;
}

static const char *net_per_call_text(const struct top_row *row, char buf[FORMAT_MAX]) {
        int64_t net;

        return top_sums_net_per_call(&row->sums, &net) ? counted(row, format_net_bytes(buf, net)) : "-";
}

static const char *cell(const struct top_row *row, enum top_column column, char buf[CELL_MAX]) {
        static const char *const qualities[] = {
                [TOP_EXACT] = "",
                [TOP_MIGRATED] = "migrated",
                [TOP_LOST] = "lost",
                [TOP_ESTIMATED] = "estimated",
                [TOP_MIXED] = "mixed",
                [TOP_PARTIAL] = "partial",
                [TOP_UNCOUNTED] = "uncounted",
        };

        if (top_row_is_outside(row) && (column == TOP_OPEN || column == TOP_CALLS_RATE))
                return "-";
        switch (column) {
        case TOP_UNIT:
                return *row->unit ? row->unit : "-";
        case TOP_PROCESS:
                top_row_process(row, buf, CELL_MAX);
                return buf;
        case TOP_SPAN:
                return top_row_span(row);
        case TOP_ALLOC_RATE:
                return counted(row, rated(row, format_bytes(buf, row->rates.alloc_bytes)));
        case TOP_ALLOCS_RATE:
                return counted(row, rated(row, format_short_count(buf, row->rates.alloc_count)));
        case TOP_NET_RATE:
                return counted(row, rated(row, format_net_bytes(buf, row->rates.net_bytes)));
        case TOP_ALLOC:
                return counted(row, format_bytes(buf, row->sums.alloc_bytes));
        case TOP_NET:
                return has_memory(row) ? counted(row, format_net_bytes(buf, row->sums.net_bytes)) : "-";
        case TOP_NET_CALL:
                return net_per_call_text(row, buf);
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

/* Only what grows has a colour. */
static enum top_style style_of(const struct top_row *row, enum top_column column) {
        if (row->ended)
                return TOP_STYLE_DIM;
        if (column == TOP_SPAN && row->kind != TOP_ROW_SPAN)
                return TOP_STYLE_BOLD;
        if (column == TOP_QUALITY)
                return TOP_STYLE_BOLD;
        if (column == TOP_NET_RATE && row->rates.known && row->rates.net_bytes > 0 &&
            row->sums.quality != TOP_UNCOUNTED)
                return TOP_STYLE_GROW;
        return TOP_STYLE_NORMAL;
}

void top_view_row(const struct top_layout *layout, const struct top_row *row, bool tree, struct top_page *page,
                  size_t y) {
        char buf[CELL_MAX], label[1024];

        for (size_t i = 0; i < layout->count; i++) {
                enum top_column column = layout->columns[i].column;
                const char *text = cell(row, column, buf);

                if (tree && column == TOP_SPAN) {
                        tree_label(row, page->utf8, layout->columns[i].width, label, sizeof(label));
                        text = label;
                }
                if (column == TOP_PROCESS && row->processes == 1) {
                        top_fit_process(row->comm, row->pid, layout->columns[i].width, buf, sizeof(buf));
                        text = buf;
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
                if (!top_ui_is_current(ui))
                        top_page_paint(page, y + i, TOP_STYLE_DIM);
                if (first + i == top_model_selected(model))
                        top_page_paint(page, y + i, TOP_STYLE_SELECTED);
        }
        if (rows && !n)
                top_page_put(page, y, TOP_STYLE_NORMAL,
                             *top_model_filter_text(model)  ? "No span matches the filter; Esc clears it."
                             : !top_ui_is_current(ui)       ? "No collector answers."
                             : !top_model_has_answer(model) ? "One moment."
                                                            : "No spans yet; p shows the processes.");
}

/* ---------------------------------------------------------------------------------------------- footer -- */

char *top_ui_trouble(const struct top_ui *ui, char *buf, size_t size) {
        if (ui->silent_s)
                snprintf(buf, size, "No answer for %u s: the collector is stopped or busy", ui->silent_s);
        else
                snprintf(buf, size, "Trying again: %s", ui->trouble);
        return buf;
}

char *top_ui_narrowing(const struct top_ui *ui, char *buf, size_t size) {
        const char *filter = top_model_filter_text(ui->model);

        snprintf(buf, size, "%s%s%s%s", *filter ? ", filter \"" : "", filter, *filter ? "\"" : "",
                 top_model_is_hiding_ended(ui->model) ? ", ended hidden" : "");
        return buf;
}

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
        if (top_model_is_hiding_ended(model))
                add_part(line, size, width, "  ", "ended hidden");
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
        static const char *const keys[][2] = {
                {"h", "help"},       {"q", "quit"},   {"Enter", "details"}, {"s", "sort"},    {"t", "tree"},
                {"u", "by service"}, {"/", "search"}, {"p", "processes"},   {"\\", "filter"}, {"e", "ended"}};
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
        if (!top_ui_is_current(ui)) {
                top_page_put(page, y, TOP_STYLE_WARNING, top_ui_trouble(ui, line, sizeof(line)));
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
        char trouble[LINE_MAX];

        top_layout_init(&ui->layout, page->width - (menu ? TOP_SORT_WIDTH : 0), top_layout_wish(ui->model, ui->raw));
        if (!top_ui_is_current(ui) && !footer)
                top_page_put(page, 0, TOP_STYLE_WARNING, top_ui_trouble(ui, trouble, sizeof(trouble)));
        else
                top_view_header(ui->model, top_ui_is_current(ui), page, 0);
        if (height >= HEAP_FROM)
                top_view_history(ui, TOP_TOTAL_HEAP, page, y++);
        if (height >= RATE_FROM)
                top_view_history(ui, TOP_TOTAL_RATE, page, y++);
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
