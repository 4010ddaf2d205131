/*
 * The lines of top as text, for a screen of any size and for a pipe.  Pure, like the model.
 */
#pragma once

#include "ctl/top_model.h"

/* Which columns there are room for, and where each begins. */
struct top_layout {
        size_t width;
        size_t count;
        struct {
                enum top_column column;
                size_t x, width;
        } columns[TOP_COLUMNS];
};

/* Chooses columns for `width` character cells: the less important ones go first, the span's name never. */
void top_layout_init(struct top_layout *layout, size_t width);

/* Each writes one line, terminated, without an end of line, never wider than the layout. */
enum { TOP_LINE_MAX = 4096 };
void top_view_header(const struct top_model *model, size_t width, char line[TOP_LINE_MAX]);
void top_view_heading(const struct top_layout *layout, char line[TOP_LINE_MAX]);
void top_view_row(const struct top_layout *layout, const struct top_row *row, char line[TOP_LINE_MAX]);
/* How it is sorted, filtered and grouped, then the keys. */
void top_view_footer(const struct top_model *model, size_t width, bool paused, char line[TOP_LINE_MAX]);

const char *top_view_heading_of(enum top_column column);

/* The text of the help screen, a line each; NULL at the end. */
extern const char *const top_view_help[];
