#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/format.h"
#include "ctl/text.h"
#include "ctl/top_view.h"

static const struct {
        const char *heading;
        size_t width;
        unsigned rank; /* the lowest stay the longest */
        bool left;
} looks[TOP_COLUMNS] = {
        [TOP_UNIT] = {"UNIT", 10, 10, true},
        [TOP_PID] = {"PID", 7, 5, false},
        [TOP_SPAN] = {"SPAN", 8, 0, true},
        [TOP_ALLOC_RATE] = {"ALLOC/s", 7, 1, false},
        [TOP_ALLOCS_RATE] = {"ALLOCS/s", 8, 11, false},
        [TOP_NET_RATE] = {"NET/s", 8, 4, false},
        [TOP_ALLOC] = {"ALLOC", 7, 3, false},
        [TOP_NET] = {"NET", 8, 2, false},
        [TOP_OPEN] = {"OPEN", 5, 8, false},
        [TOP_CALLS_RATE] = {"CALLS/s", 7, 7, false},
        [TOP_P99] = {"P99/CALL", 8, 9, false},
        [TOP_QUALITY] = {"Q", 1, 6, true},
};
enum { UNIT_MAX = 32 };

const char *const top_view_help[] = {
        "spanallocctl top: which spans allocate heap, and how fast",
        "",
        "  Up Down k j   select a row          PgUp PgDn   a screen up, down",
        "  g Home        first row             G End       last row",
        "  < >  F6       sort column: left, right, next",
        "  I             the other way round",
        "  a n l c       sort by ALLOC/s, NET/s, ALLOC, CALLS/s",
        "  / \\           only rows with this text in span, path or unit",
        "  u             sum the processes of a unit",
        "  Space         hold the screen still",
        "  h F1 ?        this help             q F10 Esc   quit",
        "",
        "ALLOC, NET and rates count a span's children too.  NET is what it allocated",
        "less what it freed on its own threads; the rest may be freed elsewhere.",
        "Q: = exact, M cycles that another thread ended, L part of it lost, ~ estimated,",
        "- nothing counts the heap of this process: \"spanallocctl ps\" says why",
        NULL,
};

const char *top_view_heading_of(enum top_column column) {
        return looks[column].heading;
}

/* Room beyond the least goes to the names. */
static void share_rest(struct top_layout *layout, size_t rest) {
        for (size_t i = 0; i < layout->count; i++)
                if (layout->columns[i].column == TOP_UNIT) {
                        size_t most = UNIT_MAX - looks[TOP_UNIT].width, more = rest / 2 < most ? rest / 2 : most;

                        layout->columns[i].width += more;
                        rest -= more;
                }
        for (size_t i = 0; i < layout->count; i++)
                if (layout->columns[i].column == TOP_SPAN)
                        layout->columns[i].width += rest;
}

void top_layout_init(struct top_layout *layout, size_t width) {
        bool chosen[TOP_COLUMNS] = {[TOP_SPAN] = true};
        size_t used = looks[TOP_SPAN].width, x = 0;

        for (unsigned rank = 1; rank < TOP_COLUMNS; rank++)
                for (int i = 0; i < TOP_COLUMNS; i++)
                        if (looks[i].rank == rank && used + 1 + looks[i].width <= width) {
                                chosen[i] = true;
                                used += 1 + looks[i].width;
                        }
        *layout = (struct top_layout){.width = width};
        for (int i = 0; i < TOP_COLUMNS; i++)
                if (chosen[i]) {
                        layout->columns[layout->count].column = (enum top_column)i;
                        layout->columns[layout->count++].width = looks[i].width;
                }
        if (used <= width)
                share_rest(layout, width - used);
        else
                layout->columns[0].width = width;
        for (size_t i = 0; i < layout->count; i++) {
                layout->columns[i].x = x;
                x += layout->columns[i].width + 1;
        }
}

static void cut(char *text, size_t width) {
        char line[TOP_LINE_MAX] = "";

        if (text_width(text) > width) {
                text_fit(line, sizeof(line), text, width, false);
                strcpy(text, line);
        }
}

/* Parts that do not fit are left out, and a shorter one after them may still stand. */
static void add_part(char line[TOP_LINE_MAX], size_t width, const char *separator, const char *part) {
        size_t used = strlen(line), gap = used ? strlen(separator) : 0;

        if (text_width(line) + gap + text_width(part) <= width && used + gap + strlen(part) < TOP_LINE_MAX)
                snprintf(line + used, TOP_LINE_MAX - used, "%s%s", used ? separator : "", part);
}

static void add_count(char line[TOP_LINE_MAX], size_t width, uint64_t count, const char *what) {
        char part[128], number[FORMAT_MAX];

        snprintf(part, sizeof(part), "%s %s", format_short_count(number, count), what);
        add_part(line, width, ", ", part);
}

