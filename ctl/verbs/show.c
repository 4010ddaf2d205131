/* SPDX-License-Identifier: MIT */
/*
 * What the answers to `show` say together: sums over processes, and how a process ended.  Asking is in verb_show.c, the
 * text for a person in show_text.c.
 */
#include <string.h>

#include "ctl/output/format.h"
#include "ctl/rows/counting.h"
#include "ctl/rows/outside.h"
#include "ctl/verbs/show.h"

uint64_t show_sum(const struct show *show, const char *column) {
        uint64_t total = 0;

        for (size_t row = 0; row < show->spans->row_count; row++)
                total += table_uint(show->spans, row, column);
        return total;
}

static int64_t sum_of(const struct show *show, const char *column) {
        uint64_t sum = 0;

        for (size_t row = 0; row < show->spans->row_count; row++)
                sum += (uint64_t)table_int(show->spans, row, column);
        return (int64_t)sum;
}

int64_t show_net(const struct show *show) {
        return sum_of(show, "net_bytes");
}

int64_t show_calls_net(const struct show *show) {
        return sum_of(show, "calls_net_bytes");
}

int64_t show_growth(const struct show *show) {
        return sum_of(show, "process_net_bytes");
}

bool show_is_uncounted(const struct show *show) {
        for (size_t row = 0; row < show->spans->row_count; row++)
                if (!counting_is_hidden(show->spans, row))
                        return false;
        return true;
}

void show_print_interval(const struct show *show, FILE *stream) {
        uint64_t since_ns = show->ctl->options.since_ns;
        char interval[FORMAT_MAX];

        if (!since_ns)
                return;
        format_duration(interval, since_ns);
        if (show->spans->complete)
                fprintf(stream, "Over the last %s, or up to a minute more:\n", interval);
        else
                fprintf(stream, "Since the process attached, or since the last reset: no sums are kept from %s ago.\n",
                        interval);
}

bool show_is_named(const struct show *show, size_t tree_row) {
        char label[OUTSIDE_LABEL_MAX];

        return !strcmp(table_text(show->tree, tree_row, "span"), show->name) ||
               !strcmp(outside_or_span(show->tree, tree_row, label), show->name);
}

bool show_process(const struct show *show, size_t row, size_t *ret_row) {
        uint64_t process = table_uint(show->spans, row, "process");

        for (size_t i = 0; i < show->ps->row_count; i++)
                if (table_uint(show->ps, i, "process") == process) {
                        *ret_row = i;
                        return true;
                }
        return false;
}

bool show_end(const struct show *show, size_t row, size_t *ret_row) {
        return show_process(show, row, ret_row) && *table_text(show->ps, *ret_row, "ended");
}
