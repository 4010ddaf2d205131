/* SPDX-License-Identifier: MIT */
/*
 * Keys, and which view they open.  Prompts are in top_prompt.c, the list of processes in top_processes.c, the switch of timing
 * in top_timing.c.  The views are drawn by top_view.c, top_panels.c, top_details.c and top_process.c.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "ctl/pages/top_ui.h"

/* Beyond the end of any view: it is drawn from its last screen. */
enum { SCROLL_MAX = 1 << 20 };

/* --------------------------------------------------------------------------------------------- details -- */

void top_ui_deinit(struct top_ui *ui) {
        top_ui_take_details(ui, NULL, NULL);
}

void top_ui_take_details(struct top_ui *ui, struct table *spans, struct table *tree) {
        table_free(ui->details.spans);
        table_free(ui->details.tree);
        ui->details.spans = spans;
        ui->details.tree = tree;
}

/* Names the processes that the row sums. */
static void put_title(struct top_ui *ui, const struct top_row *row) {
        const char *unit = row->kind == TOP_ROW_NAME ? ui->unit : *row->unit ? row->unit : "no unit";
        char *title = ui->details.title, processes[40] = "all processes";
        size_t size = sizeof(ui->details.title);

        if (row->kind == TOP_ROW_SPAN) {
                snprintf(title, size, "%.64s[%llu]%s%.200s", row->comm, (unsigned long long)row->pid,
                         *row->unit ? " of " : "", row->unit);
                return;
        }
        if (ui->pid)
                snprintf(processes, sizeof(processes), "--pid %llu", (unsigned long long)ui->pid);
        snprintf(title, size, "%s%s%.200s", processes, unit ? " of " : "", unit ? unit : "");
}

static bool has_number(enum top_mode mode) {
        return mode == TOP_MODE_DETAILS || mode == TOP_MODE_PROCESS;
}

void top_ui_forget_processes(struct top_ui *ui) {
        if (has_number(ui->mode))
                ui->mode = TOP_MODE_LIST;
        if (has_number(ui->under))
                ui->under = TOP_MODE_LIST;
        ui->processes.selected = 0;
}

void top_ui_open(struct top_ui *ui, enum top_mode mode) {
        ui->under = ui->mode;
        ui->mode = mode;
        ui->scroll = 0;
}

static void open_details(struct top_ui *ui) {
        struct top_details *details = &ui->details;
        struct top_row row;

        if (!top_model_row(ui->model, top_model_selected(ui->model), &row))
                return;
        if (row.kind == TOP_ROW_PROCESS) {
                top_process_open(ui, row.process);
                return;
        }
        if (row.kind == TOP_ROW_UNIT) {
                snprintf(ui->message, sizeof(ui->message),
                         "Details are of a process or a span: select one below; + unfolds, - folds");
                return;
        }
        if (!top_ui_is_current(ui)) {
                snprintf(ui->message, sizeof(ui->message),
                         "No collector answers: the details of a span need an answer");
                return;
        }
        top_ui_take_details(ui, NULL, NULL);
        details->process = row.kind == TOP_ROW_SPAN ? row.process : 0;
        details->all_units = row.kind == TOP_ROW_NAME;
        details->row = row;
        details->number++;
        details->slot = row.kind == TOP_ROW_SPAN ? row.slot : TOP_NONE;
        snprintf(details->span, sizeof(details->span), "%s", row.span);
        snprintf(details->unit, sizeof(details->unit), "%s", row.unit);
        put_title(ui, &row);
        ui->mode = TOP_MODE_DETAILS;
        ui->scroll = 0;
        ui->ask_now = true;
}

/* ------------------------------------------------------------------------------------------------ list -- */

/* The next shown column to the right or left of the one that sorts, round the ends. */
static void step_sort(struct top_ui *ui, int step) {
        const struct top_layout *layout = &ui->layout;
        size_t at = step > 0 ? layout->count - 1 : 0;

        for (size_t i = 0; i < layout->count; i++)
                if (layout->columns[i].column == top_model_sorted_by(ui->model))
                        at = i;
        if (layout->count)
                top_model_sort(ui->model, layout->columns[(at + layout->count + (size_t)step) % layout->count].column);
}

static void set_shape(struct top_ui *ui, enum top_shape shape) {
        enum top_shape was = top_model_shape(ui->model), next = was == shape ? TOP_FLAT : shape;
        bool asks = (was == TOP_TREE) != (next == TOP_TREE);

        if (asks && !top_ui_is_current(ui)) {
                snprintf(ui->message, sizeof(ui->message), "No collector answers: %s an answer",
                         next == TOP_TREE ? "the tree needs" : "rows without the tree need");
                return;
        }
        top_model_set_shape(ui->model, next);
        ui->ask_now |= asks;
}

static void escape(struct top_ui *ui) {
        if (*top_model_filter_text(ui->model))
                top_model_filter(ui->model, "");
}

