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
        bool raw;   /* numbers of bytes are whole */
        bool tree;  /* units and processes stand in the span's column */
        bool timed; /* programs write timestamps, or it is sorted by their times */
};

/* Chooses columns for `width` character cells: the less important ones go first, the span's name never. */
void top_layout_init(struct top_layout *layout, size_t width, struct top_wish wish);

const char *top_layout_heading(enum top_column column);
bool top_layout_is_left(enum top_column column);
