/* SPDX-License-Identifier: MIT */
/*
 * Rows below one another: units, their processes, spans below the spans that opened them.
 *
 * Nodes are numbered units first, then processes, then spans as they came, so that a parent is before its children: one
 * pass from the last to the first adds all up.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/model/top_tree.h"

struct tree {
        struct top_model *model;
        struct top_row *rows; /* of units and processes: the model's sums */
        uint32_t n_units, n_processes, n;
        uint32_t *parent;  /* of each node; TOP_NONE: a unit */
        uint32_t *node_of; /* of each slot */
        uint32_t *first;   /* place of the first child in `ordered` */
        uint32_t *count;   /* children that are shown */
        bool *shown;
};

static const struct top_slot *slot_of(const struct tree *tree, uint32_t node) {
        return top_store_at(&tree->model->tree, node - tree->n_units - tree->n_processes);
}

static bool is_span(const struct tree *tree, uint32_t node) {
        return node >= tree->n_units + tree->n_processes;
}

/* ------------------------------------------------------------------------------------------------ nodes -- */

static uint32_t count_processes(const struct top_store *store) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < store->n; i++)
                n += i == 0 || top_store_at(store, i)->process != top_store_at(store, i - 1)->process;
        return n;
}

/* Units and processes that have a row, in the order of the answer.  Processes are numbered after the units, whose
 * number is not known yet, so processes first get numbers that no unit can have. */
static void find_groups(struct tree *tree) {
        struct top_model *model = tree->model;
        const struct top_store *store = &model->tree;
        struct top_row *units = model->sums, *processes = model->sums + tree->n_processes;
        uint32_t n_units = 0, n_processes = 0;

        for (uint32_t i = 0; i < store->n; i++) {
                const struct top_slot *slot = top_store_at(store, i);
                struct top_row row;
                uint32_t unit = 0;

                if (n_processes && processes[n_processes - 1].process == slot->process)
                        continue;
                top_list_fill(model, slot, &row);
                while (unit < n_units && strcmp(units[unit].unit, row.unit) != 0)
                        unit++;
                if (unit == n_units)
                        units[n_units++] = (struct top_row){
                                .kind = TOP_ROW_UNIT, .unit = row.unit, .span = row.unit, .ended = true};
                units[unit].ended &= row.ended;
                processes[n_processes++] = (struct top_row){
                        .kind = TOP_ROW_PROCESS,
                        .unit = row.unit,
                        .comm = row.comm,
                        .span = row.comm,
                        .process = row.process,
                        .pid = row.pid,
                        .ended = row.ended,
                        .slot = unit, /* until it is numbered */
                };
        }
        memmove(units + n_units, processes, n_processes * sizeof(*processes));
        tree->n_units = n_units;
        tree->n_processes = n_processes;
        tree->n = n_units + n_processes + store->n;
}

static void find_parents(struct tree *tree) {
        struct top_model *model = tree->model;
        const struct top_store *store = &model->tree;
        uint32_t base = tree->n_units + tree->n_processes, process = tree->n_units;

        for (uint32_t i = 0; i < tree->n_units; i++)
                tree->parent[i] = TOP_NONE;
        for (uint32_t i = tree->n_units; i < base; i++)
                tree->parent[i] = tree->rows[i].slot;
        for (uint32_t i = 0; i < store->n; i++)
                tree->node_of[store->order[i]] = base + i;
        for (uint32_t i = 0; i < store->n; i++) {
                const struct top_slot *slot = top_store_at(store, i);
                uint32_t above = slot->parent_key ? top_store_find(store, slot->process, slot->parent_key) : TOP_NONE;

                while (process + 1 < base && tree->rows[process].process != slot->process)
                        process++;
                /* A filter of the collector may have taken the parent away. */
                tree->parent[base + i] = above != TOP_NONE && tree->node_of[above] < base + i ? tree->node_of[above]
                                                                                              : process;
        }
}

/* True if the process of the node has ended, and such rows are hidden. */
static bool is_hidden(const struct tree *tree, uint32_t node) {
        const struct top_model *model = tree->model;
        uint32_t member;

        if (!model->hide_ended)
                return false;
        if (!is_span(tree, node))
                return tree->rows[node].ended;
        member = slot_of(tree, node)->member;
        return member != TOP_NONE && model->members.rows[member].ended;
}

static bool group_matches(const struct tree *tree, uint32_t node) {
        const char *filter = tree->model->filter;

        if (is_hidden(tree, node))
                return false;
        return !*filter || top_list_contains(tree->rows[node].unit, filter) ||
               top_list_contains(tree->rows[node].comm, filter);
}

/* A process has sums of its own, which its rows add up to, but for what was lost and what came before. */
static void set_own_sums(const struct top_model *model, struct top_row *row) {
        uint32_t found = top_members_find(&model->members, row->process);
        const struct top_member *member;

        if (found == TOP_NONE)
                return;
        member = &model->members.rows[found];
        row->sums.alloc_count = member->alloc_count;
        row->sums.alloc_bytes = member->alloc_bytes;
        row->sums.net_bytes = member->ended ? 0 : member->net_bytes;
        row->rates.known &= member->rates.known;
        row->rates.alloc_count = member->rates.alloc_count;
        row->rates.alloc_bytes = member->rates.alloc_bytes;
        row->rates.net_bytes = member->rates.net_bytes;
}

