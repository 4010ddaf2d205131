/* SPDX-License-Identifier: MIT */
/*
 * The tables of columns.h as data: name, type, unit and help of each column, by the name of its table.
 */
#include "daemon/wire/columns.h"

#include <string.h>

#define COLUMN(name_, type_, unit_, help_) {#name_, WIRE_COLUMN_##type_, WIRE_UNIT_##unit_, help_},

static const struct wire_column spans_columns[] = {WIRE_SPANS_COLUMNS(COLUMN)};
static const struct wire_column tree_columns[] = {WIRE_TREE_COLUMNS(COLUMN)};
static const struct wire_column ps_columns[] = {WIRE_PS_COLUMNS(COLUMN)};
static const struct wire_column follow_columns[] = {WIRE_FOLLOW_COLUMNS(COLUMN)};
static const struct wire_column status_columns[] = {WIRE_STATUS_FIELDS(COLUMN)};

static const struct wire_columns tables[] = {
        {"spans", spans_columns, WIRE_SPANS_COUNT},
        {"tree", tree_columns, WIRE_TREE_COUNT},
        {"ps", ps_columns, WIRE_PS_COUNT},
        {"follow", follow_columns, WIRE_FOLLOW_COUNT},
        {"status", status_columns, WIRE_STATUS_COUNT},
};

const struct wire_columns *wire_columns(const char *table) {
        for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
                if (strcmp(tables[i].table, table) == 0)
                        return &tables[i];

        return NULL;
}

int wire_columns_find(const struct wire_columns *columns, const char *name) {
        for (size_t i = 0; i < columns->count; i++)
                if (strcmp(columns->columns[i].name, name) == 0)
                        return (int)i;

        return -1;
}
