/* SPDX-License-Identifier: MIT */
/*
 * A view that scrolls: a title that stays, and lines of which as many are skipped as are scrolled.
 */
#pragma once

#include "ctl/pages/top_page.h"

struct top_ui;

struct top_lines {
        struct top_page *page;
        size_t skip;  /* lines that are still to be skipped */
        size_t y;     /* of the next line */
        size_t count; /* of all lines, the skipped ones included */
};

struct top_lines top_lines_begin(const struct top_ui *ui, struct top_page *page);
/* The first line: it does not scroll.  Says when top is paused, or what is shown is old. */
void top_lines_title(struct top_lines *lines, const struct top_ui *ui, const char *text);
/* The place of the next line; SIZE_MAX, where nothing is written, if it is scrolled away. */
size_t top_lines_next(struct top_lines *lines);
void top_lines_put(struct top_lines *lines, enum top_style style, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* Over several lines, at blanks; `mark` stands before the first, and the others are indented by as much. */
void top_lines_wrap(struct top_lines *lines, enum top_style style, const char *mark, const char *text);
/* Keeps the scrolling of the view inside its lines. */
void top_lines_end(const struct top_lines *lines, struct top_ui *ui);
