/* SPDX-License-Identifier: MIT */
/*
 * The report of `run`: the document, and the first lines of the text.  Rows that belong together are added up in
 * report_fold.c, and are printed by report_tables.c.
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
#include "ctl/output/format.h"
#include "ctl/output/json.h"
#include "ctl/output/text.h"
#include "ctl/rows/counting.h"
#include "ctl/rows/loss.h"
#include "ctl/run/report.h"
#include "ctl/run/report_fold.h"
#include "ctl/run/report_tables.h"

enum { COMMAND_WIDTH = 96 }; /* of the command in the first line */

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

/* The largest peak of one process. */
static uint64_t report_peak(const struct report *report) {
        uint64_t peak = 0;

        for (size_t row = 0; row < report->processes->row_count; row++)
                if (table_uint(report->processes, row, "peak_net_bytes") > peak)
                        peak = table_uint(report->processes, row, "peak_net_bytes");
        return peak;
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
                r = json_add_uint(json, NULL, "peak_net_bytes", report_peak(report));
        if (r == 0)
                r = json_add_uint(json, NULL, "max_rss_bytes", report->max_rss_bytes);
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

/* Lines of text, which go on at the indent where they are wider than the terminal. */
struct page {
        FILE *stream;
        size_t width;
};

__attribute__((format(printf, 2, 3))) static void line(const struct page *page, const char *format, ...) {
        va_list args;

        fputs("  ", page->stream);
        va_start(args, format);
        text_vprint_wrapped(page->stream, 2, page->width, format, args);
        va_end(args);
}

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
                fprintf(stream, ": killed by SIG%s after %s", name, elapsed);
        else if (report->signal)
                fprintf(stream, ": killed by signal %d after %s", report->signal, elapsed);
        else
                fprintf(stream, ": exited %d after %s", report->status, elapsed);
}

/* What was run and how it ended. */
static void print_first(const struct page *page, const struct report *report) {
        char *text = NULL;
        size_t size;
        FILE *stream = open_memstream(&text, &size);

        if (!stream)
                return;
        fputs("spanalloc: ", stream);
        print_command(stream, report->argv);
        print_end(stream, report);
        fclose(stream);
        text_print_wrapped(page->stream, text, 0, page->width);
        free(text);
}

static uint64_t share_ppm(uint64_t part, uint64_t all) {
        return all ? (uint64_t)((unsigned __int128)part * 1000000 / all) : 1000000;
}

/* The share of the books is known only if every program is counted. */
static void print_coverage(const struct page *page, const struct report *report, const struct fold_row *total) {
        uint64_t all = total->values[FOLD_ALLOC_BYTES], lost = total->values[FOLD_LOST_BYTES];
        uint64_t uncounted = total->values[FOLD_UNCOUNTED];
        char share[FORMAT_MAX];
        struct loss loss = {0};

        format_ppm(share, share_ppm(all > lost ? all - lost : 0, all));
        if (uncounted == total->images)
                line(page, "coverage unknown: nothing is counted");
        else if (uncounted)
                line(page, "coverage unknown: %" PRIu64 " of %" PRIu64 " %s %s not counted; of the others %s",
                     uncounted, total->images, total->values[FOLD_EXECS] ? "programs" : "processes",
                     uncounted == 1 ? "is" : "are", share);
        else if (!has_all_rows(report) || count_unseen(report))
                line(page, "coverage unknown: some processes have no row; of the others %s", share);
        else
                line(page, "coverage %s", share);
        for (size_t row = 0; row < report->processes->row_count; row++)
                loss_add(&loss, report->processes, row);
        if (!loss.refused) /* of processes without a row */
                loss.refused = report->refused;
        if (report->refused)
                line(page, "%" PRIu64 " enters, opens and closes were refused, since %s%s", report->refused,
                     loss_cause(&loss),
                     loss.refused && loss.depth == loss.refused
                             ? ""
                             : "; --ring-kib=N makes rings larger, with --on-full=wait the command waits for room");
}

