/* SPDX-License-Identifier: MIT */
/*
 * Tables: rows of any type are sorted and cut here.
 *
 * With a limit no more than twice as many rows are ever held: the best so far are kept whenever that many have come.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/query/query_private.h"

#define SORT_PORTION 16u /* rows between two looks at the clock: their texts can be long */

static int compare_cells(const struct query_cell *a, const struct query_cell *b) {
        switch (a->type) {
        case WIRE_COLUMN_INT:
                return a->i < b->i ? -1 : a->i > b->i;
        case WIRE_COLUMN_TEXT:
                return strcmp(a->text, b->text);
        default:
                return a->u < b->u ? -1 : a->u > b->u;
        }
}

/* The number of that column, or NULL: cell() tells it. */
static const uint64_t *number_of(const struct query_rows_class *class, const void *full, int column) {
        uint16_t at = class->numbers ? class->numbers[column] : 0;

        return at ? (const void *)((const char *)full + at - 1) : NULL;
}

uint64_t query_rows_key(const struct query_rows *rows, const void *full) {
        const uint64_t *number = rows->sort >= 0 ? number_of(rows->class, full, rows->sort) : NULL;
        uint64_t key = number ? *number : 0;

        if (number && rows->columns->columns[rows->sort].type == WIRE_COLUMN_INT)
                key = radix_key_of_int((int64_t)key);
        return number && rows->descending ? ~key : key;
}

static int compare_cells_of(struct query_rows *rows, const void *a, const void *b) {
        enum wire_column_type type = rows->columns->columns[rows->sort].type;
        struct query_cell x = {.type = type}, y = {.type = type};
        int order;

        rows->class->cell(rows->query, a, rows->sort, rows->query->path, &x);
        rows->class->cell(rows->query, b, rows->sort, rows->query->path_other, &y);
        order = compare_cells(&x, &y);
        return rows->descending ? -order : order;
}

static int compare_rows(const void *a, const void *b, void *userdata) {
        struct query_rows *rows = userdata;
        const struct query_rows_class *class = rows->class;
        int order = 0;

        if (rows->sort >= 0 && class->key && class->numbers[rows->sort]) {
                uint64_t x = *(const uint64_t *)(const void *)((const char *)a + class->key - 1);
                uint64_t y = *(const uint64_t *)(const void *)((const char *)b + class->key - 1);

                order = x < y ? -1 : x > y;
        } else if (rows->sort >= 0) {
                order = compare_cells_of(rows, a, b);
        }
        return order != 0 ? order : class->order(a, b);
}

/* 0: the rows are sorted; QUERY_AGAIN: the slice is over; or -ENOMEM. */
static int sort_some(struct query_rows *rows) {
        void *sorted;

        if (rows->is_sorted || rows->count < 2)
                return 0;
        if (!rows->spare) {
                rows->spare = reallocarray(NULL, rows->allocated, rows->class->size);
                if (!rows->spare)
                        return -ENOMEM;
                merge_sort_begin(&rows->sorting, rows->rows, rows->spare, rows->count, rows->class->size);
        }
        while (!merge_sort_some(&rows->sorting, SORT_PORTION, compare_rows, rows))
                if (query_is_late(rows->query))
                        return QUERY_AGAIN;
        sorted = merge_sort_result(&rows->sorting);
        if (sorted == rows->spare) {
                rows->spare = rows->rows;
                rows->rows = sorted;
        }
        free(rows->spare);
        rows->spare = NULL;
        rows->is_sorted = true;
        return 0;
}

int query_rows_sort_some(struct query_rows *rows) {
        int r = sort_some(rows);

        if (r == 0 && rows->limit > 0 && rows->count > rows->limit) {
                rows->count = rows->limit;
                rows->complete = false;
        }
        return r;
}

int query_rows_make_room(struct query_rows *rows) {
        if (rows->limit == 0 && rows->count >= QUERY_ROWS_MAX)
                rows->limit = QUERY_ROWS_MAX;
        if (rows->limit == 0 || rows->count < 2 * rows->limit)
                return 0;
        return query_rows_sort_some(rows);
}

/* Sorts what was written as it came: to sort bytes that are there takes a fraction of reading the books a second time.
 * 0, QUERY_AGAIN, or -errno. */
int query_rows_order_some(struct query_rows *rows, struct wire_buffer *out) {
        if (rows->is_sorted)
                return 0;
        if (!rows->spare) {
                if (rows->out->error < 0)
                        return rows->out->error;
                rows->spare = reallocarray(NULL, rows->count + 1, sizeof(struct radix_item));
                if (!rows->spare)
                        return -ENOMEM;
                radix_sort_begin(&rows->ordering, rows->written, rows->spare, rows->count);
        }
        while (!radix_sort_some(&rows->ordering))
                if (query_is_late(rows->query))
                        return QUERY_AGAIN;
        free(rows->spare);
        rows->spare = NULL;
        rows->is_sorted = true;
        (void)wire_buffer_reserve(out, rows->out->size);
        return 0;
}