static void sort_by(struct top_ui *ui, enum top_column column) {
        top_model_sort(ui->model, column);
        ui->ask_now |= column == TOP_P99 || column == TOP_NET_CALL || column == TOP_TIME || column == TOP_BUSY;
}

static void open_sort(struct top_ui *ui) {
        ui->mode = TOP_MODE_SORT;
        ui->menu = top_model_sorted_by(ui->model);
}

static void character_key(struct top_ui *ui, uint32_t c) {
        struct top_model *model = ui->model;

        switch (c) {
        case 'k':
                top_model_move(model, -1);
                break;
        case 'j':
                top_model_move(model, 1);
                break;
        case 'g':
                top_model_move(model, -LONG_MAX);
                break;
        case 'G':
                top_model_move(model, LONG_MAX);
                break;
        case '<':
                step_sort(ui, -1);
                break;
        case '>':
                step_sort(ui, 1);
                break;
        case 'I':
                top_model_set_descending(model, !top_model_is_descending(model));
                break;
        case 'a':
                sort_by(ui, TOP_ALLOC_RATE);
                break;
        case 'n':
                sort_by(ui, TOP_NET_RATE);
                break;
        case 'l':
                sort_by(ui, TOP_ALLOC);
                break;
        case 'c':
                sort_by(ui, TOP_CALLS_RATE);
                break;
        case 's':
                open_sort(ui);
                break;
        case 't':
                set_shape(ui, TOP_TREE);
                break;
        case 'u':
                set_shape(ui, TOP_BY_UNIT);
                break;
        case 'b':
                set_shape(ui, TOP_BY_NAME);
                break;
        case 'p':
                top_processes_open(ui);
                break;
        case 'e':
                top_model_hide_ended(model, !top_model_is_hiding_ended(model));
                break;
        case 'T':
                top_timing_of_row(ui);
                break;
        case 'F':
                top_model_follow(model, !top_model_is_following(model));
                break;
        case '+':
                top_model_fold(model, false);
                break;
        case '-':
                top_model_fold(model, true);
                break;
        case '*':
                top_model_fold_all(model);
                break;
        case '/':
                top_prompt_begin(ui, TOP_MODE_SEARCH);
                break;
        case '\\':
                top_prompt_begin(ui, TOP_MODE_FILTER);
                break;
        case ' ':
                ui->paused = !ui->paused;
                break;
        case 'w':
                top_ui_open(ui, TOP_MODE_WARNINGS);
                break;
        case 'h':
        case '?':
                top_ui_open(ui, TOP_MODE_HELP);
                break;
        case 'q':
                ui->quit = true;
                break;
        default:
                break;
        }
}

static void list_key(struct top_ui *ui, enum top_key key, uint32_t c) {
        struct top_model *model = ui->model;
        long page = ui->page_rows ? (long)ui->page_rows : 1;

        switch (key) {
        case TOP_KEY_CHARACTER:
                character_key(ui, c);
                break;
        case TOP_KEY_UP:
                top_model_move(model, -1);
                break;
        case TOP_KEY_DOWN:
                top_model_move(model, 1);
                break;
        case TOP_KEY_PAGE_UP:
                top_model_move(model, -page);
                break;
        case TOP_KEY_PAGE_DOWN:
                top_model_move(model, page);
                break;
        case TOP_KEY_HOME:
                top_model_move(model, -LONG_MAX);
                break;
        case TOP_KEY_END:
                top_model_move(model, LONG_MAX);
                break;
        case TOP_KEY_LEFT:
                top_model_fold(model, true);
                break;
        case TOP_KEY_RIGHT:
                top_model_fold(model, false);
                break;
        case TOP_KEY_ENTER:
                open_details(ui);
                break;
        case TOP_KEY_ESCAPE:
                escape(ui);
                break;
        case TOP_KEY_F1:
                character_key(ui, 'h');
                break;
        case TOP_KEY_F3:
                top_prompt_search_again(ui, 1);
                break;
        case TOP_KEY_F4:
                character_key(ui, '\\');
                break;
        case TOP_KEY_F5:
                character_key(ui, 't');
                break;
        case TOP_KEY_F6:
                open_sort(ui);
                break;
        case TOP_KEY_F10:
                ui->quit = true;
                break;
        default:
                break;
        }
}

/* -------------------------------------------------------------------------------------- what is over it -- */

