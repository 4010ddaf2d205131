/* SPDX-License-Identifier: MIT */
/*
 * The tables of the report of `run`.  Its first lines are in report.c.
 */
#include "ctl/run/report_tables.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "ctl/output/format.h"
#include "ctl/output/render.h"
#include "ctl/output/text.h"
#include "ctl/run/report_fold.h"

enum {
        ROWS_MAX = 20,   /* of the tables that are a choice; that of the processes is whole */
        COLUMNS_MAX = 9, /* of any */
        SHORTENED = 12,  /* what is left of a name or a note before a column of numbers is left out */
};

struct column {
        const char *heading;
        unsigned flags;
        unsigned rank; /* the highest is left out first when room is short; 0: never left out */
        /* Returns `buf`, a text that lives long enough, or NULL for an empty cell. */
        const char *(*cell)(const struct fold_row *row, char buf[RENDER_CELL_MAX]);
};

#define VALUE_CELL(name, format, value)                                                                                \
        static const char *name(const struct fold_row *row, char buf[RENDER_CELL_MAX]) {                               \
                return format(buf, value);                                                                             \
        }

VALUE_CELL(allocs_cell, format_count, row->values[FOLD_ALLOCS])
VALUE_CELL(alloc_bytes_cell, format_bytes, row->values[FOLD_ALLOC_BYTES])
VALUE_CELL(frees_cell, format_count, row->values[FOLD_FREES])
VALUE_CELL(freed_cell, format_bytes, row->values[FOLD_FREED_BYTES])
VALUE_CELL(self_cell, format_bytes, row->values[FOLD_SELF_BYTES])
VALUE_CELL(cycles_cell, format_count, row->values[FOLD_CYCLES])
VALUE_CELL(net_cell, format_net_bytes, (int64_t)row->values[FOLD_NET])
VALUE_CELL(inherited_cell, format_bytes, row->values[FOLD_INHERITED])

/* " x41", which stays where the name is cut; nothing for one. */
static const char *times(const struct fold_row *row, char buf[FORMAT_MAX]) {
        *buf = '\0';
        if (row->images > 1)
                snprintf(buf, FORMAT_MAX, " x%" PRIu64, row->images);
        return buf;
}

static const char *name_cell(const struct fold_row *row, char buf[RENDER_CELL_MAX]) {
        char tail[FORMAT_MAX];

        snprintf(buf, RENDER_CELL_MAX, "%.200s%s", row->keys[FOLD_NAME], times(row, tail));
        return buf;
}

static const char *plain_name_cell(const struct fold_row *row, char buf[RENDER_CELL_MAX]) {
        return row->keys[FOLD_NAME];
}

static const char *program_cell(const struct fold_row *row, char buf[RENDER_CELL_MAX]) {
        return row->keys[FOLD_PROGRAM];
}

__attribute__((format(printf, 2, 3))) static void note(char buf[RENDER_CELL_MAX], const char *format, ...) {
        size_t used = strlen(buf);
        va_list args;

        if (used)
                used += (size_t)snprintf(buf + used, RENDER_CELL_MAX - used, "; ");
        va_start(args, format);
        vsnprintf(buf + used, RENDER_CELL_MAX - used, format, args);
        va_end(args);
}

/* At most about 200 bytes, as `counting` is. */
static const char *note_cell(const struct fold_row *row, char buf[RENDER_CELL_MAX]) {
        char bytes[FORMAT_MAX];

        *buf = 0;
        /* The short ones first: a narrow screen cuts the end. */
        if (row->values[FOLD_ALIVE])
                note(buf, "%" PRIu64 " still running", row->values[FOLD_ALIVE]);
        if (row->values[FOLD_LOST_BYTES])
                note(buf, "%s lost", format_bytes(bytes, row->values[FOLD_LOST_BYTES]));
        if (row->values[FOLD_EXECS])
                note(buf, "%" PRIu64 " ended by exec", row->values[FOLD_EXECS]);
        if (row->over && *row->over)
                note(buf, "%.60s", row->over + 1);
        if (*row->keys[FOLD_NOTE])
                note(buf, "%.250s", row->keys[FOLD_NOTE]);
        return buf;
}

