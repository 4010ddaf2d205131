/*
 * Rates of rows, from the difference of two successive answers of `spans`.
 */
#pragma once

#include "ctl/top_model.h"

/* An answer that can be searched by process and span. */
struct top_rates {
        struct table *table;
        uint32_t *order; /* rows, by process and span */
};

void top_rates_deinit(struct top_rates *rates);
/* Takes over `table`, also on failure.  0 or -ENOMEM. */
int top_rates_set(struct top_rates *rates, struct table *table);
/* Fills the rates of `row`, which was read at `time_ns`.  Without an earlier answer it is left unrated. */
void top_rates_fill(const struct top_rates *before, struct top_row *row, uint64_t time_ns);
