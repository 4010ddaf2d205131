/* SPDX-License-Identifier: MIT */
/*
 * The model's interface: feeding, sorting, filter, folds.  The selection is in top_selection.c; rows become a list in
 * top_list.c, a tree in top_tree.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/model/top_list.h"
#include "ctl/model/top_tree.h"
#include "ctl/rows/outside.h"

static void forget_totals(struct top_model *model) {
        for (int i = 0; i < TOP_HISTORY; i++)
                model->totals[TOP_TOTAL_HEAP][i] = model->totals[TOP_TOTAL_RATE][i] = -1;
}

int top_model_new(struct top_model **ret) {
        struct top_model *model = calloc(1, sizeof(*model));

        if (!model)
                return -ENOMEM;
        model->visible = SIZE_MAX;
        model->complete = true;
        model->sort = TOP_ALLOC_RATE;
        model->descending = true;
        model->filter_number = 1;
        forget_totals(model);
        *ret = model;
        return 0;
}

struct top_model *top_model_free(struct top_model *model) {
        if (model) {
                top_store_deinit(&model->flat);
                top_store_deinit(&model->tree);
                top_members_deinit(&model->members);
                free(model->folds);
                free(model->sums);
                free(model->items);
                free(model->ordered);
                free(model->spare);
                free(model->scratch);
                free(model);
        }
        return NULL;
}

/* A process is listed if the filter has its name, its unit, or one of its rows. */
static void filter_members(struct top_model *model) {
        const struct top_store *store = top_list_store(model);

        for (size_t i = 0; i < model->members.count; i++) {
                struct top_member *member = &model->members.rows[i];

                member->matches = !*model->filter || top_list_contains(member->unit, model->filter) ||
                                  top_list_contains(member->comm, model->filter);
        }
        for (uint32_t i = 0; i < store->n && *model->filter; i++) {
                struct top_slot *slot = top_store_at(store, i);

                if (slot->member != TOP_NONE && top_list_fits_filter(model, slot))
                        model->members.rows[slot->member].matches = true;
        }
}

/* `keep`: the selection stays on its row, not on its line. */
static int rebuild(struct top_model *model, bool keep) {
        int r = model->shape == TOP_TREE ? top_tree_build(model) : top_list_build(model);

        if (r < 0)
                model->n_items = 0;
        model->widths = top_list_widths(model);
        filter_members(model);
        if (keep || model->follow)
                top_selection_find(model);
        top_selection_keep_inside(model);
        top_selection_remember(model);
        return r < 0 ? -ENOMEM : 0;
}

/* --------------------------------------------------------------------------------------------- feeding -- */

bool top_model_knows(const struct top_model *model, const struct top_samples *samples) {
        const struct top_store *store = model->shape == TOP_TREE ? &model->tree : &model->flat;

        for (size_t i = 0; i < samples->count; i++) {
                const struct top_sample *row = &samples->rows[i];

                if (i < store->n && top_store_at(store, (uint32_t)i)->process == row->process &&
                    top_store_at(store, (uint32_t)i)->key == row->key)
                        continue;
                if (top_store_find(store, row->process, row->key) == TOP_NONE)
                        return false;
        }
        return true;
}

static bool is_uncounted(const struct top_model *model, uint32_t member) {
        return member != TOP_NONE && model->members.rows[member].uncounted;
}

static int put_row(struct top_model *model, struct top_store *store, const struct top_sample *row, uint32_t member) {
        char label[OUTSIDE_LABEL_MAX];
        const char *name = row->thread && *row->thread ? outside_label(row->thread, label) : row->span;
        struct top_slot *slot = top_store_put(store, row->process, row->key, &row->sums, name, row->path);

        if (!slot)
                return -ENOMEM;
        if (name && member != TOP_NONE && top_short_span(name, model->members.rows[member].comm) != name)
                slot->span_width = sizeof(WIRE_OUTSIDE) - 1;
        slot->parent_key = row->parent_key;
        top_slot_belong(slot, member, is_uncounted(model, member));
        return 0;
}

/* Carries over the unchanged processes before `process`. */
static int carry_rows(struct top_model *model, struct top_store *store, const struct top_samples *samples, size_t *at,
                      uint64_t process) {
        int r = 0;

        for (; *at < samples->unchanged_count && samples->unchanged[*at] < process && r == 0; (*at)++) {
                uint32_t member = top_members_find(&model->members, samples->unchanged[*at]);

                r = top_store_carry(store, samples->unchanged[*at], member, is_uncounted(model, member));
        }
        return r;
}

