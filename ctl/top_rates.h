/*
 * Rates of rows, from the difference of two successive answers of `spans`.
 */
#pragma once

#include "ctl/top_model.h"

/* What is kept of an answer: its sums, by process and span.  Spans are borrowed from the table. */
struct top_rates {
        uint64_t time_ns; /* 0: there was no answer */
        size_t count;
        struct top_sums *sums;
};

struct top_sums {
        uint64_t process;
        const char *span;
        uint64_t alloc_count, alloc_bytes, closed;
        int64_t net_bytes;
};

void top_rates_deinit(struct top_rates *rates);
/* Keeps the sums of these rows.  0 or -ENOMEM. */
int top_rates_init(struct top_rates *rates, const struct top_row *rows, size_t count, uint64_t time_ns);
/* Fills the rates of `row`, which was read at `time_ns`.  Without an earlier answer it is left unrated. */
void top_rates_fill(const struct top_rates *before, struct top_row *row, uint64_t time_ns);
