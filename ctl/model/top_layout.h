/* SPDX-License-Identifier: MIT */
/*
 * The columns of top that fit the width, and where each begins.
 */
#pragma once

#include "ctl/model/top_model.h"

struct top_layout {
        size_t width;
        size_t count;
        struct {
                enum top_column column;
                size_t width;
        } columns[TOP_COLUMNS];
};

/* What decides on the optional columns. */
struct top_wish {
        bool raw; /* numbers of bytes are whole */
        enum top_shape shape;
        enum top_column sorted;
        bool timed;               /* programs write timestamps, or it is sorted by their times */
        bool quality;             /* a row is not exact, or it is sorted by quality */
        struct top_widths widths; /* of the names */
};

/* Chooses columns for `width` character cells: the less important ones go first, the one that sorts and the span's name last.
 * A column of names is no wider than the longest of them. */
void top_layout_init(struct top_layout *layout, size_t width, struct top_wish wish);
/* The wish of a model. */
struct top_wish top_layout_wish(const struct top_model *model, bool raw);

const char *top_layout_heading(enum top_column column);
bool top_layout_is_left(enum top_column column);
