/* SPDX-License-Identifier: MIT */
/*
 * Answers made by hand, for tests of what is made of answers.
 */
#pragma once

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "query/table.h"

/* All columns of a table of daemon/wire/columns.h, every cell zero or empty.  Freed with table_free; text in cells is
 * borrowed. */
static inline struct table *fake_table(const char *name, size_t rows, uint64_t time_ns) {
        const struct wire_columns *known = wire_columns(name);
        struct table *table = calloc(1, sizeof(*table));

        assert(known && table);
        table->time_ns = time_ns;
        table->complete = true;
        table->column_count = known->count;
        table->row_count = rows;
        table->columns = calloc(known->count, sizeof(*table->columns));
        table->cells = calloc(known->count * rows + 1, sizeof(*table->cells));
        assert(table->columns && table->cells);
        memcpy(table->columns, known->columns, known->count * sizeof(*table->columns));
        for (size_t i = 0; i < known->count * rows; i++) {
                table->cells[i].type = known->columns[i % known->count].type;
                if (table->cells[i].type == WIRE_COLUMN_TEXT)
                        table->cells[i].text = "";
        }
        return table;
}

static inline struct table_cell *fake_cell(struct table *table, size_t row, const char *column) {
        int index = table_column(table, column);

        assert(index >= 0 && row < table->row_count);
        return &table->cells[row * table->column_count + (size_t)index];
}

static inline void fake_uint(struct table *table, size_t row, const char *column, uint64_t value) {
        fake_cell(table, row, column)->u = value;
}

static inline void fake_int(struct table *table, size_t row, const char *column, int64_t value) {
        fake_cell(table, row, column)->i = value;
}

static inline void fake_text(struct table *table, size_t row, const char *column, const char *value) {
        fake_cell(table, row, column)->text = value;
}

/* An entry with one value in a map. */
static inline void fake_entry(struct table *table, size_t row, const char *column, const char *name, uint64_t value) {
        struct table_map *map = &fake_cell(table, row, column)->map;

        map->entries = realloc(map->entries, (map->count + 1) * sizeof(*map->entries));
        assert(map->entries);
        map->entries[map->count++] = (struct table_entry){.name = name, .count = 1, .values = {value}};
}
