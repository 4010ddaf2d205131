/* SPDX-License-Identifier: MIT */
/*
 * What rows are called, and how wide the names of all rows are.  How wide a column is, is for top_layout.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/model/top_list.h"
#include "ctl/output/text.h"
#include "ctl/rows/outside.h"

/* The name of threads that are called as their process is not told twice. */
const char *top_short_span(const char *span, const char *comm) {
        size_t n = strlen(WIRE_OUTSIDE);

        return comm && *comm && !strncmp(span, WIRE_OUTSIDE " ", n + 1) && !strcmp(span + n + 1, comm) ? WIRE_OUTSIDE
                                                                                                       : span;
}

const char *top_row_span(const struct top_row *row) {
        return row->kind == TOP_ROW_SPAN ? top_short_span(row->span, row->comm) : row->span;
}

size_t top_row_name(const struct top_row *row, char *buf, size_t size) {
        const char *unit = *row->unit ? row->unit : "(no unit)";

        if (row->kind == TOP_ROW_UNIT)
                return (size_t)snprintf(buf, size, row->processes > 1 ? "%s (%zu processes)" : "%s", unit,
                                        row->processes);
        if (row->kind == TOP_ROW_PROCESS)
                return (size_t)snprintf(buf, size, "%s[%" PRIu64 "]", row->comm, row->pid);
        return (size_t)snprintf(buf, size, "%s", top_row_span(row));
}

size_t top_row_process(const struct top_row *row, char *buf, size_t size) {
        if (row->processes > 1)
                return (size_t)snprintf(buf, size, "%zu processes", row->processes);
        return (size_t)snprintf(buf, size, "%s[%" PRIu64 "]", row->comm, row->pid);
}

void top_fit_process(const char *comm, uint64_t pid, size_t width, char *buf, size_t size) {
        char number[24];
        size_t n = (size_t)snprintf(number, sizeof(number), "[%" PRIu64 "]", pid);

        if (text_width(comm) + n <= width || width <= n) {
                snprintf(buf, size, "%s%s", comm, number);
                return;
        }
        *buf = '\0';
        text_fit(buf, size, comm, width - n, false);
        strncat(buf, number, size - strlen(buf) - 1);
}

static void widen(size_t *width, size_t other) {
        if (other > *width)
                *width = other;
}

static void widen_for_slot(const struct top_model *model, const struct top_slot *slot, size_t indent,
                           struct top_widths *widths) {
        widen(&widths->span, indent + slot->span_width);
        widths->quality |= slot->sums.quality != TOP_EXACT;
        if (slot->member == TOP_NONE)
                return;
        widen(&widths->unit, model->members.rows[slot->member].unit_width);
        widen(&widths->process, model->members.rows[slot->member].process_width);
}

static void widen_for_sum(const struct top_row *row, size_t indent, struct top_widths *widths) {
        char text[1024];

        top_row_name(row, text, sizeof(text));
        widen(&widths->span, indent + text_width(text));
        top_row_process(row, text, sizeof(text));
        widen(&widths->process, text_width(text));
        widen(&widths->unit, text_width(row->unit));
        widths->quality |= row->sums.quality != TOP_EXACT;
}

struct top_widths top_list_widths(const struct top_model *model) {
        const struct top_store *store = model->shape == TOP_TREE ? &model->tree : &model->flat;
        struct top_widths widths = {0};

        for (size_t i = 0; i < model->n_items; i++) {
                const struct top_item *item = &model->items[i];
                /* Two columns of branches for each depth, and a mark. */
                size_t indent = 2 * (size_t)item->depth + item->folded;

                if (item->kind == TOP_ROW_SPAN)
                        widen_for_slot(model, &store->slots[item->index], indent, &widths);
                else
                        widen_for_sum(&model->sums[item->index], indent, &widths);
        }
        return widths;
}
