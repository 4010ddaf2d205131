/* SPDX-License-Identifier: MIT */
/*
 * The drawing of `tree`: lines, shares, folded rows.  The order of its rows is in tree_order.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/output/format.h"
#include "ctl/output/render.h"
#include "ctl/output/render_tree.h"
#include "ctl/rows/counting.h"
#include "ctl/rows/outside.h"

/* Rows from the root to the one that was drawn last. */
struct ancestor {
        const char *path;
        size_t line;
};

struct drawing {
        const struct table *tree, *processes; /* processes: NULL, or what `ps` says of them */
        bool is_part;                         /* A filter left rows out. */
        struct render *render;
        const char *const *columns;
        size_t n_columns;
        struct ancestor *ancestors;
        size_t depth;
        size_t process_line;
        size_t process_row;      /* in `processes` */
        size_t drawn, most;      /* spans, not processes nor what stands for several */
        uint64_t min_ppm, least; /* what a row of this process has to have allocated to be drawn */
        struct folded {
                size_t rows, row; /* how many, and the last */
                uint64_t bytes;
        } * folded; /* rows that are missing, by the depth at which they would stand */
};

static const char *const default_columns[] = {"closed", "open", "self_alloc_bytes", "alloc_bytes", "net_bytes"};
static const char *const columns_by_name[] = {"processes",        "closed",      "open",
                                              "self_alloc_bytes", "alloc_bytes", "net_bytes"};

static bool is_below(const char *path, const char *ancestor) {
        size_t n = strlen(ancestor);

        return !strncmp(path, ancestor, n) && path[n] == '/';
}

/* What the roots of a process sum up to is what it allocated, in spans and outside, less what was lost. */
static uint64_t process_sum(const struct table *tree, size_t first, const char *column) {
        uint64_t process = table_uint(tree, first, "process"), sum = 0;
        bool is_net = !strcmp(column, "net_bytes");

        for (size_t row = first; row < tree->row_count && table_uint(tree, row, "process") == process; row++)
                if (table_uint(tree, row, "depth") == 0)
                        sum += is_net ? (uint64_t)table_int(tree, row, column) : table_uint(tree, row, column);
        return sum;
}

/* The row of `ps`, or how many there are.  Both answers are in the collector's order, so the search goes on from the last
 * one that was found. */
static size_t find_process(const struct table *processes, uint64_t process, size_t last) {
        size_t n = processes ? processes->row_count : 0;

        for (size_t i = 0; i < n; i++)
                if (table_uint(processes, (last + i) % n, "process") == process)
                        return (last + i) % n;
        return n;
}

/* Of a process, the columns that are sums over all that it does.  NULL: not known. */
static const char *process_cell(const struct drawing *drawing, size_t row, const char *column,
                                char buf[RENDER_CELL_MAX]) {
        static const char *const summed[] = {"alloc_count", "alloc_bytes", "dealloc_count", "dealloc_bytes",
                                             "net_bytes"};
        const struct table *tree = drawing->tree;
        const struct table *processes = drawing->processes;
        char number[FORMAT_MAX];
        size_t i = 0;
        uint64_t sum;

        while (i < sizeof(summed) / sizeof(summed[0]) && strcmp(summed[i], column) != 0)
                i++;
        if (i == sizeof(summed) / sizeof(summed[0]))
                return NULL;
        if (counting_is_hidden(tree, row))
                return "-";
        if (processes && drawing->process_row < processes->row_count)
                return render_cell(processes, drawing->process_row, column, buf);
        if (drawing->is_part)
                return NULL;
        sum = process_sum(tree, row, column);
        if (!strcmp(column, "net_bytes"))
                return strcpy(buf, format_net_bytes(number, (int64_t)sum));
        return strcpy(buf, strstr(column, "bytes") ? format_bytes(number, sum) : format_count(number, sum));
}

static int draw_process(struct drawing *drawing, size_t row) {
        char(*bufs)[RENDER_CELL_MAX] = calloc(drawing->n_columns + 1, sizeof(*bufs));
        const struct table *tree = drawing->tree;
        const char *cells[OPTIONS_COLUMNS_MAX + 1] = {NULL};
        const char *unit = table_text(tree, row, "unit");
        char name[RENDER_CELL_MAX];

        if (!bufs)
                return -ENOMEM;
        if (table_column(tree, "process") < 0)
                snprintf(name, sizeof(name), "(all processes)");
        else
                snprintf(name, sizeof(name), "%s[%" PRIu64 "]%s%s", table_text(tree, row, "comm"),
                         table_uint(tree, row, "pid"), *unit ? " " : "", unit);
        cells[0] = name;
        drawing->process_row = find_process(drawing->processes, table_uint(tree, row, "process"), drawing->process_row);
        for (size_t i = 0; i < drawing->n_columns; i++)
                cells[i + 1] = process_cell(drawing, row, drawing->columns[i], bufs[i]);
        drawing->depth = 0;
        drawing->least = (uint64_t)((unsigned __int128)process_sum(tree, row, "alloc_bytes") * drawing->min_ppm /
                                    1000000);
        drawing->process_line = render_row(drawing->render, RENDER_ROOT, cells);
        free(bufs);
        return drawing->process_line == RENDER_ROOT ? -ENOMEM : 0;
}

static int draw_cells(struct drawing *drawing, size_t row, size_t depth, const char *name, size_t *ret_line) {
        char(*bufs)[RENDER_CELL_MAX] = calloc(drawing->n_columns + 1, sizeof(*bufs));
        const char *cells[OPTIONS_COLUMNS_MAX + 1];

        if (!bufs)
                return -ENOMEM;
        cells[0] = name;
        for (size_t i = 0; i < drawing->n_columns; i++)
                cells[i + 1] = render_cell(drawing->tree, row, drawing->columns[i], bufs[i]);
        *ret_line = render_row(drawing->render, depth ? drawing->ancestors[depth - 1].line : drawing->process_line,
                               cells);
        free(bufs);
        drawing->drawn++;
        return *ret_line == RENDER_ROOT ? -ENOMEM : 0;
}

