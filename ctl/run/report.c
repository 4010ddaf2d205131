/* SPDX-License-Identifier: MIT */
/*
 * The report of `run`, as text or as a document.  Rows that belong together are added up in report_fold.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clean_text.h"
#include "ctl/output/counting.h"
#include "ctl/output/format.h"
#include "ctl/output/json.h"
#include "ctl/output/render.h"
#include "ctl/run/report.h"
#include "ctl/run/report_fold.h"

enum {
        COMMAND_WIDTH = 96, /* of the command in the first line */
        ROWS_MAX = 20,      /* of the tables that are a choice; that of the processes is whole */
};

/* ------------------------------------------------------------------------------------------------- document -- */

/* A word of a command line may hold any bytes, a document may not.  Characters stay as they are: they are data here,
 * and json-c escapes the control characters. */
static char *make_utf8(const char *text) {
        char *result = malloc(3 * strlen(text) + 1), *to = result;

        if (!result)
                return NULL;
        while (*text) {
                size_t length = text_character(text, strnlen(text, 4), NULL);

                to = mempcpy(to, length ? text : "\xef\xbf\xbd", length ? length : 3);
                text += length ? length : 1;
        }
        *to = 0;
        return result;
}

static int add_command(struct json *json, char *const *argv) {
        int r = json_add_array(json, "command");

        for (; *argv && r == 0; argv++) {
                char *text = make_utf8(*argv);

                r = text ? json_append_text(json, "command", text) : -ENOMEM;
                free(text);
        }
        return r;
}

static bool has_all_rows(const struct report *report) {
        return report->processes->complete && report->spans->complete && !report->rejected;
}

/* Forked children that never attached.  A fork that failed counts too. */
static uint64_t count_unseen(const struct report *report) {
        uint64_t forks = 0;

        for (size_t row = 0; row < report->processes->row_count; row++)
                forks += table_uint(report->processes, row, "forks");
        return forks > report->forked ? forks - report->forked : 0;
}

static uint64_t count_uncounted(const struct table *processes) {
        uint64_t count = 0;

        for (size_t row = 0; row < processes->row_count; row++)
                count += counting_is_missing(table_text(processes, row, "counting"));
        return count;
}

static int write_document(FILE *stream, const struct report *report, enum json_mode mode) {
        uint64_t uncounted = count_uncounted(report->processes), unseen = count_unseen(report);
        struct json *json = NULL;
        int r = json_new(&json, report->spans->time_ns, has_all_rows(report) && !uncounted && !unseen);

        if (r == 0)
                r = add_command(json, report->argv);
        if (r == 0)
                r = json_add_int(json, NULL, "status", report->status);
        if (r == 0)
                r = json_add_uint(json, NULL, "elapsed_ns", report->elapsed_ns);
        if (r == 0)
                r = json_add_uint(json, NULL, "rejected", report->rejected);
        if (r == 0)
                r = json_add_uint(json, NULL, "not_counted", uncounted);
        if (r == 0)
                r = json_add_uint(json, NULL, "not_seen", unseen);
        if (r == 0)
                r = json_add_uint(json, NULL, "records", report->records);
        if (r == 0)
                r = json_add_uint(json, NULL, "refused", report->refused);
        if (r == 0)
                r = json_add_uint(json, NULL, "collector_cpu_ns", report->collector_cpu_ns);
        if (r == 0)
                r = json_add_uint(json, NULL, "command_cpu_ns", report->command_cpu_ns);
        if (r == 0)
                r = json_add_table(json, "processes", report->processes, NULL);
        if (r == 0)
                r = json_add_table(json, "spans", report->spans, NULL);
        if (r == 0)
                r = json_print(json, stream, mode);
        json_free(json);
        return r;
}

/* --------------------------------------------------------------------------------------------------- totals -- */

static void print_command(FILE *stream, char *const *argv) {
        int room = COMMAND_WIDTH;

        for (size_t i = 0; argv[i]; i++) {
                char *text = make_utf8(argv[i]);

                for (char *c = text; c && *c; c++)
                        if (*c == '\n' || *c == '\t')
                                *c = ' ';
                if (text)
                        text_clean_in_place(text, strlen(text));
                if (text && room > 0 && (int)strlen(text) <= room) {
                        fprintf(stream, "%s%s", i ? " " : "", text);
                        room -= (int)strlen(text) + 1;
                } else if (room > 0) {
                        fputs(i ? " …" : "…", stream);
                        room = 0;
                }
                free(text);
        }
}

