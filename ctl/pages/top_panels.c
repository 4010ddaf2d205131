/* SPDX-License-Identifier: MIT */
/*
 * What opens over the list: the sort menu, warnings and the figures of the collector.  Help is in top_help.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/output/format.h"
#include "ctl/output/text.h"
#include "ctl/pages/top_lines.h"
#include "ctl/pages/top_ui.h"
#include "ctl/rows/counting.h"
#include "ctl/rows/loss.h"

void top_panel_sort(struct top_ui *ui, struct top_page *page, size_t y, size_t height) {
        size_t first = ui->menu + 1 >= height && height > 1 ? ui->menu + 2 - height : 0;

        if (!height)
                return;
        top_page_fit(page, y, TOP_STYLE_HEADING, "Sort by", TOP_SORT_WIDTH - 1, false);
        top_page_fit(page, y, TOP_STYLE_NORMAL, "", 1, false);
        for (size_t i = 1; i < height; i++) {
                size_t column = first + i - 1;
                bool shown = column < TOP_COLUMNS;

                top_page_put(page, y + i, TOP_STYLE_NORMAL, shown && column == ui->menu ? ">" : " ");
                top_page_fit(page, y + i, shown && column == ui->menu ? TOP_STYLE_SELECTED : TOP_STYLE_NORMAL,
                             shown ? top_layout_heading((enum top_column)column) : "", TOP_SORT_WIDTH - 2, false);
                top_page_fit(page, y + i, TOP_STYLE_NORMAL, "", 1, false);
        }
}

/* ------------------------------------------------------------------------------------------- warnings -- */

/* Writes the sentence if its number is `index`; counts it in any case. */
#define WARN(...)                                                                                                      \
        do {                                                                                                           \
                if (n++ == index && buf)                                                                               \
                        snprintf(buf, size, __VA_ARGS__);                                                              \
        } while (0)

static size_t warn_process(const struct table *ps, size_t row, size_t n, size_t index, char *buf, size_t size) {
        const char *comm = table_text(ps, row, "comm"), *counting = table_text(ps, row, "counting");
        uint64_t pid = table_uint(ps, row, "pid"), lost = table_uint(ps, row, "lost_alloc_bytes");
        uint64_t refused = table_uint(ps, row, "refused"), evicted = table_uint(ps, row, "evicted");
        struct loss loss = {0};
        char a[FORMAT_MAX], b[FORMAT_MAX];

        loss_add(&loss, ps, row);
        if (refused)
                WARN("%s[%" PRIu64 "]: %" PRIu64 " enters, opens or closes were refused, since %s: %s allocated under "
                     "them is lost; %s.",
                     comm, pid, refused, loss_cause(&loss), format_bytes(a, lost), loss_advice(&loss));
        else if (lost)
                WARN("%s[%" PRIu64 "]: %s of the %s that it allocated is lost, since %s; %s.", comm, pid,
                     format_bytes(a, lost), format_bytes(b, table_uint(ps, row, "alloc_bytes")), loss_cause(&loss),
                     loss_advice(&loss));
        if (evicted)
                WARN("%s[%" PRIu64 "]: %" PRIu64
                     " open spans are no longer followed, since too many are open: their bytes "
                     "per call are not known. Does it close its spans?",
                     comm, pid, evicted);
        if (table_bool(ps, row, "alive") && counting_is_missing(counting))
                WARN("%s[%" PRIu64 "]: its heap is not counted. %s", comm, pid, counting);
        if (!table_bool(ps, row, "balanced") && table_column(ps, "balanced") >= 0)
                WARN("%s[%" PRIu64 "]: its books do not balance. That is an error in spanalloc: please report it.",
                     comm, pid);
        return n;
}

size_t top_warnings(const struct top_ui *ui, size_t index, char *buf, size_t size) {
        const struct top_summary *s = top_model_summary(ui->model);
        const struct table *ps = top_model_processes(ui->model);
        size_t n = 0;

        if (buf && size)
                *buf = '\0';
        if (ui->silent_s)
                WARN("No answer for %u s: the collector is stopped or busy.", ui->silent_s);
        else if (!ui->connected)
                WARN("Not connected: %s.", ui->trouble);
        if (s->ring_fill_ppm >= 800000)
                WARN("Rings were up to %" PRIu64 "%% full in the last seconds: the collector is late, and at 100%% "
                     "enters are refused. Larger rings (spanallocd --ring-kib) or more processor time help.",
                     s->ring_fill_ppm / 10000);
        if (!top_model_is_complete(ui->model))
                WARN("There are more rows than one answer holds: narrow it with --unit, --pid or --filter.");
        for (size_t row = 0; ps && row < ps->row_count; row++)
                n = warn_process(ps, row, n, index, buf, size);
        return n;
}

static void put_figures(const struct top_summary *s, struct top_lines *lines) {
        char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX], text[256];

        snprintf(text, sizeof(text), "Of the allocated bytes of these processes %s are counted.",
                 format_ppm(c, s->coverage_ppm));
        top_lines_wrap(lines, TOP_STYLE_NORMAL, "", text);
        snprintf(text, sizeof(text),
                 "The collector, over all processes: %" PRIu64 " %s, %" PRIu64
                 " %s, %s records/s, %s refused, rings at "
                 "most %" PRIu64 "%% full.",
                 s->all_processes, s->all_processes == 1 ? "process" : "processes", s->all_threads,
                 s->all_threads == 1 ? "thread" : "threads", format_short_count(a, s->records_rate),
                 format_short_count(b, s->all_refused), (s->ring_fill_ppm + 9999) / 10000);
        top_lines_wrap(lines, TOP_STYLE_NORMAL, "", text);
}

void top_panel_warnings(struct top_ui *ui, struct top_page *page) {
        size_t n = top_warnings(ui, SIZE_MAX, NULL, 0);
        struct top_lines lines = top_lines_begin(ui, page);
        char text[768];

        snprintf(text, sizeof(text), "%zu warning%s; Esc closes", n, n == 1 ? "" : "s");
        top_lines_title(&lines, ui, text);
        if (!n)
                top_lines_wrap(&lines, TOP_STYLE_NORMAL, "", "Everything that was asked to be counted is counted.");
        for (size_t i = 0; i < n; i++) {
                top_warnings(ui, i, text, sizeof(text));
                top_lines_wrap(&lines, TOP_STYLE_WARNING, "! ", text);
        }
        put_figures(top_model_summary(ui->model), &lines);
        top_lines_end(&lines, ui);
}
