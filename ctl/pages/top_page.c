/* SPDX-License-Identifier: MIT */
/*
 * A page of cells: begin, write, cut.  What is written is in top_view.c, top_panels.c and top_details.c.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/output/bars.h"
#include "ctl/output/text.h"
#include "ctl/pages/top_page.h"

void top_page_deinit(struct top_page *page) {
        free(page->lines);
        *page = (struct top_page){0};
}

int top_page_begin(struct top_page *page, size_t width, size_t height) {
        if (height > page->room) {
                void *more = reallocarray(page->lines, height, sizeof(*page->lines));

                if (!more)
                        return -ENOMEM;
                page->lines = more;
                page->room = height;
        }
        page->width = width < TOP_PAGE_WIDTH_MAX ? width : TOP_PAGE_WIDTH_MAX;
        page->height = height;
        page->utf8 = bars_utf8();
        page->has_cursor = false;
        for (size_t y = 0; y < height; y++) {
                page->lines[y].used = 0;
                page->lines[y].text[0] = '\0';
                memset(page->lines[y].styles, TOP_STYLE_NORMAL, page->width);
        }
        return 0;
}

size_t top_page_left(const struct top_page *page, size_t y) {
        return y < page->height ? page->width - page->lines[y].used : 0;
}

void top_page_fit(struct top_page *page, size_t y, enum top_style style, const char *text, size_t width, bool right) {
        size_t left = top_page_left(page, y);
        struct top_page_line *line;

        if (width > left)
                width = left;
        if (!width)
                return;
        line = &page->lines[y];
        text_fit(line->text, sizeof(line->text), text, width, right);
        memset(line->styles + line->used, style, width);
        line->used += width;
}

void top_page_put(struct top_page *page, size_t y, enum top_style style, const char *text) {
        top_page_fit(page, y, style, text, text_width(text), false);
}

void top_page_printf(struct top_page *page, size_t y, enum top_style style, const char *format, ...) {
        char text[1024];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof(text), format, args);
        va_end(args);
        top_page_put(page, y, style, text);
}

void top_page_pad(struct top_page *page, size_t y, enum top_style style, size_t x) {
        if (y < page->height && x > page->lines[y].used)
                top_page_fit(page, y, style, "", x - page->lines[y].used, false);
}

void top_page_paint(struct top_page *page, size_t y, enum top_style style) {
        if (y >= page->height)
                return;
        top_page_pad(page, y, style, page->width);
        memset(page->lines[y].styles, style, page->width);
}

void top_page_graph(struct top_page *page, size_t y, const double *values, size_t count) {
        double most = 0;

        for (size_t i = 0; i < count; i++)
                most = values[i] > most ? values[i] : most;
        for (size_t i = 0; i < count; i++)
                top_page_put(page, y, TOP_STYLE_GRAPH,
                             values[i] < 0 ? " " : bars_level(most > 0 ? values[i] / most : 0));
}

void top_page_bar(struct top_page *page, size_t y, enum top_style style, double share, size_t width) {
        char text[BARS_MAX];

        top_page_fit(page, y, style, bars_fill(text, share, width), width, false);
}
