/* SPDX-License-Identifier: MIT */
/*
 * The key that switches timing: which processes it is for.  The request is sent by top_refresh.c.
 */
#include <stdio.h>
#include <string.h>

#include "ctl/pages/top_ui.h"

void top_timing_refuse(struct top_ui *ui) {
        if (ui->timing.wanted)
                ui->timing.wanted = ui->timing.unseen = false;
        snprintf(ui->message, sizeof(ui->message), "No collector answers: timing is not changed");
}

void top_timing_doubt(struct top_ui *ui) {
        snprintf(ui->message, sizeof(ui->message), "No answer yet: timing changes when the collector goes on");
}

void top_timing_lose(struct top_ui *ui) {
        ui->timing.wanted = ui->timing.unseen = false;
        snprintf(ui->message, sizeof(ui->message),
                 "The connection was lost before the answer: timing may have changed");
}

/* Rows do not show the latest wish before they come again: another key takes that one back. */
static void want(struct top_ui *ui, struct top_timing wish) {
        const struct top_timing *last = &ui->timing;

        if (!top_ui_is_current(ui)) {
                top_timing_refuse(ui);
                return;
        }
        if (last->unseen && last->process == wish.process && !strcmp(last->unit, wish.unit))
                wish.on = !last->on;
        wish.at_ns = ui->now_ns;
        wish.wanted = wish.unseen = ui->ask_now = true;
        ui->timing = wish;
}

void top_timing_of_process(struct top_ui *ui, uint64_t process, bool timed) {
        want(ui, (struct top_timing){.on = !timed, .process = process});
}

static void time_unit(struct top_ui *ui, const struct top_row *row) {
        struct top_timing wish = {.on = !row->timed};

        snprintf(wish.unit, sizeof(wish.unit), "%s", row->unit);
        want(ui, wish);
}

/* A request is for one process or one whole unit: a row that sums anything else is refused. */
void top_timing_of_row(struct top_ui *ui) {
        struct top_row row;

        if (!top_model_row(ui->model, top_model_selected(ui->model), &row))
                return;
        if (row.kind == TOP_ROW_SPAN || row.kind == TOP_ROW_PROCESS)
                top_timing_of_process(ui, row.process, row.timed);
        else if (row.kind == TOP_ROW_UNIT && *row.unit && !ui->pid)
                time_unit(ui, &row);
        else
                snprintf(ui->message, sizeof(ui->message), "T times one process%s: select a row of one process",
                         row.kind == TOP_ROW_UNIT && !ui->pid ? " or one unit" : "");
}