/* Says below a row what is not drawn there, once its last child has been.  One row alone is drawn after all, if it may: it
 * takes no more room. */
static int close_row(struct drawing *drawing, size_t depth) {
        struct folded folded = drawing->folded[depth];
        const char *cells[OPTIONS_COLUMNS_MAX + 1] = {NULL};
        char name[64], bytes[FORMAT_MAX], label[OUTSIDE_LABEL_MAX];
        size_t line;

        drawing->folded[depth] = (struct folded){.rows = 0};
        if (!folded.rows)
                return 0;
        if (folded.rows == 1 && drawing->drawn < drawing->most)
                return draw_cells(drawing, folded.row, depth, outside_or_span(drawing->tree, folded.row, label), &line);
        snprintf(name, sizeof(name), "(%zu more)", folded.rows);
        cells[0] = name;
        for (size_t i = 0; i < drawing->n_columns; i++)
                if (!strcmp(drawing->columns[i], "alloc_bytes"))
                        cells[i + 1] = format_bytes(bytes, folded.bytes);
        line = render_row(drawing->render, depth ? drawing->ancestors[depth - 1].line : drawing->process_line, cells);
        return line == RENDER_ROOT ? -ENOMEM : 0;
}

/* Leaves what `path` is not below; NULL: everything, the process too. */
static int leave(struct drawing *drawing, const char *path) {
        int r = 0;

        while (drawing->depth && (!path || !is_below(path, drawing->ancestors[drawing->depth - 1].path)) && r == 0) {
                r = close_row(drawing, drawing->depth);
                drawing->depth--;
        }
        return r == 0 && !path && drawing->process_line != RENDER_ROOT ? close_row(drawing, 0) : r;
}

static int draw_span(struct drawing *drawing, size_t row) {
        const char *path = table_text(drawing->tree, row, "path"), *name = path;
        char label[OUTSIDE_LABEL_MAX];
        size_t line;
        int r = leave(drawing, path);

        if (r < 0)
                return r;
        /* A filter may have taken the parents away; then the path says what the lines cannot. */
        if (table_uint(drawing->tree, row, "depth") == drawing->depth)
                name = outside_or_span(drawing->tree, row, label);
        r = draw_cells(drawing, row, drawing->depth, name, &line);
        drawing->ancestors[drawing->depth++] = (struct ancestor){path, line};
        return r;
}

/* Takes a row, and all below it, for too small to be drawn.  Returns the next row, or `row` itself when it is large
 * enough. */
static size_t fold_rows(struct drawing *drawing, size_t row) {
        const struct table *tree = drawing->tree;
        uint64_t bytes = table_uint(tree, row, "alloc_bytes"), process = table_uint(tree, row, "process");
        const char *path = table_text(tree, row, "path");
        struct folded *folded;
        size_t next = row + 1;

        if (bytes >= drawing->least || table_uint(tree, row, "open"))
                return row;
        while (next < tree->row_count && table_uint(tree, next, "process") == process &&
               is_below(table_text(tree, next, "path"), path))
                if (table_uint(tree, next++, "open"))
                        return row;
        leave(drawing, path);
        folded = &drawing->folded[drawing->depth];
        folded->rows += next - row;
        folded->row = row;
        folded->bytes += bytes;
        return next;
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

int render_tree(const struct options *options, const struct table *tree, const struct table *processes, FILE *stream,
                size_t *ret_left) {
        size_t row = 0;
        struct drawing drawing = {
                .tree = tree,
                .processes = processes,
                .is_part = options->filter,
                .columns = default_columns,
                .n_columns = sizeof(default_columns) / sizeof(default_columns[0]),
                .ancestors = calloc(tree->row_count + 1, sizeof(*drawing.ancestors)),
                .folded = calloc(tree->row_count + 2, sizeof(*drawing.folded)),
                .process_line = RENDER_ROOT,
                .most = options->limit ? (size_t)options->limit : SIZE_MAX,
                .min_ppm = options->min_ppm,
        };
        int r;

        if (options->by_name) {
                drawing.columns = columns_by_name;
                drawing.n_columns = sizeof(columns_by_name) / sizeof(columns_by_name[0]);
        }
        if (options->n_columns) {
                drawing.columns = options->columns;
                drawing.n_columns = options->n_columns;
        }
        r = drawing.ancestors && drawing.folded
                    ? render_new(&drawing.render, !options->no_legend, render_width(options))
                    : -ENOMEM;

        if (r == 0)
                r = draw_columns(&drawing);
        while (row < tree->row_count && drawing.drawn < drawing.most && r == 0) {
                size_t next;

                if (row == 0 || table_uint(tree, row, "process") != table_uint(tree, row - 1, "process")) {
                        r = leave(&drawing, NULL);
                        if (r == 0)
                                r = draw_process(&drawing, row);
                }
                next = r == 0 ? fold_rows(&drawing, row) : row;
                if (r == 0 && next == row)
                        r = draw_span(&drawing, next++);
                row = next;
        }
        if (r == 0)
                r = leave(&drawing, NULL);
        if (r == 0)
                r = render_print(drawing.render, stream);
        render_free(drawing.render);
        free(drawing.ancestors);
        free(drawing.folded);
        if (r == 0)
                *ret_left = tree->row_count - row;
        return r;
}