void top_view_header(const struct top_model *model, size_t width, char line[TOP_LINE_MAX]) {
        const struct top_summary *s = top_model_summary(model);
        char part[FORMAT_MAX], a[FORMAT_MAX];

        *line = '\0';
        if (s->time_ns) {
                snprintf(part, sizeof(part), "%.8s", format_clock(a, s->time_ns));
                add_part(line, width, "", part);
        }
        add_count(line, width, s->processes, s->processes == 1 ? "process" : "processes");
        add_count(line, width, s->threads, s->threads == 1 ? "thread" : "threads");
        add_count(line, width, s->records_rate, "records/s");
        add_count(line, width, s->refused, "refused");
        snprintf(part, sizeof(part), "coverage %.20s", format_ppm(a, s->coverage_ppm));
        add_part(line, width, ", ", part);
        if (s->uncounted)
                add_count(line, width, s->uncounted,
                          s->uncounted == 1 ? "process not counted" : "processes not counted");
        cut(line, width);
}

void top_view_heading(const struct top_layout *layout, char line[TOP_LINE_MAX]) {
        *line = '\0';
        for (size_t i = 0; i < layout->count; i++) {
                enum top_column column = layout->columns[i].column;

                if (i)
                        text_fit(line, TOP_LINE_MAX, "", 1, false);
                text_fit(line, TOP_LINE_MAX, looks[column].heading, layout->columns[i].width, !looks[column].left);
        }
}

/* Never a zero where nothing is known. */
static const char *counted(const struct top_row *row, const char *text) {
        return row->quality == TOP_UNCOUNTED ? "-" : text;
}

static const char *rated(const struct top_row *row, const char *text) {
        return row->rated ? text : "-";
}

static const char *cell(const struct top_row *row, enum top_column column, char buf[FORMAT_MAX]) {
        static const char *const qualities[] = {
                [TOP_EXACT] = "=", [TOP_MIGRATED] = "M", [TOP_LOST] = "L", [TOP_ESTIMATED] = "~", [TOP_UNCOUNTED] = "-",
        };

        switch (column) {
        case TOP_UNIT:
                return *row->unit ? row->unit : "-";
        case TOP_PID:
                if (row->processes == 1)
                        return format_count(buf, row->pid);
                snprintf(buf, FORMAT_MAX, "x%zu", row->processes);
                return buf;
        case TOP_SPAN:
                return row->span;
        case TOP_ALLOC_RATE:
                return counted(row, rated(row, format_bytes(buf, row->alloc_bytes_rate)));
        case TOP_ALLOCS_RATE:
                return counted(row, rated(row, format_short_count(buf, row->alloc_count_rate)));
        case TOP_NET_RATE:
                return counted(row, rated(row, format_net_bytes(buf, row->net_bytes_rate)));
        case TOP_ALLOC:
                return counted(row, format_bytes(buf, row->alloc_bytes));
        case TOP_NET:
                return counted(row, format_net_bytes(buf, row->net_bytes));
        case TOP_OPEN:
                return format_short_count(buf, row->open);
        case TOP_CALLS_RATE:
                return rated(row, format_short_count(buf, row->closed_rate));
        case TOP_P99:
                return row->closed ? counted(row, format_bytes(buf, row->p99)) : "-";
        case TOP_QUALITY:
                return qualities[row->quality];
        case TOP_COLUMNS:
                break;
        }
        return "";
}

void top_view_row(const struct top_layout *layout, const struct top_row *row, char line[TOP_LINE_MAX]) {
        char buf[FORMAT_MAX];

        *line = '\0';
        for (size_t i = 0; i < layout->count; i++) {
                enum top_column column = layout->columns[i].column;

                if (i)
                        text_fit(line, TOP_LINE_MAX, "", 1, false);
                text_fit(line, TOP_LINE_MAX, cell(row, column, buf), layout->columns[i].width, !looks[column].left);
        }
}

void top_view_footer(const struct top_model *model, size_t width, bool paused, char line[TOP_LINE_MAX]) {
        bool descending = top_model_is_descending(model);
        bool text = looks[top_model_sorted_by(model)].left;
        char part[256];

        snprintf(line, TOP_LINE_MAX, "by %s%s", looks[top_model_sorted_by(model)].heading,
                 text ? (descending ? ", from z" : "") : (descending ? "" : ", small first"));
        if (paused)
                add_part(line, width, "  ", "PAUSED");
        if (*top_model_filter_text(model)) {
                snprintf(part, sizeof(part), "filter \"%s\"", top_model_filter_text(model));
                add_part(line, width, "  ", part);
        }
        if (top_model_is_grouped(model))
                add_part(line, width, "  ", "summed by unit");
        if (top_model_count(model)) {
                snprintf(part, sizeof(part), "row %zu of %zu", top_model_selected(model) + 1, top_model_count(model));
                add_part(line, width, "  ", part);
        }
        add_part(line, width, "  ", "h help");
        add_part(line, width, "  ", "< > sort");
        add_part(line, width, "  ", "/ filter");
        add_part(line, width, "  ", "q quit");
        cut(line, width);
}
