/*
 * Rows and the summary of top, read from answers.
 */
#pragma once

#include "ctl/top_model.h"

/* Every row of `spans`, in its order, without rates, into `rows` (room for all).  0 or -ENOMEM. */
int top_read_rows(struct top_row *rows, const struct table *spans, const struct table *processes);
struct top_summary top_read_summary(uint64_t time_ns, const struct table *processes, const struct table *status);