static const struct column process_columns[] = {
        {"PROGRAM", RENDER_SHORTEN, 0, name_cell},    {"BLOCKS", RENDER_RIGHT, 3, allocs_cell},
        {"ALLOC", RENDER_RIGHT, 0, alloc_bytes_cell}, {"FREES", RENDER_RIGHT, 5, frees_cell},
        {"FREED", RENDER_RIGHT, 2, freed_cell},       {"INHERITED", RENDER_RIGHT, 4, inherited_cell},
        {"NET", RENDER_RIGHT, 0, net_cell},           {"IN SPANS", RENDER_RIGHT, 1, self_cell},
        {"NOTE", RENDER_SHORTEN, 0, note_cell},
};

static const struct column span_columns[] = {
        {"SPAN", RENDER_SHORTEN, 0, plain_name_cell}, {"PROGRAM", RENDER_SHORTEN, 0, program_cell},
        {"CYCLES", RENDER_RIGHT, 1, cycles_cell},     {"BLOCKS", RENDER_RIGHT, 3, allocs_cell},
        {"ALLOC", RENDER_RIGHT, 0, alloc_bytes_cell}, {"FREED", RENDER_RIGHT, 2, freed_cell},
        {"NET", RENDER_RIGHT, 0, net_cell},           {"SELF", RENDER_RIGHT, 0, self_cell},
};

static const struct column thread_columns[] = {
        {"OUTSIDE SPANS", RENDER_SHORTEN, 0, plain_name_cell},
        {"PROGRAM", RENDER_SHORTEN, 0, program_cell},
        {"BLOCKS", RENDER_RIGHT, 2, allocs_cell},
        {"ALLOC", RENDER_RIGHT, 0, alloc_bytes_cell},
        {"FREES", RENDER_RIGHT, 3, frees_cell},
        {"FREED", RENDER_RIGHT, 1, freed_cell},
        {"NET", RENDER_RIGHT, 0, net_cell},
};

/* Of the widest cell or heading. */
static size_t cell_width(const struct fold *fold, size_t max, const struct column *column) {
        size_t least = 0, heading = text_width(column->heading);
        char buf[RENDER_CELL_MAX];

        for (size_t i = 0; i < fold->count && i < max; i++) {
                const char *cell = column->cell(&fold->rows[i], buf);
                size_t width = cell ? text_width(cell) : 0;

                least = width > least ? width : least;
        }
        return least > heading ? least : heading;
}

static size_t least_width(const struct fold *fold, size_t max, const struct column *column) {
        size_t width = cell_width(fold, max, column), heading = text_width(column->heading);

        if ((column->flags & RENDER_SHORTEN) && width > SHORTENED)
                width = heading > SHORTENED ? heading : SHORTENED;
        return 1 + width;
}

/* Those that fit into the width; 0: all.  Returns how many. */
static size_t choose(const struct fold *fold, size_t max, const struct column *columns, size_t count, size_t width,
                     struct column ret[COLUMNS_MAX]) {
        size_t widths[COLUMNS_MAX], sum = 0, n = 0;
        bool shown[COLUMNS_MAX];

        for (size_t i = 0; i < count; i++) {
                shown[i] = true;
                widths[i] = least_width(fold, max, &columns[i]);
                sum += widths[i];
        }
        while (width && sum > width + 1) {
                size_t worst = count;

                for (size_t i = 0; i < count; i++)
                        if (shown[i] && columns[i].rank && (worst == count || columns[i].rank > columns[worst].rank))
                                worst = i;
                if (worst == count)
                        break;
                shown[worst] = false;
                sum -= widths[worst];
        }
        for (size_t i = 0; i < count; i++)
                if (shown[i])
                        ret[n++] = columns[i];
        return n;
}

/* The columns of text share what the numbers leave: none gets more than it needs, and what one leaves the others get.
 * Width 0: there is room for all. */
