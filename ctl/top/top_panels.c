/* SPDX-License-Identifier: MIT */
/*
 * What opens over the list: help, the sort menu, warnings.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/output/counting.h"
#include "ctl/output/format.h"
#include "ctl/output/loss.h"
#include "ctl/output/text.h"
#include "ctl/top/top_ui.h"

const char *const top_help[] = {
        "spanallocctl top: which spans allocate heap, and how fast",
        "",
        "  Up Down k j   select a row           PgUp PgDn    a screen up, down",
        "  g Home        first row              G End        last row",
        "  s F6          menu: sort by          < >         by the column left, right",
        "  I             the other way round    a n l c     by ALLOC/s NET/s ALLOC CALLS",
        "  /  F3         search, next one       \\ F4        filter",
        "  t F5          tree                   + - *       unfold, fold, fold all",
        "  u b           sum by unit, by name   F           follow the selected row",
        "  T             time its processes: TIME/CALL and BUSY% (of one processor)",
        "  Enter         details of a span      w           warnings",
        "  Space         pause                  h F1 ?      this help",
        "  Esc           close what is open     q F10       quit",
        "",
        "ALLOC, NET and rates count a span's children too; in the tree, all that was",
        "opened below it.  NET is what it allocated less what it freed on its own",
        "threads: the rest may be in use, or freed elsewhere.",
        "Q: = exact, M cycles that another thread ended, L part of it lost, ~ estimated,",
        "X mixed with other spans, - nothing counts the heap of this process:",
        "`spanallocctl ps` says why",
        "rings: how full the fullest ring was in the last seconds; at 100% enters are",
        "refused, and what runs in them is lost.",
        NULL,
};

/* A text wider than the page is wrapped at a blank. */
static size_t put_wrapped(struct top_page *page, size_t y, enum top_style style, const char *text, size_t indent) {
        size_t width = page->width;

        do {
                size_t take = 0, at = 0;
                char part[512];

                while (text[at] && (at == 0 || at < sizeof(part) - 1)) {
                        size_t word = at + strcspn(text + at, " ");

                        if (word >= sizeof(part))
                                break;
                        snprintf(part, sizeof(part), "%.*s", (int)word, text);
                        if (take && text_width(part) + indent > width)
                                break;
                        take = word;
                        at = word + strspn(text + word, " ");
                }
                if (!take)
                        take = strlen(text) < sizeof(part) ? strlen(text) : sizeof(part) - 1;
                snprintf(part, sizeof(part), "%.*s", (int)take, text);
                top_page_pad(page, y, TOP_STYLE_NORMAL, indent);
                top_page_put(page, y, style, part);
                text += take;
                text += strspn(text, " ");
                y++;
        } while (*text && y < page->height);
        return y;
}

void top_panel_help(struct top_ui *ui, struct top_page *page) {
        size_t n = sizeof(top_help) / sizeof(top_help[0]) - 1;

        ui->page_rows = page->height;
        if (ui->scroll >= n)
                ui->scroll = n - 1;
        for (size_t y = 0; y < page->height && ui->scroll + y < n; y++)
                top_page_put(page, y, ui->scroll + y == 0 ? TOP_STYLE_BOLD : TOP_STYLE_NORMAL,
                             top_help[ui->scroll + y]);
}

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
        char a[FORMAT_MAX];

        loss_add(&loss, ps, row);
        if (refused)
                WARN("%s[%" PRIu64 "]: %" PRIu64 " enters, opens or closes were refused, since %s: %s allocated under "
                     "them is lost; %s.",
                     comm, pid, refused, loss_cause(&loss), format_bytes(a, lost), loss_advice(&loss));
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
        if (!ui->connected)
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

void top_panel_warnings(struct top_ui *ui, struct top_page *page) {
        size_t n = top_warnings(ui, SIZE_MAX, NULL, 0), y = 1;
        char text[768];

        ui->page_rows = page->height > 1 ? page->height - 1 : 1;
        if (ui->scroll >= n)
                ui->scroll = n ? n - 1 : 0;
        top_page_printf(page, 0, TOP_STYLE_BOLD, "%zu warning%s; Esc closes", n, n == 1 ? "" : "s");
        if (!n)
                put_wrapped(page, y, TOP_STYLE_NORMAL, "Everything that was asked to be counted is counted.", 0);
        for (size_t i = ui->scroll; i < n && y < page->height; i++) {
                top_warnings(ui, i, text, sizeof(text));
                top_page_put(page, y, TOP_STYLE_WARNING, "! ");
                y = put_wrapped(page, y, TOP_STYLE_NORMAL, text, 2);
        }
}
