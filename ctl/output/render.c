/* SPDX-License-Identifier: MIT */
/*
 * Tables over libsmartcols, cells of an answer as text, the width of the terminal.  Which columns a verb shows is in
 * view.c.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <libsmartcols/libsmartcols.h>

#include "base/nanoseconds.h"
#include "ctl/output/format.h"
#include "ctl/output/render.h"
#include "ctl/rows/outside.h"

struct render {
        struct libscols_table *table;
};

size_t render_width(const struct options *options) {
        const char *columns = getenv("COLUMNS");
        struct winsize size;

        if (options->full || !isatty(STDOUT_FILENO))
                return 0;
        if (columns && atoi(columns) > 0)
                return (size_t)atoi(columns);
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
                return size.ws_col;
        return 80;
}

int render_new(struct render **ret, bool legend, size_t width) {
        struct render *render = calloc(1, sizeof(*render));

        if (!render)
                return -ENOMEM;
        render->table = scols_new_table();
        if (!render->table) {
                free(render);
                return -ENOMEM;
        }
        scols_table_enable_noheadings(render->table, !legend);
        scols_table_enable_ascii(render->table, strcmp(nl_langinfo(CODESET), "UTF-8") != 0);
        /* Names are clean already, and may be of any script: show them as they are. */
        scols_table_enable_noencoding(render->table, 1);
        scols_table_set_termforce(render->table, width ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
        scols_table_set_termwidth(render->table, width);
        *ret = render;
        return 0;
}

struct render *render_free(struct render *render) {
        if (render) {
                scols_unref_table(render->table);
                free(render);
        }
        return NULL;
}

int render_column(struct render *render, const char *heading, unsigned flags) {
        int scols = (flags & RENDER_RIGHT ? SCOLS_FL_RIGHT : 0) | (flags & RENDER_SHORTEN ? SCOLS_FL_TRUNC : 0) |
                    (flags & RENDER_TREE ? SCOLS_FL_TREE : 0);

        return scols_table_new_column(render->table, heading, flags & RENDER_RIGHT ? 1 : 0.1, scols) ? 0 : -ENOMEM;
}

size_t render_row(struct render *render, size_t parent, const char *const *cells) {
        struct libscols_line *above = parent == RENDER_ROOT ? NULL : scols_table_get_line(render->table, parent);
        struct libscols_line *line = scols_table_new_line(render->table, above);
        size_t n = scols_table_get_ncols(render->table);

        if (!line)
                return RENDER_ROOT;
        for (size_t i = 0; i < n; i++)
                if (cells[i] && scols_line_set_data(line, i, cells[i]) != 0)
                        return RENDER_ROOT;
        return scols_table_get_nlines(render->table) - 1;
}

/* smartcols pads a last column that is aligned left; a pipe gets no such blanks. */
static int print_without_trailing_blanks(char *text, FILE *stream) {
        for (char *line = text; line && *line;) {
                char *end = strchrnul(line, '\n');
                char *next = *end ? end + 1 : end;

                while (end > line && end[-1] == ' ')
                        end--;
                if (fwrite(line, 1, (size_t)(end - line), stream) != (size_t)(end - line) || fputc('\n', stream) == EOF)
                        return -EIO;
                line = next;
        }
        return 0;
}

int render_print(struct render *render, FILE *stream) {
        char *text = NULL;
        int r;

        if (scols_table_is_empty(render->table))
                return 0;
        r = scols_print_table_to_string(render->table, &text);
        if (r == 0)
                r = print_without_trailing_blanks(text, stream);
        free(text);
        return r;
}

static const char *date_text(uint64_t epoch_ns, char *buf) {
        time_t seconds = (time_t)(epoch_ns / NS_PER_S);
        struct tm tm;

        if (!epoch_ns || !localtime_r(&seconds, &tm) || !strftime(buf, RENDER_CELL_MAX, "%Y-%m-%d %H:%M:%S", &tm))
                return "-";
        return buf;
}

static const char *map_text(const struct table_map *map, char *buf) {
        size_t used = 0;

        *buf = '\0';
        for (size_t i = 0; i < map->count && used < RENDER_CELL_MAX - 1; i++) {
                const struct table_entry *entry = &map->entries[i];
                char number[FORMAT_MAX];

                /* An entry with several values is a set of counters: allocations, then bytes. */
                if (!strcmp(entry->name, "count"))
                        format_count(number, entry->values[0]);
                else
                        format_bytes(number, entry->values[entry->count > 1 ? 1 : 0]);
                used += (size_t)snprintf(buf + used, RENDER_CELL_MAX - used, "%s%s=%s", i ? " " : "", entry->name,
                                         number);
        }
        return *buf ? buf : "-";
}

