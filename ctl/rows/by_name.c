/* SPDX-License-Identifier: MIT */
/* See by_name.h. */
#include "ctl/rows/by_name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *by_name_columns(const char *table) {
        static const char *const needed[] = {"process",         "path",   "alloc_bytes", "processes", "calls",
                                             "calls_net_bytes", "thread", "depth",       "span"};
        const struct wire_columns *known = wire_columns(table);
        static _Thread_local char text[128];

        *text = '\0';
        for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++) {
                if (wire_columns_find(known, needed[i]) < 0)
                        continue;
                strcat(text, ",");
                strcat(text, needed[i]);
        }
        return text;
}

/* --------------------------------------------------------------------------------------------------- cells -- */

static bool is_largest(const char *column) {
        return !strcmp(column, "per_call_p99") || !strcmp(column, "timed_call_max_ns");
}

/* As wire tables order qualities: each is worse than the one before. */
static size_t badness(const char *quality) {
        static const char *const order[] = {"exact", "migrated", "lost", "estimated", "mixed"};
        size_t n = sizeof(order) / sizeof(*order);

        for (size_t i = 0; i < n; i++)
                if (!strcmp(order[i], quality))
                        return i;
        return n;
}

static void merge_text(const char *column, struct table_cell *to, const struct table_cell *from) {
        if (!strcmp(column, "quality")) {
                if (badness(from->text) > badness(to->text))
                        to->text = from->text;
        } else if (!strcmp(column, "unit") && strcmp(to->text, from->text)) {
                to->text = "";
        } else if (!strcmp(column, "site") && !*to->text) {
                to->text = from->text;
        }
}

static int merge_map(const char *column, struct table_map *to, const struct table_map *from) {
        bool is_per_call = !strcmp(column, "per_call");

        for (size_t i = 0; i < from->count; i++) {
                const struct table_entry *entry = &from->entries[i];
                struct table_entry *more;
                size_t at = 0;

                while (at < to->count && strcmp(to->entries[at].name, entry->name))
                        at++;
                if (at == to->count) {
                        more = reallocarray(to->entries, to->count + 1, sizeof(*more));
                        if (!more)
                                return -ENOMEM;
                        to->entries = more;
                        to->entries[to->count++] = *entry;
                } else if (!is_per_call || !strcmp(entry->name, "count")) {
                        to->entries[at].values[0] += entry->values[0];
                } else if (entry->values[0] > to->entries[at].values[0]) {
                        to->entries[at].values[0] = entry->values[0];
                }
        }
        return 0;
}

/* Takes nothing over: `from` keeps its map. */
static int merge_cell(const struct wire_column *column, struct table_cell *to, const struct table_cell *from) {
        bool is_hidden = from->type == WIRE_COLUMN_TEXT && column->type != WIRE_COLUMN_TEXT;

        if (is_hidden)
                return 0;
        if (to->type == WIRE_COLUMN_TEXT && column->type != WIRE_COLUMN_TEXT) {
                *to = (struct table_cell){.type = from->type};
                if (from->type != WIRE_COLUMN_MAP) {
                        *to = *from;
                        return 0;
                }
        }
        switch (to->type) {
        case WIRE_COLUMN_UINT:
                if (!is_largest(column->name))
                        to->u += from->u;
                else if (from->u > to->u)
                        to->u = from->u;
                return 0;
        case WIRE_COLUMN_INT:
                to->i = (int64_t)((uint64_t)to->i + (uint64_t)from->i);
                return 0;
        case WIRE_COLUMN_BOOL:
                to->b &= from->b;
                return 0;
        case WIRE_COLUMN_TEXT:
                merge_text(column->name, to, from);
                return 0;
        case WIRE_COLUMN_MAP:
                return merge_map(column->name, &to->map, &from->map);
        }
        return 0;
}

/* ---------------------------------------------------------------------------------------------------- rows -- */

struct merging {
        struct table *table;
        const char *key;
};

/* A path stands before those below it, so a slash sorts before all else. */
static int compare_paths(const char *a, const char *b) {
        while (*a && *a == *b)
                a++, b++;
        if (*a == *b)
                return 0;
        if (!*a || !*b)
                return *a ? 1 : -1;
        if (*a == '/' || *b == '/')
                return *a == '/' ? -1 : 1;
        return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
}

static int compare_keys(const struct merging *merging, size_t x, size_t y) {
        const struct table *table = merging->table;
        int order = compare_paths(table_text(table, x, merging->key), table_text(table, y, merging->key));

        return order ? order : strcmp(table_text(table, x, "thread"), table_text(table, y, "thread"));
}

static int compare_rows(const void *a, const void *b, void *userdata) {
        size_t x = *(const size_t *)a, y = *(const size_t *)b;
        int order = compare_keys(userdata, x, y);

        return order ? order : x < y ? -1 : x > y;
}

static bool is_of_process(const char *column) {
        static const char *const columns[] = {"process", "pid", "uid", "comm", "key", "parent_key", "paths"};

        for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++)
                if (!strcmp(columns[i], column))
                        return true;
        return false;
}

