/* SPDX-License-Identifier: MIT */
/*
 * Columns of top: widths, and which are left out.  Cells are filled by top_view.c.
 */
#include "ctl/model/top_layout.h"

static const struct {
        const char *heading;
        size_t width, raw_width;
        unsigned rank; /* the lowest stay the longest */
        bool left;
} looks[TOP_COLUMNS] = {
        [TOP_UNIT] = {"UNIT", 10, 10, 12, true},
        [TOP_PID] = {"PID", 7, 7, 8, false},
        [TOP_SPAN] = {"SPAN", 8, 8, 0, true},
        [TOP_ALLOC_RATE] = {"ALLOC/s", 7, 12, 1, false},
        [TOP_ALLOCS_RATE] = {"ALLOCS/s", 8, 8, 13, false},
        [TOP_NET_RATE] = {"NET/s", 8, 13, 7, false},
        [TOP_ALLOC] = {"ALLOC", 7, 15, 5, false},
        [TOP_NET] = {"NET", 8, 15, 3, false},
        [TOP_OPEN] = {"OPEN", 5, 5, 10, false},
        [TOP_CALLS_RATE] = {"CALLS/s", 7, 7, 9, false},
        [TOP_P99] = {"P99/CALL", 8, 12, 11, false},
        [TOP_TIME] = {"TIME/CALL", 9, 9, 4, false},
        [TOP_BUSY] = {"BUSY%", 5, 5, 6, false},
        [TOP_QUALITY] = {"Q", 1, 1, 2, true},
};
enum { UNIT_MAX = 32, SPAN_MAX = 72, SPAN_ENOUGH = 24 };

const char *top_layout_heading(enum top_column column) {
        return looks[column].heading;
}

bool top_layout_is_left(enum top_column column) {
        return looks[column].left;
}

/* Room beyond the least goes to the names. */
static void share_rest(struct top_layout *layout, size_t rest) {
        size_t unit = layout->count, span = 0, more;

        for (size_t i = 0; i < layout->count; i++) {
                if (layout->columns[i].column == TOP_UNIT)
                        unit = i;
                if (layout->columns[i].column == TOP_SPAN)
                        span = i;
        }
        if (unit < layout->count) {
                more = rest / 2 < UNIT_MAX - looks[TOP_UNIT].width ? rest / 2 : UNIT_MAX - looks[TOP_UNIT].width;
                layout->columns[unit].width += more;
                rest -= more;
        }
        /* On a very wide screen numbers would be too far from their names. */
        layout->columns[span].width += rest < SPAN_MAX - looks[TOP_SPAN].width ? rest
                                                                               : SPAN_MAX - looks[TOP_SPAN].width;
}

static size_t width_of(int column, bool raw) {
        return raw ? looks[column].raw_width : looks[column].width;
}

/* Columns in the order of their ranks, until one does not fit: so that a wider screen never shows fewer. */
static size_t choose(bool chosen[TOP_COLUMNS], size_t width, struct top_wish wish) {
        size_t used = looks[TOP_SPAN].width;

        for (unsigned rank = 1; rank < TOP_COLUMNS; rank++) {
                int i = 0;
                size_t needed;

                while (looks[i].rank != rank)
                        i++;
                if ((wish.tree && i == TOP_UNIT) || (!wish.timed && (i == TOP_TIME || i == TOP_BUSY)))
                        continue;
                needed = used + 1 + width_of(i, wish.raw);
                /* Names in a tree are indented, and want more before the least important columns come. */
                if (needed + (wish.tree && rank > 7 ? SPAN_ENOUGH - looks[TOP_SPAN].width : 0) > width)
                        break;
                chosen[i] = true;
                used = needed;
        }
        return used;
}

void top_layout_init(struct top_layout *layout, size_t width, struct top_wish wish) {
        bool chosen[TOP_COLUMNS] = {[TOP_SPAN] = true};
        size_t used = choose(chosen, width, wish);

        *layout = (struct top_layout){.width = width};
        for (int i = 0; i < TOP_COLUMNS; i++)
                if (chosen[i]) {
                        layout->columns[layout->count].column = (enum top_column)i;
                        layout->columns[layout->count++].width = width_of(i, wish.raw);
                }
        if (used <= width)
                share_rest(layout, width - used);
        else
                layout->columns[0].width = width;
}