/* Peaks are of one process each: those of several may have been at different times. */
static void print_memory(const struct page *page, const struct report *report, uint64_t count) {
        const char *of = count > 1 ? " (each of one process)" : "";
        char a[FORMAT_MAX], b[FORMAT_MAX];

        line(page, "peak of live heap at least %s, maximum RSS %s%s", format_bytes(a, report_peak(report)),
             format_bytes(b, report->max_rss_bytes), of);
}

static void print_totals(const struct page *page, const struct report *report, const struct fold *processes) {
        const struct fold_row *total = &processes->total;
        uint64_t count = total->images - total->values[FOLD_EXECS];
        char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX], d[FORMAT_MAX], programs[64] = "", alive[64] = "";
        char uncounted[64] = "", inherited[64] = "";

        print_first(page, report);
        if (total->values[FOLD_EXECS])
                snprintf(programs, sizeof(programs), " that ran %" PRIu64 " programs", total->images);
        if (total->values[FOLD_ALIVE])
                snprintf(alive, sizeof(alive), ", %" PRIu64 " still running", total->values[FOLD_ALIVE]);
        if (total->values[FOLD_UNCOUNTED])
                snprintf(uncounted, sizeof(uncounted), ", %" PRIu64 " not counted", total->values[FOLD_UNCOUNTED]);
        if (total->values[FOLD_INHERITED])
                snprintf(inherited, sizeof(inherited), ", inherited %s at forks",
                         format_bytes(a, total->values[FOLD_INHERITED]));
        line(page, "%" PRIu64 " process%s%s%s%s", count, count == 1 ? "" : "es", programs, alive, uncounted);
        line(page, "allocated %s in %" PRIu64 " allocations, freed %s in %" PRIu64 "%s",
             format_bytes(a, total->values[FOLD_ALLOC_BYTES]), total->values[FOLD_ALLOCS],
             format_bytes(b, total->values[FOLD_FREED_BYTES]), total->values[FOLD_FREES], inherited);
        line(page, "of what was allocated: %s in spans, %s outside, %s lost, %s before a process attached",
             format_bytes(a, total->values[FOLD_SELF_BYTES]), format_bytes(b, total->values[FOLD_OUTSIDE_BYTES]),
             format_bytes(c, total->values[FOLD_LOST_BYTES]), format_bytes(d, total->values[FOLD_BEFORE_BYTES]));
        print_memory(page, report, count);
        print_coverage(page, report, total);
        line(page, "measuring took %s of processor time for %" PRIu64 " records, beside the command's %s",
             format_duration(a, report->collector_cpu_ns), report->records, format_duration(b, report->command_cpu_ns));
        if (total->values[FOLD_UNBALANCED])
                line(page, "the books of %" PRIu64 " processes do not balance: an error in spanalloc, please report it",
                     total->values[FOLD_UNBALANCED]);
        if (!has_all_rows(report))
                line(page, "some rows are missing: %" PRIu64 " attach requests were rejected", report->rejected);
        if (count_unseen(report))
                line(page, "%" PRIu64 " forked children have no row: they could not attach, or the fork failed",
                     count_unseen(report));
}

/* ---------------------------------------------------------------------------------------------------- all -- */

static size_t width_of(FILE *stream) {
        struct winsize size;

        return ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static int write_tables(FILE *stream, const struct report *report, const struct options *options) {
        struct fold processes = FOLD_INIT, spans = FOLD_INIT, threads = FOLD_INIT;
        struct page page = {stream, options->full ? 0 : width_of(stream)};
        bool legend = !options->no_legend;
        int r = fold_processes(&processes, report->processes, report->path);

        if (r == 0)
                r = fold_spans(&spans, report->spans, report->processes, report->path);
        if (r == 0)
                r = fold_threads(&threads, report->processes, report->path);
        if (r == 0 && legend)
                print_totals(&page, report, &processes);
        if (r == 0)
                r = report_table_processes(stream, &processes, legend, page.width);
        if (r == 0)
                r = report_table_spans(stream, &spans, legend, page.width);
        if (r == 0)
                r = report_table_threads(stream, &threads, legend, page.width);
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
