/* SPDX-License-Identifier: MIT */
/*
 * Columns of top: widths, and which are left out.  Cells are filled by top_view.c.
 */
#include <string.h>

#include "ctl/model/top_layout.h"

static const struct {
        const char *heading;
        size_t width, raw_width; /* of names: the least */
        size_t enough, most;     /* of names */
        bool left;
} looks[TOP_COLUMNS] = {
        [TOP_UNIT] = {"UNIT", 8, 8, 20, 48, true},           [TOP_PROCESS] = {"PROCESS", 10, 10, 22, 32, true},
        [TOP_SPAN] = {"SPAN", 8, 8, 20, 72, true},           [TOP_ALLOC_RATE] = {"ALLOC/s", 7, 12, 0, 0, false},
        [TOP_ALLOCS_RATE] = {"BLOCKS/s", 8, 8, 0, 0, false}, [TOP_NET_RATE] = {"NET/s", 8, 13, 0, 0, false},
        [TOP_ALLOC] = {"ALLOC", 7, 15, 0, 0, false},         [TOP_NET] = {"NET", 8, 15, 0, 0, false},
        [TOP_NET_CALL] = {"NET/CALL", 8, 13, 0, 0, false},   [TOP_OPEN] = {"OPEN", 5, 5, 0, 0, false},
        [TOP_CALLS_RATE] = {"CALLS/s", 7, 7, 0, 0, false},   [TOP_P99] = {"P99/CALL", 8, 12, 0, 0, false},
        [TOP_TIME] = {"TIME/CALL", 9, 9, 0, 0, false},       [TOP_BUSY] = {"BUSY%", 5, 5, 0, 0, false},
        [TOP_QUALITY] = {"QUALITY", 9, 9, 0, 0, true},
};

/* The most important first: what grows, and where.  From ENOUGH_FROM on a column comes only if names have enough room beside
 * it. */
enum { ORDER_MAX = TOP_COLUMNS, ENOUGH_FROM = 6, SPAN_ENOUGH_IN_TREE = 32 };
static const enum top_column flat_order[] = {TOP_SPAN,  TOP_ALLOC_RATE, TOP_NET,      TOP_PROCESS,    TOP_TIME,
                                             TOP_BUSY,  TOP_QUALITY,    TOP_NET_CALL, TOP_CALLS_RATE, TOP_NET_RATE,
                                             TOP_ALLOC, TOP_OPEN,       TOP_UNIT,     TOP_P99,        TOP_ALLOCS_RATE};
static const enum top_column unit_order[] = {TOP_SPAN,  TOP_ALLOC_RATE, TOP_NET,      TOP_UNIT,       TOP_TIME,
                                             TOP_BUSY,  TOP_QUALITY,    TOP_NET_CALL, TOP_CALLS_RATE, TOP_NET_RATE,
                                             TOP_ALLOC, TOP_PROCESS,    TOP_OPEN,     TOP_P99,        TOP_ALLOCS_RATE};

const char *top_layout_heading(enum top_column column) {
        return looks[column].heading;
}

bool top_layout_is_left(enum top_column column) {
        return looks[column].left;
}

static size_t least(size_t a, size_t b) {
        return a < b ? a : b;
}

/* The longest text of a column of names, its heading included. */
static size_t longest(enum top_column column, const struct top_wish *wish) {
        size_t heading = strlen(looks[column].heading);
        size_t width = column == TOP_UNIT      ? wish->widths.unit
                       : column == TOP_PROCESS ? wish->widths.process
                                               : wish->widths.span;

        return least(width > heading ? width : heading, looks[column].most);
}

static bool is_name(enum top_column column) {
        return looks[column].most > 0;
}

static size_t width_of(enum top_column column, const struct top_wish *wish) {
        if (is_name(column))
                return least(looks[column].width, longest(column, wish));
        return wish->raw ? looks[column].raw_width : looks[column].width;
}

/* What a column of names lacks to have enough. */
static size_t lack_of(enum top_column column, const struct top_wish *wish) {
        size_t enough = column == TOP_SPAN && wish->shape == TOP_TREE ? SPAN_ENOUGH_IN_TREE : looks[column].enough;

        return is_name(column) ? least(enough, longest(column, wish)) - width_of(column, wish) : 0;
}

static bool is_wanted(enum top_column column, const struct top_wish *wish) {
        switch (column) {
        case TOP_UNIT:
                return wish->shape == TOP_BY_UNIT || (wish->shape == TOP_FLAT && wish->widths.unit);
        case TOP_PROCESS:
        case TOP_NET_CALL: /* `tree` has no net of calls */
                return wish->shape != TOP_TREE;
        case TOP_TIME:
        case TOP_BUSY:
                return wish->timed;
        case TOP_QUALITY:
                return wish->quality;
        default:
                return true;
        }
}

/* The column that sorts, then the others in the order of their importance, until one does not fit: so that a wider screen
 * never shows fewer. */
static size_t choose(bool chosen[TOP_COLUMNS], size_t width, const struct top_wish *wish) {
        const enum top_column *order = wish->shape == TOP_BY_UNIT ? unit_order : flat_order;
        size_t used = width_of(TOP_SPAN, wish), lack = lack_of(TOP_SPAN, wish), count = 1;

        for (int i = 0; i < ORDER_MAX; i++) {
                enum top_column column = i ? order[i] : wish->sorted;
                size_t needed = used + 1 + width_of(column, wish);

                if (chosen[column] || !is_wanted(column, wish))
                        continue;
                if (needed + (count >= ENOUGH_FROM ? lack + lack_of(column, wish) : 0) > width)
                        break;
                chosen[column] = true;
                lack += lack_of(column, wish);
                used = needed;
                count++;
        }
        return used;
}

/* Room beyond the least goes to the names: first to all of them until each has enough, then to the span's. */
static void share_rest(struct top_layout *layout, size_t rest, const struct top_wish *wish) {
        for (int round = 0; round < 2; round++)
                for (size_t i = layout->count; i-- > 0;) {
                        enum top_column column = layout->columns[i].column;
                        size_t wanted = longest(column, wish), more;

                        if (!is_name(column))
                                continue;
                        if (!round)
                                wanted = least(wanted, width_of(column, wish) + lack_of(column, wish));
                        more = least(rest, wanted - least(wanted, layout->columns[i].width));
                        layout->columns[i].width += more;
                        rest -= more;
                }
}

void top_layout_init(struct top_layout *layout, size_t width, struct top_wish wish) {
        bool chosen[TOP_COLUMNS] = {[TOP_SPAN] = true};
        size_t used = choose(chosen, width, &wish);

        *layout = (struct top_layout){.width = width};
        for (int i = 0; i < TOP_COLUMNS; i++)
                if (chosen[i]) {
                        layout->columns[layout->count].column = (enum top_column)i;
                        layout->columns[layout->count++].width = width_of((enum top_column)i, &wish);
                }
        if (used <= width)
                share_rest(layout, width - used, &wish);
        else
                layout->columns[0].width = width;
}

struct top_wish top_layout_wish(const struct top_model *model, bool raw) {
        struct top_widths widths = top_model_widths(model);

        return (struct top_wish){
                .raw = raw,
                .shape = top_model_shape(model),
                .sorted = top_model_sorted_by(model),
                .timed = top_model_wants_time(model),
                .quality = widths.quality || top_model_sorted_by(model) == TOP_QUALITY,
                .widths = widths,
        };
}
