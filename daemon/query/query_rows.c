/* SPDX-License-Identifier: MIT */
/*
 * Tables: rows of any type are collected, sorted, cut and written here, column by column, as columns.h has them.
 *
 * With a limit no more than twice as many rows are ever held: the best so far are kept whenever that many have come.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/query/query_private.h"
#include "daemon/wire/columns.h"

#define AHEAD 4u /* rows, of the one that is written */

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

static void sort_and_cut(struct query_rows *rows) {
        if (rows->count > 1)
                qsort_r(rows->rows, rows->count, rows->class->size, compare_rows, rows);

        if (rows->limit > 0 && rows->count > rows->limit) {
                rows->count = rows->limit;
                rows->complete = false;
        }
}

static int fail_sort(struct query_error *ret_error, const struct wire_columns *columns, const char *name) {
        char hint[sizeof(ret_error->hint)] = "the columns are";
        size_t n = strlen(hint);

        for (size_t i = 0; i < columns->count; i++) {
                const char *column = columns->columns[i].name;

                if (columns->columns[i].type == WIRE_COLUMN_MAP || n + strlen(column) + 2 > sizeof(hint))
                        continue;
                n += (size_t)snprintf(hint + n, sizeof(hint) - n, " %s", column);
        }
        return query_fail(ret_error, EINVAL, hint, "%s cannot be sorted by '%s'", columns->table, name);
}

static int column_of(const struct wire_columns *columns, const char *name, size_t length) {
        char text[64];

        if (length >= sizeof(text))
                return -1;
        memcpy(text, name, length);
        text[length] = 0;
        return wire_columns_find(columns, text);
}

int query_columns_choose(const struct wire_columns *columns, const struct query_params *params, uint64_t on_request,
                         uint64_t *ret, struct query_error *ret_error) {
        const char *text = params->columns;
        uint64_t chosen = 0;

        if (!(params->given & QUERY_PARAM_COLUMNS)) {
                *ret = ((UINT64_C(1) << columns->count) - 1) & ~on_request;
                return 0;
        }
        for (;;) {
                size_t length = strcspn(text, ",");
                int column = column_of(columns, text, length);

                if (column < 0)
                        return query_fail(ret_error, EINVAL, "its columns are names, with commas between them",
                                          "%s has no column '%.*s'", columns->table, length < 64 ? (int)length : 64,
                                          text);
                chosen |= UINT64_C(1) << column;
                if (!text[length])
                        break;
                text += length + 1;
        }
        *ret = chosen;
        return 0;
}

int query_rows_init(struct query_rows *rows, struct query *query, const struct query_rows_class *class,
                    const struct query_params *params, struct query_error *ret_error) {
        const struct wire_columns *columns = wire_columns(class->table);
        const char *name = params->sort;
        int r;

        *rows = (struct query_rows){
                .class = class,
                .query = query,
                .columns = columns,
                .params = params,
                .sort = -1,
                .complete = true,
                .limit = params->limit < QUERY_ROWS_MAX ? (size_t)params->limit : QUERY_ROWS_MAX,
        };

        r = query_columns_choose(columns, params, class->on_request, &rows->chosen, ret_error);
        if (r < 0)
                return r;
        if (params->given & QUERY_PARAM_SORT) {
                rows->descending = name[0] == '-';
                name += rows->descending;
                rows->sort = wire_columns_find(columns, name);
                if (rows->sort < 0 || columns->columns[rows->sort].type == WIRE_COLUMN_MAP)
                        return fail_sort(ret_error, columns, name);
        }
        return 0;
}