static int put_rows(struct top_model *model, struct top_store *store, const struct top_samples *samples) {
        uint32_t member = TOP_NONE;
        uint64_t process = 0;
        size_t carried = 0;
        int r = 0;

        top_store_begin(store, samples->time_ns);
        for (size_t i = 0; i < samples->count && r == 0; i++) {
                const struct top_sample *row = &samples->rows[i];

                if (i == 0 || row->process != process) {
                        process = row->process;
                        member = top_members_find(&model->members, process);
                        r = carry_rows(model, store, samples, &carried, process);
                }
                if (r == 0)
                        r = put_row(model, store, row, member);
        }
        if (r == 0)
                r = carry_rows(model, store, samples, &carried, UINT64_MAX);
        if (r < 0)
                return r;
        if (samples->complete)
                store->answer = samples->answer;
        return top_store_end(store);
}

static void note_totals(struct top_model *model, const struct top_summary *now) {
        uint32_t at = ++model->answers % TOP_HISTORY;

        model->totals[TOP_TOTAL_HEAP][at] = !now->heap_known ? -1 : now->heap_bytes > 0 ? (double)now->heap_bytes : 0;
        model->totals[TOP_TOTAL_RATE][at] = now->rates_known ? (double)now->alloc_rate : -1;
}

int top_model_feed(struct top_model *model, const struct top_samples *samples, struct table *processes,
                   const struct table *status) {
        struct top_summary summary = top_summary_read(samples->time_ns, processes, status);
        struct top_members members = {0};
        int r = top_members_take(&members, processes);

        if (r == 0) {
                top_summary_compare(&summary, &members, &model->summary, &model->members);
                top_members_deinit(&model->members);
                model->members = members;
                r = put_rows(model, top_list_store(model), samples);
        }
        if (r < 0) {
                top_model_forget(model);
                return r;
        }
        note_totals(model, &summary);
        model->summary = summary;
        model->complete = samples->complete;
        /* Processes come and go, and with them what a filter finds in their names. */
        return rebuild(model, false);
}

uint64_t top_model_answer(const struct top_model *model) {
        return model->shape == TOP_TREE ? 0 : model->flat.answer;
}

void top_model_forget(struct top_model *model) {
        top_store_forget(&model->flat);
        top_store_forget(&model->tree);
        model->epoch++;
        model->n_items = 0;
        model->summary.time_ns = 0;
        forget_totals(model);
}

uint32_t top_model_epoch(const struct top_model *model) {
        return model->epoch;
}

bool top_model_has_answer(const struct top_model *model) {
        return (model->shape == TOP_TREE ? &model->tree : &model->flat)->time_ns > 0;
}

/* --------------------------------------------------------------------------------------------- reading -- */

bool top_model_wants_time(const struct top_model *model) {
        return model->summary.timed || model->sort == TOP_TIME || model->sort == TOP_BUSY;
}

const struct top_summary *top_model_summary(const struct top_model *model) {
        return &model->summary;
}

const struct table *top_model_processes(const struct top_model *model) {
        return model->members.table;
}

const struct top_members *top_model_members(const struct top_model *model) {
        return &model->members;
}

void top_model_rows_of(const struct top_model *model, uint64_t process, void (*each)(const struct top_row *, void *),
                       void *userdata) {
        const struct top_store *store = model->shape == TOP_TREE ? &model->tree : &model->flat;
        struct top_row row;

        for (uint32_t i = 0; i < store->n; i++) {
                if (top_store_at(store, i)->process != process || !top_list_fits_filter(model, top_store_at(store, i)))
                        continue;
                top_list_fill(model, top_store_at(store, i), &row);
                each(&row, userdata);
        }
}

bool top_model_sums(const struct top_model *model, uint64_t process, const char *span, const char *path) {
        uint32_t at = top_members_find(&model->members, process);
        const struct top_member *member = at == TOP_NONE ? NULL : &model->members.rows[at];

        if (model->hide_ended && member && member->ended)
                return false;
        return !*model->filter || top_list_contains(span, model->filter) || top_list_contains(path, model->filter) ||
               (member &&
                (top_list_contains(member->unit, model->filter) || top_list_contains(member->comm, model->filter)));
}

bool top_model_is_complete(const struct top_model *model) {
        return model->complete;
}

bool top_model_total(const struct top_model *model, enum top_total total, uint32_t back, double *ret) {
        double value = back < TOP_HISTORY && back < model->answers
                               ? model->totals[total][(model->answers - back) % TOP_HISTORY]
                               : -1;

        if (value < 0)
                return false;
        *ret = value;
        return true;
}

bool top_model_history(const struct top_model *model, uint32_t slot, uint32_t back, double *ret_rate, double *ret_net) {
        return top_store_history(model->shape == TOP_TREE ? &model->tree : &model->flat, slot, back, ret_rate, ret_net);
}

struct top_widths top_model_widths(const struct top_model *model) {
        return model->widths;
}

size_t top_model_count(const struct top_model *model) {
        return model->n_items;
}

