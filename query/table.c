/* SPDX-License-Identifier: MIT */
/*
 * Tables: reading cells, and decoding.
 *
 * The collector is trusted no more than a file: formats are checked, and texts are made fit for a terminal here, once,
 * so that code which prints need not do it.
 */
#include "query/table_decode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clean_text.h"

/* A table in the making.  Each text takes one byte more here than its characters, and at least that in the message,
 * so that an arena of the message's size holds them all. */
struct decoder {
        struct table *table;
        size_t arena_size, arena_used;
};

static void free_maps(const struct table *table, size_t row) {
        const struct table_cell *cells = &table->cells[row * table->column_count];

        for (size_t i = 0; i < table->column_count; i++)
                if (cells[i].type == WIRE_COLUMN_MAP)
                        free(cells[i].map.entries);
}

struct table *table_free(struct table *table) {
        if (!table)
                return NULL;

        for (size_t row = 0; row < table->row_count; row++)
                free_maps(table, row);
        free(table->cells);
        free(table->columns);
        free(table->arena);
        free(table);
        return NULL;
}

void table_keep_rows(struct table *table, const bool *keep) {
        size_t n = table->column_count, kept = 0;

        for (size_t row = 0; row < table->row_count; row++) {
                if (!keep[row]) {
                        free_maps(table, row);
                        continue;
                }
                if (kept != row)
                        memcpy(&table->cells[kept * n], &table->cells[row * n], n * sizeof(*table->cells));
                kept++;
        }
        table->row_count = kept;
}

int table_column(const struct table *table, const char *name) {
        for (size_t i = 0; i < table->column_count; i++)
                if (strcmp(table->columns[i].name, name) == 0)
                        return (int)i;

        return -1;
}

const struct table_cell *table_at(const struct table *table, size_t row, int column) {
        if (row >= table->row_count || column < 0 || (size_t)column >= table->column_count)
                return NULL;

        return &table->cells[row * table->column_count + (size_t)column];
}

int table_cell_compare(const struct table_cell *a, const struct table_cell *b) {
        if (a->type != b->type)
                return a->type == WIRE_COLUMN_TEXT ? -1 : 1;
        switch (a->type) {
        case WIRE_COLUMN_UINT:
                return a->u < b->u ? -1 : a->u > b->u;
        case WIRE_COLUMN_INT:
                return a->i < b->i ? -1 : a->i > b->i;
        case WIRE_COLUMN_BOOL:
                return a->b - b->b;
        case WIRE_COLUMN_TEXT:
                return strcmp(a->text, b->text);
        case WIRE_COLUMN_MAP:
                return 0;
        }
        return 0;
}

static const struct table_cell *find_cell(const struct table *table, size_t row, const char *name,
                                          enum wire_column_type type) {
        const struct table_cell *cell = table_at(table, row, table_column(table, name));

        return cell && cell->type == type ? cell : NULL;
}

uint64_t table_uint(const struct table *table, size_t row, const char *column) {
        const struct table_cell *cell = table_at(table, row, table_column(table, column));

        if (cell && cell->type == WIRE_COLUMN_UINT)
                return cell->u;
        if (cell && cell->type == WIRE_COLUMN_INT && cell->i > 0)
                return (uint64_t)cell->i;
        return 0;
}

int64_t table_int(const struct table *table, size_t row, const char *column) {
        const struct table_cell *cell = table_at(table, row, table_column(table, column));

        if (cell && cell->type == WIRE_COLUMN_INT)
                return cell->i;
        if (cell && cell->type == WIRE_COLUMN_UINT)
                return cell->u <= INT64_MAX ? (int64_t)cell->u : INT64_MAX;
        return 0;
}

bool table_bool(const struct table *table, size_t row, const char *column) {
        const struct table_cell *cell = find_cell(table, row, column, WIRE_COLUMN_BOOL);

        return cell && cell->b;
}

const char *table_text(const struct table *table, size_t row, const char *column) {
        const struct table_cell *cell = find_cell(table, row, column, WIRE_COLUMN_TEXT);

        return cell ? cell->text : "";
}