static void plan(struct query_rows *rows) {
        unsigned used = 0;

        for (uint64_t left = rows->chosen; left; left &= left - 1) {
                int column = __builtin_ctzll(left);
                uint16_t at = rows->class->numbers ? rows->class->numbers[column] : 0;
                struct query_step *last = rows->step_count ? &rows->steps[rows->step_count - 1] : NULL;
                bool is_number = at && rows->columns->columns[column].type == WIRE_COLUMN_UINT;

                bool is_signed = at && rows->columns->columns[column].type == WIRE_COLUMN_INT;

                if (is_number || is_signed)
                        rows->offsets[used++] = (uint16_t)(at - 1);
                if (is_number && last && last->numbers && !last->is_signed)
                        last->numbers++;
                else
                        rows->steps[rows->step_count++] = (struct query_step){(uint8_t)column, is_number || is_signed,
                                                                              is_signed};
                rows->width++;
        }
}

void query_rows_deinit(struct query_rows *rows) {
        free(rows->rows);
        free(rows->written);
        rows->rows = NULL;
        rows->written = NULL;
}

/* The array with room for one more of that size.  NULL: no memory, and the array is still there. */
static void *make_room(struct query_rows *rows, void *array, size_t size) {
        size_t allocated = rows->allocated > 0 ? rows->allocated * 2 : 64;
        void *more;

        if (rows->count < rows->allocated)
                return array;
        more = reallocarray(array, allocated, size);
        if (more)
                rows->allocated = allocated;
        return more;
}

void *query_rows_add(struct query_rows *rows) {
        void *more, *row;

        if (rows->limit > 0 && rows->count >= 2 * rows->limit)
                sort_and_cut(rows);
        if (rows->limit == 0 && rows->count >= QUERY_ROWS_MAX) {
                rows->limit = QUERY_ROWS_MAX;
                sort_and_cut(rows);
        }

        more = make_room(rows, rows->rows, rows->class->size);
        if (!more)
                return NULL;
        rows->rows = more;
        row = (char *)rows->rows + rows->count++ * rows->class->size;
        memset(row, 0, rows->class->size);
        return row;
}

bool query_rows_need(const struct query_rows *rows, int column) {
        return rows->sort == column || (rows->chosen & UINT64_C(1) << column);
}

void query_put_columns(struct wire_buffer *out, const struct wire_columns *columns, uint64_t chosen) {
        wire_put_text(out, "columns");
        wire_put_array(out, (uint32_t)__builtin_popcountll(chosen));
        for (size_t i = 0; i < columns->count; i++)
                if (chosen & UINT64_C(1) << i)
                        wire_put_text(out, columns->columns[i].name);
}

static void put_cell(struct query_rows *rows, const void *row, const void *full, int column, struct wire_buffer *out) {
        struct query_cell cell = {.type = rows->columns->columns[column].type};

        if (cell.type == WIRE_COLUMN_MAP) {
                rows->class->put_map(out, full, column);
                return;
        }
        rows->class->cell(rows->query, row, column, rows->query->path, &cell);
        switch (cell.type) {
        case WIRE_COLUMN_INT:
                wire_put_int(out, cell.i);
                break;
        case WIRE_COLUMN_BOOL:
                wire_put_bool(out, cell.u != 0);
                break;
        case WIRE_COLUMN_TEXT:
                wire_put_text(out, cell.text);
                break;
        default:
                wire_put_uint(out, cell.u);
        }
}

static void write_row(struct query_rows *rows, const void *row, const void *full, struct wire_buffer *out) {
        const uint16_t *offsets = rows->offsets;

        wire_put_array(out, rows->width);
        for (unsigned i = 0; i < rows->step_count; i++) {
                const struct query_step *step = &rows->steps[i];

                if (step->is_signed)
                        wire_put_int(out, *(const int64_t *)(const void *)((const char *)full + *offsets));
                else if (step->numbers)
                        wire_put_uints(out, full, offsets, step->numbers);
                else
                        put_cell(rows, row, full, step->column, out);
                offsets += step->numbers;
        }
}

static void put_row(struct query_rows *rows, const void *row, struct wire_buffer *out) {
        _Alignas(max_align_t) char expanded[QUERY_ROW_BYTES];

        if (rows->class->expand)
                rows->class->expand(rows, row, expanded);
        write_row(rows, row, rows->class->expand ? expanded : row, out);
}

