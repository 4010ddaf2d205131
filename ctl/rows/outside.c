/* SPDX-License-Identifier: MIT */
/* See outside.h. */
#include "ctl/rows/outside.h"

#include <stdio.h>
#include <string.h>

bool outside_is(const struct table *table, size_t row) {
        return *table_text(table, row, "thread");
}

const char *outside_label(const char *thread, char buf[OUTSIDE_LABEL_MAX]) {
        snprintf(buf, OUTSIDE_LABEL_MAX, WIRE_OUTSIDE " %s", thread);
        return buf;
}

const char *outside_or_span(const struct table *table, size_t row, char buf[OUTSIDE_LABEL_MAX]) {
        return outside_is(table, row) ? outside_label(table_text(table, row, "thread"), buf)
                                      : table_text(table, row, "span");
}

bool outside_lacks(const char *column) {
        static const char *const beginnings[] = {"opened",  "closed",   "open",  "cycles",  "migrated", "aborted",
                                                 "refused", "per_call", "calls", "paths",   "busy",     "self_busy",
                                                 "timed",   "largest",  "call_", "net_per", "threads"};

        for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++)
                if (!strncmp(column, beginnings[i], strlen(beginnings[i])))
                        return true;
        return false;
}
