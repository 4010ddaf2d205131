/* SPDX-License-Identifier: MIT */
/*
 * Within the model: the list of rows and its order.
 */
#pragma once

#include "base/radix_sort.h"
#include "ctl/model/top_model.h"

/* A row of the list; `index` is a slot, or of the sums. */
struct top_item {
        enum top_kind kind;
        uint32_t index;
        uint8_t depth;
        bool has_below, folded;
        uint64_t last;
};

struct top_model {
        struct top_store flat, tree; /* answers to `spans` and to `tree` */
        struct top_members members;
        struct top_summary summary;
        bool complete;
        double totals[TOP_TOTALS][TOP_HISTORY]; /* below zero: not known */
        uint32_t answers, epoch;
        enum top_shape shape;
        enum top_column sort;
        bool descending, follow, hide_ended;
        struct top_widths widths;
        char filter[128];
        uint32_t filter_number;
        uint64_t *folds; /* identities, in no order */
        size_t n_folds, folds_room;

        struct top_row *sums; /* of groups, units and processes */
        size_t n_sums;
        struct top_item *items;
        size_t n_items;
        struct radix_item *ordered, *spare;
        size_t room;       /* of all four */
        uint32_t *scratch; /* of the tree; 4 for each node */
        const void *tree_in_hand;

        size_t visible, selected, first;
        uint64_t selected_identity;
};

struct top_store *top_list_store(struct top_model *model);
/* The filter has the row; also, rows of its process are not hidden. */
bool top_list_fits_filter(const struct top_model *model, struct top_slot *slot);
bool top_list_matches(const struct top_model *model, struct top_slot *slot);
bool top_list_contains(const char *text, const char *part);
/* Where a row stands when sorted by the model's column; larger numbers later. */
uint64_t top_list_rank(const struct top_model *model, const struct top_row *row);
void top_list_fill(const struct top_model *model, const struct top_slot *slot, struct top_row *ret);
/* Adds a row to a sum that began as zero.  A row that is not counted adds no bytes. */
void top_list_add(struct top_row *sum, const struct top_row *row);
/* A number for what a row is, whatever its place. */
uint64_t top_list_identity(const struct top_row *row);
bool top_list_is_folded(const struct top_model *model, uint64_t identity);
/* Sorts `ordered`, which may have any order: by allocated bytes, then by the model's column. */
void top_list_sort(struct top_model *model, size_t count, const struct top_row *(*row)(struct top_model *, uint32_t));

struct top_widths top_list_widths(const struct top_model *model);

/* After a change of the rows: finds the selected row, wherever it is; moves the selection inside; takes the row that is
 * selected now. */
void top_selection_find(struct top_model *model);
void top_selection_keep_inside(struct top_model *model);
void top_selection_remember(struct top_model *model);

/* Fills the items with rows or groups.  0 or -ENOMEM. */
int top_list_build(struct top_model *model);
int top_list_make_room(struct top_model *model, size_t rows);
