/* SPDX-License-Identifier: MIT */
/*
 * The verb: from the options to a model, and to the screen or the batch mode.  Asking is in top_refresh.c.
 */
#include <errno.h>
#include <unistd.h>

#include "base/nanoseconds.h"
#include "ctl/session/fail.h"
#include "ctl/top/top.h"
#include "ctl/top/top_batch.h"
#include "ctl/top/top_refresh.h"
#include "ctl/top/top_screen.h"
#include "ctl/top/top_signals.h"

#define DELAY_NS NS_PER_S

static int choose_sort(struct top *top) {
        const char *sort = top->ctl->options.sort;
        bool descending = sort && *sort == '-';
        int column = sort ? top_model_find_column(sort + descending) : TOP_ALLOC_RATE;

        if (column < 0)
                return ctl_fail(CTL_USAGE,
                                "top cannot sort by \"%s\"; it can by unit, pid, span, alloc_bytes_rate_10s, "
                                "alloc_count, alloc_bytes, net_bytes, net_per_call, open, closed, per_call, "
                                "timed_calls_ns, busy_ns and quality",
                                sort + descending);
        if (top->ctl->options.by_name)
                top_model_set_shape(top->ui.model, TOP_BY_NAME);
        top_model_sort(top->ui.model, (enum top_column)column);
        if (sort)
                top_model_set_descending(top->ui.model, descending);
        return CTL_OK;
}

static int run(struct top *top) {
        const struct options *options = &top->ctl->options;
        int r = choose_sort(top);

        if (options->by_name && options->json)
                return ctl_fail(CTL_USAGE,
                                "top --json has a row for each process; `spanallocctl spans --json --by=name` "
                                "has sums");
        if (r != CTL_OK)
                return r;
        top_signals();
        if (top_refresh(top) < 0)
                return ctl_fail_client(&top->error);
        if (!options->batch && !options->json && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
                r = top_screen(top);
                if (r != -ENOTTY)
                        return r;
        }
        return top_batch(top);
}

int verb_top(struct ctl *ctl, int argc, char **argv) {
        struct top top = {.ctl = ctl, .delay_ns = ctl->options.delay_ns ? ctl->options.delay_ns : DELAY_NS};
        int r = top_model_new(&top.ui.model);

        if (r < 0)
                return ctl_fail(CTL_FAILURE, "out of memory");
        top.ui.raw = ctl->options.raw;
        top.ui.pid = ctl->options.pid;
        top.ui.unit = ctl->options.unit;
        r = run(&top);
        top_ui_deinit(&top.ui);
        top_model_free(top.ui.model);
        top_samples_deinit(&top.samples);
        top_round_deinit(&top.round);
        table_free(top.spans);
        return r;
}
