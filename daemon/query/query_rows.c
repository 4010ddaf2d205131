/* SPDX-License-Identifier: MIT */
/*
 * Tables: rows of any type are collected and written here, column by column, as columns.h has them.  How they are sorted
 * and cut is in query_rows_sort.c.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/query/query_private.h"
#include "daemon/wire/columns.h"

#define AHEAD        4u /* rows, of the one that is written */
#define WORK_PORTION 512u
#define PUT_PORTION  ((size_t)64 << 10) /* bytes */

bool query_rows_are_late(struct query_rows *rows, uint32_t work) {
        rows->work += work;
        if (rows->work < WORK_PORTION)
                return false;
        rows->work = 0;
        return query_is_late(rows->query);
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
        return query_fail(ret_error, EINVAL, hint, "cannot sort %s by \"%s\"", columns->table, name);
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
                        return query_fail(ret_error, EINVAL, "give names of its columns, with commas between them",
                                          "%s has no column \"%.*s\"", columns->table, length < 64 ? (int)length : 64,
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
        free(rows->spare);
        rows->rows = rows->spare = NULL;
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

        more = make_room(rows, rows->rows, rows->class->size);
        if (!more)
                return NULL;
        rows->rows = more;
        rows->is_sorted = false;
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

/* False: the slice is over, and nothing is written. */
static bool put_row(struct query_rows *rows, const void *row, struct wire_buffer *out) {
        if (rows->class->expand && !rows->class->expand(rows, row, rows->expanded))
                return false;
        write_row(rows, row, rows->class->expand ? rows->expanded : row, out);
        return true;
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

/* False: the slice is over. */
static bool put_written(struct query_rows *rows, struct wire_buffer *out) {
        const unsigned char *data = rows->out->data;
        size_t bytes = 0;

        for (; rows->put_count < rows->count; rows->put_count++) {
                const struct radix_item *row = &rows->written[rows->put_count];

                bytes += row->size;
                if (bytes > PUT_PORTION) {
                        if (query_is_late(rows->query))
                                return false;
                        bytes = row->size;
                }
                wire_buffer_append(out, data + row->at, row->size);
        }
        return true;
}

/* False: the slice is over. */
static bool put_rows(struct query_rows *rows, struct wire_buffer *out) {
        for (size_t first = rows->put_count; rows->put_count < rows->count; rows->put_count++) {
                size_t i = rows->put_count;

                if (i > first && query_rows_are_late(rows, 8)) /* texts, and other columns */
                        return false;
                if (rows->class->prefetch && i + AHEAD < rows->count)
                        rows->class->prefetch((char *)rows->rows + (i + AHEAD) * rows->class->size);
                if (!put_row(rows, (char *)rows->rows + i * rows->class->size, out))
                        return false;
        }
        return true;
}

static void put_table_head(struct query_rows *rows, struct wire_buffer *out) {
        put_head(rows, out);
        put_complete(rows, out);
        wire_put_text(out, "rows");
        wire_put_array(out, (uint32_t)rows->count);
        rows->is_headed = true;
}

bool query_rows_put(struct query_rows *rows, struct wire_buffer *out) {
        int r;

        if (rows->out == out) {
                wire_end_array(out, rows->mark, (uint32_t)rows->count);
                put_complete(rows, out);
                return true;
        }
        if (!rows->is_headed) {
                r = rows->out ? query_rows_order_some(rows, out) : query_rows_sort_some(rows);
                if (r == QUERY_AGAIN)
                        return false;
                if (r < 0)
                        out->error = r;
                if (!rows->out)
                        plan(rows);
                put_table_head(rows, out);
        }
        return rows->out ? put_written(rows, out) : put_rows(rows, out);
}
