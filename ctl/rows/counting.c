/* SPDX-License-Identifier: MIT */
/*
 * What the values of `counting` mean.  Why a heap is not counted is found by the collector.
 */
#include <stdlib.h>
#include <string.h>

#include "ctl/rows/counting.h"

bool counting_is_missing(const char *counting) {
        static const char nothing[] = "nothing", not_counted[] = "not counted";

        return !strncmp(counting, nothing, strlen(nothing)) || !strncmp(counting, not_counted, strlen(not_counted));
}

bool counting_is_in_filter(const char *counting) {
        return !counting_is_missing(counting) && strstr(counting, "; in a seccomp filter") != NULL;
}

/* Cycles, open spans and times are known of any process. */
static bool is_of_heap(const char *column) {
        static const char *const parts[] = {"alloc_", "net_", "inherited_", "per_call", "coverage_", "quality"};

        for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
                if (strstr(column, parts[i]))
                        return true;
        return false;
}

bool counting_is_hidden(const struct table *table, size_t row) {
        const struct table_cell *cell = table_at(table, row, table_column(table, "alloc_bytes"));

        return cell && cell->type == WIRE_COLUMN_TEXT;
}

void counting_hide(struct table *table, size_t row) {
        struct table_cell *cells = &table->cells[row * table->column_count];

        for (size_t i = 0; i < table->column_count; i++) {
                if (!is_of_heap(table->columns[i].name))
                        continue;
                if (cells[i].type == WIRE_COLUMN_MAP)
                        free(cells[i].map.entries);
                cells[i] = (struct table_cell){.type = WIRE_COLUMN_TEXT, .text = ""};
        }
}