const struct table_map *table_map(const struct table *table, size_t row, const char *column) {
        const struct table_cell *cell = find_cell(table, row, column, WIRE_COLUMN_MAP);

        return cell ? &cell->map : NULL;
}

uint64_t table_map_uint(const struct table_map *map, const char *name) {
        for (size_t i = 0; map && i < map->count; i++)
                if (strcmp(map->entries[i].name, name) == 0)
                        return map->entries[i].values[0];

        return 0;
}

/* --------------------------------------------------------------------------------------------------- decoding -- */

static const char *decode_text(struct decoder *decoder, struct wire_value value) {
        char *to = decoder->table->arena + decoder->arena_used;
        const char *from;
        size_t size;

        if (!wire_get_text(value, &from, &size) || size >= decoder->arena_size - decoder->arena_used)
                return NULL;

        memcpy(to, from, size);
        to[size] = 0;
        decoder->arena_used += size + 1;
        text_clean_in_place(to, size);
        return to;
}

static int decode_entry(struct decoder *decoder, struct table_entry *entry, struct wire_value key,
                        struct wire_value value) {
        entry->name = decode_text(decoder, key);
        if (!entry->name)
                return -EBADMSG;

        if (wire_get_uint(value, &entry->values[0])) {
                entry->count = 1;
                return 0;
        }

        entry->count = wire_count(value);
        if (wire_type(value) != WIRE_ARRAY || entry->count > sizeof(entry->values) / sizeof(entry->values[0]))
                return -EBADMSG;
        for (uint32_t i = 0; i < entry->count; i++)
                if (!wire_get_uint(wire_at(value, i), &entry->values[i]))
                        return -EBADMSG;
        return 0;
}

static int decode_map(struct decoder *decoder, struct table_map *map, struct wire_value value) {
        uint32_t count = wire_count(value);
        int r;

        if (count == 0)
                return 0;

        map->entries = calloc(count, sizeof(*map->entries));
        if (!map->entries)
                return -ENOMEM;

        map->count = count;
        for (uint32_t i = 0; i < count; i++) {
                r = decode_entry(decoder, &map->entries[i], wire_key_at(value, i), wire_value_at(value, i));
                if (r < 0)
                        return r;
        }
        return 0;
}

/* The cell gets the type of what was sent, but for a number from 0 up where the column has signed ones. */
static int decode_cell(struct decoder *decoder, struct table_cell *cell, const struct wire_column *column,
                       struct wire_value value) {
        switch (wire_type(value)) {
        case WIRE_UINT:
        case WIRE_INT:
                if (column->type == WIRE_COLUMN_INT || wire_type(value) == WIRE_INT) {
                        cell->type = WIRE_COLUMN_INT;
                        return wire_get_int(value, &cell->i) ? 0 : -EBADMSG;
                }
                cell->type = WIRE_COLUMN_UINT;
                return wire_get_uint(value, &cell->u) ? 0 : -EBADMSG;
        case WIRE_BOOL:
                cell->type = WIRE_COLUMN_BOOL;
                return wire_get_bool(value, &cell->b) ? 0 : -EBADMSG;
        case WIRE_TEXT:
                cell->type = WIRE_COLUMN_TEXT;
                cell->text = decode_text(decoder, value);
                return cell->text ? 0 : -EBADMSG;
        case WIRE_MAP:
                cell->type = WIRE_COLUMN_MAP;
                return decode_map(decoder, &cell->map, value);
        default:
                return -EBADMSG;
        }
}

static int decoder_init(struct decoder *decoder, size_t columns, size_t rows, size_t size) {
        struct table *table;

        table = calloc(1, sizeof(*table));
        if (!table)
                return -ENOMEM;

        *decoder = (struct decoder){.table = table, .arena_size = size};
        table->complete = true;
        table->arena = malloc(size);
        table->columns = calloc(columns + 1, sizeof(*table->columns));
        table->cells = calloc(columns * rows + 1, sizeof(*table->cells));
        if (!table->arena || !table->columns || !table->cells) {
                table_free(table);
                return -ENOMEM;
        }

        table->column_count = columns;
        table->row_count = rows;
        return 0;
}

