/* SPDX-License-Identifier: MIT */
/*
 * Which row is selected and which is the first that is seen; search.  The rows are built in top_list.c and top_tree.c.
 */
#include "ctl/model/top_list.h"

void top_selection_keep_inside(struct top_model *model) {
        size_t last = model->n_items ? model->n_items - 1 : 0;
        size_t visible = model->visible ? model->visible : 1;

        if (model->selected > last)
                model->selected = last;
        if (model->first > model->selected)
                model->first = model->selected;
        if (model->selected - model->first >= visible)
                model->first = model->selected - visible + 1;
        /* No empty lines at the end while there are rows above. */
        if (model->n_items <= visible)
                model->first = 0;
        else if (model->first > model->n_items - visible)
                model->first = model->n_items - visible;
}

static uint64_t identity_at(const struct top_model *model, size_t index) {
        struct top_row row;

        return top_model_row(model, index, &row) ? top_list_identity(&row) : 0;
}

void top_selection_remember(struct top_model *model) {
        model->selected_identity = identity_at(model, model->selected);
}

void top_selection_find(struct top_model *model) {
        if (!model->selected_identity || identity_at(model, model->selected) == model->selected_identity)
                return;
        for (size_t i = 0; i < model->n_items; i++)
                if (identity_at(model, i) == model->selected_identity) {
                        model->selected = i;
                        return;
                }
}

static bool row_has(const struct top_row *row, const char *text) {
        return top_list_contains(row->span, text) || top_list_contains(row->unit, text) ||
               top_list_contains(row->comm, text);
}

bool top_model_search(struct top_model *model, const char *text, int step) {
        size_t n = model->n_items, at = model->selected;
        struct top_row row;

        for (size_t i = 0; i < n && *text; i++) {
                if (i > 0 || step)
                        at = (at + n + (step < 0 ? n - 1 : 1)) % n;
                if (!top_model_row(model, at, &row) || !row_has(&row, text))
                        continue;
                model->selected = at;
                top_selection_keep_inside(model);
                top_selection_remember(model);
                return true;
        }
        return false;
}

void top_model_set_visible(struct top_model *model, size_t visible) {
        model->visible = visible;
        top_selection_keep_inside(model);
}

void top_model_move(struct top_model *model, long rows) {
        size_t last = model->n_items ? model->n_items - 1 : 0;

        if (rows < 0)
                model->selected = (size_t)-rows > model->selected ? 0 : model->selected - (size_t)-rows;
        else
                model->selected = (size_t)rows > last - model->selected ? last : model->selected + (size_t)rows;
        top_selection_keep_inside(model);
        top_selection_remember(model);
}

void top_model_follow(struct top_model *model, bool follow) {
        model->follow = follow;
        top_selection_remember(model);
}

bool top_model_is_following(const struct top_model *model) {
        return model->follow;
}

size_t top_model_selected(const struct top_model *model) {
        return model->selected;
}

size_t top_model_first(const struct top_model *model) {
        return model->first;
}