static void put_head(const struct query_rows *rows, struct wire_buffer *out) {
        wire_put_map(out, 4 + rows->more_keys);
        wire_put_text(out, "time_ns");
        wire_put_uint(out, clock_realtime_ns());
        query_put_columns(out, rows->columns, rows->chosen);
}

static void put_complete(const struct query_rows *rows, struct wire_buffer *out) {
        wire_put_text(out, "complete");
        wire_put_bool(out, rows->complete);
}

bool query_rows_begin(struct query_rows *rows, struct wire_buffer *out) {
        if (rows->limit > 0 || (rows->sort >= 0 && !(rows->class->numbers && rows->class->numbers[rows->sort])))
                return false;
        plan(rows);
        if (rows->sort >= 0) {
                rows->out = &rows->query->unsorted;
                *rows->out = (struct wire_buffer){
                        .data = rows->out->data, .allocated = rows->out->allocated, .limit = out->limit};
                return true;
        }
        put_head(rows, out);
        wire_put_text(out, "rows");
        rows->mark = wire_begin_array(out);
        rows->out = out;
        return true;
}

static bool note_written(struct query_rows *rows, const void *full, size_t at) {
        struct radix_item *more = make_room(rows, rows->written, sizeof(*more));

        if (!more) {
                rows->out->error = -ENOMEM;
                return false;
        }
        rows->written = more;
        rows->written[rows->count] = (struct radix_item){
                .key = query_rows_key(rows, full),
                .at = (uint32_t)at,
                .size = (uint32_t)(rows->out->size - at),
        };
        return true;
}

bool query_rows_write(struct query_rows *rows, const void *row, const void *full) {
        size_t at = rows->out->size;

        if (rows->count == QUERY_ROWS_MAX) {
                rows->complete = false;
                return false;
        }
        write_row(rows, row, full, rows->out);
        if (rows->out->error < 0 || (rows->sort >= 0 && !note_written(rows, full, at)))
                return false;
        rows->count++;
        return true;
}

/* What was written as it came: to sort bytes that are there takes a fraction of reading the books a second time. */
static void put_in_order(struct query_rows *rows, struct wire_buffer *out) {
        struct radix_item *spare = reallocarray(NULL, rows->count + 1, sizeof(*spare));
        const struct wire_buffer *written = rows->out;

        if (written->error < 0 || !spare)
                out->error = written->error < 0 ? written->error : -ENOMEM;
        if (out->error == 0 && wire_buffer_reserve(out, written->size)) {
                radix_sort(rows->written, spare, rows->count);
                for (size_t i = 0; i < rows->count; i++)
                        wire_buffer_append(out, written->data + rows->written[i].at, rows->written[i].size);
        }
        free(spare);
}

/* False: the slice is over. */
static bool put_rows(struct query_rows *rows, struct wire_buffer *out) {
        for (size_t i = rows->put_count; i < rows->count; i++) {
                if (i % 64 == 63 && i > rows->put_count && query_is_late(rows->query)) {
                        rows->put_count = i;
                        return false;
                }
                if (rows->class->prefetch && i + AHEAD < rows->count)
                        rows->class->prefetch((char *)rows->rows + (i + AHEAD) * rows->class->size);
                put_row(rows, (char *)rows->rows + i * rows->class->size, out);
        }
        return true;
}

bool query_rows_put(struct query_rows *rows, struct wire_buffer *out) {
        if (rows->out == out) {
                wire_end_array(out, rows->mark, (uint32_t)rows->count);
                put_complete(rows, out);
                return true;
        }
        if (!rows->is_headed) {
                if (!rows->out) {
                        plan(rows);
                        sort_and_cut(rows);
                }
                put_head(rows, out);
                put_complete(rows, out);
                wire_put_text(out, "rows");
                wire_put_array(out, (uint32_t)rows->count);
                rows->is_headed = true;
        }
        if (!rows->out)
                return put_rows(rows, out);
        put_in_order(rows, out);
        return true;
}