static void menu_key(struct top_ui *ui, enum top_key key, uint32_t c) {
        if (key == TOP_KEY_UP || (key == TOP_KEY_CHARACTER && c == 'k'))
                ui->menu -= ui->menu > 0;
        else if (key == TOP_KEY_DOWN || (key == TOP_KEY_CHARACTER && c == 'j'))
                ui->menu += ui->menu + 1 < TOP_COLUMNS;
        else if (key == TOP_KEY_HOME)
                ui->menu = 0;
        else if (key == TOP_KEY_END)
                ui->menu = TOP_COLUMNS - 1;
        else if (key == TOP_KEY_CHARACTER && c == 'I')
                top_model_set_descending(ui->model, !top_model_is_descending(ui->model));
        else if (key == TOP_KEY_ENTER) {
                sort_by(ui, (enum top_column)ui->menu);
                ui->mode = TOP_MODE_LIST;
        } else if (key == TOP_KEY_ESCAPE || key == TOP_KEY_F6 || (key == TOP_KEY_CHARACTER && (c == 's' || c == 'q')))
                ui->mode = TOP_MODE_LIST;
}

/* True if the key closes the open view: Esc, q, Enter, or what opened it. */
static bool closes_panel(const struct top_ui *ui, enum top_key key, uint32_t c) {
        if (key == TOP_KEY_ESCAPE || key == TOP_KEY_ENTER || (key == TOP_KEY_CHARACTER && c == 'q'))
                return true;
        if (ui->mode == TOP_MODE_HELP)
                return key == TOP_KEY_F1 || (key == TOP_KEY_CHARACTER && (c == 'h' || c == '?'));
        return ui->mode == TOP_MODE_WARNINGS && key == TOP_KEY_CHARACTER && c == 'w';
}

/* Of help, warnings and details. */
static void panel_key(struct top_ui *ui, enum top_key key, uint32_t c) {
        size_t page = ui->page_rows ? ui->page_rows : 1;

        if (key == TOP_KEY_UP || (key == TOP_KEY_CHARACTER && c == 'k'))
                ui->scroll -= ui->scroll > 0;
        else if (key == TOP_KEY_DOWN || (key == TOP_KEY_CHARACTER && c == 'j'))
                ui->scroll++;
        else if (key == TOP_KEY_PAGE_UP)
                ui->scroll -= ui->scroll < page ? ui->scroll : page;
        else if (key == TOP_KEY_PAGE_DOWN)
                ui->scroll += page;
        else if (key == TOP_KEY_HOME || (key == TOP_KEY_CHARACTER && c == 'g'))
                ui->scroll = 0;
        else if (key == TOP_KEY_END || (key == TOP_KEY_CHARACTER && c == 'G'))
                ui->scroll = SCROLL_MAX;
        else if (key == TOP_KEY_CHARACTER && c == ' ')
                ui->paused = !ui->paused;
        else if (key == TOP_KEY_F10)
                ui->quit = true;
        else if (ui->mode == TOP_MODE_DETAILS && key == TOP_KEY_CHARACTER && c == 'p' && ui->details.process)
                top_process_open(ui, ui->details.process);
        else if (closes_panel(ui, key, c) && ui->mode == TOP_MODE_PROCESS)
                top_process_close(ui);
        else if (closes_panel(ui, key, c))
                ui->mode = ui->mode == TOP_MODE_DETAILS ? TOP_MODE_LIST : ui->under;
}

void top_ui_key(struct top_ui *ui, enum top_key key, uint32_t character, const char *utf8) {
        ui->message[0] = ui->restarted[0] = '\0';
        switch (ui->mode) {
        case TOP_MODE_LIST:
                list_key(ui, key, character);
                break;
        case TOP_MODE_SORT:
                menu_key(ui, key, character);
                break;
        case TOP_MODE_FILTER:
        case TOP_MODE_SEARCH:
                top_prompt_key(ui, key, utf8);
                break;
        case TOP_MODE_HELP:
        case TOP_MODE_WARNINGS:
        case TOP_MODE_DETAILS:
        case TOP_MODE_PROCESS:
                panel_key(ui, key, character);
                break;
        case TOP_MODE_PROCESSES:
                top_processes_key(ui, key, character);
                break;
        case TOP_MODES:
                break;
        }
}

static int draw(struct top_ui *ui, struct top_page *page, size_t width, size_t height) {
        int r = top_page_begin(page, width, height);

        if (r < 0)
                return r;
        if (ui->mode == TOP_MODE_HELP)
                top_panel_help(ui, page);
        else if (ui->mode == TOP_MODE_WARNINGS)
                top_panel_warnings(ui, page);
        else if (ui->mode == TOP_MODE_DETAILS)
                top_panel_details(ui, page);
        else if (ui->mode == TOP_MODE_PROCESSES)
                top_panel_processes(ui, page);
        else if (ui->mode == TOP_MODE_PROCESS)
                top_panel_process(ui, page);
        else
                top_view_list(ui, page);
        return 0;
}

int top_ui_draw(struct top_ui *ui, struct top_page *page, size_t width, size_t height) {
        size_t scroll;
        int r;

        /* A view that was scrolled beyond its end is drawn again from where it can be. */
        do {
                scroll = ui->scroll;
                r = draw(ui, page, width ? width : 1, height ? height : 1);
        } while (r == 0 && ui->scroll < scroll);
        return r;
}
