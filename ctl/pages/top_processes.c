/* SPDX-License-Identifier: MIT */
/*
 * The list of processes: those that run by heap in use, then those that ended.  The page of one is in top_process.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/output/format.h"
#include "ctl/pages/top_lines.h"
#include "ctl/pages/top_ui.h"

/* ----------------------------------------------------------------------------------------------- order -- */

static int compare(const void *a, const void *b) {
        const struct top_member *x = *(const struct top_member *const *)a, *y = *(const struct top_member *const *)b;

        if (x->ended != y->ended)
                return x->ended ? 1 : -1;
        if (x->uncounted != y->uncounted)
                return x->uncounted ? 1 : -1;
        if (x->net_bytes != y->net_bytes)
                return x->net_bytes > y->net_bytes ? -1 : 1;
        return x->process < y->process ? -1 : 1;
}

/* The same rule as in the list of spans.  A program that executed the next one has that one's row. */
static bool is_left_out(const struct top_ui *ui, const struct top_member *member) {
        if (!member->matches)
                return true;
        return member->ended && (top_model_is_hiding_ended(ui->model) ||
                                 !strcmp(table_text(top_model_processes(ui->model), member->row, "ended"), "exec"));
}

/* The processes that are listed; NULL: there is none, or no memory.  Freed with free(). */
static const struct top_member **list(const struct top_ui *ui, size_t *ret_count) {
        const struct top_members *members = top_model_members(ui->model);
        const struct top_member **rows = members->count ? calloc(members->count, sizeof(*rows)) : NULL;
        size_t n = 0;

        for (size_t i = 0; rows && i < members->count; i++)
                if (!is_left_out(ui, &members->rows[i]))
                        rows[n++] = &members->rows[i];
        if (rows)
                qsort(rows, n, sizeof(*rows), compare);
        *ret_count = n;
        return rows;
}

static size_t find(const struct top_member *const *rows, size_t count, uint64_t process) {
        for (size_t i = 0; i < count; i++)
                if (rows[i]->process == process)
                        return i;
        return 0;
}

/* ------------------------------------------------------------------------------------------------ keys -- */

static void move(struct top_ui *ui, long by) {
        size_t n, at;
        const struct top_member **rows = list(ui, &n);

        if (n) {
                at = find(rows, n, ui->processes.selected);
                if (by < 0)
                        at -= (size_t)-by < at ? (size_t)-by : at;
                else
                        at = (size_t)by < n - at ? at + (size_t)by : n - 1;
                ui->processes.selected = rows[at]->process;
        }
        free(rows);
}

static void open_selected(struct top_ui *ui) {
        size_t n;
        const struct top_member **rows = list(ui, &n);

        if (n)
                top_process_open(ui, rows[find(rows, n, ui->processes.selected)]->process);
        free(rows);
}

static void time_selected(struct top_ui *ui) {
        size_t n;
        const struct top_member **rows = list(ui, &n);
        const struct top_member *member = n ? rows[find(rows, n, ui->processes.selected)] : NULL;

        if (member && member->ended)
                snprintf(ui->message, sizeof(ui->message), "This process has ended");
        else if (member)
                top_timing_of_process(ui, member->process, member->timed);
        free(rows);
}

void top_processes_open(struct top_ui *ui) {
        ui->mode = TOP_MODE_PROCESSES;
        ui->processes.selected = 0;
        ui->processes.first = 0;
        ui->ask_now = true; /* for the memory of each */
}

static void character_key(struct top_ui *ui, uint32_t c) {
        switch (c) {
        case 'k':
                move(ui, -1);
                break;
        case 'j':
                move(ui, 1);
                break;
        case 'g':
                move(ui, -INT32_MAX);
                break;
        case 'G':
                move(ui, INT32_MAX);
                break;
        case 'e':
                top_model_hide_ended(ui->model, !top_model_is_hiding_ended(ui->model));
                break;
        case ' ':
                ui->paused = !ui->paused;
                break;
        case 'T':
                time_selected(ui);
                break;
        case 'w':
                top_ui_open(ui, TOP_MODE_WARNINGS);
                break;
        case 'h':
        case '?':
                top_ui_open(ui, TOP_MODE_HELP);
                break;
        case 'p':
        case 'q':
                ui->mode = TOP_MODE_LIST;
                break;
        default:
                break;
        }
}

