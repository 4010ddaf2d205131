/* SPDX-License-Identifier: MIT */
/*
 * The text that `show` prints: the numbers of one span name, and which commands to run next.  verb_show.c asks the
 * collector, show.c adds up, show_meaning.c says what the numbers mean.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/output/distribution.h"
#include "ctl/output/format.h"
#include "ctl/output/render.h"
#include "ctl/output/text.h"
#include "ctl/output/view.h"
#include "ctl/session/pager.h"
#include "ctl/verbs/show_meaning.h"
#include "ctl/verbs/show_text.h"

enum { BAR_WIDTH = 40, QUIET_ENDS = 8 };

static void print_heading(const struct show *show, FILE *stream) {
        const char *site = table_text(show->spans, 0, "site");
        uint64_t since_ns = show->ctl->options.since_ns;
        size_t n = show->spans->row_count;

        fprintf(stream, "%s, in %zu process%s%s%s\n", show->name, n, n == 1 ? "" : "es", *site ? ", from " : "", site);
        show_print_interval(show, stream);
        fprintf(stream, "   Spans: %" PRIu64 " opened, %" PRIu64 " closed", show_sum(show, "opened"),
                show_sum(show, "closed"));
        if (!since_ns)
                fprintf(stream, ", %" PRIu64 " open now", show_sum(show, "open"));
        fprintf(stream, "\n  Cycles: %" PRIu64 "\n", show_sum(show, "cycles"));
}

/* ", over the last 1min": of tables whose sums are of the interval that was asked for. */
static const char *of_interval(const struct show *show, char buf[FORMAT_MAX + 32]) {
        uint64_t since_ns = show->ctl->options.since_ns;
        char interval[FORMAT_MAX];

        *buf = '\0';
        if (since_ns && !show->spans->complete)
                return ", since the process attached or the last reset";
        if (since_ns)
                snprintf(buf, FORMAT_MAX + 32, ", over the last %s", format_duration(interval, since_ns));
        return buf;
}

/* Heads what is not of the interval, where one was asked for. */
static void print_rest_heading(const struct show *show, FILE *stream) {
        if (!show->ctl->options.since_ns)
                return;
        fprintf(stream, "\nSince the processes attached, or since the last reset:\n    Open: %" PRIu64 " now\n",
                show_sum(show, "open"));
}

static void print_sums(const struct show *show, FILE *stream) {
        char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX];

        if (show_is_uncounted(show)) {
                fputs("   Alloc: -, the heap is not counted; `spanallocctl ps` says why\n", stream);
                return;
        }
        fprintf(stream, "   Alloc: %s in %" PRIu64 " allocations, children included\n",
                format_bytes(a, show_sum(show, "alloc_bytes")), show_sum(show, "alloc_count"));
        fprintf(stream, "   Freed: %s in %" PRIu64 " frees\n", format_bytes(a, show_sum(show, "dealloc_bytes")),
                show_sum(show, "dealloc_count"));
        fprintf(stream, "     Net: %s", format_net_bytes(a, show_net(show)));
        if (show_sum(show, "calls"))
                fprintf(stream, ", %s per call",
                        format_net_bytes(b, show_calls_net(show) / (int64_t)show_sum(show, "calls")));
        fprintf(stream, "; the process%s as a whole: %s\n", show->spans->row_count > 1 ? "es" : "",
                format_net_bytes(c, show_growth(show)));
        fprintf(stream, "    Self: %s in %" PRIu64 " allocations, without children\n",
                format_bytes(a, show_sum(show, "self_alloc_bytes")), show_sum(show, "self_alloc_count"));
        fprintf(stream, "    Rate: self %s/s over 10 s, %s/s over 1 min, %s/s over 10 min\n",
                format_bytes(a, show_sum(show, "alloc_bytes_rate_10s")),
                format_bytes(b, show_sum(show, "alloc_bytes_rate_1m")),
                format_bytes(c, show_sum(show, "alloc_bytes_rate_10m")));
}

