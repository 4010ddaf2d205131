/* SPDX-License-Identifier: MIT */
/*
 * Decides which columns of a view fit the terminal, and makes a table of these.  render.c prints cells and tables.
 */
#include <string.h>

#include "ctl/output/render.h"
#include "ctl/output/text.h"
#include "ctl/output/view.h"

/* Names may be shortened to this before a whole column is given up. */
enum { NAME_MIN = 8 };

static bool is_usual(const struct table_cell *cell, uint64_t usual) {
        if (!cell)
                return true;
        switch (cell->type) {
        case WIRE_COLUMN_UINT:
                return cell->u == usual;
        case WIRE_COLUMN_INT:
                return cell->i == (int64_t)usual;
        case WIRE_COLUMN_BOOL:
                return cell->b == !!usual;
        case WIRE_COLUMN_TEXT:
                return !*cell->text;
        case WIRE_COLUMN_MAP:
                return !cell->map.count;
        }
        return true;
}

static bool has_any(const struct table *table, const struct view_column *column) {
        int index = table_column(table, column->name);

        for (size_t row = 0; row < table->row_count; row++)
                if (!is_usual(table_at(table, row, index), column->usual))
                        return true;
        return false;
}

/* The least that a column takes, with the blank before it. */
static size_t least_width(const struct table *table, const char *name) {
        char buf[RENDER_CELL_MAX], heading[RENDER_HEADING_MAX];
        size_t least = 0, needed = text_width(render_heading(name, heading));

        for (size_t row = 0; row < table->row_count; row++) {
                size_t width = text_width(render_cell(table, row, name, buf));

                least = width > least ? width : least;
        }
        if (render_is_shortened(table, name) && least > NAME_MIN)
                least = NAME_MIN;
        return 1 + (least > needed ? least : needed);
}

size_t view_least_width(const struct table *table, const char *const *columns, size_t count) {
        size_t sum = 0;

        for (size_t i = 0; i < count; i++)
                sum += least_width(table, columns[i]);
        return sum ? sum - 1 : 0;
}

static size_t highest_rank(const struct view_column *view, size_t n_view, const bool *shown) {
        size_t highest = n_view;

        for (size_t i = 0; i < n_view; i++)
                if (shown[i] && view[i].rank && (highest == n_view || view[i].rank > view[highest].rank))
                        highest = i;
        return highest;
}

size_t view_choose(const struct options *options, const struct table *table, const struct view_column *view,
                   size_t n_view, size_t width, const char **ret) {
        bool shown[OPTIONS_COLUMNS_MAX] = {false};
        size_t widths[OPTIONS_COLUMNS_MAX], sum = 0, n = 0;

        if (options->n_columns) {
                memcpy(ret, options->columns, options->n_columns * sizeof(*ret));
                return options->n_columns;
        }
        for (size_t i = 0; i < n_view; i++) {
                shown[i] = !view[i].only_if_any || has_any(table, &view[i]);
                widths[i] = shown[i] ? least_width(table, view[i].name) : 0;
                sum += widths[i];
        }
        while (width && sum > width + 1) {
                size_t i = highest_rank(view, n_view, shown);

                if (i == n_view)
                        break;
                shown[i] = false;
                sum -= widths[i];
        }
        for (size_t i = 0; i < n_view; i++)
                if (shown[i])
                        ret[n++] = view[i].name;
        return n;
}

int view_print(const struct options *options, const struct table *table, const struct view_column *view, size_t n_view,
               FILE *stream) {
        const char *columns[OPTIONS_COLUMNS_MAX];
        size_t width = render_width(options);
        size_t n = view_choose(options, table, view, n_view, width, columns);

        /* Columns that the options name are not cut if they do not fit: a pager can scroll sideways. */
        if (options->n_columns && view_least_width(table, columns, n) > width)
                width = 0;
        return render_table(options, table, columns, n, width, stream);
}