void top_processes_key(struct top_ui *ui, enum top_key key, uint32_t c) {
        long page = ui->page_rows ? (long)ui->page_rows : 1;

        if (key == TOP_KEY_CHARACTER)
                character_key(ui, c);
        else if (key == TOP_KEY_UP || key == TOP_KEY_DOWN)
                move(ui, key == TOP_KEY_UP ? -1 : 1);
        else if (key == TOP_KEY_PAGE_UP || key == TOP_KEY_PAGE_DOWN)
                move(ui, key == TOP_KEY_PAGE_UP ? -page : page);
        else if (key == TOP_KEY_HOME || key == TOP_KEY_END)
                move(ui, key == TOP_KEY_HOME ? -INT32_MAX : INT32_MAX);
        else if (key == TOP_KEY_ENTER)
                open_selected(ui);
        else if (key == TOP_KEY_ESCAPE)
                ui->mode = TOP_MODE_LIST;
        else if (key == TOP_KEY_F1)
                top_ui_open(ui, TOP_MODE_HELP);
        else if (key == TOP_KEY_F10)
                ui->quit = true;
}

/* --------------------------------------------------------------------------------------------- drawing -- */

enum column { PROCESS, UNIT, HEAP, HEAP_RATE, PEAK, RSS, ALLOC_RATE, THREADS, STATE, COLUMNS };

static const struct {
        const char *heading;
        size_t width; /* 0: of the texts */
        unsigned rank;
} looks[COLUMNS] = {
        [PROCESS] = {"PROCESS", 0, 0},    [UNIT] = {"UNIT", 0, 6},       [HEAP] = {"HEAP", 8, 1},
        [HEAP_RATE] = {"HEAP/s", 9, 2},   [PEAK] = {"PEAK", 8, 7},       [RSS] = {"RSS", 8, 3},
        [ALLOC_RATE] = {"ALLOC/s", 8, 4}, [THREADS] = {"THREADS", 7, 8}, [STATE] = {"STATE", 11, 5},
};

struct columns {
        size_t width[COLUMNS]; /* 0: it does not fit */
};

static struct columns choose(const struct top_member *const *rows, size_t count, size_t width) {
        enum { NAME_MAX = 32 };
        struct columns columns = {{0}};
        size_t names[2] = {7, 0}, used = 0;

        for (size_t i = 0; i < count; i++) {
                names[0] = rows[i]->process_width > names[0] ? rows[i]->process_width : names[0];
                names[1] = rows[i]->unit_width > names[1] ? rows[i]->unit_width : names[1];
        }
        if (names[1] && names[1] < strlen(looks[UNIT].heading))
                names[1] = strlen(looks[UNIT].heading);
        for (unsigned rank = 0; rank < COLUMNS; rank++)
                for (int i = 0; i < COLUMNS; i++) {
                        size_t own = looks[i].width ? looks[i].width : names[i == UNIT];

                        if (looks[i].rank != rank || !own)
                                continue;
                        own = own < NAME_MAX ? own : NAME_MAX;
                        if (used + own + (used > 0) > width)
                                return columns;
                        columns.width[i] = own;
                        used += own + (used > 0);
                }
        return columns;
}

static const char *state_of(const struct table *ps, const struct top_member *member) {
        if (member->ended)
                return *table_text(ps, member->row, "ended") ? table_text(ps, member->row, "ended") : "ended";
        return member->uncounted ? "not counted" : member->timed ? "timed" : "";
}

static const char *cell(const struct table *ps, const struct top_member *member, enum column column,
                        char buf[FORMAT_MAX]) {
        const uint64_t peak = table_uint(ps, member->row, "peak_net_bytes");

        switch (column) {
        case UNIT:
                return *member->unit ? member->unit : "-";
        case HEAP:
                return member->uncounted || member->ended
                               ? "-"
                               : format_bytes(buf, member->net_bytes > 0 ? (uint64_t)member->net_bytes : 0);
        case HEAP_RATE:
                return member->uncounted || member->ended || !member->rates.known
                               ? "-"
                               : format_net_bytes(buf, member->rates.net_bytes);
        case PEAK:
                return member->uncounted ? "-" : format_bytes(buf, peak);
        case RSS:
                return member->ended || table_column(ps, "rss_bytes") < 0
                               ? "-"
                               : format_bytes(buf, table_uint(ps, member->row, "rss_bytes"));
        case ALLOC_RATE:
                return member->uncounted || member->ended || !member->rates.known
                               ? "-"
                               : format_bytes(buf, member->rates.alloc_bytes);
        case THREADS:
                return format_count(buf, table_uint(ps, member->row, "threads"));
        default:
                return state_of(ps, member);
        }
}

