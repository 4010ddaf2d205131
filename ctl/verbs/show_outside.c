/* SPDX-License-Identifier: MIT */
/*
 * See show_outside.h.  The page of a span is in show_text.c.
 */
#include "ctl/verbs/show_outside.h"

#include <inttypes.h>

#include "ctl/output/format.h"
#include "ctl/output/view.h"
#include "ctl/session/pager.h"

/* Rows of a process are side by side. */
static size_t count_processes(const struct table *spans) {
        size_t n = 0;

        for (size_t row = 0; row < spans->row_count; row++)
                n += row == 0 || table_uint(spans, row, "process") != table_uint(spans, row - 1, "process");
        return n;
}

static void print_sums(const struct show *show, FILE *stream) {
        size_t n = count_processes(show->spans);
        char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX];

        fprintf(stream, "%s, in %zu process%s: what threads do while they are in no span\n", show->name, n,
                n == 1 ? "" : "es");
        show_print_interval(show, stream);
        fprintf(stream, "   Alloc: %s in %" PRIu64 " allocations\n", format_bytes(a, show_sum(show, "alloc_bytes")),
                show_sum(show, "alloc_count"));
        fprintf(stream, "   Freed: %s in %" PRIu64 " frees\n", format_bytes(a, show_sum(show, "dealloc_bytes")),
                show_sum(show, "dealloc_count"));
        fprintf(stream, "     Net: %s\n", format_net_bytes(a, show_net(show)));
        fprintf(stream, "    Rate: %s/s over 10 s, %s/s over 1 min, %s/s over 10 min\n",
                format_bytes(a, show_sum(show, "alloc_bytes_rate_10s")),
                format_bytes(b, show_sum(show, "alloc_bytes_rate_1m")),
                format_bytes(c, show_sum(show, "alloc_bytes_rate_10m")));
}

static void print_meaning(const struct show *show, FILE *stream) {
        if (show_net(show) < 0)
                fputs("\nMore is freed here than allocated: blocks from spans, or from before.\n", stream);
        fprintf(stream,
                "\nNext:\n"
                "  spanallocctl tree --pid %" PRIu64 "     these rows beside the spans of the process\n"
                "  spanallocctl ps --pid %" PRIu64 "     the sums of the whole process\n",
                table_uint(show->spans, 0, "pid"), table_uint(show->spans, 0, "pid"));
}

int show_outside(const struct show *show) {
        static const struct view_column view[] = {
                {"pid", 0, false, 0},
                {"unit", 4, true, 0},
                {"thread", 0, false, 0},
                {"alloc_bytes", 0, false, 0},
                {"dealloc_bytes", 3, false, 0},
                {"net_bytes", 0, false, 0},
                {"alloc_bytes_rate_10s", 2, false, 0},
        };
        struct pager pager;
        int r = pager_init(&pager);

        if (r < 0)
                return ask_printed(r);
        print_sums(show, pager.stream);
        fputs("\nBy the names of threads:\n", pager.stream);
        r = view_print(&show->ctl->options, show->spans, view, sizeof(view) / sizeof(view[0]), pager.stream);
        if (r == 0 && !show->ctl->options.no_legend)
                print_meaning(show, pager.stream);
        if (r == 0)
                r = pager_show(&pager, &show->ctl->options);
        return ask_printed(r);
}
