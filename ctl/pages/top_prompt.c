/* SPDX-License-Identifier: MIT */
/*
 * The prompts of top: filter and search, as they are typed.  What a filter leaves and a search finds is the model's.
 */
#include <stdio.h>
#include <string.h>

#include "ctl/pages/top_ui.h"

void top_prompt_begin(struct top_ui *ui, enum top_mode mode) {
        ui->mode = mode;
        snprintf(ui->before, sizeof(ui->before), "%s", top_model_filter_text(ui->model));
        snprintf(ui->prompt, sizeof(ui->prompt), "%s", mode == TOP_MODE_FILTER ? ui->before : "");
}

/* The filter and the search work while they are typed; Esc brings back what was there before. */
static void prompt_changed(struct top_ui *ui) {
        if (ui->mode == TOP_MODE_FILTER)
                top_model_filter(ui->model, ui->prompt);
        else
                top_model_search(ui->model, ui->prompt, 0);
}

void top_prompt_search_again(struct top_ui *ui, int step) {
        if (*ui->search && !top_model_search(ui->model, ui->search, step))
                snprintf(ui->message, sizeof(ui->message), "No row has \"%s\" in its names", ui->search);
}

static void prompt_end(struct top_ui *ui, bool taken) {
        bool searching = ui->mode == TOP_MODE_SEARCH;

        ui->mode = TOP_MODE_LIST;
        if (!searching && !taken)
                top_model_filter(ui->model, ui->before);
        if (!searching || !taken)
                return;
        if (*ui->prompt)
                snprintf(ui->search, sizeof(ui->search), "%s", ui->prompt);
        top_prompt_search_again(ui, *ui->prompt ? 0 : 1);
}

void top_prompt_key(struct top_ui *ui, enum top_key key, const char *utf8) {
        size_t used = strlen(ui->prompt);

        switch (key) {
        case TOP_KEY_ESCAPE:
                prompt_end(ui, false);
                break;
        case TOP_KEY_ENTER:
                prompt_end(ui, true);
                break;
        case TOP_KEY_BACKSPACE:
                while (used && ((unsigned char)ui->prompt[--used] & 0xc0) == 0x80)
                        ;
                ui->prompt[used] = '\0';
                prompt_changed(ui);
                break;
        case TOP_KEY_CHARACTER:
                if (*utf8 && used + strlen(utf8) < sizeof(ui->prompt)) {
                        strcpy(ui->prompt + used, utf8);
                        prompt_changed(ui);
                }
                break;
        default:
                break;
        }
}