static void print_per_call(const struct show *show, FILE *stream) {
        struct distribution distribution = {0};
        char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX], d[FORMAT_MAX], line[DISTRIBUTION_LINE_MAX];
        const uint64_t *p = show->per_call;

        for (size_t row = 0; row < show->spans->row_count; row++)
                distribution_add(&distribution, table_map(show->spans, row, "per_call_histogram"));
        if (!p[SHOW_COUNT])
                return;
        fprintf(stream, "Per call: p50 %s, p90 %s, p99 %s, max %s; %" PRIu64 " closed\n", format_bytes(a, p[SHOW_P50]),
                format_bytes(b, p[SHOW_P90]), format_bytes(c, p[SHOW_P99]), format_bytes(d, p[SHOW_MAX]),
                p[SHOW_COUNT]);
        if (show->spans->row_count > 1)
                fputs("          (of several processes: the largest value of each)\n", stream);
        if (!distribution.total)
                return;
        fputs("\nBytes per call, in powers of two:\n", stream);
        for (unsigned i = distribution.first; i <= distribution.last; i++)
                fprintf(stream, "%s\n", distribution_line(&distribution, i, BAR_WIDTH, line));
}

/* Of the same calls as the bytes per call; nothing if each freed what it allocated. */
static void print_nets(const struct show *show, FILE *stream) {
        struct distribution nets = {0};
        char line[DISTRIBUTION_LINE_MAX];

        for (size_t row = 0; row < show->spans->row_count; row++)
                distribution_net_add(&nets, table_map(show->spans, row, "net_per_call_histogram"));
        if (nets.total == nets.counts[DISTRIBUTION_NET_ZERO])
                return;
        fputs("\nNet bytes per call, in powers of four:\n", stream);
        for (unsigned i = nets.first; i <= nets.last; i++)
                fprintf(stream, "%s\n", distribution_net_line(&nets, i, BAR_WIDTH, line));
}

/* Nothing where no process was timed. */
static void print_time(const struct show *show, FILE *stream) {
        uint64_t calls = show_sum(show, "timed_calls"), longest = 0;
        double rate = (double)show_sum(show, "timed_calls_per_1000s") / 1000;
        char a[FORMAT_MAX], b[FORMAT_MAX], max[FORMAT_MAX + 8];

        if (!calls && !show_sum(show, "busy_ns") && !show_sum(show, "self_busy_ns"))
                return;
        fprintf(stream, "    Busy: %s, of that self %s\n", format_short_duration(a, show_sum(show, "busy_ns")),
                format_short_duration(b, show_sum(show, "self_busy_ns")));
        if (!calls)
                return;
        for (size_t row = 0; row < show->spans->row_count; row++)
                if (table_uint(show->spans, row, "timed_call_max_ns") > longest)
                        longest = table_uint(show->spans, row, "timed_call_max_ns");
        /* The longest is not of the interval. */
        snprintf(max, sizeof(max), ", max %s", format_short_duration(b, longest));
        fprintf(stream, "    Time: %s per call%s; %" PRIu64 " timed, %.*f/s over 10 s\n",
                format_short_duration(a, show_sum(show, "timed_calls_ns") / calls),
                show->ctl->options.since_ns ? "" : max, calls, rate < 10 ? 2 : 0, rate);
}

static void print_threads(const struct show *show, FILE *stream) {
        size_t n = 0;

        for (size_t row = 0; row < show->spans->row_count; row++) {
                const struct table_map *map = table_map(show->spans, row, "threads");

                for (size_t i = 0; map && i < map->count; i++, n++)
                        fprintf(stream, "%s%s[%" PRIu64 "] x%" PRIu64,
                                n ? ", " : "\nThreads in it now: ", map->entries[i].name,
                                table_uint(show->spans, row, "pid"), map->entries[i].values[0]);
        }
        fputs(n ? "\n" : "\nThreads in it now: none\n", stream);
}

static void print_next(const struct show *show, FILE *stream) {
        uint64_t pid = table_uint(show->spans, 0, "pid");
        char name[TEXT_QUOTED_MAX];

        text_quote(name, sizeof(name), show->name);
        fputs("\nNext:\n", stream);
        if (show_may_grow_on(show) && !show->ctl->options.since_ns)
                fprintf(stream, "  spanallocctl show %s --since 10m     whether it still grows\n", name);
        fprintf(stream, "  spanallocctl tree --filter %s --pid %" PRIu64 "     its parents and children\n", name, pid);
        fprintf(stream, "  spanallocctl follow --filter %s     each call as it closes\n", name);
        if (show_sum(show, "refused"))
                fputs("  spanallocctl doctor     why enters are refused\n", stream);
}

