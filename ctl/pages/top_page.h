/* SPDX-License-Identifier: MIT */
/*
 * A page of character cells: text and attributes, independent of what draws it.
 *
 * Lines are filled from left to right.  What does not fit is cut, with a mark; what is not written is blank.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum top_style {
        TOP_STYLE_NORMAL,
        TOP_STYLE_BOLD,
        TOP_STYLE_DIM,
        TOP_STYLE_HEADING,
        TOP_STYLE_SORTED, /* the heading of the column that sorts */
        TOP_STYLE_SELECTED,
        TOP_STYLE_NUMBER, /* of the header */
        TOP_STYLE_GRAPH,
        TOP_STYLE_NAME,
        TOP_STYLE_GROW, /* numbers above zero where that is more memory */
        TOP_STYLE_FALL,
        TOP_STYLE_WARNING,
        TOP_STYLE_KEY, /* names of keys */
        TOP_STYLES,
};

enum { TOP_PAGE_WIDTH_MAX = 1000, TOP_PAGE_BYTES = 4096 };

struct top_page {
        size_t width, height;
        bool utf8;   /* may hold more than ASCII */
        size_t room; /* lines that there is memory for */
        struct top_page_line {
                size_t used; /* columns */
                char text[TOP_PAGE_BYTES];
                uint8_t styles[TOP_PAGE_WIDTH_MAX]; /* enum top_style, of each column */
        } * lines;
        bool has_cursor;
        size_t cursor_x, cursor_y;
};

void top_page_deinit(struct top_page *page);
/* An empty page.  0 or -ENOMEM. */
int top_page_begin(struct top_page *page, size_t width, size_t height);

/* Writes at the end of line `y`: `width` columns, cut or filled with blanks; or as many as the text takes. */
void top_page_fit(struct top_page *page, size_t y, enum top_style style, const char *text, size_t width, bool right);
void top_page_put(struct top_page *page, size_t y, enum top_style style, const char *text);
void top_page_printf(struct top_page *page, size_t y, enum top_style style, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
/* Blanks up to column `x`. */
void top_page_pad(struct top_page *page, size_t y, enum top_style style, size_t x);
/* The rest of the line, and all that was written of it, look like this. */
void top_page_paint(struct top_page *page, size_t y, enum top_style style);
/* Columns that are left on the line. */
size_t top_page_left(const struct top_page *page, size_t y);

/* One line of a small drawing of `count` values (below zero: none), scaled to the largest; a column each. */
void top_page_graph(struct top_page *page, size_t y, const double *values, size_t count);
/* A bar of `width` columns, `share` of it full. */
void top_page_bar(struct top_page *page, size_t y, enum top_style style, double share, size_t width);