/* Adds row `from` to row `to`; `most`: the bytes of the row whose path `to` has. */
static int merge_row(struct table *table, size_t to, size_t from, uint64_t *most) {
        struct table_cell *into = &table->cells[to * table->column_count];
        const struct table_cell *cells = &table->cells[from * table->column_count];
        uint64_t bytes = table_uint(table, from, "alloc_bytes");
        int path = table_column(table, "path"), r = 0;

        if (path >= 0 && bytes > *most)
                into[path] = cells[path];
        *most = bytes > *most ? bytes : *most;
        for (size_t i = 0; i < table->column_count && r == 0; i++)
                if (!is_of_process(table->columns[i].name) && strcmp(table->columns[i].name, "depth"))
                        r = merge_cell(&table->columns[i], &into[i], &cells[i]);
        return r;
}

static void end_row(struct table *table, size_t row) {
        int column = table_column(table, "net_per_call");
        uint64_t calls = table_uint(table, row, "calls");

        if (column >= 0 && table_at(table, row, column)->type == WIRE_COLUMN_INT)
                table->cells[row * table->column_count + (size_t)column].i =
                        calls ? table_int(table, row, "calls_net_bytes") / (int64_t)calls : 0;
}

static int move_rows(struct table *table, const size_t *order) {
        size_t width = table->column_count;
        struct table_cell *cells = calloc(table->row_count * width + 1, sizeof(*cells));

        if (!cells)
                return -ENOMEM;
        for (size_t i = 0; i < table->row_count; i++)
                memcpy(cells + i * width, table->cells + order[i] * width, width * sizeof(*cells));
        free(table->cells);
        table->cells = cells;
        return 0;
}

/* Of the rows in their order: merges each run into its first row.  0 or -ENOMEM. */
static int merge_runs(struct table *table, const char *key) {
        const struct merging merging = {table, key};
        bool *keep = calloc(table->row_count + 1, sizeof(*keep));
        uint64_t most = 0;
        size_t first = 0;
        int r = 0;

        if (!keep)
                return -ENOMEM;
        for (size_t row = 0; row < table->row_count && r == 0; row++) {
                keep[row] = row == 0 || compare_keys(&merging, first, row) != 0;
                if (!keep[row]) {
                        r = merge_row(table, first, row, &most);
                        continue;
                }
                first = row;
                most = table_uint(table, row, "alloc_bytes");
        }
        if (r == 0)
                table_keep_rows(table, keep);
        free(keep);
        for (size_t row = 0; row < table->row_count && r == 0; row++)
                end_row(table, row);
        return r;
}

/* The cells of these columns have no memory of their own.  0 or -ENOMEM. */
static int drop_columns(struct table *table) {
        size_t width = table->column_count, kept = 0, at = 0;
        bool *drop = calloc(width + 1, sizeof(*drop));

        if (!drop)
                return -ENOMEM;
        for (size_t i = 0; i < width; i++) {
                drop[i] = is_of_process(table->columns[i].name);
                if (!drop[i])
                        table->columns[kept++] = table->columns[i];
        }
        for (size_t i = 0; i < table->row_count * width; i++)
                if (!drop[i % width])
                        table->cells[at++] = table->cells[i];
        table->column_count = kept;
        free(drop);
        return 0;
}

/* Of two indices of rows. */
typedef int compare_fn(const void *a, const void *b, void *userdata);

static int sort_rows(struct table *table, compare_fn *compare, void *userdata) {
        size_t *order = calloc(table->row_count + 1, sizeof(*order));
        int r;

        if (!order)
                return -ENOMEM;
        for (size_t i = 0; i < table->row_count; i++)
                order[i] = i;
        qsort_r(order, table->row_count, sizeof(*order), compare, userdata);
        r = move_rows(table, order);
        free(order);
        return r;
}

int by_name(struct table *table, const char *key) {
        struct merging merging = {table, key};
        int r = sort_rows(table, compare_rows, &merging);

        if (r == 0)
                r = merge_runs(table, key);
        return r == 0 ? drop_columns(table) : r;
}

/* ------------------------------------------------------------------------------------------------- sorting -- */

struct sorting {
        const struct table *table;
        int column;
        bool descending;
};

static int compare_by_column(const void *a, const void *b, void *userdata) {
        const struct sorting *sorting = userdata;
        size_t x = *(const size_t *)a, y = *(const size_t *)b;
        int order = table_cell_compare(table_at(sorting->table, x, sorting->column),
                                       table_at(sorting->table, y, sorting->column));

        if (order)
                return sorting->descending ? -order : order;
        return x < y ? -1 : x > y;
}

int by_name_sort(struct table *table, const char *sort) {
        struct sorting sorting = {table, table_column(table, sort + (*sort == '-')), *sort == '-'};

        if (sorting.column < 0 || table->row_count < 2)
                return 0;
        return sort_rows(table, compare_by_column, &sorting);
}