/* The rows of the tree that bear the name, one line for each path. */
static int print_paths(const struct show *show, FILE *stream) {
        static const struct view_column view[] = {
                {"pid", 2, false, 0},         {"path", 0, false, 0},
                {"closed", 1, false, 0},      {"self_alloc_bytes", 0, false, 0},
                {"alloc_bytes", 0, false, 0}, {"net_bytes", 0, false, 0},
        };

        struct table named = *show->tree;
        char interval[FORMAT_MAX + 32];
        int r;

        /* A view of the tree with some of its rows: cells are borrowed. */
        named.cells = calloc(show->tree->row_count * show->tree->column_count + 1, sizeof(*named.cells));
        if (!named.cells)
                return -ENOMEM;
        named.row_count = 0;
        for (size_t row = 0; row < show->tree->row_count; row++)
                if (show_is_named(show, row))
                        memcpy(&named.cells[named.row_count++ * named.column_count],
                               &show->tree->cells[row * named.column_count], named.column_count * sizeof(*named.cells));
        fprintf(stream, "\nIn the tree, ALLOC and NET with children%s:\n", of_interval(show, interval));
        r = view_print(&show->ctl->options, &named, view, sizeof(view) / sizeof(view[0]), stream);
        free(named.cells);
        return r;
}

static int print_processes(const struct show *show, FILE *stream) {
        static const struct view_column view[] = {
                {"pid", 0, false, 0},
                {"unit", 4, true, 0},
                {"closed", 3, false, 0},
                {"open", 3, false, 0},
                {"alloc_bytes", 0, false, 0},
                {"net_bytes", 0, false, 0},
                {"self_alloc_bytes", 0, false, 0},
                {"alloc_bytes_rate_10s", 2, false, 0},
                {"quality", 5, false, 0},
        };

        char interval[FORMAT_MAX + 32];

        if (show->spans->row_count < 2)
                return 0;
        fprintf(stream, "\nProcesses%s:\n", of_interval(show, interval));
        return view_print(&show->ctl->options, show->spans, view, sizeof(view) / sizeof(view[0]), stream);
}

/* What those of the name that were open at the end had allocated, on all their paths. */
static uint64_t bytes_at_end(const struct show *show, const struct table_map *open) {
        size_t length = strlen(show->name);
        uint64_t bytes = 0;

        for (size_t i = 0; open && i < open->count; i++) {
                const char *path = open->entries[i].name;
                size_t n = strlen(path);

                if (n >= length && !strcmp(path + n - length, show->name) &&
                    (n == length || path[n - length - 1] == '/'))
                        bytes += open->entries[i].values[1];
        }
        return bytes;
}

/* How the processes ended, and which were in the midst of it; of those that were not only the first ones. */
static void print_ends(const struct show *show, FILE *stream) {
        char bytes[FORMAT_MAX];
        size_t n = 0, quiet = 0;

        for (size_t row = 0; row < show->spans->row_count; row++) {
                uint64_t aborted = table_uint(show->spans, row, "aborted");
                size_t at;

                if (!show_end(show, row, &at) || (!aborted && quiet++ >= QUIET_ENDS))
                        continue;
                if (!n++)
                        fputs("\nEnded:\n", stream);
                fprintf(stream, "  process %" PRIu64 ", %s: ", table_uint(show->spans, row, "pid"),
                        table_text(show->ps, at, "ended"));
                if (aborted)
                        fprintf(stream, "%" PRIu64 " open, with %s\n", aborted,
                                format_bytes(bytes, bytes_at_end(show, table_map(show->ps, at, "last_spans"))));
                else
                        fputs("none open\n", stream);
        }
        if (quiet > QUIET_ENDS)
                fprintf(stream, "  and %zu more with none open; `spanallocctl ps` lists them.\n", quiet - QUIET_ENDS);
}

int show_text(const struct show *show) {
        struct pager pager;
        int r = pager_init(&pager);

        if (r < 0)
                return ask_printed(r);
        print_heading(show, pager.stream);
        print_sums(show, pager.stream);
        print_time(show, pager.stream);
        print_rest_heading(show, pager.stream);
        print_per_call(show, pager.stream);
        print_nets(show, pager.stream);
        print_threads(show, pager.stream);
        print_ends(show, pager.stream);
        if (!show->ctl->options.no_legend)
                show_meaning(show, pager.stream);
        r = print_paths(show, pager.stream);
        if (r == 0)
                r = print_processes(show, pager.stream);
        if (r == 0 && !show->ctl->options.no_legend)
                print_next(show, pager.stream);
        if (r == 0)
                r = pager_show(&pager, &show->ctl->options);
        return ask_printed(r);
}