static void print_end(FILE *stream, const struct report *report) {
        char elapsed[FORMAT_MAX];
        const char *name = report->signal ? sigabbrev_np(report->signal) : NULL;

        format_duration(elapsed, report->elapsed_ns);
        if (name)
                fprintf(stream, ": killed by SIG%s after %s\n", name, elapsed);
        else if (report->signal)
                fprintf(stream, ": killed by signal %d after %s\n", report->signal, elapsed);
        else
                fprintf(stream, ": exited %d after %s\n", report->status, elapsed);
}

static uint64_t share_ppm(uint64_t part, uint64_t all) {
        return all ? (uint64_t)((unsigned __int128)part * 1000000 / all) : 1000000;
}

static void print_cost(FILE *stream, const struct report *report, const struct fold_row *total) {
        uint64_t all = total->values[FOLD_ALLOC_BYTES], lost = total->values[FOLD_LOST_BYTES];
        char a[FORMAT_MAX], b[FORMAT_MAX];

        fprintf(stream, "  coverage %s", format_ppm(a, share_ppm(all > lost ? all - lost : 0, all)));
        /* The allocations of these processes are unknown. */
        if (total->values[FOLD_UNCOUNTED])
                fprintf(stream, " of what was counted; %" PRIu64 " of %" PRIu64 " %s not counted",
                        total->values[FOLD_UNCOUNTED], total->images,
                        total->values[FOLD_EXECS] ? "programs" : "processes");
        if (report->refused)
                fprintf(stream,
                        ": %" PRIu64 " enters, opens and closes found a full ring; --ring-kib makes rings larger, "
                        "--on-full=wait waits",
                        report->refused);
        fprintf(stream, "\n  measuring took %s of processor time for %" PRIu64 " records, beside the command's %s\n",
                format_duration(a, report->collector_cpu_ns), report->records,
                format_duration(b, report->command_cpu_ns));
}

static void print_totals(FILE *stream, const struct report *report, const struct fold *processes) {
        const struct fold_row *total = &processes->total;
        uint64_t count = total->images - total->values[FOLD_EXECS];
        char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX], d[FORMAT_MAX];

        fputs("spanalloc: ", stream);
        print_command(stream, report->argv);
        print_end(stream, report);
        fprintf(stream, "  %" PRIu64 " process%s", count, count == 1 ? "" : "es");
        if (total->values[FOLD_EXECS])
                fprintf(stream, " that ran %" PRIu64 " programs", total->images);
        if (total->values[FOLD_ALIVE])
                fprintf(stream, ", %" PRIu64 " still running", total->values[FOLD_ALIVE]);
        if (total->values[FOLD_UNCOUNTED])
                fprintf(stream, ", %" PRIu64 " not counted", total->values[FOLD_UNCOUNTED]);
        fprintf(stream, "\n  allocated %s in %" PRIu64 " allocations, freed %s in %" PRIu64,
                format_bytes(a, total->values[FOLD_ALLOC_BYTES]), total->values[FOLD_ALLOCS],
                format_bytes(b, total->values[FOLD_FREED_BYTES]), total->values[FOLD_FREES]);
        if (total->values[FOLD_INHERITED])
                fprintf(stream, ", inherited %s at forks", format_bytes(c, total->values[FOLD_INHERITED]));
        fputc('\n', stream);
        fprintf(stream, "  of what was allocated: %s in spans, %s outside, %s lost, %s before a process attached\n",
                format_bytes(a, total->values[FOLD_SELF_BYTES]), format_bytes(b, total->values[FOLD_OUTSIDE_BYTES]),
                format_bytes(c, total->values[FOLD_LOST_BYTES]), format_bytes(d, total->values[FOLD_BEFORE_BYTES]));
        print_cost(stream, report, total);
        if (total->values[FOLD_UNBALANCED])
                fprintf(stream, "  the books of %" PRIu64 " do not balance: please report it\n",
                        total->values[FOLD_UNBALANCED]);
        if (!has_all_rows(report))
                fprintf(stream, "  some rows are missing: %" PRIu64 " attach requests were rejected\n",
                        report->rejected);
        if (count_unseen(report))
                fprintf(stream,
                        "  %" PRIu64 " forked children have no row: they could not attach, or the fork failed\n",
                        count_unseen(report));
}

/* --------------------------------------------------------------------------------------------------- tables -- */

