/* SPDX-License-Identifier: MIT */
/*
 * Rows on one line: tens of thousands of them, of which each value would be an object of json-c, and each name a copy.
 *
 * Numbers and names of columns are written as they are.  So is a text in which nothing has to be escaped; json-c
 * writes the others.
 */
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>
#include <json-c/printbuf.h>

#include "ctl/output/json_rows.h"

struct column {
        int index;
        const char *name;
        size_t size; /* of the name */
};

struct json_rows {
        const struct table *table;
        size_t count; /* of columns */
        struct column columns[];
};

struct output {
        struct printbuf *to;
        bool failed;
        size_t used;
        char bytes[4096];
};

static bool is_there(const struct json_rows *rows, const char *name) {
        for (size_t i = 0; i < rows->count; i++)
                if (!strcmp(rows->columns[i].name, name))
                        return true;
        return false;
}

struct json_rows *json_rows_new(const struct table *table, const struct json_columns *columns) {
        bool all = !columns || !columns->count;
        size_t n = all ? table->column_count : columns->count;
        struct json_rows *rows = calloc(1, sizeof(*rows) + n * sizeof(rows->columns[0]));

        if (!rows)
                return NULL;
        rows->table = table;
        for (size_t i = 0; i < n; i++) {
                const char *name = all ? table->columns[i].name : columns->names[i];
                int index = table_column(table, name);

                /* An object has a name once. */
                if (index >= 0 && !is_there(rows, name))
                        rows->columns[rows->count++] = (struct column){index, name, strlen(name)};
        }
        return rows;
}

struct json_rows *json_rows_free(struct json_rows *rows) {
        free(rows);
        return NULL;
}

/* ----------------------------------------------------------------------------------------------------- values -- */

static void flush(struct output *out) {
        out->failed |= out->used && printbuf_memappend(out->to, out->bytes, (int)out->used) < 0;
        out->used = 0;
}

static void put(struct output *out, const char *bytes, size_t size) {
        if (size > sizeof(out->bytes) - out->used)
                flush(out);
        if (size > sizeof(out->bytes)) {
                out->failed |= printbuf_memappend(out->to, bytes, (int)size) < 0;
                return;
        }
        memcpy(out->bytes + out->used, bytes, size);
        out->used += size;
}

static void put_char(struct output *out, char c) {
        put(out, &c, 1);
}

static void put_uint(struct output *out, uint64_t value) {
        char digits[20];
        size_t at = sizeof(digits);

        do
                digits[--at] = (char)('0' + value % 10);
        while (value /= 10);
        put(out, digits + at, sizeof(digits) - at);
}

static void put_int(struct output *out, int64_t value) {
        if (value < 0)
                put_char(out, '-');
        put_uint(out, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

static void put_escaped(struct output *out, const char *text) {
        struct json_object *object = json_object_new_string(text);
        const char *escaped = object ? json_object_to_json_string_ext(object, JSON_C_TO_STRING_NOSLASHESCAPE) : NULL;

        if (escaped)
                put(out, escaped, strlen(escaped));
        else
                out->failed = true;
        json_object_put(object);
}

static void put_text(struct output *out, const char *text) {
        size_t size = 0;

        for (; text[size]; size++)
                if ((unsigned char)text[size] < ' ' || text[size] == '"' || text[size] == '\\') {
                        put_escaped(out, text);
                        return;
                }
        put_char(out, '"');
        put(out, text, size);
        put_char(out, '"');
}

static void put_entry(struct output *out, const struct table_entry *entry) {
        if (entry->count == 1) {
                put_uint(out, entry->values[0]);
                return;
        }
        put_char(out, '[');
        for (uint32_t i = 0; i < entry->count; i++) {
                if (i)
                        put_char(out, ',');
                put_uint(out, entry->values[i]);
        }
        put_char(out, ']');
}

static bool is_later(const struct table_map *map, size_t i) {
        for (size_t k = 0; k < i; k++)
                if (!strcmp(map->entries[k].name, map->entries[i].name))
                        return true;
        return false;
}

/* Of a name that comes again json-c keeps the place and takes the later value. */
static const struct table_entry *last_of(const struct table_map *map, size_t i) {
        const struct table_entry *entry = &map->entries[i];

        for (size_t k = i + 1; k < map->count; k++)
                if (!strcmp(map->entries[k].name, entry->name))
                        entry = &map->entries[k];
        return entry;
}

static void put_map(struct output *out, const struct table_map *map) {
        bool first = true;

        put_char(out, '{');
        for (size_t i = 0; i < map->count; i++) {
                if (is_later(map, i))
                        continue;
                if (!first)
                        put_char(out, ',');
                first = false;
                put_text(out, map->entries[i].name);
                put_char(out, ':');
                put_entry(out, last_of(map, i));
        }
        put_char(out, '}');
}

static void put_cell(struct output *out, const struct table_cell *cell) {
        switch (cell->type) {
        case WIRE_COLUMN_UINT:
                put_uint(out, cell->u);
                break;
        case WIRE_COLUMN_INT:
                put_int(out, cell->i);
                break;
        case WIRE_COLUMN_BOOL:
                put(out, cell->b ? "true" : "false", cell->b ? 4 : 5);
                break;
        case WIRE_COLUMN_TEXT:
                put_text(out, cell->text);
                break;
        case WIRE_COLUMN_MAP:
                put_map(out, &cell->map);
                break;
        }
}

/* ------------------------------------------------------------------------------------------------------- rows -- */

static void put_row(struct output *out, const struct json_rows *rows, size_t row) {
        put_char(out, '{');
        for (size_t i = 0; i < rows->count; i++) {
                const struct column *column = &rows->columns[i];

                put(out, i ? ",\"" : "\"", i ? 2 : 1);
                put(out, column->name, column->size);
                put(out, "\":", 2);
                put_cell(out, table_at(rows->table, row, column->index));
        }
        put_char(out, '}');
}

int json_rows_write(const struct json_rows *rows, struct printbuf *to) {
        struct output out = {.to = to};

        put_char(&out, '[');
        for (size_t row = 0; row < rows->table->row_count; row++) {
                if (row)
                        put_char(&out, ',');
                put_row(&out, rows, row);
        }
        put_char(&out, ']');
        flush(&out);
        return out.failed ? -1 : 0;
}