static void share(const struct fold *fold, size_t max, const struct column *columns, size_t count, size_t width,
                  size_t ret[COLUMNS_MAX]) {
        size_t needed[COLUMNS_MAX], left = 0, rest = width + 1, n;

        for (size_t i = 0; i < count; i++) {
                bool is_text = columns[i].flags & RENDER_SHORTEN;

                ret[i] = SIZE_MAX;
                needed[i] = 1 + cell_width(fold, max, &columns[i]);
                left += is_text;
                if (!is_text)
                        rest = rest > needed[i] ? rest - needed[i] : 0;
        }
        do {
                n = left;
                for (size_t i = 0; width && i < count; i++) {
                        bool is_open = (columns[i].flags & RENDER_SHORTEN) && ret[i] == SIZE_MAX;

                        if (!is_open || needed[i] > rest / left)
                                continue;
                        ret[i] = needed[i] - 1;
                        rest -= needed[i];
                        left--;
                }
        } while (width && left && left < n);
        for (size_t i = 0; width && i < count; i++)
                if ((columns[i].flags & RENDER_SHORTEN) && ret[i] == SIZE_MAX)
                        ret[i] = rest / left > 1 ? rest / left - 1 : 1;
}

/* Here rather than by the table, which would cut the tail of a name. */
static const char *fit(const struct fold_row *row, const struct column *column, const char *cell, size_t room,
                       char buf[RENDER_CELL_MAX]) {
        char tail[FORMAT_MAX] = "";
        size_t width;

        if (!cell || text_width(cell) <= room)
                return cell;
        if (column->cell == name_cell)
                times(row, tail);
        width = text_width(tail) < room ? room - text_width(tail) : 1;
        *buf = '\0';
        text_fit(buf, RENDER_CELL_MAX - sizeof(tail), column->cell == name_cell ? row->keys[FOLD_NAME] : cell, width,
                 false);
        strcat(buf, tail);
        return buf;
}

static int add_row(struct render *render, const struct fold_row *row, const struct column *columns, size_t count,
                   const size_t rooms[COLUMNS_MAX]) {
        char bufs[COLUMNS_MAX][RENDER_CELL_MAX], fitted[COLUMNS_MAX][RENDER_CELL_MAX];
        const char *cells[COLUMNS_MAX];

        for (size_t i = 0; i < count; i++)
                cells[i] = fit(row, &columns[i], columns[i].cell(row, bufs[i]), rooms[i], fitted[i]);
        return render_row(render, RENDER_ROOT, cells) == RENDER_ROOT ? -ENOMEM : 0;
}

static int print_table(FILE *stream, const struct fold *fold, const struct column *all, size_t count, size_t max,
                       bool legend, size_t width) {
        struct column columns[COLUMNS_MAX];
        struct render *render = NULL;
        size_t rooms[COLUMNS_MAX];
        int r;

        if (!fold->count)
                return 0;
        count = choose(fold, max, all, count, width, columns);
        share(fold, max, columns, count, width, rooms);
        r = render_new(&render, legend, width);
        for (size_t i = 0; i < count && r == 0; i++)
                r = render_column(render, columns[i].heading, columns[i].flags);
        for (size_t i = 0; i < fold->count && i < max && r == 0; i++)
                r = add_row(render, &fold->rows[i], columns, count, rooms);
        fputc('\n', stream);
        if (r == 0)
                r = render_print(render, stream);
        if (fold->count > max)
                fprintf(stream, "and %zu more; --json has all\n", fold->count - max);
        render_free(render);
        return r;
}

#define COLUMNS(columns) columns, sizeof(columns) / sizeof(*(columns))

int report_table_processes(FILE *stream, const struct fold *fold, bool legend, size_t width) {
        return print_table(stream, fold, COLUMNS(process_columns), SIZE_MAX, legend, width);
}

int report_table_spans(FILE *stream, const struct fold *fold, bool legend, size_t width) {
        return print_table(stream, fold, COLUMNS(span_columns), ROWS_MAX, legend, width);
}

int report_table_threads(FILE *stream, const struct fold *fold, bool legend, size_t width) {
        return print_table(stream, fold, COLUMNS(thread_columns), ROWS_MAX, legend, width);
}