static int decode_column(struct decoder *decoder, size_t index, const char *name, struct wire_value sent) {
        const struct wire_columns *known = wire_columns(name);
        struct wire_column *column = &decoder->table->columns[index];
        const char *text = decode_text(decoder, sent);
        int found;

        if (!text)
                return -EBADMSG;

        found = known ? wire_columns_find(known, text) : -1;
        *column = found >= 0 ? known->columns[found] : (struct wire_column){.name = text, .help = ""};
        return 0;
}

/* A column that is not in daemon/wire/columns.h gets the type of its first cell. */
static void guess_types(struct table *table, const char *name) {
        const struct wire_columns *known = wire_columns(name);

        for (size_t i = 0; i < table->column_count && table->row_count > 0; i++)
                if (!known || wire_columns_find(known, table->columns[i].name) < 0)
                        table->columns[i].type = table->cells[i].type;
}

static int decode_row(struct decoder *decoder, size_t index, struct wire_value row) {
        struct table *table = decoder->table;
        int r;

        for (size_t i = 0; i < table->column_count; i++) {
                r = decode_cell(decoder, &table->cells[index * table->column_count + i], &table->columns[i],
                                wire_at(row, (uint32_t)i));
                if (r < 0)
                        return r;
        }
        return 0;
}

int table_decode(struct table **ret, const char *name, struct wire_value result, size_t size) {
        struct wire_value columns = wire_get(result, "columns"), rows = wire_get(result, "rows");
        struct decoder decoder;
        int r;

        if (wire_type(columns) != WIRE_ARRAY || wire_type(rows) != WIRE_ARRAY)
                return -EBADMSG;
        /* Before memory is reserved for them: the cells are as many as the message has. */
        for (uint32_t i = 0; i < wire_count(rows); i++)
                if (wire_count(wire_at(rows, i)) != wire_count(columns))
                        return -EBADMSG;

        r = decoder_init(&decoder, wire_count(columns), wire_count(rows), size);
        if (r < 0)
                return r;

        if (!wire_get_uint(wire_get(result, "time_ns"), &decoder.table->time_ns) ||
            !wire_get_bool(wire_get(result, "complete"), &decoder.table->complete))
                r = -EBADMSG;
        for (uint32_t i = 0; r == 0 && i < wire_count(columns); i++)
                r = decode_column(&decoder, i, name, wire_at(columns, i));
        for (uint32_t i = 0; r == 0 && i < wire_count(rows); i++)
                r = decode_row(&decoder, i, wire_at(rows, i));
        if (r < 0) {
                table_free(decoder.table);
                return r;
        }

        guess_types(decoder.table, name);
        *ret = decoder.table;
        return 0;
}

int table_decode_map(struct table **ret, const char *name, struct wire_value result, size_t size) {
        struct decoder decoder;
        int r;

        if (wire_type(result) != WIRE_MAP)
                return -EBADMSG;

        r = decoder_init(&decoder, wire_count(result), 1, size);
        if (r < 0)
                return r;

        for (uint32_t i = 0; r == 0 && i < wire_count(result); i++) {
                r = decode_column(&decoder, i, name, wire_key_at(result, i));
                if (r == 0)
                        r = decode_cell(&decoder, &decoder.table->cells[i], &decoder.table->columns[i],
                                        wire_value_at(result, i));
        }
        if (r < 0) {
                table_free(decoder.table);
                return r;
        }

        guess_types(decoder.table, name);
        *ret = decoder.table;
        return 0;
}

int table_decode_row(struct table **ret, const char *name, struct wire_value row, size_t size) {
        const struct wire_columns *known = wire_columns(name);
        struct decoder decoder;
        int r;

        /* A newer collector may send more, at the end. */
        if (!known || wire_type(row) != WIRE_ARRAY || wire_count(row) < known->count)
                return -EBADMSG;

        r = decoder_init(&decoder, known->count, 1, size);
        if (r < 0)
                return r;

        memcpy(decoder.table->columns, known->columns, known->count * sizeof(*known->columns));
        r = decode_row(&decoder, 0, row);
        if (r < 0) {
                table_free(decoder.table);
                return r;
        }

        *ret = decoder.table;
        return 0;
}
