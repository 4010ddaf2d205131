/* SPDX-License-Identifier: MIT */
/*
 * Siblings of a tree sorted by a column.  The drawing is in render_tree.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/output/tree_order.h"

/* A row is named by its number from 1; 0 is none. */
struct node {
        size_t process; /* the first row of its process */
        size_t parent;
        size_t first; /* place of the first child */
        size_t place; /* in `order` */
};

struct ordering {
        const struct table *tree;
        int column;
        bool descending;
        struct node *nodes;
        size_t *order; /* rows, from place 1: siblings side by side */
};

static int compare_rows(const void *a, const void *b, void *userdata) {
        const struct ordering *ordering = userdata;
        size_t x = *(const size_t *)a, y = *(const size_t *)b;
        const struct node *m = &ordering->nodes[x], *n = &ordering->nodes[y];
        int r;

        if (m->process != n->process)
                return m->process < n->process ? -1 : 1;
        if (m->parent != n->parent)
                return m->parent < n->parent ? -1 : 1;
        r = table_cell_compare(table_at(ordering->tree, x - 1, ordering->column),
                               table_at(ordering->tree, y - 1, ordering->column));
        if (r != 0)
                return ordering->descending ? -r : r;
        return x < y ? -1 : x > y;
}

/* Whose child a row is, depth says: rows come parents first, depth first. */
static void find_parents(struct ordering *ordering) {
        const struct table *tree = ordering->tree;
        struct node *nodes = ordering->nodes;
        size_t depth = 0, *above = ordering->order; /* rows from the root to the last one; not in use yet */

        for (size_t row = 1; row <= tree->row_count; row++) {
                uint64_t wanted = table_uint(tree, row - 1, "depth");
                bool begins = row == 1 || table_uint(tree, row - 1, "process") != table_uint(tree, row - 2, "process");

                /* A depth that the collector skipped is lowered: no row could be the parent. */
                depth = begins ? 0 : (wanted < depth ? (size_t)wanted : depth);
                nodes[row].process = begins ? row : nodes[row - 1].process;
                nodes[row].parent = depth ? above[depth - 1] : 0;
                above[depth++] = row;
        }
}

static void find_places(struct ordering *ordering) {
        size_t n = ordering->tree->row_count;

        for (size_t row = 1; row <= n; row++)
                ordering->order[row] = row;
        qsort_r(ordering->order + 1, n, sizeof(*ordering->order), compare_rows, ordering);
        for (size_t place = n; place > 0; place--) {
                struct node *node = &ordering->nodes[ordering->order[place]];

                node->place = place;
                ordering->nodes[node->parent].first = place;
        }
}

/* The row after `row`, depth first; 0 at the end.  Processes follow one another, each with its roots first. */
static size_t next_row(const struct ordering *ordering, size_t row) {
        const struct node *nodes = ordering->nodes;
        size_t n = ordering->tree->row_count, next = 0;

        if (nodes[row].first)
                return ordering->order[nodes[row].first];
        for (;; row = nodes[row].parent) {
                next = nodes[row].place < n ? ordering->order[nodes[row].place + 1] : 0;
                if (next && nodes[next].process == nodes[row].process && nodes[next].parent == nodes[row].parent)
                        return next;
                if (!nodes[row].parent)
                        break;
        }
        /* The process is through: the place of the next one's first root is after all of this one's rows. */
        for (next = nodes[row].place; next <= n; next++)
                if (nodes[ordering->order[next]].process != nodes[row].process)
                        return ordering->order[next];
        return 0;
}

static void move_rows(const struct ordering *ordering, struct table_cell *to) {
        const struct table *tree = ordering->tree;
        size_t width = tree->column_count;

        for (size_t row = ordering->order[1]; row; row = next_row(ordering, row), to += width)
                memcpy(to, tree->cells + (row - 1) * width, width * sizeof(*to));
}

int tree_order(struct table *tree, const char *sort) {
        struct ordering ordering = {
                .tree = tree,
                .descending = *sort == '-',
                .column = table_column(tree, sort + (*sort == '-')),
        };
        struct table_cell *cells;
        int r = -ENOMEM;

        if (ordering.column < 0 || tree->row_count < 2)
                return 0;
        ordering.nodes = calloc(tree->row_count + 1, sizeof(*ordering.nodes));
        ordering.order = calloc(tree->row_count + 1, sizeof(*ordering.order));
        cells = calloc(tree->row_count * tree->column_count, sizeof(*cells));
        if (ordering.nodes && ordering.order && cells) {
                find_parents(&ordering);
                find_places(&ordering);
                move_rows(&ordering, cells);
                free(tree->cells);
                tree->cells = cells;
                cells = NULL;
                r = 0;
        }
        free(cells);
        free(ordering.order);
        free(ordering.nodes);
        return r;
}