static void put_heading(const struct columns *columns, struct top_page *page, size_t y) {
        for (int i = 0; i < COLUMNS; i++) {
                if (!columns->width[i])
                        continue;
                if (i)
                        top_page_fit(page, y, TOP_STYLE_HEADING, "", 1, false);
                top_page_fit(page, y, i == HEAP ? TOP_STYLE_SORTED : TOP_STYLE_HEADING, looks[i].heading,
                             columns->width[i], i >= HEAP && i != STATE);
        }
        top_page_pad(page, y, TOP_STYLE_HEADING, page->width);
}

static void put_row(const struct top_ui *ui, const struct columns *columns, const struct top_member *member,
                    struct top_page *page, size_t y) {
        const struct table *ps = top_model_processes(ui->model);
        enum top_style style = member->ended || !top_ui_is_current(ui) ? TOP_STYLE_DIM : TOP_STYLE_NORMAL;
        char buf[FORMAT_MAX], name[256];

        snprintf(name, sizeof(name), "%s[%" PRIu64 "]", member->comm, member->pid);
        for (int i = 0; i < COLUMNS; i++) {
                bool grows = i == HEAP_RATE && style == TOP_STYLE_NORMAL && member->rates.net_bytes > 0;

                if (!columns->width[i])
                        continue;
                if (i)
                        top_page_fit(page, y, style, "", 1, false);
                top_page_fit(page, y, grows ? TOP_STYLE_GROW : style,
                             i == PROCESS ? name : cell(ps, member, (enum column)i, buf), columns->width[i],
                             i >= HEAP && i != STATE);
        }
}

static void put_footer(const struct top_ui *ui, struct top_page *page) {
        char text[sizeof(ui->trouble) + 32];
        size_t y = page->height - 1;

        if (*ui->message)
                top_page_put(page, y, TOP_STYLE_WARNING, ui->message);
        else if (!top_ui_is_current(ui))
                top_page_put(page, y, TOP_STYLE_WARNING, top_ui_trouble(ui, text, sizeof(text)));
        else
                top_page_put(page, y, TOP_STYLE_DIM, "h help  Esc close  Enter page  T timing  e ended  w warnings");
}

void top_panel_processes(struct top_ui *ui, struct top_page *page) {
        enum { FOOTER_FROM = 6 };
        bool footer = page->height >= FOOTER_FROM;
        struct top_lines lines = {.page = page};
        size_t n, at, y = 1;
        const struct top_member **rows = list(ui, &n);
        struct columns columns = choose(rows, n, page->width);
        char title[256], narrowing[192];

        snprintf(title, sizeof(title), "Processes by heap in use%s; Enter opens one, Esc closes",
                 top_ui_narrowing(ui, narrowing, sizeof(narrowing)));
        top_lines_title(&lines, ui, title);
        if (page->height > 2)
                put_heading(&columns, page, y++);
        ui->page_rows = page->height > y + footer ? page->height - y - footer : 1;
        at = find(rows, n, ui->processes.selected);
        if (ui->processes.first > at)
                ui->processes.first = at;
        if (at >= ui->processes.first + ui->page_rows)
                ui->processes.first = at - ui->page_rows + 1;
        if (ui->processes.first + ui->page_rows > n)
                ui->processes.first = n > ui->page_rows ? n - ui->page_rows : 0;
        for (size_t i = ui->processes.first; i < n && y + footer < page->height; i++, y++) {
                put_row(ui, &columns, rows[i], page, y);
                if (i == at)
                        top_page_paint(page, y, TOP_STYLE_SELECTED);
        }
        if (!n)
                top_page_put(page, y, TOP_STYLE_NORMAL,
                             *top_model_filter_text(ui->model)         ? "No process matches the filter."
                             : top_model_members(ui->model)->count > 0 ? "All processes have ended; e shows them."
                                                                       : "No process is attached.");
        if (footer)
                put_footer(ui, page);
        free(rows);
}
