/* SPDX-License-Identifier: MIT */
/*
 * Lines of a view that scrolls.  What they say is in top_help.c, top_panels.c, top_details.c and top_process.c.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctl/output/format.h"
#include "ctl/output/text.h"
#include "ctl/pages/top_lines.h"
#include "ctl/pages/top_ui.h"

struct top_lines top_lines_begin(const struct top_ui *ui, struct top_page *page) {
        return (struct top_lines){.page = page, .skip = ui->scroll};
}

void top_lines_title(struct top_lines *lines, const struct top_ui *ui, const char *text) {
        char clock[FORMAT_MAX];

        top_page_put(lines->page, lines->y, TOP_STYLE_BOLD, text);
        if (ui->paused)
                top_page_put(lines->page, lines->y, TOP_STYLE_WARNING, "  PAUSED");
        if (ui->silent_s)
                top_page_printf(lines->page, lines->y, TOP_STYLE_WARNING, "  no answer for %u s", ui->silent_s);
        else if (!ui->connected)
                top_page_printf(lines->page, lines->y, TOP_STYLE_WARNING, "  as of %.8s",
                                format_clock(clock, top_model_summary(ui->model)->time_ns));
        lines->y++;
}

size_t top_lines_next(struct top_lines *lines) {
        lines->count++;
        if (lines->skip) {
                lines->skip--;
                return SIZE_MAX;
        }
        return lines->y++;
}

void top_lines_put(struct top_lines *lines, enum top_style style, const char *format, ...) {
        char text[2048];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        top_page_put(lines->page, top_lines_next(lines), style, text);
}

/* Bytes of `text` that fit `width` columns, cut at a blank; at least one word. */
static size_t take_words(const char *text, size_t width) {
        size_t take = 0, at = 0;
        char part[512];

        while (text[at]) {
                size_t word = at + strcspn(text + at, " ");

                if (word >= sizeof(part))
                        break;
                snprintf(part, sizeof(part), "%.*s", (int)word, text);
                if (take && text_width(part) > width)
                        break;
                take = word;
                at = word + strspn(text + word, " ");
        }
        if (!take)
                take = strlen(text) < sizeof(part) ? strlen(text) : sizeof(part) - 1;
        return take;
}

void top_lines_wrap(struct top_lines *lines, enum top_style style, const char *mark, const char *text) {
        size_t indent = text_width(mark), width = lines->page->width > indent ? lines->page->width - indent : 1;
        bool first = true;

        do {
                size_t take = take_words(text, width), y = top_lines_next(lines);
                char part[512];

                snprintf(part, sizeof(part), "%.*s", (int)take, text);
                top_page_put(lines->page, y, style, first ? mark : "");
                top_page_pad(lines->page, y, TOP_STYLE_NORMAL, indent);
                top_page_put(lines->page, y, TOP_STYLE_NORMAL, part);
                text += take;
                text += strspn(text, " ");
                first = false;
        } while (*text);
}

void top_lines_end(const struct top_lines *lines, struct top_ui *ui) {
        size_t visible = lines->page->height > 1 ? lines->page->height - 1 : 1;
        size_t last = lines->count > visible ? lines->count - visible : 0;

        ui->page_rows = visible;
        if (ui->scroll > last)
                ui->scroll = last;
}