struct column {
        const char *heading;
        unsigned flags;
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

static const char *name_cell(const struct fold_row *row, char buf[RENDER_CELL_MAX]) {
        if (row->images == 1)
                return row->keys[FOLD_NAME];
        snprintf(buf, RENDER_CELL_MAX, "%.200s x%" PRIu64, row->keys[FOLD_NAME], row->images);
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
        if (*row->keys[FOLD_NOTE])
                note(buf, "%.250s", row->keys[FOLD_NOTE]);
        if (row->over && *row->over)
                note(buf, "%.60s", row->over + 1);
        if (row->values[FOLD_EXECS])
                note(buf, "%" PRIu64 " ended by exec", row->values[FOLD_EXECS]);
        if (row->values[FOLD_ALIVE])
                note(buf, "%" PRIu64 " still running", row->values[FOLD_ALIVE]);
        if (row->values[FOLD_LOST_BYTES])
                note(buf, "%s lost", format_bytes(bytes, row->values[FOLD_LOST_BYTES]));
        return buf;
}

static const struct column process_columns[] = {
        {"PROGRAM", 0, name_cell},
        {"ALLOCS", RENDER_RIGHT, allocs_cell},
        {"ALLOC", RENDER_RIGHT, alloc_bytes_cell},
        {"FREES", RENDER_RIGHT, frees_cell},
        {"FREED", RENDER_RIGHT, freed_cell},
        {"INHERITED", RENDER_RIGHT, inherited_cell},
        {"NET", RENDER_RIGHT, net_cell},
        {"IN SPANS", RENDER_RIGHT, self_cell},
        {"NOTE", 0, note_cell},
};

static const struct column span_columns[] = {
        {"SPAN", 0, plain_name_cell},
        {"PROGRAM", 0, program_cell},
        {"CYCLES", RENDER_RIGHT, cycles_cell},
        {"ALLOCS", RENDER_RIGHT, allocs_cell},
        {"ALLOC", RENDER_RIGHT, alloc_bytes_cell},
        {"FREED", RENDER_RIGHT, freed_cell},
        {"NET", RENDER_RIGHT, net_cell},
        {"SELF", RENDER_RIGHT, self_cell},
};

static const struct column thread_columns[] = {
        {"OUTSIDE SPANS", 0, plain_name_cell}, {"PROGRAM", 0, program_cell},
        {"ALLOCS", RENDER_RIGHT, allocs_cell}, {"ALLOC", RENDER_RIGHT, alloc_bytes_cell},
        {"FREES", RENDER_RIGHT, frees_cell},   {"FREED", RENDER_RIGHT, freed_cell},
        {"NET", RENDER_RIGHT, net_cell},
};

enum { COLUMNS_MAX = 9 };

static size_t width_of(FILE *stream) {
        struct winsize size;

        return ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static int add_row(struct render *render, const struct fold_row *row, const struct column *columns, size_t count) {
        char bufs[COLUMNS_MAX][RENDER_CELL_MAX];
        const char *cells[COLUMNS_MAX];

        for (size_t i = 0; i < count; i++)
                cells[i] = columns[i].cell(row, bufs[i]);
        return render_row(render, RENDER_ROOT, cells) == RENDER_ROOT ? -ENOMEM : 0;
}

static int print_table(FILE *stream, const struct fold *fold, const struct column *columns, size_t count, size_t max,
                       const struct options *options) {
        struct render *render = NULL;
        int r;

        if (!fold->count)
                return 0;
        r = render_new(&render, !options->no_legend, width_of(stream));
        for (size_t i = 0; i < count && r == 0; i++)
                r = render_column(render, columns[i].heading, columns[i].flags);
        for (size_t i = 0; i < fold->count && i < max && r == 0; i++)
                r = add_row(render, &fold->rows[i], columns, count);
        fputc('\n', stream);
        if (r == 0)
                r = render_print(render, stream);
        if (fold->count > max)
                fprintf(stream, "and %zu more; --json has all\n", fold->count - max);
        render_free(render);
        return r;
}

#define PRINT(stream, fold, columns, max, options)                                                                     \
        print_table(stream, fold, columns, sizeof(columns) / sizeof(*(columns)), max, options)

static int write_tables(FILE *stream, const struct report *report, const struct options *options) {
        struct fold processes = FOLD_INIT, spans = FOLD_INIT, threads = FOLD_INIT;
        int r = fold_processes(&processes, report->processes);

        if (r == 0)
                r = fold_spans(&spans, report->spans, report->processes);
        if (r == 0)
                r = fold_threads(&threads, report->processes);
        if (r == 0 && !options->no_legend)
                print_totals(stream, report, &processes);
        if (r == 0)
                r = PRINT(stream, &processes, process_columns, SIZE_MAX, options);
        if (r == 0)
                r = PRINT(stream, &spans, span_columns, ROWS_MAX, options);
        if (r == 0)
                r = PRINT(stream, &threads, thread_columns, ROWS_MAX, options);
        fold_deinit(&threads);
        fold_deinit(&spans);
        fold_deinit(&processes);
        return r;
}

int report_write(FILE *stream, const struct report *report, const struct options *options) {
        int r;

        if (options->json)
                return write_document(stream, report, options->json);
        r = write_tables(stream, report, options);
        return r == 0 && ferror(stream) ? -EIO : r;
}