bool top_model_row(const struct top_model *model, size_t index, struct top_row *ret) {
        const struct top_store *store = model->shape == TOP_TREE ? &model->tree : &model->flat;
        const struct top_item *item = &model->items[index];

        if (index >= model->n_items)
                return false;
        if (item->kind == TOP_ROW_SPAN)
                top_list_fill(model, &store->slots[item->index], ret);
        else
                *ret = model->sums[item->index];
        ret->depth = item->depth;
        ret->last = item->last;
        ret->has_below = item->has_below;
        ret->folded = item->folded;
        return true;
}

/* -------------------------------------------------------------------------------------------- settings -- */

void top_model_sort(struct top_model *model, enum top_column column) {
        model->sort = column;
        model->descending = column != TOP_UNIT && column != TOP_PROCESS && column != TOP_SPAN;
        rebuild(model, false);
}

void top_model_set_descending(struct top_model *model, bool descending) {
        model->descending = descending;
        rebuild(model, false);
}

enum top_column top_model_sorted_by(const struct top_model *model) {
        return model->sort;
}

bool top_model_is_descending(const struct top_model *model) {
        return model->descending;
}

int top_model_find_column(const char *spans_column) {
        static const char *const names[TOP_COLUMNS] = {
                [TOP_UNIT] = "unit",
                [TOP_PROCESS] = "pid",
                [TOP_SPAN] = "span",
                [TOP_ALLOC_RATE] = "alloc_bytes_rate_10s",
                [TOP_ALLOCS_RATE] = "alloc_count",
                [TOP_ALLOC] = "alloc_bytes",
                [TOP_NET] = "net_bytes",
                [TOP_NET_CALL] = "net_per_call",
                [TOP_OPEN] = "open",
                [TOP_CALLS_RATE] = "closed",
                [TOP_P99] = "per_call",
                [TOP_TIME] = "timed_calls_ns",
                [TOP_BUSY] = "busy_ns",
                [TOP_QUALITY] = "quality",
        };

        for (int i = 0; i < TOP_COLUMNS; i++)
                if (names[i] && !strcmp(names[i], spans_column))
                        return i;
        return -1;
}

void top_model_filter(struct top_model *model, const char *text) {
        model->filter[0] = '\0';
        strncat(model->filter, text, sizeof(model->filter) - 1);
        model->filter_number++;
        rebuild(model, true);
}

const char *top_model_filter_text(const struct top_model *model) {
        return model->filter;
}

void top_model_hide_ended(struct top_model *model, bool hide) {
        model->hide_ended = hide;
        rebuild(model, true);
}

bool top_model_is_hiding_ended(const struct top_model *model) {
        return model->hide_ended;
}

void top_model_set_shape(struct top_model *model, enum top_shape shape) {
        bool was_tree = model->shape == TOP_TREE;

        model->shape = shape;
        model->filter_number++; /* what fits is remembered with each row */
        if (was_tree != (shape == TOP_TREE)) {
                /* Rates are differences to the answer before, which was of the other kind. */
                top_store_forget(&model->flat);
                top_store_forget(&model->tree);
                model->epoch++;
        }
        rebuild(model, false);
}

enum top_shape top_model_shape(const struct top_model *model) {
        return model->shape;
}

/* --------------------------------------------------------------------------------------------- folding -- */

static void set_fold(struct top_model *model, uint64_t identity, bool fold) {
        for (size_t i = 0; i < model->n_folds; i++)
                if (model->folds[i] == identity) {
                        if (!fold)
                                model->folds[i] = model->folds[--model->n_folds];
                        return;
                }
        if (!fold)
                return;
        if (model->n_folds == model->folds_room) {
                size_t room = model->folds_room ? 2 * model->folds_room : 16;
                void *more = reallocarray(model->folds, room, sizeof(*model->folds));

                if (!more)
                        return;
                model->folds = more;
                model->folds_room = room;
        }
        model->folds[model->n_folds++] = identity;
}

void top_model_fold(struct top_model *model, bool fold) {
        size_t at = model->selected;
        struct top_row row;

        if (model->shape != TOP_TREE || !top_model_row(model, at, &row))
                return;
        if (fold && (!row.has_below || row.folded)) {
                unsigned depth = row.depth;

                while (at > 0 && row.depth >= depth && depth > 0)
                        top_model_row(model, --at, &row);
                if (row.depth >= depth)
                        return;
                model->selected = at;
        }
        set_fold(model, top_list_identity(&row), fold);
        top_selection_remember(model);
        rebuild(model, true);
}

void top_model_fold_all(struct top_model *model) {
        bool any_open = false;
        struct top_row row;
        size_t n = model->n_items;

        if (model->shape != TOP_TREE)
                return;
        for (size_t i = 0; i < n && !any_open; i++)
                any_open = top_model_row(model, i, &row) && row.kind == TOP_ROW_PROCESS && row.has_below && !row.folded;
        model->n_folds = 0;
        for (size_t i = 0; i < n && any_open; i++)
                if (top_model_row(model, i, &row) && row.kind == TOP_ROW_PROCESS)
                        set_fold(model, top_list_identity(&row), true);
        rebuild(model, true);
}