static void add_up(struct tree *tree) {
        struct top_model *model = tree->model;

        for (uint32_t node = 0; node < tree->n; node++)
                tree->shown[node] = is_span(tree, node)
                                            ? top_list_matches(model, (struct top_slot *)slot_of(tree, node))
                                            : group_matches(tree, node);
        for (uint32_t node = tree->n; node-- > tree->n_units;) {
                uint32_t above = tree->parent[node];
                struct top_row row;

                tree->shown[above] |= tree->shown[node];
                if (is_span(tree, above) || is_hidden(tree, node))
                        continue; /* a span's sums hold those below already */
                if (is_span(tree, node))
                        top_list_fill(model, slot_of(tree, node), &row);
                else {
                        set_own_sums(model, &tree->rows[node]);
                        row = tree->rows[node];
                }
                top_list_add(&tree->rows[above], &row);
        }
        for (uint32_t node = 0; node < tree->n_units + tree->n_processes; node++)
                if (tree->rows[node].kind == TOP_ROW_PROCESS)
                        tree->rows[node].processes = 1;
}

/* -------------------------------------------------------------------------------------------- in order -- */

static const struct top_row *row_of(struct top_model *model, uint32_t node) {
        static _Thread_local struct top_row row;
        const struct tree *tree = model->tree_in_hand;

        if (!is_span(tree, node))
                return &tree->rows[node];
        top_list_fill(model, slot_of(tree, node), &row);
        return &row;
}

/* Children of one parent side by side in `ordered`, in their order. */
static void order_children(struct tree *tree) {
        struct top_model *model = tree->model;
        uint32_t n = 0;

        for (uint32_t node = 0; node < tree->n; node++)
                if (tree->shown[node])
                        model->ordered[n++].at = node;
        model->tree_in_hand = tree;
        top_list_sort(model, n, row_of);
        for (uint32_t i = 0; i < n; i++)
                model->ordered[i].key = tree->parent[model->ordered[i].at];
        radix_sort(model->ordered, model->spare, n); /* roots have TOP_NONE, and come last */
        memset(tree->count, 0, (tree->n + 1) * sizeof(*tree->count));
        for (uint32_t i = n; i-- > 0;) {
                uint32_t above = tree->parent[model->ordered[i].at];
                uint32_t at = above == TOP_NONE ? tree->n : above;

                tree->first[at] = i;
                tree->count[at]++;
        }
}

static void emit(struct tree *tree, uint32_t above, unsigned depth, uint64_t last) {
        struct top_model *model = tree->model;

        for (uint32_t i = 0; i < tree->count[above]; i++) {
                uint32_t node = model->ordered[tree->first[above] + i].at;
                struct top_item *item = &model->items[model->n_items++];
                bool is_last = i + 1 == tree->count[above];
                struct top_row row;

                *item = (struct top_item){
                        .kind = is_span(tree, node) ? TOP_ROW_SPAN : tree->rows[node].kind,
                        .index = is_span(tree, node) ? (uint32_t)(slot_of(tree, node) - model->tree.slots) : node,
                        .depth = (uint8_t)(depth < UINT8_MAX ? depth : UINT8_MAX),
                        .has_below = tree->count[node] > 0,
                        .last = last | (depth < 64 && is_last ? UINT64_C(1) << depth : 0),
                };
                if (!item->has_below)
                        continue;
                if (is_span(tree, node))
                        top_list_fill(model, slot_of(tree, node), &row);
                else
                        row = tree->rows[node];
                item->folded = top_list_is_folded(model, top_list_identity(&row));
                if (!item->folded)
                        emit(tree, node, depth + 1, item->last);
        }
}

int top_tree_build(struct top_model *model) {
        const struct top_store *store = &model->tree;
        struct tree tree = {.model = model, .n_processes = count_processes(store)};
        /* Slots may be more than rows, and units and processes are kept apart until they are numbered. */
        size_t nodes = store->n + 2 * (size_t)tree.n_processes + 4;
        int r = top_list_make_room(model, nodes > store->capacity ? nodes : store->capacity);

        if (r < 0)
                return r;
        tree.rows = model->sums;
        tree.parent = model->scratch;
        tree.node_of = model->scratch + model->room;
        tree.first = model->scratch + 2 * model->room;
        tree.count = model->scratch + 3 * model->room;
        tree.shown = calloc(nodes + 1, sizeof(*tree.shown));
        if (!tree.shown)
                return -ENOMEM;
        find_groups(&tree);
        find_parents(&tree);
        add_up(&tree);
        order_children(&tree);
        model->n_items = 0;
        model->n_sums = tree.n_units + tree.n_processes;
        emit(&tree, tree.n, 0, 0);
        free(tree.shown);
        return 0;
}