static const char *uint_text(const struct wire_column *column, uint64_t value, char *buf) {
        char number[FORMAT_MAX];

        if (!strcmp(column->name, "coverage_ppm"))
                format_ppm(number, value);
        else if (column->unit == WIRE_UNIT_DURATION)
                format_short_duration(number, value);
        else if (column->unit == WIRE_UNIT_TIME)
                return date_text(value, buf);
        else if (column->unit == WIRE_UNIT_BYTES || column->unit == WIRE_UNIT_RATE)
                format_bytes(number, value);
        else
                format_count(number, value);
        return strcpy(buf, number);
}

const char *render_cell(const struct table *table, size_t row, const char *column, char buf[RENDER_CELL_MAX]) {
        int index = table_column(table, column);
        const struct table_cell *cell = table_at(table, row, index);
        char number[FORMAT_MAX];

        if (!cell || (outside_is(table, row) && outside_lacks(column)))
                return "-";
        if (outside_is(table, row) && !strcmp(column, "span"))
                return outside_or_span(table, row, buf);
        switch (cell->type) {
        case WIRE_COLUMN_UINT:
                return uint_text(&table->columns[index], cell->u, buf);
        case WIRE_COLUMN_INT:
                if (table->columns[index].unit == WIRE_UNIT_BYTES)
                        return strcpy(buf, format_net_bytes(number, cell->i));
                snprintf(buf, RENDER_CELL_MAX, "%" PRId64, cell->i);
                return buf;
        case WIRE_COLUMN_BOOL:
                return cell->b ? "yes" : "no";
        case WIRE_COLUMN_TEXT:
                return *cell->text ? cell->text : "-";
        case WIRE_COLUMN_MAP:
                return map_text(&cell->map, buf);
        }
        return "-";
}

const char *render_heading(const char *column, char buf[RENDER_HEADING_MAX]) {
        static const struct {
                const char *column, *heading;
        } shorter[] = {
                {"alloc_bytes", "ALLOC"},
                {"alloc_count", "BLOCKS"},
                {"dealloc_bytes", "FREED"},
                {"dealloc_count", "FREES"},
                {"net_bytes", "NET"},
                {"inherited_bytes", "INHERITED"},
                {"peak_net_bytes", "PEAK NET"},
                {"self_alloc_bytes", "SELF"},
                {"outside_alloc_bytes", "OUTSIDE"},
                {"lost_alloc_bytes", "LOST"},
                {"before_alloc_bytes", "BEFORE"},
                {"alloc_bytes_rate_10s", "SELF/s"},
                {"self_alloc_bytes_rate_10s", "SELF/s"},
                {"alloc_bytes_rate_1m", "SELF/s 1m"},
                {"alloc_bytes_rate_10m", "SELF/s 10m"},
                {"per_call_p99", "P99/CALL"},
                {"net_per_call", "NET/CALL"},
                {"unit_memory_bytes", "UNIT MEM"},
                {"unit_memory_limit_bytes", "UNIT MAX"},
                {"coverage_ppm", "COVERAGE"},
                {"rss_bytes", "RSS"},
                {"threads", "THR"},
        };
        size_t i;

        for (i = 0; i < sizeof(shorter) / sizeof(shorter[0]); i++)
                if (!strcmp(shorter[i].column, column))
                        return shorter[i].heading;
        for (i = 0; column[i] && i < RENDER_HEADING_MAX - 1; i++)
                buf[i] = (char)toupper((unsigned char)column[i]);
        buf[i] = '\0';
        return buf;
}

bool render_is_shortened(const struct table *table, const char *column) {
        int index = table_column(table, column);

        /* The kernel has cut a process's name already. */
        return index >= 0 && table->columns[index].type == WIRE_COLUMN_TEXT && strcmp(column, "comm");
}

static unsigned flags_of(const struct table *table, const char *column) {
        int index = table_column(table, column);
        enum wire_column_type type = index < 0 ? WIRE_COLUMN_TEXT : table->columns[index].type;

        if (type == WIRE_COLUMN_UINT || type == WIRE_COLUMN_INT)
                return RENDER_RIGHT;
        return type == WIRE_COLUMN_MAP || render_is_shortened(table, column) ? RENDER_SHORTEN : 0;
}

int render_table(const struct options *options, const struct table *table, const char *const *columns, size_t count,
                 size_t width, FILE *stream) {
        char(*bufs)[RENDER_CELL_MAX] = calloc(count, sizeof(*bufs));
        const char **cells = calloc(count, sizeof(*cells));
        char heading[RENDER_HEADING_MAX];
        struct render *render = NULL;
        int r = bufs && cells ? render_new(&render, !options->no_legend, width) : -ENOMEM;

        for (size_t i = 0; i < count && r == 0; i++)
                r = render_column(render, render_heading(columns[i], heading), flags_of(table, columns[i]));
        for (size_t row = 0; row < table->row_count && r == 0; row++) {
                for (size_t i = 0; i < count; i++)
                        cells[i] = render_cell(table, row, columns[i], bufs[i]);
                if (render_row(render, RENDER_ROOT, cells) == RENDER_ROOT)
                        r = -ENOMEM;
        }
        if (r == 0)
                r = render_print(render, stream);
        render_free(render);
        free(cells);
        free(bufs);
        return r;
}
