#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/format.h"
#include "ctl/render.h"
#include "ctl/render_tree.h"

/* Rows from the root to the one that was drawn last. */
struct ancestor {
        const char *path;
        size_t line;
};

struct drawing {
        const struct table *tree;
        struct render *render;
        const char *const *columns;
        size_t n_columns;
        struct ancestor *ancestors;
        size_t depth;
        size_t process_line;
};

static const char *const default_columns[] = {"closed", "open", "self_alloc_bytes", "alloc_bytes", "net_bytes"};

static bool is_below(const char *path, const char *ancestor) {
        size_t n = strlen(ancestor);

        return !strncmp(path, ancestor, n) && path[n] == '/';
}

/* What the roots of a process sum up to is what all its spans allocated. */
static uint64_t process_sum(const struct table *tree, size_t first, const char *column) {
        uint64_t process = table_uint(tree, first, "process"), sum = 0;

        for (size_t row = first; row < tree->row_count && table_uint(tree, row, "process") == process; row++)
                if (table_uint(tree, row, "depth") == 0)
                        sum += table_uint(tree, row, column);
        return sum;
}

static int draw_process(struct drawing *drawing, size_t row) {
        const struct table *tree = drawing->tree;
        const char *cells[OPTIONS_COLUMNS_MAX + 1] = {NULL};
        const char *unit = table_text(tree, row, "unit");
        char name[RENDER_CELL_MAX], sum[FORMAT_MAX];

        snprintf(name, sizeof(name), "%s[%" PRIu64 "]%s%s", table_text(tree, row, "comm"), table_uint(tree, row, "pid"),
                 *unit ? " " : "", unit);
        cells[0] = name;
        for (size_t i = 0; i < drawing->n_columns; i++)
                if (!strcmp(drawing->columns[i], "alloc_bytes"))
                        cells[i + 1] = format_bytes(sum, process_sum(tree, row, "alloc_bytes"));
        drawing->depth = 0;
        drawing->process_line = render_row(drawing->render, RENDER_ROOT, cells);
        return drawing->process_line == RENDER_ROOT ? -ENOMEM : 0;
}

static int draw_span(struct drawing *drawing, size_t row) {
        const struct table *tree = drawing->tree;
        const char *path = table_text(tree, row, "path");
        const char *cells[OPTIONS_COLUMNS_MAX + 1];
        char(*bufs)[RENDER_CELL_MAX];
        bool whole;
        size_t line;

        while (drawing->depth && !is_below(path, drawing->ancestors[drawing->depth - 1].path))
                drawing->depth--;
        /* A filter may have taken the parents away; then the path says what the lines cannot. */
        whole = table_uint(tree, row, "depth") == drawing->depth;
        bufs = calloc(drawing->n_columns + 1, sizeof(*bufs));
        if (!bufs)
                return -ENOMEM;
        cells[0] = whole ? table_text(tree, row, "span") : path;
        for (size_t i = 0; i < drawing->n_columns; i++)
                cells[i + 1] = render_cell(tree, row, drawing->columns[i], bufs[i]);
        line = render_row(drawing->render,
                          drawing->depth ? drawing->ancestors[drawing->depth - 1].line : drawing->process_line, cells);
        free(bufs);
        drawing->ancestors[drawing->depth++] = (struct ancestor){path, line};
        return line == RENDER_ROOT ? -ENOMEM : 0;
}

static int draw_columns(struct drawing *drawing) {
        char heading[RENDER_HEADING_MAX];
        int r = render_column(drawing->render, "SPAN", RENDER_TREE | RENDER_SHORTEN);

        for (size_t i = 0; i < drawing->n_columns && r == 0; i++) {
                int index = table_column(drawing->tree, drawing->columns[i]);
                bool total = !strcmp(drawing->columns[i], "alloc_bytes");
                bool text = index >= 0 && drawing->tree->columns[index].type == WIRE_COLUMN_TEXT;

                r = render_column(drawing->render, total ? "TOTAL" : render_heading(drawing->columns[i], heading),
                                  text ? RENDER_SHORTEN : RENDER_RIGHT);
        }
        return r;
}

int render_tree(const struct options *options, const struct table *tree, FILE *stream) {
        struct drawing drawing = {
                .tree = tree,
                .columns = options->n_columns ? options->columns : default_columns,
                .n_columns = options->n_columns ? options->n_columns
                                                : sizeof(default_columns) / sizeof(default_columns[0]),
                .ancestors = calloc(tree->row_count + 1, sizeof(*drawing.ancestors)),
        };
        int r = drawing.ancestors ? render_new(&drawing.render, !options->no_legend, render_width(options)) : -ENOMEM;

        if (r == 0)
                r = draw_columns(&drawing);
        for (size_t row = 0; row < tree->row_count && r == 0; row++) {
                if (row == 0 || table_uint(tree, row, "process") != table_uint(tree, row - 1, "process"))
                        r = draw_process(&drawing, row);
                if (r == 0)
                        r = draw_span(&drawing, row);
        }
        if (r == 0)
                r = render_print(drawing.render, stream);
        render_free(drawing.render);
        free(drawing.ancestors);
        return r;
}
